"""smolagents: runs of agents, calls of tools, and the steps that an agent has made."""

from __future__ import annotations

import functools
import uuid
from types import ModuleType
from typing import Any

from ..telling import events
from ..telling.blocks import Agent, Tool, current, decorated
from .langchain import said
from .watch import safely


def step(self: Any, memory_step: Any, **kwargs: Any) -> None:
    """A step is over: what the model said, with its tokens."""
    here = current()
    agent = kwargs.get("agent")
    if here is None or agent is None or not hasattr(memory_step, "token_usage"):
        return
    call, usage = uuid.uuid4().hex, memory_step.token_usage
    text = said(getattr(memory_step, "model_output", None) or getattr(memory_step, "plan", None))
    if usage is None and not text:
        return
    if text:
        events.text(call, text, here.agent_id, here.project, run_id=here.run_id, task_id=here.task_id)
        events.text_ended(call, here.agent_id, here.project, run_id=here.run_id, task_id=here.task_id)
    events.model_ended(
        call,
        getattr(getattr(agent, "model", None), "model_id", None),
        here.project,
        input_tokens=getattr(usage, "input_tokens", None),
        output_tokens=getattr(usage, "output_tokens", None),
        duration_ms=_took(memory_step),
        **here.place,
    )


def _took(memory_step: Any) -> float | None:
    seconds = getattr(getattr(memory_step, "timing", None), "duration", None)
    return None if seconds is None else round(seconds * 1000, 3)


def _name(agent: Any) -> str:
    return str(getattr(agent, "name", None) or type(agent).__name__)


def install(module: ModuleType) -> None:
    """Looks at ``run`` of agents, at calls of tools and at the registry of steps."""
    agents: Any = module.MultiStepAgent  # type: ignore[attr-defined]
    tools: Any = module.Tool  # type: ignore[attr-defined]
    from smolagents.memory import CallbackRegistry

    run, use, callback = agents.run, tools.__call__, CallbackRegistry.callback
    told = safely(step)

    @functools.wraps(run)
    def ran(self: Any, task: Any, *args: Any, **kwargs: Any) -> Any:
        def make(name: str, given: Any) -> Agent:
            first = " ".join(str(task).split())[:80]
            role = getattr(self, "description", None) if events.may_say() else None
            return Agent(name, role=role, task=first)

        def streamed() -> Any:
            return (yield from run(self, task, *args, **kwargs))

        def whole() -> Any:
            return run(self, task, *args, **kwargs)

        streams = kwargs.get("stream", args[0] if args else False)
        return decorated(streamed if streams else whole, _name(self), make)()

    @functools.wraps(use)
    def used(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = {name: value for name, value in kwargs.items() if name != "sanitize_inputs_outputs"}
        with Tool(str(getattr(self, "name", None) or type(self).__name__), given or list(args)) as here:
            here.result = use(self, *args, **kwargs)
            return here.result

    @functools.wraps(callback)
    def called(self: Any, memory_step: Any, **kwargs: Any) -> Any:
        answer = callback(self, memory_step, **kwargs)
        told(self, memory_step, **kwargs)
        return answer

    agents.run, tools.__call__, CallbackRegistry.callback = ran, used, called
