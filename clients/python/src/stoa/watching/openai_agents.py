"""The OpenAI Agents SDK: a processor of its traces, and a look at its streams for the text as it comes."""

from __future__ import annotations

import collections
import functools
import threading
from types import ModuleType
from typing import Any

from .. import sending
from ..telling import events
from .langchain import said
from .open_span import OpenSpan
from .watch import safely

#: Spans that are open at a time, and texts that came as a stream.
MAX_OPEN = 20_000
MAX_STREAMED = 1_000


class Spans:
    """The framework's spans, one after the other."""

    def __init__(self) -> None:
        self._open: collections.OrderedDict[str, OpenSpan] = collections.OrderedDict()
        self._lock = threading.RLock()
        #: Agents of a run that are at work, and how many turns each has.
        self._busy: collections.Counter[tuple[str, str]] = collections.Counter()
        #: Texts that came in pieces, and who says those that are not whole yet.
        self._streamed: collections.OrderedDict[str, str | None] = collections.OrderedDict()
        self._whole: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._asked: dict[str, dict[str, Any]] = {}
        self._paused: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._traces: collections.OrderedDict[str, OpenSpan] = collections.OrderedDict()

    def trace_started(self, trace: Any) -> None:
        """A run begins. Its id is the trace's, its session the group's."""
        self._traces[trace.trace_id] = OpenSpan(trace.trace_id, None, None)
        if len(self._traces) > MAX_OPEN:
            self._traces.popitem(last=False)
        session = getattr(trace, "group_id", None)
        if trace.trace_id in self._paused:
            del self._paused[trace.trace_id]
            events.tell("workflow.run.resumed", run_id=trace.trace_id, name=trace.name, session_id=session)
        else:
            events.run_started(trace.trace_id, trace.name, session_id=session)

    def trace_ended(self, trace: Any) -> None:
        """A run is over."""
        here = self._traces.pop(trace.trace_id, None)
        events.run_ended(trace.trace_id, error=here.raised if here is not None else None)

    def started(self, span: Any) -> None:
        """A span begins."""
        data = span.span_data
        with self._lock:
            above = self._open.get(span.parent_id or "")
            here = OpenSpan(span.trace_id, above.agent if above else None, above.task if above else None)
            self._open[span.span_id] = here
            if len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
        kind = data.type
        if kind == "agent":
            giver, task = here.agent, here.task
            here.agent = events.agent_arrived(data.name)
            here.task = f"{here.run}:{span.span_id}"
            self._busy[here.run, here.agent] += 1
            events.task_begun(here.task, data.name, here.agent, run_id=here.run, parent_task_id=task)
            events.agent_status(here.agent, "working", run_id=here.run)
            if giver and giver != here.agent:
                events.handed(giver, here.agent, "delegation", task_id=here.task, run_id=here.run)
        elif kind == "function":
            events.tool_started(span.span_id, data.name, args=data.input, tool_kind=_tool(data), **here.place)
        elif kind in ("generation", "response"):
            events.model_started(span.span_id, getattr(data, "model", None), provider="openai", **here.place)

    def ended(self, span: Any) -> None:
        """A span is over."""
        data = span.span_data
        with self._lock:
            here = self._open.pop(span.span_id, None)
        if here is None:
            return
        # The framework notes errors of tools, and not those of models.
        fault = _fault(span.error) or here.raised
        kind = data.type
        if kind == "agent" and here.agent is not None and here.task is not None:
            events.task_ended(here.task, here.agent, error=fault, run_id=here.run, duration_ms=here.took)
            self._busy[here.run, here.agent] -= 1
            if self._busy[here.run, here.agent] <= 0:
                del self._busy[here.run, here.agent]
                events.agent_status(here.agent, "idle", run_id=here.run)
        elif kind == "function":
            facts = {"result": data.output, "duration_ms": here.took, "tool_kind": _tool(data), **here.place}
            # A call that is ended by a question to a person has neither failed nor a result yet.
            events.tool_ended(span.span_id, data.name, error=fault, **facts)
        elif kind in ("generation", "response"):
            self._answered(span, data, here, fault)
        elif kind == "handoff" and data.from_agent and data.to_agent:
            giver, taker = events.agent_arrived(data.from_agent), events.agent_arrived(data.to_agent)
            events.handed(giver, taker, task_id=here.task, run_id=here.run)
        elif kind == "guardrail":
            word = "guardrail.triggered" if data.triggered else "guardrail.passed"
            events.tell(word, name=data.name, **here.place)

    def _answered(self, span: Any, data: Any, here: OpenSpan, fault: Any) -> None:
        response = getattr(data, "response", None)
        usage = getattr(data, "usage", None) or getattr(response, "usage", None) or {}
        output = getattr(data, "output", None) or getattr(response, "output", None) or []
        for item in output if isinstance(output, (list, tuple)) else ():
            if _get(item, "type") != "message" and _get(item, "role") != "assistant":
                continue
            message = f"{here.run}:{_get(item, 'id') or span.span_id}"
            whole = "".join(said(_get(part, "text")) for part in _list(_get(item, "content"))) or said(_get(item, "content"))
            if message not in self._streamed and whole:
                # A stream may be read later than this; its pieces are told already.
                self._whole[message] = None
                if len(self._whole) > MAX_STREAMED:
                    self._whole.popitem(last=False)
                events.text(message, whole, here.agent, run_id=here.run, task_id=here.task)
                events.text_ended(message, here.agent, run_id=here.run, task_id=here.task)
        events.model_ended(
            span.span_id,
            getattr(response, "model", None) or getattr(data, "model", None),
            error=fault,
            provider="openai",
            input_tokens=_get(usage, "input_tokens"),
            output_tokens=_get(usage, "output_tokens"),
            cached_tokens=_get(_get(usage, "input_tokens_details"), "cached_tokens"),
            reasoning_tokens=_get(_get(usage, "output_tokens_details"), "reasoning_tokens"),
            duration_ms=here.took,
            **here.place,
        )

    def piece(self, result: Any, event: Any) -> None:
        """A piece of a stream: text as it comes."""
        data = getattr(event, "data", None)
        if getattr(event, "type", "") != "raw_response_event":
            return
        if getattr(data, "type", "") not in ("response.output_text.delta", "response.reasoning_summary_text.delta"):
            return
        run = getattr(getattr(result, "trace", None), "trace_id", None)
        agent = getattr(getattr(result, "current_agent", None), "name", None)
        if run is None or agent is None:
            return
        message = f"{run}:{data.item_id}"
        if message in self._whole:
            return
        self._streamed[message] = agent
        if len(self._streamed) > MAX_STREAMED:
            self._streamed.popitem(last=False)
        kind = "text" if data.type == "response.output_text.delta" else "reasoning"
        events.text(message, data.delta, events.agent_arrived(agent), kind=kind, run_id=run)

    def stream_ended(self, result: Any) -> None:
        """A stream is over, and its texts are whole."""
        run = getattr(getattr(result, "trace", None), "trace_id", None)
        for message, agent in list(self._streamed.items()):
            if agent is not None and message.startswith(f"{run}:"):
                self._streamed[message] = None
                events.text_ended(message, events.agent_arrived(agent), run_id=run)

    def resumed(self, state: Any) -> None:
        """A run goes on with a person's word."""
        for item in state.get_interruptions() if hasattr(state, "get_interruptions") else ():
            call = str(_get(getattr(item, "raw_item", None), "call_id"))
            asked = self._asked.pop(call, None)
            if asked is not None:
                name = str(_get(getattr(item, "raw_item", None), "name"))
                allowed = getattr(state, "_context", None)
                allowed = allowed.is_tool_approved(name, call) if hasattr(allowed, "is_tool_approved") else None
                outcome = {True: "approved", False: "rejected"}.get(allowed)
                events.tell("input.received", request_id=call, tool_call_id=call, outcome=outcome, **asked)

    def paused(self, result: Any) -> None:
        """Tools of a result that wait for a person's word."""
        self.stream_ended(result)
        for item in getattr(result, "interruptions", None) or ():
            raw = getattr(item, "raw_item", None)
            call, name = _get(raw, "call_id") or _get(raw, "id"), _get(raw, "name") or "a tool"
            agent = getattr(getattr(item, "agent", None), "name", None)
            run = getattr(getattr(result, "trace", None), "trace_id", None)
            place = {"agent_id": events.agent_arrived(agent) if agent else None, "run_id": run}
            if len(self._asked) < MAX_STREAMED:
                self._asked[str(call)] = place
            events.asked(
                str(call or id(item)),
                f"May {name} run?",
                kind="tool_call",
                tool_call_id=call,
                args=_get(raw, "arguments"),
                **place,
            )
            if run is not None and run not in self._paused:
                self._paused[run] = None
                if len(self._paused) > MAX_STREAMED:
                    self._paused.popitem(last=False)
                # The trace has ended by then, and goes on under the same id with the answer.
                events.tell("workflow.run.paused", run_id=run)


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else getattr(value, key, None)


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _tool(data: Any) -> str:
    return "mcp" if getattr(data, "mcp_data", None) else "function"


def _fault(error: Any) -> str | None:
    if not error:
        return None
    return str(_get(error, "message") or error)


def install(module: ModuleType) -> None:
    """Adds the processor, and looks at streams and results."""
    from agents.result import RunResultStreaming
    from agents.run import AgentRunner
    from agents.tracing import add_trace_processor
    from agents.tracing.processor_interface import TracingProcessor

    spans = Spans()

    class StoaProcessor(TracingProcessor):  # type: ignore[misc]
        """Tells Stoa of traces and spans."""

        on_trace_start = safely(lambda self, trace, *_, **__: spans.trace_started(trace))
        on_trace_end = safely(lambda self, trace, *_, **__: spans.trace_ended(trace))
        on_span_start = safely(lambda self, span, *_, **__: spans.started(span))
        on_span_end = safely(lambda self, span, *_, **__: spans.ended(span))

        def shutdown(self) -> None:
            """Sends what is queued."""
            sending.flush(sending.options().exit_timeout)

        def force_flush(self) -> None:
            """Sends what is queued."""
            sending.flush(sending.options().exit_timeout)

    add_trace_processor(StoaProcessor())
    stream_events, run = RunResultStreaming.stream_events, AgentRunner.run
    piece, paused, resumed = safely(spans.piece), safely(spans.paused), safely(spans.resumed)

    @functools.wraps(stream_events)
    async def looked_at(self: Any, *args: Any, **kwargs: Any) -> Any:
        async for event in stream_events(self, *args, **kwargs):
            piece(self, event)
            yield event
        paused(self)

    @functools.wraps(run)
    async def ran(self: Any, *args: Any, **kwargs: Any) -> Any:
        resumed(args[1] if len(args) > 1 else kwargs.get("input"))
        result = await run(self, *args, **kwargs)
        paused(result)
        return result

    RunResultStreaming.stream_events = looked_at
    AgentRunner.run = ran
