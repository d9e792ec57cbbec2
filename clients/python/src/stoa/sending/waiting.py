"""Lines that wait to be sent, bounded in number and in bytes."""

from __future__ import annotations

import collections
import operator
from typing import Any, Iterable

#: Types whose worth is remembered.
MAX_TYPES = 1_000

#: Types that are missed least, by their last word: pieces of text, and calls of models.
_LEAST = frozenset("appended TEXT_MESSAGE_CONTENT REASONING_MESSAGE_CONTENT text-delta reasoning-delta on_chat_model_stream".split())
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
    """An event that waits, in the form in which it does; and then as a line of JSON, which further tries send again."""

    __slots__ = ("place", "type", "held", "text", "size", "path")

    def __init__(self, type: str, held: bytes = b"", text: bytes = b"", path: str = "") -> None:  # noqa: A002 - the name on the wire
        self.type, self.held, self.text = type, held, text
        #: The door for what is no event of Stoa's. After ``body=`` comes the number of the body.
        self.path = path
        self.place, self.size = 0, len(held) + len(text)


class Waiting:
    """Three rows, by worth. They go out in the order in which they came. Who calls holds the lock."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self.most, self.most_bytes = most, most_bytes
        self.number = self.bytes = 0
        self._place = 0
        self._rows: tuple[collections.deque[Line], ...] = (collections.deque(), collections.deque(), collections.deque())
        self._row_of: dict[str, collections.deque[Line]] = {}

    def add(self, line: Line) -> Iterable[Line]:
        """Adds a line, and gives those that had to go for it."""
        row = self._row_of.get(line.type)
        if row is None:
            row = self._rows[worth(line.type)]
            if len(self._row_of) < MAX_TYPES:
                self._row_of[line.type] = row
        self._place = line.place = self._place + 1
        row.append(line)
        self.number += 1
        self.bytes += line.size
        if self.number <= self.most and self.bytes <= self.most_bytes:
            return ()
        gone = []
        while self.number > self.most or self.bytes > self.most_bytes:
            gone.append(self._taken(next(row for row in self._rows if row)))
        return gone

    def take(self, most: int, most_bytes: int) -> list[Line]:
        """The oldest lines, at least one if there is any."""
        if self.number <= most and self.bytes <= most_bytes:
            return self.clear()
        batch: list[Line] = []
        total = 0
        while self.number and len(batch) < most:
            row = min((row for row in self._rows if row), key=_oldest)
            total += row[0].size
            if batch and total > most_bytes:
                break
            batch.append(self._taken(row))
        return batch

    def clear(self) -> list[Line]:
        """All lines; none waits any more."""
        lines = sorted((line for row in self._rows for line in row), key=_place)
        for row in self._rows:
            row.clear()
        self.number = self.bytes = 0
        return lines

    def _taken(self, row: collections.deque[Line]) -> Line:
        line = row.popleft()
        self.number -= 1
        self.bytes -= line.size
        return line


_place = operator.attrgetter("place")


def _oldest(row: collections.deque[Line]) -> int:
    return row[0].place
