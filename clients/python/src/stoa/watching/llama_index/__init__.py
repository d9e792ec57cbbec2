"""LlamaIndex: a handler of its spans and one of its events, at the root of its dispatchers.

Of a team of agents each turn is a task: it goes on until another agent has the word or the run ends. Of any other workflow
each step is an agent with a task, as the nodes of a graph are. A query engine that no agent asks is an agent by itself.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from ..watch import safely, when
from .spans import ABOVE, Spans


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
            ABOVE.set(context.get("stoa"))

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

    when("workflows.context.context", safely(look))
