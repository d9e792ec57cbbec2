"""LlamaIndex: a handler of its spans and one of its events, at the root of its dispatchers.

Of a team of agents each turn is a task: it goes on until another agent has the word or the run ends. Of any other workflow
each step is an agent with a task, as the nodes of a graph are. A query engine that no agent asks is an agent by itself.
"""

from __future__ import annotations

import collections
import contextvars
import functools
import threading
import uuid
from types import ModuleType
from typing import Any

from ..telling import events
from .langchain import said
from .open_span import OpenSpan
from .watch import safely

#: Spans that are open at a time, and those that may still be told of by a stream of a model.
MAX_OPEN = 20_000
#: Classes of which a span outside of any run is one.
ENGINES = ("BaseQueryEngine", "BaseChatEngine", "BaseRetriever")
#: The span within which a run was begun, for the run's own thread or task.
_above: contextvars.ContextVar[str | None] = contextvars.ContextVar("stoa_llama_index", default=None)


class _Flow:
    """A run of a workflow. One that is begun by a tool of another belongs to that one's run."""

    def __init__(self, run_id: str, name: str, is_team: bool, giver: str | None) -> None:
        self.run_id, self.name, self.is_team, self.giver = run_id, name, is_team, giver
        self.agent: str | None = None
        self.task: str | None = None
        self.tasks = 0
        self.busy: collections.Counter[str | None] = collections.Counter()
        #: Steps that failed or wait, by their name and event: the same again is a further try. The event is kept, and so its id.
        self.open: dict[tuple[str, int], tuple[_Span, Any]] = {}
        #: Calls of tools that have begun.
        self.tools: set[str] = set()
        #: Questions that wait for an answer.
        self.asked: collections.OrderedDict[str, _Span] = collections.OrderedDict()
        self.paused = False


class _Span(OpenSpan):
    __slots__ = ("above", "flow", "step", "event", "call", "tool", "tries", "fault", "waits", "own")

    def __init__(self, above: _Span | None) -> None:
        super().__init__(*((above.run, above.agent, above.task) if above else (None, None, None)))
        self.above = above
        self.flow: _Flow | None = above.flow if above else None
        self.step = self.call = self.tool = ""
        self.event: Any = None
        self.tries = 1
        self.fault: BaseException | None = None
        self.waits = self.own = False


class _Model:
    """A call of a model."""

    def __init__(self, span: _Span, name: str | None) -> None:
        self.span, self.name, self.streamed, self.thought = span, name, False, False


class Spans:
    """All open spans, and what their events say."""

    def __init__(self) -> None:
        self._open: collections.OrderedDict[str, _Span] = collections.OrderedDict()
        self._models: collections.OrderedDict[str, _Model] = collections.OrderedDict()
        self._lock = threading.RLock()

    # Spans.

    def entered(self, key: str, args: Any, instance: Any, above: str | None) -> None:
        """A span begins."""
        with self._lock:
            span = self._open[key] = _Span(self._open.get(above or _above.get() or ""))
            if len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
            name = key[:-37].rpartition(".")[2]
            kinds = _kinds(instance)
            event = _event(args)
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
                self._tool_ended(span, _result(result), _failure(result))

    def dropped(self, key: str, error: BaseException | None) -> None:
        """A span is ended by an error."""
        with self._lock:
            span = self._open.pop(key, None)
            if span is None:
                return
            error = error or RuntimeError("failed")
            self._models_failed(key, span, error)
            if span.own:
                self._flow_ended(span, error)
            elif span.step and span.flow is not None:
                self._step_failed(span, span.flow, error)
            elif span.call and type(error).__name__ != "WaitingForEvent":
                self._tool_ended(span, None, error)

    # Runs.

    def _flow_begun(self, span: _Span, workflow: Any, kinds: set[str]) -> None:
        name = str(getattr(workflow, "name", None) or type(workflow).__name__)
        is_team = bool(kinds.intersection(("AgentWorkflow", "BaseWorkflowAgent")))
        giver, outer = span.agent, span.run
        span.own = True
        span.flow = _Flow(outer or uuid.uuid4().hex, name, is_team, giver)
        span.run = span.flow.run_id
        if outer is None:
            events.run_started(span.run, name)

    def _flow_ended(self, span: _Span, error: BaseException | None) -> None:
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

    def _engine_begun(self, span: _Span, engine: Any, args: Any) -> None:
        name = type(engine).__name__
        span.run, span.own = uuid.uuid4().hex, True
        span.agent = events.agent_arrived(name)
        span.task = f"{span.run}:1"
        events.run_started(span.run, name)
        events.task_begun(span.task, name, span.agent, run_id=span.run)
        events.agent_status(span.agent, "working", run_id=span.run)

    def _task_over(self, span: _Span, error: BaseException | None) -> None:
        events.task_ended(str(span.task), span.agent, error=error, run_id=span.run, duration_ms=span.took)
        if span.flow is not None:
            span.flow.busy[span.agent] -= 1
        if span.agent is not None and (span.flow is None or span.flow.busy[span.agent] <= 0):
            events.agent_status(span.agent, "idle", run_id=span.run)

    # Turns of agents in a team.

    def _turn(self, flow: _Flow, name: str) -> None:
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

    def _turn_ended(self, flow: _Flow, error: BaseException | None) -> None:
        if flow.agent is not None and flow.task is not None:
            events.task_ended(flow.task, flow.agent, error=error, run_id=flow.run_id)
            events.agent_status(flow.agent, "idle", run_id=flow.run_id)
        flow.agent = flow.task = None

    # Steps.

    def _step_begun(self, span: _Span, flow: _Flow, name: str, event: Any) -> None:
        span.step, span.event = name, event
        if "HumanResponseEvent" in _kinds(event):
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

    def _step_ended(self, span: _Span, flow: _Flow, result: Any) -> None:
        if flow.is_team:
            if span.call and not span.waits:
                output = getattr(result, "tool_output", None)
                flow.tools.discard(span.call)
                self._tool_ended(span, _result(output), _failure(output))
            return
        if span.waits:
            flow.open[span.step, id(span.event)] = (span, span.event)
            return
        if "InputRequiredEvent" in _kinds(result):
            self._asked(span, flow, f"{flow.run_id}:{uuid.uuid4().hex[:8]}", result)
        self._task_over(span, None)
        self._pause(flow)

    def _step_failed(self, span: _Span, flow: _Flow, error: BaseException) -> None:
        if flow.is_team:
            if span.call:
                flow.tools.discard(span.call)
                self._tool_ended(span, None, error)
            return
        # A further try may follow; when the run ends none does.
        span.fault = error
        flow.open[span.step, id(span.event)] = (span, span.event)

    # Questions to a person.

    def _asked(self, span: _Span, flow: _Flow, request: str, question: Any) -> None:
        if request in flow.asked:
            return
        flow.asked[request] = span
        events.asked(request, _question(question), **span.place)

    def _pause(self, flow: _Flow) -> None:
        if flow.asked and not flow.paused and not any(number > 0 for number in flow.busy.values()):
            flow.paused = True
            events.tell("workflow.run.paused", run_id=flow.run_id, name=flow.name)

    def _answered(self, flow: _Flow, answer: Any, request: str | None = None) -> None:
        if request is None:
            request = next(iter(flow.asked), None)
        span = flow.asked.pop(request or "", None)
        if span is None:
            return
        events.tell("input.received", request_id=request, answer=_question(answer), **span.place)
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

    def _step_of(self, key: str | None) -> _Span | None:
        span = self._open.get(key or "")
        while span is not None and not span.step:
            span = span.above
        return span

    # Tools.

    def _call_begun(self, span: _Span, flow: _Flow, event: Any) -> None:
        name, args = str(event.tool_name), event.tool_kwargs
        span.call, span.tool = f"{flow.run_id}:{event.tool_id}", name
        if span.call in flow.tools:
            return
        flow.tools.add(span.call)
        events.tool_started(span.call, name, args=args, tool_kind="function", **span.place)
        if name == "handoff" and flow.agent is not None and isinstance(args, dict) and args.get("to_agent"):
            taker = events.agent_arrived(str(args["to_agent"]))
            events.handed(flow.agent, taker, reason=args.get("reason"), task_id=flow.task, run_id=flow.run_id)

    def _tool_begun(self, span: _Span, tool: Any, args: Any) -> None:
        name = getattr(getattr(tool, "metadata", None), "name", None) or type(tool).__name__
        span.tool = str(name)
        if span.above is not None and span.above.tool == span.tool:
            # The same call, one layer further in.
            return
        span.call = uuid.uuid4().hex
        given = args.arguments.get("kwargs") or args.arguments.get("input") or None
        events.tool_started(span.call, span.tool, args=given, tool_kind="function", **span.place)

    def _tool_ended(self, span: _Span, result: Any, error: Any) -> None:
        told = None if error else result
        events.tool_ended(span.call, span.tool, error=error, result=told, duration_ms=span.took, tool_kind="function", **span.place)

    # Models and retrievals.

    def event(self, event: Any) -> None:
        """An event of the framework."""
        kind, key = event.class_name(), str(event.span_id or "")
        with self._lock:
            if kind in ("LLMChatStartEvent", "LLMCompletionStartEvent"):
                self._model_begun(key, event.model_dict or {})
            elif kind in ("LLMChatInProgressEvent", "LLMCompletionInProgressEvent"):
                self._piece(key, event.response)
            elif kind in ("LLMChatEndEvent", "LLMCompletionEndEvent"):
                self._model_ended(key, event.response)
            elif kind == "ExceptionEvent" and key in self._models:
                self._model_failed(self._models.pop(key), key, event.exception)
            elif kind == "RetrievalEndEvent":
                span = self._open.get(key)
                place = span.place if span is not None else {}
                query = getattr(event.str_or_query_bundle, "query_str", event.str_or_query_bundle)
                name = key[:-37].rpartition(".")[0].rpartition(".")[2] or "retriever"
                events.tell("retrieval.completed", name=name, input=said(query), count=len(event.nodes), **place)

    def _model_begun(self, key: str, model: dict[str, Any]) -> None:
        names = (model.get(key) for key in ("model", "model_name", "class_name"))
        name = next((name for name in names if name and name != "unknown"), None)
        here = self._models[key] = _Model(self._open.get(key) or _Span(None), name)
        if len(self._models) > MAX_OPEN:
            self._models.popitem(last=False)
        events.model_started(key, name, **here.span.place)

    def _piece(self, key: str, response: Any) -> None:
        here = self._models.get(key)
        if here is None:
            return
        place = {"run_id": here.span.run, "task_id": here.span.task}
        piece = getattr(response, "delta", None)
        if piece:
            here.streamed = True
            here.span.answers()
            events.text(key, said(piece), here.span.agent, **place)
        thought = (getattr(response, "additional_kwargs", None) or {}).get("thinking_delta")
        if thought:
            here.thought = True
            events.text(f"{key}:thinking", said(thought), here.span.agent, kind="reasoning", **place)

    def _model_ended(self, key: str, response: Any) -> None:
        here = self._models.pop(key, None)
        if here is None:
            return
        place = {"run_id": here.span.run, "task_id": here.span.task}
        message = getattr(response, "message", None)
        whole = said(getattr(message, "content", None) if message is not None else getattr(response, "text", None))
        if whole and not here.streamed:
            events.text(key, whole, here.span.agent, **place)
        if whole or here.streamed:
            events.text_ended(key, here.span.agent, **place)
        if here.thought:
            events.text_ended(f"{key}:thinking", here.span.agent, kind="reasoning", **place)
        events.model_ended(key, here.name, duration_ms=here.span.took, ttft_ms=here.span.first, **_usage(response), **here.span.place)

    def _models_failed(self, key: str, span: _Span, error: BaseException) -> None:
        """Ends the calls of models that a failed span leaves behind."""
        for call, here in list(self._models.items()):
            if call == key or (span.step and here.span.above is span):
                self._model_failed(self._models.pop(call), call, error)

    def _model_failed(self, here: _Model, key: str, error: BaseException) -> None:
        events.model_ended(key, here.name, error=error, duration_ms=here.span.took, **here.span.place)


def _request(span: _Span, waiter: str) -> str:
    return f"{span.call or f'{span.run}:{span.step}'}:{waiter}"


def _kinds(value: Any) -> set[str]:
    return {kind.__name__ for kind in type(value).__mro__}


def _event(args: Any) -> Any:
    """The event that a step is called with."""
    return next((value for value in args.arguments.values() if "Event" in _kinds(value)), None)


def _question(event: Any) -> str:
    """The words of a question to a person, or of an answer."""
    for key in ("prefix", "message", "question", "msg", "prompt", "response", "answer"):
        try:
            value = getattr(event, key, None)
        except Exception:
            value = None
        if isinstance(value, str) and value:
            return value
    return said(event) or "asks for an answer"


def _result(output: Any) -> Any:
    return output.content if hasattr(output, "content") and hasattr(output, "raw_output") else output


def _failure(output: Any) -> Any:
    if not getattr(output, "is_error", False):
        return None
    return getattr(output, "exception", None) or said(_result(output)) or "failed"


def _usage(response: Any) -> dict[str, Any]:
    """The tokens, wherever an integration puts them."""
    raw = getattr(response, "raw", None)
    given = _get(raw, "usage") or _get(raw, "usage_metadata") or {}
    more = getattr(response, "additional_kwargs", None) or {}

    def first(*names: str) -> Any:
        found = (_get(place, name) for place in (given, more) for name in names)
        return next((value for value in found if isinstance(value, (int, float))), None)

    return {
        "input_tokens": first("prompt_tokens", "input_tokens", "prompt_token_count"),
        "output_tokens": first("completion_tokens", "output_tokens", "candidates_token_count"),
        "cached_tokens": first("cache_read_input_tokens", "cached_content_token_count"),
    }


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else getattr(value, key, None)


def install(module: ModuleType) -> None:
    """Adds both handlers, and looks at the call by which a step waits for a person."""
    from llama_index_instrumentation.event_handlers import BaseEventHandler
    from llama_index_instrumentation.span import active_span_id
    from llama_index_instrumentation.span_handlers import BaseSpanHandler

    spans = Spans()

    class StoaSpans(BaseSpanHandler):  # type: ignore[misc]
        """Tells Stoa of spans."""

        span_enter = safely(
            lambda self, id_, bound_args, instance=None, parent_id=None, **_: spans.entered(id_, bound_args, instance, parent_id)
        )
        span_exit = safely(lambda self, id_, bound_args=None, instance=None, result=None, **_: spans.exited(id_, result))
        span_drop = safely(lambda self, id_, bound_args=None, instance=None, err=None, **_: spans.dropped(id_, err))

        def new_span(self, *_: Any, **__: Any) -> None:
            """Spans are kept elsewhere."""

        prepare_to_exit_span = prepare_to_drop_span = new_span

        def capture_propagation_context(self) -> dict[str, Any]:
            """The span within which a run is begun."""
            return {"stoa": active_span_id.get()}

        def restore_propagation_context(self, context: dict[str, Any]) -> None:
            """The same, where the run is."""
            _above.set(context.get("stoa"))

    class StoaEvents(BaseEventHandler):  # type: ignore[misc]
        """Tells Stoa of events."""

        handle = safely(lambda self, event, **_: spans.event(event))

    root = module.get_dispatcher()  # type: ignore[attr-defined]
    root.add_span_handler(StoaSpans())
    root.add_event_handler(StoaEvents())

    def look(at: ModuleType) -> None:
        context: Any = at.Context  # type: ignore[attr-defined]
        wait_for_event = context.wait_for_event
        waits, goes_on = safely(spans.waits), safely(spans.goes_on)

        @functools.wraps(wait_for_event)
        async def looked_at(self: Any, event_type: Any, waiter_event: Any = None, waiter_id: Any = None, *args: Any, **kw: Any) -> Any:
            active, waiter = active_span_id.get(), str(waiter_id or getattr(event_type, "__name__", "event"))
            try:
                answer = await wait_for_event(self, event_type, waiter_event, waiter_id, *args, **kw)
            except BaseException as error:
                if type(error).__name__ == "WaitingForEvent":
                    waits(active, waiter, waiter_event)
                raise
            goes_on(active, waiter, answer)
            return answer

        context.wait_for_event = looked_at

    from .watch import when

    when("workflows.context.context", safely(look))
