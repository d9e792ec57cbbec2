"""The figures of what was sent, refused and dropped, and the words about faults: each kind is said once."""

from __future__ import annotations

import collections
import datetime
import logging
import threading
from typing import Any

from .options import Options

log = logging.getLogger("stoa")

#: Types that are told one by one in the figures of what was dropped, and kinds of faults that are remembered.
MAX_TYPES = 100
#: Types that the word about dropped events names.
MAX_NAMED = 10


class Figures:
    """Counts, under the lock of the queue: what leaves the one is in the other."""

    def __init__(self, options: Options, lock: threading.RLock) -> None:  # type: ignore[valid-type]
        self._options, self._lock = options, lock
        #: The reason for which nothing more is sent.
        self.stopped: str | None = None
        self._sent = self._rejected = self._failures = self._dropped = self._untold = 0
        self._since: str | None = None
        self._dropped_by_type: collections.Counter[str] = collections.Counter()
        self._last_error: str | None = None
        self._said: set[str] = set()

    def answered(self, sent: int, rejected: int) -> None:
        """Counts what an answer settles."""
        with self._lock:
            self._sent += sent
            self._rejected += rejected

    def drop(self, type: str) -> None:  # noqa: A002 - the name on the wire
        """Counts an event that is given up."""
        with self._lock:
            self._dropped += 1
            self._untold += 1
            if self._since is None:
                self._since = datetime.datetime.now(datetime.timezone.utc).isoformat()
            known = type in self._dropped_by_type or len(self._dropped_by_type) < MAX_TYPES
            self._dropped_by_type[type if known else "other"] += 1

    def failed(self, why: str, kind: str | None = None) -> None:
        """Counts a fault, and says it if it is the first of its kind; one without a kind is only noted."""
        with self._lock:
            self._failures += 1
        self.fault(why, kind)

    def fault(self, why: str, kind: str | None = None) -> None:
        """The same of a fault that is counted elsewhere."""
        with self._lock:
            self._last_error = why
        if kind is not None:
            self.say(kind, "%s", why)

    def say(self, kind: str, message: str, *args: Any) -> None:
        """Says each kind of fault once; all of them with STOA_DEBUG."""
        if kind not in self._said or self._options.debug:
            if len(self._said) < MAX_TYPES:
                self._said.add(kind)
            log.warning(message, *args)

    def stop(self, why: str) -> None:
        """Notes that nothing more is sent."""
        # Told first: who reads in the figures that it stopped finds the reason in the log.
        self.say("stopped", "%s; nothing more is sent", why)
        with self._lock:
            self.stopped = self._last_error = why
            self._failures += 1

    def go_on(self) -> None:
        """Ends a stop."""
        self.stopped = None
        self._said.discard("stopped")

    def untold(self) -> dict[str, Any] | None:
        """The drops since the last word about them, as the data of an event; ``None`` if there are none."""
        with self._lock:
            if not self._untold:
                return None
            count, since, self._untold, self._since = self._untold, self._since, 0, None
            return {"count": count, "since": since, "types": dict(self._dropped_by_type.most_common(MAX_NAMED))}

    def shown(self, queued: int) -> dict[str, Any]:
        """All figures, as :func:`stoa.stats` gives them."""
        with self._lock:
            return {
                "sent": self._sent,
                "rejected": self._rejected,
                "dropped": self._dropped,
                "dropped_by_type": dict(self._dropped_by_type),
                "failures": self._failures,
                "queued": queued,
                "stopped": self.stopped,
                "last_error": self._last_error,
            }
