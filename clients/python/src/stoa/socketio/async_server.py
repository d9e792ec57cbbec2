"""A server of the API of ``socketio.AsyncServer``, for ASGI."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
from concurrent.futures import ThreadPoolExecutor
from typing import Any, AsyncIterator, Awaitable, Callable

from .. import endpoint, wire
from ..environ import environ
from ..exceptions import ClientGoneError, SocketIOError, StoaError, TimeoutError
from ..handlers import NOT_HANDLED
from ..operations import Call, current
from .base import BaseServer, one_or_all
from .server import CALLBACK_TIMEOUT, MAX_CALLBACKS, NEWCOMER_DELAY, NEWCOMER_TRIES

#: Calls to clients that wait at a time, in one process; each waits in a thread.
MAX_CALLS = 256


class AsyncServer(BaseServer):
    """Handlers in an ASGI application, coroutines or functions; clients at Stoa."""

    is_async = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._waiting = ThreadPoolExecutor(MAX_CALLS, thread_name_prefix="stoa-call")
        self._callbacks = 0
        # The event loop keeps no hold of its tasks.
        self._tasks: set[asyncio.Task[Any]] = set()

    # Calls of Stoa

    async def handle(self, data: dict[str, Any], server: dict[str, Any] | None = None) -> tuple[bytes, Call]:
        """Runs the handler of a call and gives the answer's body."""
        call = self._begin(data, server)
        token = current.set(call)
        try:
            if call.type == "connect" and not self.serves(call.namespace):
                parts = self._unserved()
            else:
                parts = self._answer(call, await self._trigger(call.data.get("event") or call.type, call))
        except Exception as error:
            parts = self._refused(call, error)
        finally:
            current.reset(token)
        if call.goes_out_of_band:
            await asyncio.to_thread(call.send_ahead)
        if call.is_sending:
            return await asyncio.to_thread(endpoint.answer, call, parts), call
        return endpoint.answer(call, parts), call

    async def _trigger(self, event: str, call: Call) -> Any:
        args = self._arguments(call)
        kind = event if call.type == "event" else call.type
        if call.type == "event" and event in ("connect", "disconnect"):
            return NOT_HANDLED
        handler, given = self.handlers.find(kind, call.namespace, args)
        if handler is not None:
            return await _value(handler(*self._fitting(handler, kind, given)))
        known, given = self.handlers.find_class(call.namespace, args)
        return NOT_HANDLED if known is None else await _value(known.trigger_event(kind, *given))

    async def _send(self, operation: dict[str, Any]) -> None:
        text = wire.text(operation)
        call = self.operations.call()
        if call is None or not call.add(text):
            await asyncio.to_thread(self.operations.send_now, [text])
        elif call.is_full:
            await asyncio.to_thread(call.send_ahead)

    async def _ask(self, operation: dict[str, Any], wait: float = 0) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        # The thread sees the call that runs here.
        context = contextvars.copy_context()
        return await loop.run_in_executor(self._waiting, context.run, self.operations.ask, operation, wait)

    # Messages of the application to its clients

    async def emit(
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
            await self._send(self._emission(event, data, to, skip_sid, namespace))
            return
        if to is None or isinstance(to, (list, tuple, set)):
            raise ValueError("a callback needs one client or one room: give to=sid")
        if self._callbacks >= MAX_CALLBACKS:
            raise SocketIOError(f"{MAX_CALLBACKS} callbacks wait already in this process: use call(), or fewer at a time")
        question = self._question(event, data, "", namespace, CALLBACK_TIMEOUT)
        call = self.operations.call()
        is_new = call is not None and call.type == "connect"
        tries = NEWCOMER_TRIES if is_new else 1
        asking = self._ask_for_callback(question, to, skip_sid, namespace, callback, tries)
        if call is not None and is_new:
            # The client can be asked when it is let in.
            call.afterwards.append(lambda: self.start_background_task(lambda: asking))
        else:
            self.start_background_task(lambda: asking)

    async def _ask_for_callback(
        self,
        question: dict[str, Any],
        to: Any,
        skip: Any,
        namespace: str | None,
        callback: Callable[..., Any],
        tries: int,
    ) -> None:
        self._callbacks += 1
        try:
            asked = {"members": wire.room_name(to), "namespace": namespace or "/"}
            members: list[str] = []
            for attempt in range(tries):
                await asyncio.sleep(NEWCOMER_DELAY * attempt)
                members = (await self._ask(asked)).get("members") or []
                if members:
                    break
            skipped = set(wire.room_list(skip))
            waiting = [
                self._call_back({"call": {**question["call"], "client": client}}, callback)
                for client in members
                if client not in skipped
            ]
            await asyncio.gather(*waiting)
        except StoaError as error:
            self.operations.failed(error, "a callback is not called")
        finally:
            self._callbacks -= 1

    async def _call_back(self, question: dict[str, Any], callback: Callable[..., Any]) -> None:
        try:
            heard = self._heard(await self._ask(question, CALLBACK_TIMEOUT))
        except StoaError as error:
            if error.code not in ("timeout", "not_found"):
                self.operations.failed(error, "a callback is not called")
            return
        try:
            await _value(callback(*heard))
        except Exception:
            self.logger.exception("the callback of %r failed", question["call"]["event"])

    async def send(
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
        await self.emit("message", data, to, room, skip_sid, namespace, callback, ignore_queue)

    async def call(
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
            question = self._question(event, data, str(to), namespace, seconds)
            return one_or_all(self._heard(await self._ask(question, seconds)))
        except StoaError as error:
            if error.code == "timeout":
                raise TimeoutError(f"{to} did not answer {event!r} within {seconds:g} s") from error
            if error.code == "not_found":
                raise ClientGoneError(error.code, error.message) from error
            raise

    async def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Puts a client into a room."""
        await self._send(self._membership("join", sid, room, namespace))
        if call := self._own(sid):
            call.rooms.add(wire.room_name(room))

    async def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Takes a client out of a room."""
        await self._send(self._membership("leave", sid, room, namespace))
        if call := self._own(sid):
            call.rooms.discard(wire.room_name(room))

    async def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Takes all clients out of a room."""
        await self._send({"close_room": wire.room_name(room), "namespace": namespace or "/"})
        if call := self.operations.call():
            if call.namespace == (namespace or "/"):
                call.rooms.discard(wire.room_name(room))

    def rooms(self, sid: str, namespace: str | None = None) -> list[str]:
        """The rooms that a client is in, its own among them. Asks Stoa, unless a handler of the client runs here."""
        call = self._own(sid)
        names = call.rooms if call else self.operations.ask({"rooms_of": sid}).get("rooms") or []
        return sorted({sid, *wire.rooms_of(names)})

    async def disconnect(self, sid: str, namespace: str | None = None, ignore_queue: bool = False) -> None:
        """Ends a client's connection to its namespace."""
        await self._send({"disconnect": sid})

    # Session data

    async def _stored(self, sid: str) -> dict[str, Any]:
        if call := self._own(sid):
            return call.session
        return (await self._ask({"client": sid})).get("session") or {}

    async def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """The session data of a client. Changes are kept by :meth:`save_session`."""
        return (await self._stored(sid)).get("user") or {}

    async def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """Keeps the session data of a client: JSON values, for Stoa keeps them."""
        wire.text(session)
        stored = {**await self._stored(sid), "user": session}
        if call := self._own(sid):
            call.session, call.session_changed = stored, True
        else:
            await self._send({"session": stored, "client": sid})

    @contextlib.asynccontextmanager
    async def session(self, sid: str, namespace: str | None = None) -> AsyncIterator[dict[str, Any]]:
        """The session data of a client, kept at the end of the block."""
        data = await self.get_session(sid, namespace)
        yield data
        await self.save_session(sid, data, namespace)

    def get_environ(self, sid: str, namespace: str | None = None) -> dict[str, Any] | None:
        """The environment of the request by which a client connected."""
        if call := self._own(sid):
            return self._environ_of(call)
        try:
            return environ((self.operations.ask({"client": sid}).get("session") or {}).get("request") or {})
        except StoaError:
            return None

    # Background

    def start_background_task(self, target: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """Runs a coroutine function as a task."""
        task = asyncio.ensure_future(target(*args, **kwargs))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def sleep(self, seconds: float = 0) -> None:
        """Waits."""
        await asyncio.sleep(seconds)

    async def shutdown(self) -> None:
        """Does nothing: Stoa ends its connections itself."""


async def _value(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result
