"""Operations on clients: collected while a handler runs, sent at once everywhere else."""

from __future__ import annotations

import contextvars
import logging
import os
import threading
import time
from collections import deque
from typing import Any, Callable, Sequence

from . import wire
from .exceptions import StoaError
from .http import Bus

log = logging.getLogger("stoa")

#: Milliseconds after which the operations of a handler that still runs are sent ahead of its answer.
SEND_AHEAD_MS = 50
#: Operations and bytes that one handler's answer may hold; more are sent ahead.
MAX_COLLECTED = 500
MAX_COLLECTED_BYTES = 256 << 10
#: Operations and bytes that one handler may have asked for while Stoa cannot be reached; further ones are dropped.
MAX_HELD = 20_000
MAX_HELD_BYTES = 16 << 20
#: Seconds between two tries to send ahead while Stoa cannot be reached.
RETRY = 1.0
#: Seconds between two log lines about one kind of failure.
LOG_INTERVAL = 60.0

current: contextvars.ContextVar[Call | None] = contextvars.ContextVar("stoa_call", default=None)


class Call:
    """One call of Stoa to the application, with the operations that its handler asked for."""

    def __init__(self, data: dict[str, Any], operations: Operations) -> None:
        self.data = data
        self.type: str = data["type"]
        self.namespace: str = data.get("namespace") or "/"
        self.client: str = data["client_id"]
        session = data.get("session")
        #: The session data at Stoa; replaced as a whole when :attr:`session_changed`.
        self.session: dict[str, Any] = session if isinstance(session, dict) else {}
        self.session_changed = False
        #: The user that a connecting client is, if its handler says so.
        self.user: str | None = None
        self.rooms: set[str] = set(data.get("rooms") or [])
        #: Things to do when the answer is with Stoa.
        self.afterwards: list[Callable[[], Any]] = []
        self.ended = False
        self._operations = operations
        self._pending: list[str] = []
        self._bytes = 0
        self._retry_at = 0.0
        self._lock = threading.Lock()
        # Held while operations are on their way, so that later ones do not overtake them.
        self._order = threading.Lock()

    def add(self, operation: str) -> bool:
        """Takes an operation, unless the handler has ended. The caller sends ahead when there is much."""
        with self._lock:
            if self.ended:
                return False
            if len(self._pending) >= MAX_HELD or self._bytes >= MAX_HELD_BYTES:
                error = StoaError("overloaded", f"a handler holds {len(self._pending)} operations that Stoa does not take")
                self._operations.failed(error, "further ones are dropped")
                return True
            self._pending.append(operation)
            self._bytes += len(operation)
            is_first = len(self._pending) == 1
        if is_first and self.type != "connect":
            # A client that is not let in yet cannot be reached, so nothing is sent ahead of the answer.
            self._operations.ahead.watch(self)
        return True

    @property
    def is_full(self) -> bool:
        """Whether an answer should not hold more than was collected."""
        much = len(self._pending) >= MAX_COLLECTED or self._bytes >= MAX_COLLECTED_BYTES
        return much and self.type != "connect" and time.monotonic() >= self._retry_at

    def send_ahead(self, wait: bool = True) -> bool:
        """Sends what was collected so far. False if something else is on its way, and ``wait`` is not set."""
        if not self._order.acquire(blocking=wait):
            return False
        try:
            self._send([])
        except StoaError as error:
            self._retry_at = time.monotonic() + RETRY
            self._operations.failed(error, "operations go with the handler's answer instead")
        finally:
            self._order.release()
        return True

    def ask(self, operation: str, wait: float) -> dict[str, Any]:
        """Sends what was collected, and one more operation whose result is wanted."""
        with self._order:
            return self._send([operation], wait)[-1]

    def _send(self, further: list[str], wait: float = 0) -> list[dict[str, Any]]:
        with self._lock:
            pending, self._pending, self._bytes = self._pending, [], 0
        if not pending and not further:
            return []
        try:
            results = self._operations.bus.carry_out(pending + further, wait)
        except StoaError:
            with self._lock:
                self._pending = pending + self._pending
                self._bytes += sum(map(len, pending))
            raise
        self._operations.look_at(results[: len(pending)])
        return results

    @property
    def goes_out_of_band(self) -> bool:
        """Whether the operations have to be sent by themselves: of a client that left before it was let in nobody reads the answer."""
        return self.type == "disconnect" and bool(self._pending)

    @property
    def is_sending(self) -> bool:
        """Whether operations are on their way."""
        return self._order.locked()

    def finish(self) -> list[str]:
        """Ends the call and gives the operations for its answer."""
        with self._order, self._lock:
            self.ended = True
            return self._pending


class Ahead:
    """The thread that sends operations ahead of the answers of handlers that take long."""

    def __init__(self, delay_ms: float) -> None:
        self.delay = delay_ms / 1000
        self._due: deque[tuple[float, Call]] = deque()
        self._wake = threading.Condition()
        self._process = 0

    def watch(self, call: Call) -> None:
        """Sends the call's operations later, if it has not ended by then."""
        with self._wake:
            if self._process != os.getpid():
                # Threads do not live on in a forked process.
                self._process = os.getpid()
                self._due.clear()
                threading.Thread(target=self._run, name="stoa-ahead", daemon=True).start()
            self._due.append((time.monotonic() + self.delay, call))
            if len(self._due) == 1:
                self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._due:
                    self._wake.wait()
                due, call = self._due[0]
                left = due - time.monotonic()
                if left > 0:
                    self._wake.wait(left)
                    continue
                self._due.popleft()
            try:
                if not call.ended and not call.send_ahead(wait=False):
                    self.watch(call)
            except Exception:
                log.exception("operations could not be sent ahead")


class Operations:
    """The operations of one server object."""

    def __init__(self, bus: Bus, send_ahead_ms: float = SEND_AHEAD_MS) -> None:
        self.bus = bus
        self.ahead = Ahead(send_ahead_ms)
        self._logged: dict[str, float] = {}

    def call(self) -> Call | None:
        """The call that runs here, if there is one."""
        call = current.get()
        return call if call is not None and call._operations is self and not call.ended else None

    def send(self, operation: dict[str, Any]) -> None:
        """Carries out an operation: with the handler's answer, or at once outside of handlers.

        Clients are told of failures by nobody, so they are logged: a page must not fail because Stoa is away.
        """
        text = wire.text(operation)
        call = self.call()
        if call is None or not call.add(text):
            self.send_now([text])
        elif call.is_full:
            call.send_ahead()

    def send_now(self, texts: Sequence[str]) -> None:
        """Carries out operations at once, and logs what fails."""
        try:
            self.look_at(self.bus.carry_out(texts))
        except StoaError as error:
            self.failed(error, f"{len(texts)} operations are dropped")

    def ask(self, operation: dict[str, Any], wait: float = 0) -> dict[str, Any]:
        """Carries out an operation at once, behind those that were collected, and gives its result."""
        text = wire.text(operation)
        call = self.call()
        result = call.ask(text, wait) if call is not None else self.bus.carry_out([text], wait)[0]
        if result.get("status") == "error":
            error = result.get("error")
            error = error if isinstance(error, dict) else {}
            raise StoaError(str(error.get("code", "refused")), str(error.get("message", "Stoa gave no reason")))
        return result

    def look_at(self, results: Sequence[dict[str, Any]]) -> None:
        """Logs those results of operations that say that they failed."""
        for result in results:
            if result.get("status") == "error":
                error = result.get("error")
                error = error if isinstance(error, dict) else {}
                self.failed(StoaError(str(error.get("code")), str(error.get("message"))), "an operation was refused")

    def failed(self, error: StoaError, consequence: str) -> None:
        """Logs a failure, each kind of it once a minute."""
        now = time.monotonic()
        if now - self._logged.get(error.code, -LOG_INTERVAL) < LOG_INTERVAL:
            log.debug("%s; %s", error, consequence)
            return
        if len(self._logged) > 100:
            self._logged.clear()
        self._logged[error.code] = now
        log.error("%s; %s. Failures of this kind are logged once a minute.", error, consequence)
