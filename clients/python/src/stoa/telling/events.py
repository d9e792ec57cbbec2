"""The events of agents at work, each a function of facts. Blocks and frameworks tell by these alone."""

from __future__ import annotations

import collections
import hashlib
import re
import threading
from typing import Any

from .. import sending
from ..sending import plain
from ..sending.beginnings import Beginnings

_ODD = re.compile(r"[^A-Za-z0-9_.:-]+")
#: Names of things that were told, of which each is told once.
MAX_KNOWN = 10_000


class _Known:
    """The newest of the things that were told."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._things: collections.OrderedDict[Any, Any] = collections.OrderedDict()

    def is_new(self, thing: Any, said: Any = None) -> bool:
        """Says if this was not told of the thing yet."""
        with self._lock:
            if thing in self._things and said in (None, self._things[thing]):
                return False
            self._things[thing] = said
            if len(self._things) > MAX_KNOWN:
                self._things.popitem(last=False)
            return True


_known = _Known()
_beginnings = Beginnings()


def slug(name: str) -> str:
    """A name as an id. One that loses letters gets a few that tell it from others."""
    name = plain.cut(" ".join(str(name).split()), 200)
    made = _ODD.sub("-", name).strip("-")
    return made if name.isascii() and made else f"{made}-{hashlib.sha1(name.encode()).hexdigest()[:6]}".strip("-")


def agent_id(name: str) -> str:
    """The id of an agent of this service."""
    return slug(f"{sending.options().service}:{name}")


def may_say() -> bool:
    """Says if texts of the work go out at all; where they do not, a name that is made of one must be another."""
    return sending.options().content != "none"


def tell(type: str, project: str | None = None, priority: str | None = None, **facts: Any) -> str | None:  # noqa: A002
    """Emits an event with those facts that are there."""
    said = {key: value for key, value in facts.items() if value is not None}
    return sending.emit(type, said, project_id=project, priority=priority)


def run_started(run_id: str, name: str, project: str | None = None, **facts: Any) -> None:
    """A run begins; its project is told once."""
    here = project or sending.options().project
    if _known.is_new(("project", here)):
        tell("project.created", project, project_name=here)
    tell("workflow.run.started", project, run_id=run_id, name=name, **facts)


def run_ended(run_id: str, project: str | None = None, error: Any = None, **facts: Any) -> None:
    """A run is over, well or not."""
    tell("workflow.run.failed" if error is not None else "workflow.run.completed", project, run_id=run_id, **fault(error), **facts)


def agent_arrived(name: str, project: str | None = None, **facts: Any) -> str:
    """An agent is there; told once, and again with other facts. Gives its id."""
    name = plain.cut(" ".join(str(name).split()), 200)
    found = agent_id(name)
    role = facts.get("role")
    if _known.is_new((project, found), role):
        facts.setdefault("kind", "agent")
        tell("agent.registered", project, agent_id=found, agent_name=name, **facts)
    return found


def agent_status(found: str, status: str, project: str | None = None, **facts: Any) -> None:
    """The status of an agent."""
    tell("agent.status.changed", project, agent_id=found, new_status=status, **facts)


def task_begun(task_id: str, name: str, agent: str | None, project: str | None = None, **facts: Any) -> None:
    """Somebody has a task, or the program itself."""
    name = plain.cut(" ".join(str(name).split()), 200)
    if agent is None:
        tell("task.created", project, task_id=task_id, task_name=name, **facts)
        tell("task.started", project, task_id=task_id, **facts)
    else:
        tell("task.assigned", project, task_id=task_id, task_name=name, agent_id=agent, **facts)


def task_ended(task_id: str, agent: str | None, project: str | None = None, error: Any = None, **facts: Any) -> None:
    """A task is done, or failed."""
    kind = "task.completed" if error is None else "task.failed"
    tell(kind, project, task_id=task_id, agent_id=agent, **fault(error), **facts)


def task_blocked(task_id: str, agent: str | None, why: str, project: str | None = None, **facts: Any) -> None:
    """A task can't go on."""
    tell("task.blocked", project, task_id=task_id, agent_id=agent, blocker=why, **facts)


def tool_started(call: str, name: str, project: str | None = None, **facts: Any) -> None:
    """A tool is called."""
    tell("tool.started", project, tool_call_id=call, tool_name=name, **facts)


def tool_ended(call: str, name: str, project: str | None = None, error: Any = None, **facts: Any) -> None:
    """A call of a tool is over."""
    kind = "tool.completed" if error is None else "tool.failed"
    tell(kind, project, tool_call_id=call, tool_name=name, **fault(error), **facts)


def model_started(call: str, model: str | None, project: str | None = None, **facts: Any) -> None:
    """A model is asked."""
    tell("llm.started", project, call_id=call, model=model, **facts)


def model_ended(call: str, model: str | None, project: str | None = None, error: Any = None, **facts: Any) -> None:
    """A model has answered, with its tokens, or has not."""
    kind = "llm.completed" if error is None else "llm.failed"
    tell(kind, project, call_id=call, model=model, **fault(error), **facts)


def text(message: str, piece: str, agent: str | None, project: str | None = None, kind: str = "text", **facts: Any) -> None:
    """The next piece of a text. Of a preview only the beginning of the whole goes out."""
    content = sending.options().content
    if not piece or content == "none":
        return
    if content == "preview":
        piece = _beginnings.piece(message, piece, plain.PREVIEW)
    type_ = "agent.reasoning.appended" if kind == "reasoning" else "agent.message.appended"
    # A piece has at most what an event may hold of it.
    for begin in range(0, len(piece), plain.MAX_CONTENT):
        some = piece[begin : begin + plain.MAX_CONTENT]
        tell(type_, project, message_id=message, agent_id=agent, content=some, kind=kind, **facts)


def text_ended(message: str, agent: str | None, project: str | None = None, kind: str = "text", **facts: Any) -> None:
    """A text is whole."""
    _beginnings.end(message)
    tell("agent.message.completed", project, message_id=message, agent_id=agent, kind=kind, **facts)


def handed(giver: str, taker: str, kind: str = "handoff", project: str | None = None, **facts: Any) -> None:
    """Work goes from one agent to another."""
    tell("agent.handoff", project, from_agent_id=giver, to_agent_id=taker, kind=kind, **facts)


def asked(request: str, message: str, project: str | None = None, kind: str = "input_required", **facts: Any) -> None:
    """A person is asked."""
    tell("input.requested", project, request_id=request, message=message, kind=kind, **facts)


def fault(error: Any) -> dict[str, Any]:
    """The facts about an error."""
    if error is None:
        return {}
    if isinstance(error, BaseException):
        return {"error": plain.error(error), "error_type": type(error).__name__}
    return {"error": str(error)}
