"""Lines that wait to be sent, bounded in number and in bytes."""

from __future__ import annotations

import collections
from typing import Iterable

#: Types that are missed least, by their last word: pieces of text, and calls of models.
_LEAST = ("appended",)
#: Last words of the types that are kept longest: begins, ends, what a person is asked, and what failed.
_MOST = frozenset(
    "started created assigned registered completed failed ended cancelled paused resumed blocked requested received "
    "expired triggered handoff unregistered".split()
)


def worth(type: str) -> int:  # noqa: A002 - the name on the wire
    """The order in which types are given up: 0 first, 2 last."""
    family, _, rest = type.partition(".")
    last = rest.rpartition(".")[2] or family
    if last in _LEAST or (family == "llm" and last != "failed"):
        return 0
    return 2 if last in _MOST or family == "input" else 1


class Line:
    """An event as it goes out."""

    __slots__ = ("place", "type", "text")

    def __init__(self, place: int, type: str, text: bytes) -> None:  # noqa: A002 - the name on the wire
        self.place, self.type, self.text = place, type, text


class Waiting:
    """Three rows, by worth. They go out in the order in which they came. Who calls holds the lock."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self.most, self.most_bytes = most, most_bytes
        self.number = self.bytes = 0
        self._place = 0
        self._rows: tuple[collections.deque[Line], ...] = (collections.deque(), collections.deque(), collections.deque())

    def add(self, type: str, text: bytes) -> Iterable[Line]:  # noqa: A002 - the name on the wire
        """Adds a line, and gives those that had to go for it."""
        self._place += 1
        self._rows[worth(type)].append(Line(self._place, type, text))
        self.number += 1
        self.bytes += len(text)
        if self.number <= self.most and self.bytes <= self.most_bytes:
            return ()
        gone = []
        while self.number > self.most or self.bytes > self.most_bytes:
            row = next(row for row in self._rows if row)
            gone.append(self._taken(row))
        return gone

    def take(self, most: int, most_bytes: int) -> list[Line]:
        """The oldest lines, at least one if there is any."""
        batch: list[Line] = []
        total = 0
        while self.number and len(batch) < most:
            row = min((row for row in self._rows if row), key=lambda row: row[0].place)
            total += len(row[0].text) + 1
            if batch and total > most_bytes:
                break
            batch.append(self._taken(row))
        return batch

    def clear(self) -> list[Line]:
        """All lines; none waits any more."""
        return self.take(self.number, self.bytes + self.number)

    def _taken(self, row: collections.deque[Line]) -> Line:
        line = row.popleft()
        self.number -= 1
        self.bytes -= len(line.text)
        return line
