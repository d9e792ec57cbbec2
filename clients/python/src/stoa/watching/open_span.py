"""A span that has begun: its place among runs, agents and tasks, and the time that it took so far."""

from __future__ import annotations

import time
from typing import Any


class OpenSpan:
    """A span that has begun."""

    __slots__ = ("run", "agent", "task", "begun")

    def __init__(self, run: str | None, agent: str | None, task: str | None) -> None:
        self.run, self.agent, self.task, self.begun = run, agent, task, time.monotonic()

    @property
    def place(self) -> dict[str, Any]:
        """The ids that events of the span have."""
        return {"agent_id": self.agent, "task_id": self.task, "run_id": self.run}

    @property
    def took(self) -> float:
        """Milliseconds since it began."""
        return round((time.monotonic() - self.begun) * 1000, 3)
