"""The queue, and the thread that empties it."""

from __future__ import annotations

import itertools
import logging
import operator
import queue
import random
import sys
import threading
import time
import uuid
from typing import Any

from . import plain
from .exits import Exits
from .figures import Figures
from .form import MAX_LINE, Form, line as line_of
from .options import Options
from .post import Answer, Post
from .waiting import Line, Waiting

log = logging.getLogger("stoa")

#: Events and bytes of one body.
MAX_BATCH = 500
MAX_BATCH_BYTES = 512_000
#: Seconds before the second try; each next one waits twice as long, up to the longest.
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0
#: Codes of lines that are refused for now only.
FOR_NOW = ("overloaded", "unavailable")
#: Turns without an event after which the thread sleeps until it is rung for.
TURNS_AWAKE = 20
#: Lines that are written before other threads get their turn, and the seconds of it.
AT_ONCE, COURTESY = 32, 0.0001
_MORE, _NOW = "more", "now"


class Sender:
    """Sends what is emitted, in batches, from a thread of its own."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._exits: Exits | None = None
        self._begin()

    def _begin(self) -> None:
        """The state of a process that has sent nothing: at the start, and in a child after a fork."""
        self._lock = threading.RLock()
        self._waiting = Waiting(self.options.queue, self.options.queue_bytes)
        self._bell: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._asleep = self._hurried = False
        self._in_vain = self._later = self._awaited = 0
        self._thread: threading.Thread | None = None
        #: The address and the token, as they are now and as the kept connection has them.
        self._way = self._posted_by = (self.options.url, self.options.token)
        self._post: Post | None = None
        self._under_way = 0
        self._batch: list[Line] = []
        self._prefix, self._numbers = f"{uuid.uuid4().hex[:12]}-", itertools.count(1)
        #: Numbers of bodies: one that is sent again has the same, so that Stoa knows it.
        self._bodies = itertools.count(1)
        self._form = Form(self.options.service)
        self._figures = Figures(self.options, self._lock)
        #: The moment up to which the end of the process waits, once it has begun.
        self._end: float | None = None

    def reconfigured(self) -> None:
        """Takes changed options: another address or token also ends a stop."""
        with self._lock:
            self._waiting.most, self._waiting.most_bytes = self.options.queue, self.options.queue_bytes
            self._form = Form(self.options.service)
            if self._way != (self.options.url, self.options.token):
                self._way = (self.options.url, self.options.token)
                self._figures.go_on()

    # The caller's side.

    def emit(
        self,
        type: str,  # noqa: A002 - the name on the wire
        data: Any = None,
        *,
        id: str | None = None,  # noqa: A002 - the name on the wire
        project_id: str | None = None,
        priority: str | None = None,
    ) -> str | None:
        """Queues an event. See :func:`stoa.emit`."""
        try:
            options = self.options
            if options.disabled:
                return None
            id = f"{self._prefix}{next(self._numbers)}" if id is None else plain.cut(str(id), 128)  # noqa: A001
            if type.__class__ is not str:
                if type is None:
                    raise TypeError("its type is None: name it, as in stoa.emit('task.started', {…})")
                type = plain.cut(str(type))  # noqa: A001
            if self._figures.stopped is not None:
                self._figures.drop(type)
                return id
            project = options.project if project_id is None else plain.cut(str(project_id), 512)
            if priority is not None:
                priority = plain.cut(str(priority), 32)
            waits = plain.held(type, id, project, priority, data, options.content)
            if options.before_send is None:
                self._queue(Line(type, waits))
            else:
                redacted = self._redacted(plain.event(waits, options.content))
                if redacted is None:
                    return None
                self._queue(Line(str(redacted["type"]), text=line_of(redacted)))
            return id
        except Exception as error:
            self._fault(f"an event was left out: {plain.error(error)}", type)
            return None

    def forward(self, path: str, type: str, message: dict[str, Any]) -> None:  # noqa: A002 - the name on the wire
        """Queues a message of plain values for another door than that of events."""
        try:
            if self.options.disabled:
                return
            if self.options.before_send is not None:
                event = self._redacted({"type": type, "project_id": self.options.project, "data": message})
                if event is None:
                    return
                message = event["data"]
            self._queue(Line(type, text=plain.line(message), path=path))
        except Exception as error:
            self._fault(f"a message was left out: {plain.error(error)}", type)

    def _redacted(self, event: dict[str, Any]) -> dict[str, Any] | None:
        try:
            assert self.options.before_send is not None
            changed = self.options.before_send(self._form.whole(event))
        except Exception as error:
            # An event that was to be made harmless and was not must not go out.
            self._fault(f"before_send raised, and its event was left out: {plain.error(error)}", event["type"])
            return None
        if changed is None:
            return None
        whole: dict[str, Any] = plain.plain(changed, plain.MAX_CONTENT)
        return whole

    def _queue(self, line: Line) -> None:
        with self._lock:
            if self._figures.stopped is not None:
                self._figures.drop(line.type)
                return
            for gone in self._waiting.add(line):
                self._figures.drop(gone.type)
            if self._thread is None:
                self._start()
            full = self._waiting.number >= MAX_BATCH or self._waiting.bytes >= MAX_BATCH_BYTES
            # A bell costs the caller a call of the system, so it is rung only where nobody looks by himself.
            if self._asleep or (full and not self._hurried):
                self._asleep, self._hurried = False, full
                self._bell.put(_MORE)

    def _fault(self, message: str, type: Any) -> None:  # noqa: A002 - the name on the wire
        try:
            self._figures.drop(str(type))
            self._figures.fault(message, "emit")
        except Exception:
            pass

    def failed(self, what: str) -> None:
        """Counts a fault of telling. See :func:`stoa.sending.failed`."""
        try:
            fault = sys.exc_info()[1]
            self._figures.failed(f"{what}: {type(fault).__name__}: {plain.error(fault)}" if fault is not None else what, what)
            if self.options.debug:
                log.warning("%s", what, exc_info=True)
        except Exception:
            pass

    def flush(self, timeout: float = 2.0) -> bool:
        """Waits for the queue to be empty. See :func:`stoa.flush`."""
        try:
            end = time.monotonic() + timeout
            if self._empty():
                return True
            self._awaited += 1
            try:
                self._bell.put(_NOW)
                while not self._empty():
                    if time.monotonic() >= end or self._thread is None or not self._thread.is_alive():
                        return False
                    time.sleep(0.002)
                return True
            finally:
                self._awaited -= 1
        except Exception:
            return False

    def _empty(self) -> bool:
        with self._lock:
            return not self._waiting.number and not self._under_way

    def stats(self) -> dict[str, Any]:
        """The figures. See :func:`stoa.stats`."""
        with self._lock:
            return self._figures.shown(self._waiting.number + self._under_way)

    # The thread's side.

    def _start(self) -> None:
        if self._exits is None:
            self._exits = Exits(self._last, self._begin)
        thread = threading.Thread(target=self._work, name="stoa", daemon=True)
        thread.start()
        self._thread = thread

    def _last(self) -> None:
        """The end of the process, of which Python may tell more than once: all of them have the same time together."""
        now = time.monotonic()
        if self._end is None:
            self._end = now + self.options.exit_timeout
        if not self.flush(max(0.0, self._end - now)):
            left = self.stats()["queued"]
            what = "1 event was" if left == 1 else f"{left} events were"
            self._figures.say("end", "%s not sent before the process ended (STOA_EXIT_TIMEOUT)", what)

    def _work(self) -> None:
        while True:
            try:
                self._turn()
            except Exception as error:
                with self._lock:
                    for line in self._batch:
                        self._figures.drop(line.type)
                    self._under_way, self._batch = 0, []
                self._figures.failed(f"events could not be sent: {plain.error(error)}", "thread")
                time.sleep(FIRST_WAIT)

    def _turn(self) -> None:
        with self._lock:
            self._hurried = False
            # Awake it looks each time that it would wait for more anyway; asleep it has to be rung for.
            self._asleep = sleeps = not self._waiting.number and self._in_vain >= TURNS_AWAKE
        # A ring of before is only a turn for nothing.
        hurry = self._bell.get() == _NOW if sleeps else False
        if not hurry:
            self._linger()
        with self._lock:
            batch = self._waiting.take(MAX_BATCH, MAX_BATCH_BYTES)
            self._batch, self._under_way = batch, len(batch)
            self._hurried = False
        self._in_vain = 0 if batch or sleeps else self._in_vain + 1
        if batch:
            written = self._written(batch)
            groups = [list(group) for _, group in itertools.groupby(written, key=operator.attrgetter("path"))]
            for n, group in enumerate(groups, 1):
                self._later = sum(map(len, groups[n:]))
                self._batch = [line for later in groups[n - 1 :] for line in later]
                if self._figures.stopped is None:
                    self._deliver(group)
                else:
                    for line in group:
                        self._figures.drop(line.type)
            with self._lock:
                self._batch, self._under_way, self._later = [], 0, 0

    def _linger(self) -> None:
        """Waits for more, unless there is a whole batch or somebody waits."""
        with self._lock:
            if self._waiting.number >= MAX_BATCH or self._waiting.bytes >= MAX_BATCH_BYTES:
                return
        try:
            self._bell.get(timeout=self.options.linger)
        except queue.Empty:
            pass

    def _written(self, batch: list[Line]) -> list[Line]:
        """The lines as JSON, without those that are larger than Stoa takes. The program's own threads come in between."""
        written = []
        for n, line in enumerate(batch, 1):
            if line.held:
                line.text = self._form.line(plain.event(line.held, self.options.content))
                line.held = b""
            if len(line.text) <= MAX_LINE:
                written.append(line)
            else:
                self._figures.drop(line.type)
            if n % AT_ONCE == 0 and not self._awaited:
                time.sleep(COURTESY)
        return written

    def _deliver(self, batch: list[Line], body: int = 0) -> None:
        """Sends a batch until it is answered for good."""
        tries, body = 0, body or next(self._bodies)
        while batch:
            answer = self._try(batch, body)
            again, wait = (batch, None) if answer is None else self._judge(batch, answer)
            with self._lock:
                self._under_way = len(again) + self._later
                if self._figures.stopped:
                    return
            if again and (answer is None or answer.status != 413):
                self._back_off(tries, wait)
                tries += 1
            if answer is not None and answer.status == 413 and again:
                half = (len(again) + 1) // 2
                self._later += len(again) - half
                # The half begins as the whole did, of which some may have come.
                self._deliver(again[:half], body)
                again = again[half:]
                self._later -= len(again)
                with self._lock:
                    self._under_way = len(again) + self._later
            if len(again) < len(batch):
                body = next(self._bodies)
            batch = again

    def _try(self, batch: list[Line], body: int) -> Answer | None:
        way, post = self._way, self._post
        try:
            if post is None or self._posted_by != way:
                if post is not None:
                    post.close()
                post = self._post = Post(*way)
                self._posted_by = way
        except ValueError as error:
            self._stop(str(error), batch)
            return Answer(0, {}, None)
        try:
            path = batch[0].path
            path += str(body) if path.endswith("body=") else ""
            answer = post.lines(b"\n".join(line.text for line in batch), path)
        except Exception as error:
            # Of any fault, also an unknown one, the events are whole: they are tried again.
            post.close()
            why = f"Stoa cannot be reached at {self.options.url}: {plain.error(error)}"
            self._figures.failed(f"{why}; events wait, then the oldest are dropped", "unreachable")
            return None
        return answer

    def _judge(self, batch: list[Line], answer: Answer) -> tuple[list[Line], float | None]:
        """Counts what an answer settles, and gives the lines that have to be sent again."""
        if answer.status == 0:
            return [], None
        if answer.status in (401, 403):
            self._stop(f"Stoa refuses the events ({answer.error}): set STOA_TOKEN to a producer's token", batch)
            return [], None
        if answer.status in (408, 429) or answer.status >= 500:
            self._figures.failed(f"Stoa takes no events now: {answer.error}")
            return batch, answer.retry_after
        if answer.status == 413 and len(batch) > 1:
            return batch, None
        refused = answer.rejected
        if answer.status in (404, 405) and refused is None and not batch[0].path:
            self._stop(f"there is no Stoa at {self._posted_by[0]}: write STOA_URL as http://host:8000", batch)
            return [], None
        if refused is None and answer.status // 100 != 2:
            refused = {n: (str(answer.status), answer.error) for n in range(len(batch))}
        refused = refused or {}
        again = [line for n, line in enumerate(batch) if n in refused and refused[n][0] in FOR_NOW]
        bad = [(line, *refused[n]) for n, line in enumerate(batch) if n in refused and refused[n][0] not in FOR_NOW]
        self._figures.answered(len(batch) - len(again) - len(bad), len(bad))
        if bad:
            line, code, message = bad[-1]
            self._figures.fault(f"{line.type} was refused ({code}): {message}", f"refused {code}")
        if not again:
            self._tell_dropped()
        return again, answer.retry_after

    def _stop(self, why: str, batch: list[Line]) -> None:
        # A logger of the program's own may emit, so nothing is said under the lock.
        self._figures.stop(why)
        with self._lock:
            for line in [*batch, *self._waiting.clear()]:
                self._figures.drop(line.type)
            self._under_way = 0

    def _back_off(self, tries: int, wait: float | None) -> None:
        seconds = min(FIRST_WAIT * 2 ** min(tries, 10), LONGEST_WAIT) * random.uniform(0.75, 1.25)
        end = time.monotonic() + (seconds if wait is None else max(wait, FIRST_WAIT))
        while (left := end - time.monotonic()) > 0:
            try:
                # Somebody who waits for the queue has it tried at once, but for a server that named a time.
                if self._bell.get(timeout=left) == _NOW and wait is None:
                    time.sleep(min(left, FIRST_WAIT))
                    return
            except queue.Empty:
                return

    def _tell_dropped(self) -> None:
        with self._lock:
            # While the queue is full there is no room for the word, and more will be dropped.
            is_full = self._waiting.number >= self._waiting.most // 2
            told = None if is_full else self._figures.untold()
        if told is not None:
            message = f"{told['count']} events of {self._form.source} were dropped before they could be sent"
            self.emit("system.client.dropped", {"level": "warning", "message": message, **told, "status": "degraded"})
