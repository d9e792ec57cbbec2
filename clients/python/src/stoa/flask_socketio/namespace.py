"""Class-based namespaces, whose methods see Flask's request instead of a client's id."""

from __future__ import annotations

from typing import Any

from ..handlers import NOT_HANDLED, fitting
from ..socketio.namespace import BaseNamespace


class Namespace(BaseNamespace):
    """A namespace whose methods ``on_<event>`` are its handlers."""

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__(namespace)
        self.socketio: Any = None

    def _set_socketio(self, socketio: Any) -> None:
        self.socketio = socketio

    def trigger_event(self, event: str, *args: Any) -> Any:
        """Calls the method for an event within the request of its client. ``args`` begin with the client's id."""
        handler = getattr(self, f"on_{event or ''}", None)
        if handler is None:
            return NOT_HANDLED
        if event == "disconnect":
            without = args[1:]
            args = (args[0], *fitting(handler, without, without[:-1]))
        try:
            return self.socketio._handle_event(handler, event, self.namespace, *args)
        except Exception as error:
            if hasattr(self, "error"):
                return self.error(error)
            raise

    def emit(  # type: ignore[override]
        self,
        event: str,
        data: Any = None,
        room: Any = None,
        include_self: bool = True,
        namespace: str | None = None,
        callback: Any = None,
        to: Any = None,
    ) -> None:
        """Emits an event on this namespace: to everybody, if there is no room."""
        self.socketio.emit(
            event,
            data,
            to=to or room,
            include_self=include_self,
            namespace=namespace or self.namespace,
            callback=callback,
        )

    def send(  # type: ignore[override]
        self,
        data: Any,
        room: Any = None,
        include_self: bool = True,
        namespace: str | None = None,
        callback: Any = None,
        to: Any = None,
    ) -> None:
        """Emits the event ``message`` on this namespace."""
        self.socketio.send(
            data, to=to or room, include_self=include_self, namespace=namespace or self.namespace, callback=callback
        )

    def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Takes all clients out of a room."""
        self.socketio.close_room(room, namespace=namespace or self.namespace)
