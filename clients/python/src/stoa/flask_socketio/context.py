"""The functions for handlers: the client, its namespace and the application are those of the event."""

from __future__ import annotations

from typing import Any

import flask


def _extension() -> Any:
    return flask.current_app.extensions["socketio"]


def _namespace(namespace: str | None) -> str:
    return flask.request.namespace if namespace is None else namespace or "/"  # type: ignore[attr-defined]


def _sid(sid: str | None) -> str:
    return sid or flask.request.sid  # type: ignore[attr-defined]


def emit(
    event: str,
    *args: Any,
    namespace: str | None = None,
    to: Any = None,
    room: Any = None,
    broadcast: bool = False,
    include_self: bool = True,
    skip_sid: Any = None,
    callback: Any = None,
    ignore_queue: bool = False,
) -> None:
    """Emits an event to the client of this event, or to a room, a client or everybody (``broadcast``)."""
    to = to or room
    if to is None and not broadcast:
        to = _sid(None)
    _extension().emit(
        event,
        *args,
        namespace=_namespace(namespace),
        to=to,
        include_self=include_self,
        skip_sid=skip_sid,
        callback=callback,
    )


def send(message: Any, json: bool = False, **options: Any) -> None:
    """Emits the event ``message``, or ``json``."""
    emit("json" if json else "message", message, **options)


def call(
    event: str,
    *args: Any,
    namespace: str | None = None,
    to: Any = None,
    room: Any = None,
    timeout: float | None = 60,
    ignore_queue: bool = False,
) -> Any:
    """Emits an event to one client and waits for its acknowledgement."""
    return _extension().call(
        event, *args, namespace=_namespace(namespace), to=to or room or _sid(None), timeout=timeout
    )


def join_room(room: Any, sid: str | None = None, namespace: str | None = None) -> None:
    """Puts the client into a room."""
    _extension().server.enter_room(_sid(sid), room, namespace=_namespace(namespace or None))


def set_user(user: str) -> None:
    """Says in a connect handler which user the client is: it has the room ``user:{user}`` from then on."""
    _extension().server.set_user(_sid(None), user)


def leave_room(room: Any, sid: str | None = None, namespace: str | None = None) -> None:
    """Takes the client out of a room."""
    _extension().server.leave_room(_sid(sid), room, namespace=_namespace(namespace or None))


def close_room(room: Any, namespace: str | None = None) -> None:
    """Takes all clients out of a room."""
    _extension().server.close_room(room, namespace=_namespace(namespace or None))


def rooms(sid: str | None = None, namespace: str | None = None) -> list[str]:
    """The rooms that the client is in, its own among them."""
    return _extension().server.rooms(_sid(sid), namespace=_namespace(namespace or None))


def disconnect(sid: str | None = None, namespace: str | None = None, silent: bool = False) -> None:
    """Ends the client's connection to the namespace."""
    _extension().server.disconnect(_sid(sid), namespace=_namespace(namespace or None))
