"""A tracer provider of our own, by OpenTelemetry's API alone: its spans go nowhere but to Stoa.

For whoever else traces the program they are not there: the context that they show is the one around them.
"""

from __future__ import annotations

import contextlib
from typing import Any, Iterator

from .spans import Spans
from .watch import safely


def provider() -> Any:
    """The provider. OpenTelemetry's API is there when something that is traced by it is."""
    from opentelemetry import trace

    spans = Spans()
    started, ended = safely(spans.started), safely(spans.ended)

    class StoaSpan(trace.Span):
        """A span that tells of itself."""

        def __init__(self, name: str, above: trace.Span, attributes: Any) -> None:
            self._name, self._above = name, above
            self._attributes = dict(attributes or {})
            self._fault: Any = None
            self._open = True
            started(id(self), id(above) if isinstance(above, StoaSpan) else None, name, self._attributes)

        def end(self, end_time: int | None = None) -> None:
            if self._open:
                self._open = False
                ended(id(self), self._attributes, self._fault)

        def get_span_context(self) -> trace.SpanContext:
            return self._above.get_span_context()

        def set_attributes(self, attributes: Any) -> None:
            self._attributes.update(attributes)

        def set_attribute(self, key: str, value: Any) -> None:
            self._attributes[key] = value

        def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
            """Events of spans say nothing that is told."""

        def add_link(self, context: Any, attributes: Any = None) -> None:
            """Links neither."""

        def update_name(self, name: str) -> None:
            self._name = name

        def is_recording(self) -> bool:
            return self._open

        def set_status(self, status: Any, description: str | None = None) -> None:
            code = getattr(status, "status_code", status)
            if code == trace.StatusCode.ERROR and self._fault is None:
                self._fault = getattr(status, "description", None) or description or "failed"

        def record_exception(
            self, exception: BaseException, attributes: Any = None, timestamp: int | None = None, escaped: bool = False
        ) -> None:
            self._fault = exception

    class StoaTracer(trace.Tracer):
        """Begins spans below the current one."""

        def start_span(self, name: str, context: Any = None, kind: Any = None, attributes: Any = None, *_: Any, **__: Any) -> Any:
            return StoaSpan(name, trace.get_current_span(context), attributes)

        @contextlib.contextmanager
        def start_as_current_span(  # type: ignore[override]
            self, name: str, context: Any = None, kind: Any = None, attributes: Any = None, *_: Any, **options: Any
        ) -> Iterator[Any]:
            span = self.start_span(name, context, kind, attributes)
            end = options.get("end_on_exit", True)
            with trace.use_span(span, end_on_exit=end, record_exception=options.get("record_exception", True)):
                yield span

    class StoaProvider(trace.TracerProvider):
        """Has one tracer for all."""

        def get_tracer(self, *_: Any, **__: Any) -> Any:
            return StoaTracer()

    return StoaProvider()
