"""Texts that come in pieces, of which only the beginning goes out."""

from __future__ import annotations

import collections
import threading
from typing import Any

#: Texts whose length is counted at a time.
MAX_TEXTS = 1_000


class Beginnings:
    """The characters that went out of each text that is being written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lengths: collections.OrderedDict[Any, int] = collections.OrderedDict()

    def piece(self, key: Any, piece: str, most: int) -> str:
        """The part of the next piece that goes out, so that all of them together have at most so many characters."""
        with self._lock:
            before = self._lengths.pop(key, 0)
            self._lengths[key] = before + len(piece)
            if len(self._lengths) > MAX_TEXTS:
                self._lengths.popitem(last=False)
        if before + len(piece) <= most:
            return piece
        # Of what is cut the last letter says so.
        return piece[: most - before - 1] + "…" if before < most else ""

    def is_new(self, key: Any) -> bool:
        """Says if nothing was written of a text yet."""
        with self._lock:
            return key not in self._lengths

    def end(self, key: Any) -> None:
        """The text is whole, or another begins under its name."""
        with self._lock:
            self._lengths.pop(key, None)
