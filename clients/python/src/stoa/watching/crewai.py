"""CrewAI: what goes over its event bus, in the order in which it is emitted.

The bus calls its listeners from a pool of threads, in any order; so the call that emits is looked at instead.
"""

from __future__ import annotations

import collections
import functools
import json
import threading
import time
import uuid
from types import ModuleType
from typing import Any

from ..telling import events
from .langchain import said
from .watch import safely

#: Events whose run is remembered for those below them.
MAX_KNOWN = 20_000
#: Tools by which one agent gives work to another.
DELEGATING = ("delegate_work_to_coworker", "ask_question_to_coworker")
#: A flow that CrewAI runs for itself within each agent.
INTERNAL = "AgentExecutor"


class Bus:
    """The events, one after the other."""

    def __init__(self) -> None:
        self._runs: collections.OrderedDict[str, str] = collections.OrderedDict()
        self._begun: collections.OrderedDict[str, float] = collections.OrderedDict()
        #: Tasks that the crew has announced and will end, by run and id.
        self._announced: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._streamed: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._last = ""
        self._lock = threading.RLock()

    def event(self, source: Any, event: Any) -> None:
        """An event of the bus, after it was given its place."""
        kind = str(event.type)
        with self._lock:
            run = self._run_of(event)
            hook = getattr(self, f"_{kind}", None)
            if hook is not None and getattr(event, "flow_name", None) != INTERNAL:
                hook(event, run)

    def _run_of(self, event: Any) -> str:
        for key in (event.started_event_id, event.parent_event_id):
            if key in self._runs:
                run = self._runs[key]
                break
        else:
            begins = event.type in ("crew_kickoff_started", "flow_started", "lite_agent_execution_started")
            run = uuid.uuid4().hex if begins or not self._last else self._last
        self._last = run
        if event.started_event_id is None:
            _keep(self._runs, event.event_id, run)
            _keep(self._begun, event.event_id, time.monotonic())
        return run

    def _took(self, event: Any) -> float | None:
        begun = self._begun.pop(event.started_event_id or "", None)
        return None if begun is None else round((time.monotonic() - begun) * 1000, 3)

    def _outermost(self, event: Any, run: str) -> bool:
        """Says if an event begins or ends a run, rather than a part of one."""
        return event.parent_event_id is None or self._runs.get(event.parent_event_id) != run

    def _place(self, event: Any, run: str) -> dict[str, Any]:
        role = getattr(event, "agent_role", None)
        task = getattr(event, "task_id", None)
        return {
            "agent_id": events.agent_arrived(role) if role else None,
            "task_id": f"{run}:{task}" if task else None,
            "run_id": run,
        }

    # By the types of events. Crews and flows:

    def _crew_kickoff_started(self, event: Any, run: str) -> None:
        if self._outermost(event, run):
            events.run_started(run, str(event.crew_name or "crew"))

    def _crew_kickoff_completed(self, event: Any, run: str) -> None:
        if self._outermost(event, run):
            events.run_ended(run, total_tokens=getattr(event, "total_tokens", None))

    def _crew_kickoff_failed(self, event: Any, run: str) -> None:
        if self._outermost(event, run):
            events.run_ended(run, error=event.error)

    def _flow_started(self, event: Any, run: str) -> None:
        if self._outermost(event, run):
            events.run_started(run, event.flow_name)

    def _flow_finished(self, event: Any, run: str) -> None:
        if self._outermost(event, run):
            events.run_ended(run)

    def _flow_failed(self, event: Any, run: str) -> None:
        if self._outermost(event, run):
            events.run_ended(run, error=getattr(event, "error", "the flow failed"))

    def _flow_paused(self, event: Any, run: str) -> None:
        events.tell("workflow.run.paused", run_id=run, name=event.flow_name)

    def _method(self, event: Any, run: str, word: str, **facts: Any) -> None:
        node = {"node_id": f"{run}:{event.method_name}", "node_name": event.method_name}
        events.tell(f"workflow.node.{word}", run_id=run, **node, **facts)

    def _method_execution_started(self, event: Any, run: str) -> None:
        self._method(event, run, "started")

    def _method_execution_finished(self, event: Any, run: str) -> None:
        self._method(event, run, "completed", duration_ms=self._took(event))

    def _method_execution_failed(self, event: Any, run: str) -> None:
        self._method(event, run, "failed", **events.fault(event.error))

    def _human_feedback_requested(self, event: Any, run: str) -> None:
        request = getattr(event, "request_id", None) or f"{run}:{event.method_name}"
        events.asked(str(request), said(event.message) or "asks for feedback", options=event.emit, run_id=run)

    def _human_feedback_received(self, event: Any, run: str) -> None:
        request = getattr(event, "request_id", None) or f"{run}:{event.method_name}"
        # The outcome is what the model made of the answer.
        outcome = event.outcome if events.may_say() else "resolved"
        events.tell("input.received", request_id=str(request), answer=event.feedback, outcome=outcome, run_id=run)

    # Tasks and agents:

    def _task_started(self, event: Any, run: str) -> None:
        task = event.task
        key = f"{run}:{getattr(task, 'id', event.task_id)}"
        _keep(self._announced, key, None)
        events.tell("task.created", task_id=key, task_name=_task_name(task, event.task_name), run_id=run)

    def _task_completed(self, event: Any, run: str) -> None:
        self._task_over(event, run, None)

    def _task_failed(self, event: Any, run: str) -> None:
        self._task_over(event, run, event.error)

    def _task_over(self, event: Any, run: str, error: Any) -> None:
        task = event.task
        key = f"{run}:{getattr(task, 'id', event.task_id)}"
        self._announced.pop(key, None)
        role = getattr(getattr(task, "agent", None), "role", None)
        agent = events.agent_arrived(role) if role else None
        events.task_ended(key, agent, error=error, run_id=run, duration_ms=self._took(event))

    def _agent_execution_started(self, event: Any, run: str) -> None:
        goal = " ".join(str(event.agent.goal).split())[:200] if events.may_say() else None
        agent = events.agent_arrived(event.agent.role, role=goal)
        task = event.task
        events.task_begun(f"{run}:{task.id}", _task_name(task), agent, run_id=run)
        events.agent_status(agent, "working", run_id=run)

    def _agent_execution_completed(self, event: Any, run: str) -> None:
        self._agent_over(event, run, None)

    def _agent_execution_error(self, event: Any, run: str) -> None:
        self._agent_over(event, run, event.error)

    def _agent_over(self, event: Any, run: str, error: Any) -> None:
        agent = events.agent_id(" ".join(str(event.agent.role).split()))
        key = f"{run}:{event.task.id}"
        # A crew ends the tasks that it has announced; delegated ones are ended by nobody.
        if key not in self._announced:
            events.task_ended(key, agent, error=error, run_id=run, duration_ms=self._took(event))
        events.agent_status(agent, "idle", run_id=run)

    def _lite_agent_execution_started(self, event: Any, run: str) -> None:
        role = str(event.agent_info.get("role") or "agent")
        agent = events.agent_arrived(role)
        if self._outermost(event, run):
            events.run_started(run, role)
        events.task_begun(f"{run}:{event.event_id}", role, agent, run_id=run)
        events.agent_status(agent, "working", run_id=run)

    def _lite_agent_execution_completed(self, event: Any, run: str) -> None:
        self._lite_over(event, run, None)

    def _lite_agent_execution_error(self, event: Any, run: str) -> None:
        self._lite_over(event, run, event.error)

    def _lite_over(self, event: Any, run: str, error: Any) -> None:
        agent = events.agent_arrived(str(event.agent_info.get("role") or "agent"))
        events.task_ended(f"{run}:{event.started_event_id}", agent, error=error, run_id=run)
        events.agent_status(agent, "idle", run_id=run)
        if self._outermost(event, run):
            events.run_ended(run, error=error)

    def _llm_guardrail_completed(self, event: Any, run: str) -> None:
        place = self._place(event, run)
        name = event.guardrail_name or event.guardrail_type or "guardrail"
        word = "passed" if event.success else "triggered"
        events.tell(f"guardrail.{word}", name=name, reason=event.error, **place)
        if not event.success and place["task_id"] is not None:
            # The work is done once more, and looked at again.
            events.tell("task.retried", attempt=event.retry_count + 2, error=event.error, **place)

    # Models and tools:

    def _llm_call_started(self, event: Any, run: str) -> None:
        events.model_started(event.call_id, event.model, **self._place(event, run))

    def _llm_call_completed(self, event: Any, run: str) -> None:
        place, usage = self._place(event, run), event.usage or {}
        message = {"run_id": run, "task_id": place["task_id"]}
        whole = event.response if isinstance(event.response, str) else ""
        streamed = event.call_id in self._streamed
        if whole and not streamed:
            events.text(event.call_id, whole, place["agent_id"], **message)
        if whole or streamed:
            self._streamed.pop(event.call_id, None)
            events.text_ended(event.call_id, place["agent_id"], **message)
        tokens = {
            "input_tokens": usage.get("prompt_tokens", usage.get("input_tokens")),
            "output_tokens": usage.get("completion_tokens", usage.get("output_tokens")),
            "cached_tokens": usage.get("cached_prompt_tokens"),
            "finish_reason": event.finish_reason,
        }
        events.model_ended(event.call_id, event.model, duration_ms=self._took(event), **tokens, **place)

    def _llm_call_failed(self, event: Any, run: str) -> None:
        events.model_ended(event.call_id, event.model, error=event.error, **self._place(event, run))

    def _llm_stream_chunk(self, event: Any, run: str) -> None:
        if event.chunk and event.tool_call is None:
            place = self._place(event, run)
            _keep(self._streamed, event.call_id, None)
            events.text(event.call_id, event.chunk, place["agent_id"], run_id=run, task_id=place["task_id"])

    def _llm_thinking_chunk(self, event: Any, run: str) -> None:
        place = self._place(event, run)
        key = f"{event.call_id}:thinking"
        events.text(key, event.chunk, place["agent_id"], kind="reasoning", run_id=run, task_id=place["task_id"])

    def _tool_usage_started(self, event: Any, run: str) -> None:
        place = self._place(event, run)
        events.tool_started(event.event_id, event.tool_name, args=event.tool_args, **place)
        to = _coworker(event)
        if to and place["agent_id"]:
            taker = events.agent_arrived(to)
            events.handed(place["agent_id"], taker, "delegation", run_id=run, task_id=place["task_id"])

    def _tool_usage_finished(self, event: Any, run: str) -> None:
        facts = {"result": event.output, "from_cache": event.from_cache or None, "duration_ms": self._took(event)}
        failure = getattr(event, "failure", None)
        error = str(failure) if failure is not None else None
        call = event.started_event_id or event.event_id
        events.tool_ended(call, event.tool_name, error=error, **facts, **self._place(event, run))

    def _tool_usage_error(self, event: Any, run: str) -> None:
        call = event.started_event_id or event.event_id
        events.tool_ended(call, event.tool_name, error=str(event.error), **self._place(event, run))


def _task_name(task: Any, given: Any = None) -> str:
    """The name of a task. One without has its description, which is made of the crew's input."""
    described = (getattr(task, "description", None) or given) if events.may_say() else None
    return " ".join(str(getattr(task, "name", None) or described or "task").split())[:200]


def _coworker(event: Any) -> str | None:
    """The agent to whom a tool gives work."""
    if event.tool_name.lower().replace(" ", "_") not in DELEGATING:
        return None
    args = event.tool_args
    if isinstance(args, str):
        try:
            args = json.loads(args)
        except ValueError:
            return None
    to = args.get("coworker") if isinstance(args, dict) else None
    return str(to) if to else None


def _keep(known: collections.OrderedDict[str, Any], key: str, value: Any) -> None:
    known[key] = value
    if len(known) > MAX_KNOWN:
        known.popitem(last=False)


def install(module: ModuleType) -> None:
    """Looks at what is emitted, in turn and asynchronously."""
    bus: Any = module.CrewAIEventsBus  # type: ignore[attr-defined]
    told = safely(Bus().event)
    emit, aemit = bus.emit, bus.aemit

    @functools.wraps(emit)
    def emitted(self: Any, source: Any, event: Any, *args: Any, **kwargs: Any) -> Any:
        # The original gives the event its place; what it calls in other threads does not come before this.
        answer = emit(self, source, event, *args, **kwargs)
        told(source, event)
        return answer

    @functools.wraps(aemit)
    async def aemitted(self: Any, source: Any, event: Any, *args: Any, **kwargs: Any) -> Any:
        answer = await aemit(self, source, event, *args, **kwargs)
        told(source, event)
        return answer

    bus.emit, bus.aemit = emitted, aemitted
