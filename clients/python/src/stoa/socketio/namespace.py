"""Class-based namespaces."""

from __future__ import annotations

import inspect
from typing import Any

from ..handlers import NOT_HANDLED, fitting


class BaseNamespace:
    """A namespace whose methods ``on_<event>`` are its handlers."""

    def __init__(self, namespace: str | None = None) -> None:
        self.namespace = namespace or "/"
        self.server: Any = None

    def _set_server(self, server: Any) -> None:
        self.server = server

    def is_asyncio_based(self) -> bool:
        """Whether the methods may be coroutines."""
        return False

    def _find(self, event: str, args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        handler = getattr(self, f"on_{event or ''}", None)
        if handler is not None and (event == "disconnect" or event == "connect" and args[-1] is None):
            return handler, fitting(handler, args, args[:-1])
        return handler, args

    def rooms(self, sid: str, namespace: str | None = None) -> list[str]:
        """The rooms that a client is in."""
        return self.server.rooms(sid, namespace=namespace or self.namespace)

    # The rest is the server's own, on this namespace. On an asynchronous server each gives a coroutine.

    def emit(self, event: str, data: Any = None, *args: Any, namespace: str | None = None, **options: Any) -> Any:
        """Emits an event on this namespace."""
        return self.server.emit(event, data, *args, namespace=namespace or self.namespace, **options)

    def send(self, data: Any, *args: Any, namespace: str | None = None, **options: Any) -> Any:
        """Emits the event ``message`` on this namespace."""
        return self.server.send(data, *args, namespace=namespace or self.namespace, **options)

    def call(self, event: str, data: Any = None, *args: Any, namespace: str | None = None, **options: Any) -> Any:
        """Emits an event to one client and waits for its acknowledgement."""
        return self.server.call(event, data, *args, namespace=namespace or self.namespace, **options)

    def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> Any:
        """Puts a client into a room."""
        return self.server.enter_room(sid, room, namespace=namespace or self.namespace)

    def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> Any:
        """Takes a client out of a room."""
        return self.server.leave_room(sid, room, namespace=namespace or self.namespace)

    def close_room(self, room: Any, namespace: str | None = None) -> Any:
        """Takes all clients out of a room."""
        return self.server.close_room(room, namespace=namespace or self.namespace)

    def get_session(self, sid: str, namespace: str | None = None) -> Any:
        """The session data of a client."""
        return self.server.get_session(sid, namespace=namespace or self.namespace)

    def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> Any:
        """Keeps the session data of a client."""
        return self.server.save_session(sid, session, namespace=namespace or self.namespace)

    def session(self, sid: str, namespace: str | None = None) -> Any:
        """The session data of a client, kept at the end of the block."""
        return self.server.session(sid, namespace=namespace or self.namespace)

    def disconnect(self, sid: str, namespace: str | None = None) -> Any:
        """Ends a client's connection."""
        return self.server.disconnect(sid, namespace=namespace or self.namespace)


class Namespace(BaseNamespace):
    """A namespace of a :class:`~stoa.socketio.Server`."""

    def trigger_event(self, event: str, *args: Any) -> Any:
        """Calls the method for an event."""
        handler, args = self._find(event, args)
        return NOT_HANDLED if handler is None else handler(*args)


class AsyncNamespace(BaseNamespace):
    """A namespace of an :class:`~stoa.socketio.AsyncServer`."""

    def is_asyncio_based(self) -> bool:
        """Whether the methods may be coroutines."""
        return True

    async def trigger_event(self, event: str, *args: Any) -> Any:
        """Calls the method for an event."""
        handler, args = self._find(event, args)
        if handler is None:
            return NOT_HANDLED
        result = handler(*args)
        return await result if inspect.isawaitable(result) else result
