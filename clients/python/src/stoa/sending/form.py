"""Events as lines of JSON, and what all those of a process have in common: it is written once."""

from __future__ import annotations

import os
import socket
from typing import Any

from . import plain

#: Bytes of one event: as many as Stoa takes by default.
MAX_LINE = 64_000


class Form:
    """The form of the events of one service in one process."""

    def __init__(self, service: Any) -> None:
        self.source = plain.cut(f"{service}", 256)
        self._metadata = {"instance": f"{socket.gethostname()}:{os.getpid()}"}
        self._common = plain.line(self.whole({}))[:-1] + b","

    def whole(self, event: dict[str, Any]) -> dict[str, Any]:
        """An event with what all have in common."""
        event["source"], event["metadata"] = self.source, dict(self._metadata)
        return event

    def line(self, event: dict[str, Any]) -> bytes:
        """A whole event as a line, given without what all have in common."""
        return self._common + line(event)[1:]


def line(event: dict[str, Any]) -> bytes:
    """An event as a line. Of one that is too long the texts are cut."""
    text = plain.line(event)
    if len(text) > MAX_LINE:
        short = {key: plain.preview(value, plain.PREVIEW) for key, value in event["data"].items()}
        event["data"] = {key: value[:500] if isinstance(value, str) else value for key, value in short.items()}
        text = plain.line(event)
    return text
