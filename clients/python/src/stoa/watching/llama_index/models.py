"""The calls of models that spans make: their texts as they come, and their tokens."""

from __future__ import annotations

import collections
from typing import Any

from ...telling import events
from ..langchain import said
from .read import usage_of
from .things import Span

#: Calls that may be under way at a time.
MAX_OPEN = 20_000


class Model:
    """A call of a model."""

    def __init__(self, span: Span, name: str | None) -> None:
        self.span, self.name, self.streamed, self.thought = span, name, False, False


class Models:
    """The calls that are under way, by the span's id. Who calls holds the lock."""

    def __init__(self) -> None:
        self._calls: collections.OrderedDict[str, Model] = collections.OrderedDict()

    def begun(self, key: str, span: Span, model: dict[str, Any]) -> None:
        """A call begins within a span."""
        names = (model.get(key) for key in ("model", "model_name", "class_name"))
        name = next((name for name in names if name and name != "unknown"), None)
        here = self._calls[key] = Model(span, name)
        if len(self._calls) > MAX_OPEN:
            self._calls.popitem(last=False)
        events.model_started(key, name, **here.span.place)

    def piece(self, key: str, response: Any) -> None:
        """A piece of the answer, or of a thought."""
        here = self._calls.get(key)
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

    def ended(self, key: str, response: Any) -> None:
        """The whole answer."""
        here = self._calls.pop(key, None)
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
        events.model_ended(key, here.name, duration_ms=here.span.took, ttft_ms=here.span.first, **usage_of(response), **here.span.place)

    def left(self, key: str, span: Span, error: BaseException) -> None:
        """A failed span leaves calls behind: they are over."""
        for call, here in list(self._calls.items()):
            if call == key or (span.step and here.span.above is span):
                self.failed(call, error)

    def failed(self, key: str, error: BaseException) -> None:
        """A call is ended by an error."""
        here = self._calls.pop(key, None)
        if here is None:
            return
        events.model_ended(key, here.name, error=error, duration_ms=here.span.took, **here.span.place)
