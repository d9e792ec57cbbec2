"""Anything else that makes spans of OpenTelemetry's conventions for generative AI: a processor in each provider of the SDK.

What a framework here tells by itself is left out, and so are calls of models that belong to no agent of these spans: they
would count twice.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from .spans import AGENTS, MODELS, Spans
from .watch import Watched, safely, watched

#: Scopes of instrumentations, by words in their names, and the framework here that tells the same.
SCOPES = {
    "langchain": "langchain",
    "langgraph": "langchain",
    "crewai": "crewai",
    "openai_agents": "openai_agents",
    "openai-agents": "openai_agents",
    "autogen": "autogen",
}


class Told(Spans):
    """Spans of an SDK, without those that are told already."""

    def __init__(self, here: Watched) -> None:
        super().__init__()
        self._watched = here

    def began(self, span: Any, parent: Any = None) -> None:
        """A span of the SDK begins."""
        attributes = dict(span.attributes or {})
        above = span.parent.span_id if span.parent is not None else None
        operation = attributes.get("gen_ai.operation.name")
        if self._is_told(span) or (operation not in AGENTS and self._run(above) is None):
            attributes = {}
        self.started(span.context.span_id, above, span.name, attributes)

    def over(self, span: Any) -> None:
        """A span of the SDK is over."""
        attributes = dict(span.attributes or {})
        key = span.context.span_id
        if attributes.get("gen_ai.operation.name") in (*AGENTS, *MODELS) and (self._is_told(span) or self._run(key) is None):
            attributes = {}
        fault = None
        if not span.status.is_ok and span.status.status_code.name == "ERROR":
            fault = _exception(span) or span.status.description or attributes.get("error.type") or "failed"
        self.ended(key, attributes, fault)

    def _run(self, key: Any) -> str | None:
        here = self._open.get(key)
        return here.run if here is not None else None

    def _is_told(self, span: Any) -> bool:
        name = str(getattr(getattr(span, "instrumentation_scope", None), "name", "") or "").lower()
        return any(word in name and self._watched.frameworks.get(by) == "ok" for word, by in SCOPES.items())


def _exception(span: Any) -> str | None:
    """The words of the last exception that was recorded."""
    said = [event.attributes.get("exception.message") for event in span.events or () if event.name == "exception" and event.attributes]
    return str(said[-1]) if said and said[-1] else None


def install(module: ModuleType) -> None:
    """Adds the processor to the provider that is set, and to each that is made."""
    from opentelemetry import trace

    told = Told(watched())

    class StoaProcessor(module.SpanProcessor):  # type: ignore[misc, name-defined]
        """Tells Stoa of spans, at their begin and at their end."""

        on_start = safely(lambda self, span, parent_context=None, *_, **__: told.began(span))
        on_end = safely(lambda self, span, *_, **__: told.over(span))

    provider: Any = module.TracerProvider  # type: ignore[attr-defined]
    make = provider.__init__

    @functools.wraps(make)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        self.add_span_processor(StoaProcessor())

    provider.__init__ = made
    here = trace.get_tracer_provider()
    if isinstance(here, provider):
        here.add_span_processor(StoaProcessor())
