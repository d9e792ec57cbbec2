"""A run of a workflow, and a span of one."""

from __future__ import annotations

import collections
from typing import Any

from ..open_span import OpenSpan


class Flow:
    """A run of a workflow. One that is begun by a tool of another belongs to that one's run."""

    def __init__(self, run_id: str, name: str, is_team: bool, giver: str | None) -> None:
        self.run_id, self.name, self.is_team, self.giver = run_id, name, is_team, giver
        self.agent: str | None = None
        self.task: str | None = None
        self.tasks = 0
        self.busy: collections.Counter[str | None] = collections.Counter()
        #: Steps that failed or wait, by their name and event: the same again is a further try. The event is kept, and so its id.
        self.open: dict[tuple[str, int], tuple[Span, Any]] = {}
        #: Calls of tools that have begun.
        self.tools: set[str] = set()
        #: Questions that wait for an answer.
        self.asked: collections.OrderedDict[str, Span] = collections.OrderedDict()
        self.paused = False


class Span(OpenSpan):
    __slots__ = ("above", "flow", "step", "event", "call", "tool", "tries", "fault", "waits", "own")

    def __init__(self, above: Span | None) -> None:
        super().__init__(*((above.run, above.agent, above.task) if above else (None, None, None)))
        self.above = above
        self.flow: Flow | None = above.flow if above else None
        self.step = self.call = self.tool = ""
        self.event: Any = None
        self.tries = 1
        self.fault: BaseException | None = None
        self.waits = self.own = False
