"""Single words of the block that the caller is in; without a block they have no agent and no run."""

from __future__ import annotations

import uuid
from typing import Any

from . import events
from .blocks import _safely, _say, current


def say(text: str, id: str | None = None, final: bool | None = None) -> str:  # noqa: A002 - the name on the wire
    """The current agent says a text, or with an ``id`` a piece of one, the last of them ``final``. Gives the id."""
    return _say(current(), text, id, final, "text")


def think(text: str, id: str | None = None, final: bool | None = None) -> str:  # noqa: A002 - the name on the wire
    """The same for what it thinks."""
    return _say(current(), text, id, final, "reasoning")


def progress(percent: float, message: str | None = None) -> None:
    """The progress of the current task, from 0 to 100."""
    here = current()
    if here is not None:
        here.progress(percent, message)


def block(why: str) -> None:
    """The current task can't go on."""
    here = current()
    if here is not None:
        here.block(why)


def handoff(to: str, reason: str | None = None, kind: str = "handoff") -> None:
    """The current agent gives its work to the agent of that name."""
    here = current()
    if here is not None:
        here.handoff(to, reason, kind)


def decide(what: str, why: str | None = None, confidence: float | None = None, **facts: Any) -> None:
    """A decision, with its reason and how sure it is, from 0 to 1."""
    _tell("decision.logged", decision=what, rationale=why, confidence_score=confidence, **facts)


def usage(model: str, input_tokens: int | None = None, output_tokens: int | None = None, **facts: Any) -> None:
    """A call of a model that is over: its tokens, and ``cost_usd``, ``duration_ms``, ``cached_tokens`` where known."""
    facts = {"call_id": uuid.uuid4().hex, "input_tokens": input_tokens, "output_tokens": output_tokens, **facts}
    _tell("llm.completed", model=model, **facts)


def artifact(name: str, url: str | None = None, id: str | None = None, **facts: Any) -> None:  # noqa: A002
    """Something was made: a file, a page, a picture."""
    _tell("artifact.created", artifact_id=id or uuid.uuid4().hex, name=name, url=url, **facts)


def _tell(type: str, **facts: Any) -> None:  # noqa: A002 - the name on the wire
    here = current()
    place = here.place if here is not None else {}
    _safely(lambda: events.tell(type, here.project if here is not None else None, **{**place, **facts}))
