"""The way of events to Stoa: a queue in memory and one thread that posts it.

No function here raises, and none waits for the network but :func:`flush`. What finds no room is counted, and told when
Stoa can be reached again.
"""

from __future__ import annotations

from typing import Any

from . import plain
from .options import Options, options
from .sender import Sender

__all__ = ["Options", "Sender", "configure", "emit", "flush", "options", "plain", "stats"]

_sender: Sender | None = None


def sender() -> Sender:
    """The process's one sender."""
    global _sender
    if _sender is None:
        _sender = Sender(options())
    return _sender


def configure(**given: Any) -> Options:
    """Options by name, over those of the environment. Those that are ``None`` stay as they are."""
    options().update(given)
    here = sender()
    here.reconfigured()
    return here.options


def emit(
    type: str,  # noqa: A002 - the name on the wire
    data: Any = None,
    *,
    id: str | None = None,  # noqa: A002 - the name on the wire
    project_id: str | None = None,
    priority: str | None = None,
) -> str | None:
    """Puts an event into the queue and returns its id, or ``None`` if it was left out.

    It never raises and never waits. Values that JSON has no form for become text; long ones are cut.
    """
    return sender().emit(type, data, id=id, project_id=project_id, priority=priority)


def forward(path: str, type: str, message: dict[str, Any]) -> None:  # noqa: A002 - the name on the wire
    """Puts a message for another door than that of events into the queue."""
    sender().forward(path, type, message)


def flush(timeout: float = 2.0) -> bool:
    """Waits until all is sent that was emitted before, at most so many seconds, and says whether it is."""
    return sender().flush(timeout)


def stats() -> dict[str, Any]:
    """Figures since the start: sent, rejected, dropped and its types, failures, queued, and the last error."""
    return sender().stats()


def failed(what: str) -> None:
    """Counts a fault of telling, with the exception that is being handled, and says each kind once."""
    sender().failed(what)
