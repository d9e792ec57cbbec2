"""Runs, turns, steps, tools and questions, by the spans that open and close."""

from __future__ import annotations

import collections
import contextvars
import threading
import uuid
from typing import Any

from ...telling import events
from ..langchain import said
from .models import Models
from .read import event_of, failure_of, kinds_of, result_of, words_of
from .things import Flow, Span

#: Spans that are open at a time.
MAX_OPEN = 20_000
#: Classes of which a span outside of any run is one.
ENGINES = ("BaseQueryEngine", "BaseChatEngine", "BaseRetriever")
#: The span within which a run was begun, for the run's own thread or task.
ABOVE: contextvars.ContextVar[str | None] = contextvars.ContextVar("stoa_llama_index", default=None)


class Spans:
    """All open spans, and what their events say."""

    def __init__(self) -> None:
        self._open: collections.OrderedDict[str, Span] = collections.OrderedDict()
        self._models = Models()
        self._lock = threading.RLock()

    # Spans.

    def entered(self, key: str, args: Any, instance: Any, above: str | None) -> None:
        """A span begins."""
        with self._lock:
            span = self._open[key] = Span(self._open.get(above or ABOVE.get() or ""))
            if len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
            name = key[:-37].rpartition(".")[2]
            kinds = kinds_of(instance)
            event = event_of(args)
            if name == "run" and "Workflow" in kinds:
                self._flow_begun(span, instance, kinds)
            elif span.flow is not None and span.above is not None and span.above.own and event is not None:
                self._step_begun(span, span.flow, name, event)
            elif "BaseTool" in kinds:
                self._tool_begun(span, instance, args)
            elif span.run is None and kinds.intersection(ENGINES):
                self._engine_begun(span, instance, args)

    def exited(self, key: str, result: Any) -> None:
        """A span is over."""
        with self._lock:
            span = self._open.pop(key, None)
            if span is None:
                return
            if span.own:
                self._flow_ended(span, None)
            elif span.step and span.flow is not None:
                self._step_ended(span, span.flow, result)
            elif span.call:
                self._tool_ended(span, result_of(result), failure_of(result))

    def dropped(self, key: str, error: BaseException | None) -> None:
        """A span is ended by an error."""
        with self._lock:
            span = self._open.pop(key, None)
            if span is None:
                return
            error = error or RuntimeError("failed")
            self._models.left(key, span, error)
            if span.own:
                self._flow_ended(span, error)
            elif span.step and span.flow is not None:
                self._step_failed(span, span.flow, error)
            elif span.call and type(error).__name__ != "WaitingForEvent":
                self._tool_ended(span, None, error)

    # Runs.

    def _flow_begun(self, span: Span, workflow: Any, kinds: set[str]) -> None:
        name = str(getattr(workflow, "name", None) or type(workflow).__name__)
        is_team = bool(kinds.intersection(("AgentWorkflow", "BaseWorkflowAgent")))
        giver, outer = span.agent, span.run
        span.own = True
        span.flow = Flow(outer or uuid.uuid4().hex, name, is_team, giver)
        span.run = span.flow.run_id
        if outer is None:
            events.run_started(span.run, name)

    def _flow_ended(self, span: Span, error: BaseException | None) -> None:
        flow = span.flow
        if flow is None:
            if span.task is not None:
                self._task_over(span, error)
            events.run_ended(str(span.run), error=error)
            return
        for step, _ in list(flow.open.values()):
            self._task_over(step, step.fault or error)
        flow.open.clear()
        self._turn_ended(flow, error)
        if span.above is None or span.above.run is None:
            events.run_ended(flow.run_id, error=error)

    def _engine_begun(self, span: Span, engine: Any, args: Any) -> None:
        name = type(engine).__name__
        span.run, span.own = uuid.uuid4().hex, True
        span.agent = events.agent_arrived(name)
        span.task = f"{span.run}:1"
        events.run_started(span.run, name)
        events.task_begun(span.task, name, span.agent, run_id=span.run)
        events.agent_status(span.agent, "working", run_id=span.run)

    def _task_over(self, span: Span, error: BaseException | None) -> None:
        events.task_ended(str(span.task), span.agent, error=error, run_id=span.run, duration_ms=span.took)
        if span.flow is not None:
            span.flow.busy[span.agent] -= 1
        if span.agent is not None and (span.flow is None or span.flow.busy[span.agent] <= 0):
            events.agent_status(span.agent, "idle", run_id=span.run)

    # Turns of agents in a team.

    def _turn(self, flow: Flow, name: str) -> None:
        agent = events.agent_arrived(name)
        if agent == flow.agent:
            return
        self._turn_ended(flow, None)
        flow.tasks += 1
        flow.agent, flow.task = agent, f"{flow.run_id}:{uuid.uuid4().hex[:8]}"
        events.task_begun(flow.task, name, agent, run_id=flow.run_id)
        events.agent_status(agent, "working", run_id=flow.run_id)
        if flow.giver and flow.giver != agent and flow.tasks == 1:
            events.handed(flow.giver, agent, "delegation", run_id=flow.run_id, task_id=flow.task)

    def _turn_ended(self, flow: Flow, error: BaseException | None) -> None:
        if flow.agent is not None and flow.task is not None:
            events.task_ended(flow.task, flow.agent, error=error, run_id=flow.run_id)
            events.agent_status(flow.agent, "idle", run_id=flow.run_id)
        flow.agent = flow.task = None

    # Steps.

    def _step_begun(self, span: Span, flow: Flow, name: str, event: Any) -> None:
        span.step, span.event = name, event
        if "HumanResponseEvent" in kinds_of(event):
            self._answered(flow, event)
        if flow.is_team:
            speaker = getattr(event, "current_agent_name", None)
            if speaker:
                self._turn(flow, str(speaker))
            span.agent, span.task = flow.agent, flow.task
            if name == "call_tool":
                self._call_begun(span, flow, event)
            return
        before = flow.open.pop((name, id(event)), None)
        if before is not None:
            span.agent, span.task = before[0].agent, before[0].task
            span.tries = before[0].tries + (0 if before[0].waits else 1)
            if not before[0].waits:
                events.tell("task.retried", attempt=span.tries, **events.fault(before[0].fault), **span.place)
                events.tell("task.started", **span.place)
            return
        flow.tasks += 1
        span.agent = events.agent_arrived(name, kind="node")
        span.task = f"{flow.run_id}:{uuid.uuid4().hex[:8]}"
        flow.busy[span.agent] += 1
        events.task_begun(span.task, name, span.agent, run_id=flow.run_id)
        events.agent_status(span.agent, "working", run_id=flow.run_id)

    def _step_ended(self, span: Span, flow: Flow, result: Any) -> None:
        if flow.is_team:
            if span.call and not span.waits:
                output = getattr(result, "tool_output", None)
                flow.tools.discard(span.call)
                self._tool_ended(span, result_of(output), failure_of(output))
            return
        if span.waits:
            flow.open[span.step, id(span.event)] = (span, span.event)
            return
        if "InputRequiredEvent" in kinds_of(result):
            self._asked(span, flow, f"{flow.run_id}:{uuid.uuid4().hex[:8]}", result)
        self._task_over(span, None)
        self._pause(flow)

    def _step_failed(self, span: Span, flow: Flow, error: BaseException) -> None:
        if flow.is_team:
            if span.call:
                flow.tools.discard(span.call)
                self._tool_ended(span, None, error)
            return
        # A further try may follow; when the run ends none does.
        span.fault = error
        flow.open[span.step, id(span.event)] = (span, span.event)

    # Questions to a person.

    def _asked(self, span: Span, flow: Flow, request: str, question: Any) -> None:
        if request in flow.asked:
            return
        flow.asked[request] = span
        events.asked(request, words_of(question), **span.place)

    def _pause(self, flow: Flow) -> None:
        if flow.asked and not flow.paused and not any(number > 0 for number in flow.busy.values()):
            flow.paused = True
            events.tell("workflow.run.paused", run_id=flow.run_id, name=flow.name)

    def _answered(self, flow: Flow, answer: Any, request: str | None = None) -> None:
        if request is None:
            request = next(iter(flow.asked), None)
        span = flow.asked.pop(request or "", None)
        if span is None:
            return
        events.tell("input.received", request_id=request, answer=words_of(answer), **span.place)
        if flow.paused and not flow.asked:
            flow.paused = False
            events.tell("workflow.run.resumed", run_id=flow.run_id, name=flow.name)

    def waits(self, active: str | None, waiter: str, question: Any) -> None:
        """A step waits for an event from outside."""
        with self._lock:
            span = self._step_of(active)
            if span is None or span.flow is None:
                return
            span.waits = True
            request = _request(span, waiter)
            if request in span.flow.asked:
                return
            self._asked(span, span.flow, request, question)
            span.flow.busy[span.agent] -= 1
            if span.task is not None and span.agent is not None:
                events.task_blocked(span.task, span.agent, "waits for an answer", run_id=span.run)
                events.agent_status(span.agent, "waiting", run_id=span.run)
            self._pause(span.flow)

    def goes_on(self, active: str | None, waiter: str, answer: Any) -> None:
        """The event has come."""
        with self._lock:
            span = self._step_of(active)
            if span is None or span.flow is None or _request(span, waiter) not in span.flow.asked:
                return
            self._answered(span.flow, answer, _request(span, waiter))
            span.flow.busy[span.agent] += 1
            if span.agent is not None:
                events.tell("task.started", **span.place)
                events.agent_status(span.agent, "working", run_id=span.run)

    def _step_of(self, key: str | None) -> Span | None:
        span = self._open.get(key or "")
        while span is not None and not span.step:
            span = span.above
        return span

    # Tools.

    def _call_begun(self, span: Span, flow: Flow, event: Any) -> None:
        name, args = str(event.tool_name), event.tool_kwargs
        span.call, span.tool = f"{flow.run_id}:{event.tool_id}", name
        if span.call in flow.tools:
            return
        flow.tools.add(span.call)
        events.tool_started(span.call, name, args=args, tool_kind="function", **span.place)
        if name == "handoff" and flow.agent is not None and isinstance(args, dict) and args.get("to_agent"):
            taker = events.agent_arrived(str(args["to_agent"]))
            events.handed(flow.agent, taker, reason=args.get("reason"), task_id=flow.task, run_id=flow.run_id)

    def _tool_begun(self, span: Span, tool: Any, args: Any) -> None:
        name = getattr(getattr(tool, "metadata", None), "name", None) or type(tool).__name__
        span.tool = str(name)
        if span.above is not None and span.above.tool == span.tool:
            # The same call, one layer further in.
            return
        span.call = uuid.uuid4().hex
        given = args.arguments.get("kwargs") or args.arguments.get("input") or None
        events.tool_started(span.call, span.tool, args=given, tool_kind="function", **span.place)

    def _tool_ended(self, span: Span, result: Any, error: Any) -> None:
        told = None if error else result
        events.tool_ended(span.call, span.tool, error=error, result=told, duration_ms=span.took, tool_kind="function", **span.place)

    # Models and retrievals.

    def event(self, event: Any) -> None:
        """An event of the framework."""
        kind, key = event.class_name(), str(event.span_id or "")
        with self._lock:
            if kind in ("LLMChatStartEvent", "LLMCompletionStartEvent"):
                self._models.begun(key, self._open.get(key) or Span(None), event.model_dict or {})
            elif kind in ("LLMChatInProgressEvent", "LLMCompletionInProgressEvent"):
                self._models.piece(key, event.response)
            elif kind in ("LLMChatEndEvent", "LLMCompletionEndEvent"):
                self._models.ended(key, event.response)
            elif kind == "ExceptionEvent":
                self._models.failed(key, event.exception)
            elif kind == "RetrievalEndEvent":
                span = self._open.get(key)
                place = span.place if span is not None else {}
                query = getattr(event.str_or_query_bundle, "query_str", event.str_or_query_bundle)
                name = key[:-37].rpartition(".")[0].rpartition(".")[2] or "retriever"
                events.tell("retrieval.completed", name=name, input=said(query), count=len(event.nodes), **place)


def _request(span: Span, waiter: str) -> str:
    return f"{span.call or f'{span.run}:{span.step}'}:{waiter}"
