"""Spans of OpenTelemetry's conventions for generative AI, told when they begin and when they end."""

from __future__ import annotations

import collections
import json
import threading
import uuid
from typing import Any, Mapping

from ..telling import events
from .langchain import said
from .open_span import OpenSpan

#: Spans that are open at a time.
MAX_OPEN = 20_000
AGENTS = ("invoke_agent", "invoke_workflow")
MODELS = ("chat", "generate_content", "text_completion")
#: Facts of an event, and the attributes that may say them.
FACTS = {
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "cached_tokens": ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.details.cache_read_tokens"),
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.details.reasoning_tokens"),
    "cost_usd": ("operation.cost", "stoa.cost_usd"),
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
}
MODEL = ("gen_ai.response.model", "gen_ai.request.model")
ARGS = ("gen_ai.tool.call.arguments", "tool_arguments")
RESULT = ("gen_ai.tool.call.result", "tool_response")


class _Span(OpenSpan):
    __slots__ = ("above", "tool", "call")

    def __init__(self, above: _Span | None) -> None:
        super().__init__(*((above.run, above.agent, above.task) if above else (None, None, None)))
        self.above = above
        self.tool = self.call = ""


class Spans:
    """All open spans, by any key that their source has for them."""

    def __init__(self) -> None:
        self._open: collections.OrderedDict[Any, _Span] = collections.OrderedDict()
        self._busy: collections.Counter[tuple[str | None, str]] = collections.Counter()
        self._lock = threading.RLock()

    def started(self, key: Any, above: Any, name: str, attributes: Mapping[str, Any]) -> None:
        """A span begins."""
        with self._lock:
            span = self._open[key] = _Span(self._open.get(above))
            if len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
        operation = attributes.get("gen_ai.operation.name")
        if operation in AGENTS:
            self._agent_started(span, str(attributes.get("gen_ai.agent.name") or name), attributes)
        elif operation in MODELS:
            span.call = uuid.uuid4().hex
            provider = _first(attributes, FACTS["provider"])
            events.model_started(span.call, _first(attributes, MODEL), provider=provider, **span.place)
        elif operation == "execute_tool":
            span.tool = str(attributes.get("gen_ai.tool.name") or name)
            span.call = f"{span.run}:{attributes.get('gen_ai.tool.call.id') or uuid.uuid4().hex}"
            events.tool_started(span.call, span.tool, args=_json(_first(attributes, ARGS)), **span.place)

    def _agent_started(self, span: _Span, name: str, attributes: Mapping[str, Any]) -> None:
        giver, task = span.agent, span.task
        if span.run is None:
            span.run = uuid.uuid4().hex
            events.run_started(span.run, name, session_id=attributes.get("gen_ai.conversation.id"))
        span.agent = events.agent_arrived(name, role=attributes.get("gen_ai.agent.description") if events.may_say() else None)
        span.task = f"{span.run}:{uuid.uuid4().hex[:8]}"
        with self._lock:
            self._busy[span.run, span.agent] += 1
        events.task_begun(span.task, name, span.agent, run_id=span.run, parent_task_id=task)
        events.agent_status(span.agent, "working", run_id=span.run)
        if giver and giver != span.agent:
            events.handed(giver, span.agent, "delegation", task_id=span.task, run_id=span.run)

    def ended(self, key: Any, attributes: Mapping[str, Any], error: Any = None) -> None:
        """A span is over, with all of its attributes, and with an error if it failed."""
        with self._lock:
            span = self._open.pop(key, None)
        if span is None:
            return
        operation = attributes.get("gen_ai.operation.name")
        if operation in AGENTS and span.task is not None:
            self._agent_ended(span, error)
        elif operation in MODELS:
            self._model_ended(span, attributes, error)
        elif operation == "execute_tool" and span.call:
            result = None if error else _json(_first(attributes, RESULT))
            events.tool_ended(span.call, span.tool, error=error, result=result, duration_ms=span.took, **span.place)

    def _agent_ended(self, span: _Span, error: Any) -> None:
        assert span.task is not None and span.agent is not None
        events.task_ended(span.task, span.agent, error=error, run_id=span.run, duration_ms=span.took)
        with self._lock:
            self._busy[span.run, span.agent] -= 1
            idle = self._busy[span.run, span.agent] <= 0
            if idle:
                del self._busy[span.run, span.agent]
        if idle:
            events.agent_status(span.agent, "idle", run_id=span.run)
        if span.run is not None and (span.above is None or span.above.run is None):
            events.run_ended(span.run, error=error)

    def _model_ended(self, span: _Span, attributes: Mapping[str, Any], error: Any) -> None:
        text, thought = _answer(attributes)
        for kind, whole in (("reasoning", thought), ("text", text)):
            if whole:
                message = f"{span.call}:{kind}"
                events.text(message, whole, span.agent, kind=kind, run_id=span.run, task_id=span.task)
                events.text_ended(message, span.agent, kind=kind, run_id=span.run, task_id=span.task)
        facts = {name: _first(attributes, keys) for name, keys in FACTS.items()}
        reasons = attributes.get("gen_ai.response.finish_reasons")
        facts["finish_reason"] = reasons[0] if isinstance(reasons, (list, tuple)) and reasons else None
        facts["duration_ms"] = span.took
        events.model_ended(span.call, _first(attributes, MODEL), error=error, **facts, **span.place)


def _first(attributes: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((attributes[key] for key in keys if attributes.get(key) is not None), None)


def _json(value: Any) -> Any:
    """A value that an attribute holds as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _answer(attributes: Mapping[str, Any]) -> tuple[str, str]:
    """The text and the thoughts of a model, of the messages that the conventions have."""
    messages = _json(attributes.get("gen_ai.output.messages"))
    texts: dict[str, list[str]] = {"text": [], "thinking": []}
    for message in messages if isinstance(messages, list) else ():
        for part in message.get("parts", ()) if isinstance(message, dict) else ():
            kind = "thinking" if part.get("type") in ("thinking", "reasoning") else part.get("type")
            if kind in texts:
                texts[kind].append(said(part.get("content")))
    return "".join(texts["text"]), "".join(texts["thinking"])
