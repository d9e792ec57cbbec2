"""A span that has begun: its place among runs, agents and tasks, and the time that it took so far."""

from __future__ import annotations

import sys
import time
from typing import Any


class OpenSpan:
    """A span that has begun."""

    __slots__ = ("run", "agent", "task", "begun", "handled", "first")

    def __init__(self, run: str | None, agent: str | None, task: str | None) -> None:
        self.run, self.agent, self.task, self.begun = run, agent, task, time.monotonic()
        #: The exception that was being handled when it began.
        self.handled = sys.exc_info()[1]
        #: Milliseconds to the first piece of an answer.
        self.first: float | None = None

    @property
    def place(self) -> dict[str, Any]:
        """The ids that events of the span have."""
        return {"agent_id": self.agent, "task_id": self.task, "run_id": self.run}

    @property
    def took(self) -> float:
        """Milliseconds since it began."""
        return round((time.monotonic() - self.begun) * 1000, 3)

    @property
    def raised(self) -> BaseException | None:
        """The exception that ends it, where it ends while one goes up. One that went up before it began is another's."""
        now = sys.exc_info()[1]
        return None if now is self.handled else now

    def answers(self) -> None:
        """A piece of an answer has come."""
        if self.first is None:
            self.first = self.took
