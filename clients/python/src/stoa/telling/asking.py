"""A question to a person, and the wait for the answer: the one part of the package that waits, and that may raise."""

from __future__ import annotations

import asyncio
import datetime
import http.client
import random
import threading
import time
import uuid
from typing import Any, Awaitable, Callable

from .. import exceptions, sending
from ..sending.get import get
from . import events
from .blocks import current

#: Seconds that one request waits for; then the next one does.
WAIT = 30.0
#: Seconds before the second try when Stoa gives no answer; each next one waits twice as long, up to the longest.
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0
#: Seconds after which a question that Stoa does not know is sent once more: it may have lost it.
SAY_AGAIN = 5.0
#: Times that it is.
MAX_AGAIN = 3
#: Seconds that the end of a question has to be told.
LAST = 2.0
_NONE = object()


class AnswerTimeoutError(exceptions.StoaError, exceptions.TimeoutError, TimeoutError):
    """Nobody answered a question in time."""


class _Question:
    """One question, from its event to its end."""

    def __init__(self, message: str, timeout: float | None, project: str | None, facts: dict[str, Any]) -> None:
        here = current()
        place = here.place if here is not None else {}
        options = sending.options()
        self.project = project or (here.project if here is not None else None) or options.project
        self.request = uuid.uuid4().hex
        if timeout is not None and timeout != timeout:
            raise exceptions.StoaError("invalid", "the timeout is no number: give seconds, or None to wait as long as it takes")
        self.end = None if timeout is None else time.monotonic() + timeout
        self._facts = {"message": str(message), **place, **facts}
        if timeout is not None:
            self._facts["expires_at"] = _moment(timeout)
        self._place = place
        self._times = self._tries = self._again = 0
        self._is_known = False
        self._said_at = 0.0
        self.say()

    def say(self) -> None:
        """Tells the question. A second time is for a Stoa that lost the first."""
        if sending.options().disabled:
            raise exceptions.StoaError("disabled", "nobody can be asked while STOA_DISABLED is set")
        said = {key: value for key, value in self._facts.items() if value is not None}
        id = f"{self.request}:{self._times}"  # noqa: A001 - the name on the wire
        told = sending.emit("input.requested", {"request_id": self.request, **said}, id=id, project_id=self.project)
        if told is None:
            raise exceptions.StoaError("left_out", "the question was left out: see stoa.stats()['last_error']")
        self._times += 1
        self._said_at = time.monotonic()

    def wait(self) -> float:
        """Seconds that the next request may wait; 0 when the time is over."""
        if self.end is None:
            return WAIT
        return max(0.0, min(WAIT, self.end - time.monotonic()))

    def look(self, wait: float) -> tuple[str, Any]:
        """One request: the status, and the answer or the seconds after which to ask again."""
        if wait > 0:
            sending.flush(min(wait, 0.5))
        stopped = sending.stats()["stopped"]
        if stopped:
            raise exceptions.StoaError("stopped", str(stopped))
        try:
            found = get(sending.options(), ["api", "v1", "inputs", self.request], {"project_id": self.project, "wait": f"{wait:.3f}"}, wait)
        except ValueError as fault:
            raise exceptions.StoaError("address", str(fault)) from None
        except (OSError, http.client.HTTPException):
            return "again", self._back_off(None)
        if found.status == 200:
            self._tries, self._again, self._is_known = 0, 0, True
            return str(found.body.get("status")), found.body.get("answer")
        if found.status == 404:
            return "again", self._unknown(found.error)
        if found.status in (408, 429) or found.status >= 500:
            return "again", self._back_off(found.retry_after)
        raise exceptions.StoaError(str(found.status), found.error)

    def _unknown(self, why: str) -> float:
        """Stoa does not know the question: it is on its way there, or was lost."""
        is_sent = sending.stats()["queued"] == 0
        if is_sent and (self._is_known or time.monotonic() - self._said_at > SAY_AGAIN):
            if self._again >= MAX_AGAIN:
                raise exceptions.StoaError("not_found", f"Stoa does not know the question that was sent: {why}")
            self._again, self._is_known = self._again + 1, False
            self.say()
        return self._back_off(None)

    def _back_off(self, wait: float | None) -> float:
        seconds = min(FIRST_WAIT * 2 ** min(self._tries, 10), LONGEST_WAIT) * random.uniform(0.75, 1.25)
        self._tries += 1
        seconds = seconds if wait is None else max(wait, FIRST_WAIT)
        return seconds if self.end is None else max(0.0, min(seconds, self.end - time.monotonic()))

    def give_up(self, outcome: str) -> None:
        """Tells that nobody waits any more."""
        said = {key: value for key, value in self._place.items() if value is not None}
        said = {"request_id": self.request, "outcome": outcome, **said}
        sending.emit("input.expired", said, id=f"{self.request}:end", project_id=self.project)

    def last_look(self) -> tuple[str, Any]:
        """An answer that came before the end counts."""
        try:
            if sending.flush(LAST):
                return self.look(0)
        except exceptions.StoaError:
            pass
        return "again", 0


def _moment(seconds: float) -> str | None:
    """The moment after so many seconds; none for one that no calendar has."""
    try:
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    except OverflowError:
        return None
    return end.isoformat()


def ask(message: str, *, options: Any = None, timeout: float | None = None, default: Any = _NONE, project: str | None = None, **facts: Any) -> Any:
    """Asks a person, and waits for the answer: the value that an operator gave.

    After ``timeout`` seconds the question is taken back, and ``default`` is the answer; without one
    :class:`AnswerTimeoutError` is raised. :class:`stoa.StoaError` says that nobody can be asked. ``facts`` are further fields
    of the question: ``kind``, ``schema``, ``tool_call_id``. While Stoa is down it waits on.
    """
    question = _Question(message, timeout, project, {"options": options, **facts})
    try:
        while True:
            wait = question.wait()
            if question.end is not None and wait <= 0:
                break
            status, found = question.look(wait)
            if status == "received":
                return found
            if status == "expired":
                break
            if status == "again" and found:
                time.sleep(found)
        question.give_up("timeout")
        status, found = question.last_look()
    except BaseException as fault:
        _leave(question, fault)
        raise
    return _late(status, found, default, message)


async def ask_async(message: str, *, options: Any = None, timeout: float | None = None, default: Any = _NONE, project: str | None = None, **facts: Any) -> Any:
    """The same as :func:`ask` for coroutines: only its own task waits. A task that is cancelled takes the question back."""
    question = _Question(message, timeout, project, {"options": options, **facts})
    try:
        while True:
            wait = question.wait()
            if question.end is not None and wait <= 0:
                break
            status, found = await _in_thread(lambda: question.look(wait))
            if status == "received":
                return found
            if status == "expired":
                break
            if status == "again" and found:
                await asyncio.sleep(found)
        question.give_up("timeout")
        status, found = await _in_thread(question.last_look)
    except BaseException as fault:
        _leave(question, fault)
        raise
    return _late(status, found, default, message)


def _late(status: str, found: Any, default: Any, message: str) -> Any:
    if status == "received":
        return found
    if default is not _NONE:
        return default
    raise AnswerTimeoutError("timeout", f"nobody answered in time: {message}")


def _leave(question: _Question, fault: BaseException) -> None:
    """No hand stays raised for work that has ended."""
    is_told = isinstance(fault, exceptions.StoaError)
    if not is_told:
        question.give_up("cancelled")


def _in_thread(work: Callable[[], Any]) -> Awaitable[Any]:
    """Runs something that waits in a thread of its own: a pool has room for few, and a person takes long."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, fault: BaseException | None) -> None:
        if done.done():
            return
        if fault is None:
            done.set_result(value)
        else:
            done.set_exception(fault)

    def run() -> None:
        value, fault = None, None
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001 - it goes on where it is awaited
            fault = error
        try:
            loop.call_soon_threadsafe(settle, value, fault)
        except RuntimeError:
            pass  # The loop is closed: nobody awaits.

    threading.Thread(target=run, name="stoa-ask", daemon=True).start()
    return done
