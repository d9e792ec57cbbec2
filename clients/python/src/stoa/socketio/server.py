"""A server of the API of ``socketio.Server``, for WSGI."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Any, Callable, Iterator

from .. import endpoint, wire
from ..exceptions import ClientGoneError, SocketIOError, StoaError, TimeoutError
from ..handlers import NOT_HANDLED
from ..operations import Call, current
from .base import BaseServer, one_or_all

log = logging.getLogger("stoa")

#: Seconds for which the callback of an emit waits for the client's answer.
CALLBACK_TIMEOUT = 60.0
#: Callbacks that wait at a time, in one process.
MAX_CALLBACKS = 256
#: Tries to reach a client that is being let in, and the seconds by which the time between them grows.
NEWCOMER_TRIES = 15
NEWCOMER_DELAY = 0.01


class Server(BaseServer):
    """Handlers in WSGI workers; clients at Stoa.

    ``stoa_url`` and ``secret`` (or ``STOA_URL``, ``STOA_SECRET``) name Stoa; ``stoa_path`` is the path at which it
    calls this application, ``/stoa`` if not given.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._callbacks = threading.BoundedSemaphore(MAX_CALLBACKS)

    # Calls of Stoa

    def handle(self, data: dict[str, Any], server: dict[str, Any] | None = None) -> tuple[bytes, Call]:
        """Runs the handler of a call and gives the answer's body."""
        call = self._begin(data, server)
        token = current.set(call)
        try:
            if call.type == "connect" and not self.serves(call.namespace):
                parts = self._unserved()
            else:
                parts = self._answer(call, self._trigger(call.data.get("event") or call.type, call))
        except Exception as error:
            parts = self._refused(call, error)
        finally:
            current.reset(token)
        if call.goes_out_of_band:
            call.send_ahead()
        return endpoint.answer(call, parts), call

    def _trigger(self, event: str, call: Call) -> Any:
        args = self._arguments(call)
        kind = event if call.type == "event" else call.type
        if call.type == "event" and event in ("connect", "disconnect"):
            return NOT_HANDLED
        handler, given = self.handlers.find(kind, call.namespace, args)
        if handler is not None:
            return handler(*self._fitting(handler, kind, given))
        known, given = self.handlers.find_class(call.namespace, args)
        return NOT_HANDLED if known is None else known.trigger_event(kind, *given)

    # Messages of the application to its clients

    def emit(
        self,
        event: str,
        data: Any = None,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
        ignore_queue: bool = False,
    ) -> None:
        """Emits an event to a room, a client, a list of them, or everybody."""
        to = to or room or None
        if callback is None:
            self.operations.send(self._emission(event, data, to, skip_sid, namespace))
            return
        if to is None or isinstance(to, (list, tuple, set)):
            raise ValueError("a callback needs one client or one room: give to=sid")
        wire.emission(event, (), to=to)
        question = self._question(event, data, "", namespace, CALLBACK_TIMEOUT)
        if not self._callbacks.acquire(blocking=False):
            raise SocketIOError(f"{MAX_CALLBACKS} callbacks wait already in this process: use call(), or fewer at a time")
        call = self.operations.call()
        is_new = call is not None and call.type == "connect"

        def ask() -> None:
            try:
                self._ask_for_callback(question, to, skip_sid, namespace, callback, NEWCOMER_TRIES if is_new else 1)
            finally:
                self._callbacks.release()

        if call is not None and is_new:
            # The client can be asked when it is let in.
            call.afterwards.append(lambda: self.start_background_task(ask))
        else:
            self.start_background_task(ask)

    def _ask_for_callback(
        self,
        question: dict[str, Any],
        to: Any,
        skip: Any,
        namespace: str | None,
        callback: Callable[..., Any],
        tries: int,
    ) -> None:
        skipped = set(wire.room_list(skip))
        members: list[str] = []
        try:
            for attempt in range(tries):
                time.sleep(NEWCOMER_DELAY * attempt)
                members = [client for client, _ in self.manager.get_participants(namespace or "/", to)]
                if members:
                    break
        except StoaError as error:
            self.operations.failed(error, "a callback is not called")
            return
        for client in members:
            if client in skipped:
                continue
            question["call"]["client"] = client
            if len(members) == 1:
                self._call_back(question, callback)
            else:
                one = {"call": dict(question["call"])}
                self.start_background_task(self._call_back, one, callback)

    def _call_back(self, question: dict[str, Any], callback: Callable[..., Any]) -> None:
        try:
            heard = self._heard(self.operations.ask(question, CALLBACK_TIMEOUT))
        except StoaError as error:
            # A client that does not answer never calls back.
            if error.code not in ("timeout", "not_found"):
                self.operations.failed(error, "a callback is not called")
            return
        try:
            callback(*heard)
        except Exception:
            self.logger.exception("the callback of %r failed", question["call"]["event"])

    def send(
        self,
        data: Any,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
        ignore_queue: bool = False,
    ) -> None:
        """Emits the event ``message``."""
        self.emit("message", data, to, room, skip_sid, namespace, callback, ignore_queue)

    def call(
        self,
        event: str,
        data: Any = None,
        to: Any = None,
        sid: Any = None,
        namespace: str | None = None,
        timeout: float | None = 60,
        ignore_queue: bool = False,
    ) -> Any:
        """Emits an event to one client and waits for its acknowledgement."""
        to = to or sid
        if to is None:
            raise ValueError("Cannot use call() to broadcast.")
        seconds = 60.0 if timeout is None else float(timeout)
        try:
            return one_or_all(
                self._heard(self.operations.ask(self._question(event, data, str(to), namespace, seconds), seconds))
            )
        except StoaError as error:
            if error.code == "timeout":
                raise TimeoutError(f"{to} did not answer {event!r} within {seconds:g} s") from error
            if error.code == "not_found":
                raise ClientGoneError(error.code, error.message) from error
            raise

    def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Puts a client into a room."""
        self.operations.send(self._membership("join", sid, room, namespace))
        if call := self._own(sid):
            call.rooms.add(wire.room_name(room))

    def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Takes a client out of a room."""
        self.operations.send(self._membership("leave", sid, room, namespace))
        if call := self._own(sid):
            call.rooms.discard(wire.room_name(room))

    def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Takes all clients out of a room."""
        self.operations.send({"close_room": wire.room_name(room), "namespace": namespace or "/"})
        if call := self.operations.call():
            if call.namespace == (namespace or "/"):
                call.rooms.discard(wire.room_name(room))

    def rooms(self, sid: str, namespace: str | None = None) -> list[str]:
        """The rooms that a client is in, its own among them."""
        call = self._own(sid)
        names = call.rooms if call else self.operations.ask({"rooms_of": sid}).get("rooms") or []
        return sorted({sid, *wire.rooms_of(names)})

    def disconnect(self, sid: str, namespace: str | None = None, ignore_queue: bool = False) -> None:
        """Ends a client's connection to its namespace."""
        self.operations.send({"disconnect": sid})

    # Session data

    def _stored(self, sid: str) -> dict[str, Any]:
        if call := self._own(sid):
            return call.session
        return self.operations.ask({"client": sid}).get("session") or {}

    def _store(self, sid: str, stored: dict[str, Any]) -> None:
        if call := self._own(sid):
            call.session, call.session_changed = stored, True
        else:
            self.operations.send({"session": stored, "client": sid})

    def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """The session data of a client. Changes are kept by :meth:`save_session`."""
        return self._stored(sid).get("user") or {}

    def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """Keeps the session data of a client: JSON values, for Stoa keeps them."""
        wire.text(session)
        self._store(sid, {**self._stored(sid), "user": session})

    @contextlib.contextmanager
    def session(self, sid: str, namespace: str | None = None) -> Iterator[dict[str, Any]]:
        """The session data of a client, kept at the end of the block."""
        data = self.get_session(sid, namespace)
        yield data
        self.save_session(sid, data, namespace)

    def get_environ(self, sid: str, namespace: str | None = None) -> dict[str, Any] | None:
        """The WSGI environment of the request by which a client connected."""
        if call := self._own(sid):
            return self._environ_of(call)
        from ..environ import environ

        try:
            return environ(self._stored(sid).get("request") or {})
        except StoaError:
            return None

    # Background

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> threading.Thread:
        """Runs a function in a thread. What the handler has emitted so far goes out before."""
        if call := self.operations.call():
            if call.type != "connect":
                call.send_ahead()
        thread = threading.Thread(target=target, args=args, kwargs=kwargs, daemon=True)
        thread.start()
        return thread

    def sleep(self, seconds: float = 0) -> None:
        """Waits."""
        time.sleep(seconds)

    def shutdown(self) -> None:
        """Does nothing: Stoa ends its connections itself."""
