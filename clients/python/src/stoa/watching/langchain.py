"""LangChain and LangGraph: a callback handler in every run of the process.

A node of the outermost graph is an agent with a task; what happens below it is its. The task has the id of the node's
checkpoint, which stays the same for a retry and after an interrupt.
"""

from __future__ import annotations

import collections
import contextvars
import threading
import time
from types import ModuleType
from typing import Any

from ..telling import events
from .watch import safely

#: Runs of the framework that are open at a time, and interrupted threads that are remembered.
MAX_OPEN = 20_000
MAX_PAUSED = 1_000


class _Run:
    """A run of the framework: of a graph, a node, a model, a tool."""

    __slots__ = ("name", "root", "run_id", "agent", "task", "begun", "thread", "asked", "streamed", "tasks", "model", "first", "answer")

    def __init__(self, name: str, above: _Run | None) -> None:
        self.name, self.begun = name, time.monotonic()
        self.root: _Run = above.root if above else self
        self.run_id: str = above.run_id if above else ""
        self.agent: str | None = above.agent if above else None
        self.task: str | None = above.task if above else None
        self.thread: str | None = None
        #: Of a root: questions that are open, by the task that asks, and how often each task was begun.
        self.asked: dict[str, list[str]] = {}
        self.tasks: collections.Counter[str] = collections.Counter()
        self.streamed = False
        self.first: float | None = None
        #: Of a root: what a person answered.
        self.answer: Any = None
        self.model: str | None = None

    @property
    def place(self) -> dict[str, Any]:
        return {"agent_id": self.agent, "task_id": self.task, "run_id": self.run_id or None}

    @property
    def took(self) -> float:
        return round((time.monotonic() - self.begun) * 1000, 3)


class Runs:
    """All open runs, and what each event of the framework says about them."""

    def __init__(self) -> None:
        self._open: collections.OrderedDict[Any, _Run] = collections.OrderedDict()
        self._paused: collections.OrderedDict[str, _Run] = collections.OrderedDict()
        self._lock = threading.RLock()

    def begin(self, key: Any, above: Any, name: str) -> _Run:
        """Opens a run below another."""
        with self._lock:
            run = self._open[key] = _Run(name, self._open.get(above))
            if len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
        return run

    def of(self, key: Any) -> _Run | None:
        """An open run."""
        return self._open.get(key)

    def end(self, key: Any) -> _Run | None:
        """Closes a run."""
        with self._lock:
            return self._open.pop(key, None)

    def chain_started(self, key: Any, above: Any, name: str, metadata: dict[str, Any], inputs: Any = None) -> None:
        """A graph, a node or another chain begins."""
        run = self.begin(key, above, name)
        if run.root is run:
            run.answer = getattr(inputs, "resume", None)
            self._root_started(run, key, metadata)
            return
        node, place = metadata.get("langgraph_node"), str(metadata.get("langgraph_checkpoint_ns") or "")
        if node and name == node and "|" not in place and run.agent is None and node not in ("__start__", "__end__"):
            self._node_started(run, str(node), place, metadata)

    def _root_started(self, run: _Run, key: Any, metadata: dict[str, Any]) -> None:
        thread = metadata.get("thread_id")
        run.thread = None if thread is None else str(thread)
        with self._lock:
            before = self._paused.pop(run.thread, None) if run.thread is not None else None
        if before is not None:
            run.run_id, run.asked, run.tasks = before.run_id, before.asked, before.tasks
            events.tell("workflow.run.resumed", run_id=run.run_id, name=run.name, session_id=run.thread)
        else:
            run.run_id = str(key)
            events.run_started(run.run_id, run.name, session_id=run.thread)

    def _node_started(self, run: _Run, node: str, place: str, metadata: dict[str, Any]) -> None:
        run.agent = events.agent_arrived(str(metadata.get("lc_agent_name") or node), kind="node")
        run.task = f"{run.run_id}:{place}"
        run.root.tasks[run.task] += 1
        attempt = run.root.tasks[run.task]
        answered = run.root.asked.pop(run.task, [])
        for request in answered:
            answer = run.root.answer
            answer = answer.get(request) if isinstance(answer, dict) and request in answer else answer
            events.tell("input.received", request_id=request, answer=answer, **run.place)
        if attempt == 1:
            events.task_begun(run.task, node, run.agent, run_id=run.run_id)
        else:
            if not answered:
                events.tell("task.retried", attempt=attempt, **run.place)
            events.tell("task.started", **run.place)
        events.agent_status(run.agent, "working", run_id=run.run_id)

    def chain_ended(self, key: Any, above: Any, error: BaseException | None = None) -> None:
        """A graph, a node or another chain is over."""
        run = self.end(key)
        if run is None:
            return
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if run.root is run:
            self._root_ended(run, error if "GraphBubbleUp" not in kinds else None)
            return
        over = self.of(above)
        if run.task is None or (over is not None and over.task == run.task):
            return
        if "GraphInterrupt" in kinds and error is not None:
            self._interrupted(run, error)
            return
        # Other ways up and out of a graph are no failures: a command to the parent graph.
        error = None if "GraphBubbleUp" in kinds else error
        events.task_ended(run.task, run.agent, error=error, run_id=run.run_id, duration_ms=run.took)
        if run.agent is not None:
            events.agent_status(run.agent, "idle", run_id=run.run_id)

    def _interrupted(self, run: _Run, error: BaseException) -> None:
        questions = error.args[0] if error.args and isinstance(error.args[0], (list, tuple)) else []
        asked = run.root.asked.setdefault(str(run.task), [])
        for question in questions:
            request = str(getattr(question, "id", None) or f"{run.task}:{len(asked)}")
            message = said(getattr(question, "value", None)) or "asks for an answer"
            asked.append(request)
            events.asked(request, message, **run.place)
        if run.task is not None and run.agent is not None:
            events.task_blocked(run.task, run.agent, "waits for an answer", run_id=run.run_id)
            events.agent_status(run.agent, "waiting", run_id=run.run_id)

    def _root_ended(self, run: _Run, error: BaseException | None) -> None:
        if error is None and run.asked:
            events.tell("workflow.run.paused", run_id=run.run_id, name=run.name, session_id=run.thread)
            if run.thread is not None:
                with self._lock:
                    self._paused[run.thread] = run
                    if len(self._paused) > MAX_PAUSED:
                        self._paused.popitem(last=False)
            return
        events.run_ended(run.run_id, error=error, session_id=run.thread)


def said(value: Any) -> str:
    """A value as text: what a message or a question says."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        for key in ("question", "message", "text", "content", "description"):
            if isinstance(value.get(key), str):
                return str(value[key])
    if isinstance(value, list):
        return "".join(said(part) for part in value if isinstance(part, (str, dict)))
    return "" if value is None else str(events.plain.plain(value))


def handler(base: type) -> Any:
    """The callback handler, of the framework's own class."""
    runs = Runs()

    class StoaHandler(base):  # type: ignore[misc]
        """Tells Stoa of runs. What goes wrong in it stays in it."""

        run_inline = True
        raise_error = False

        @safely
        def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: Any, **kw: Any) -> None:
            name = kw.get("name") or (serialized or {}).get("name") or "chain"
            runs.chain_started(run_id, kw.get("parent_run_id"), str(name), kw.get("metadata") or {}, inputs)

        @safely
        def on_chain_end(self, outputs: Any, *, run_id: Any, **kw: Any) -> None:
            runs.chain_ended(run_id, kw.get("parent_run_id"))

        @safely
        def on_chain_error(self, error: BaseException, *, run_id: Any, **kw: Any) -> None:
            runs.chain_ended(run_id, kw.get("parent_run_id"), error)

        @safely
        def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: Any, **kw: Any) -> None:
            metadata = kw.get("metadata") or {}
            run = runs.begin(run_id, kw.get("parent_run_id"), "model")
            run.model = metadata.get("ls_model_name") or (serialized or {}).get("name")
            events.model_started(str(run_id), run.model, provider=metadata.get("ls_provider"), **run.place)

        @safely
        def on_llm_start(self, serialized: Any, prompts: Any, *, run_id: Any, **kw: Any) -> None:
            self.on_chat_model_start(serialized, prompts, run_id=run_id, **kw)

        @safely
        def on_llm_new_token(self, token: Any, *, run_id: Any, **kw: Any) -> None:
            run = runs.of(run_id)
            piece = said(token)
            if run is not None and piece:
                run.first = run.took if run.first is None else run.first
                run.streamed = True
                events.text(str(run_id), piece, run.agent, run_id=run.run_id or None, task_id=run.task)

        @safely
        def on_llm_end(self, response: Any, *, run_id: Any, **kw: Any) -> None:
            run = runs.end(run_id)
            if run is None:
                return
            first = response.generations[0][0]
            message = getattr(first, "message", None)
            usage = getattr(message, "usage_metadata", None) or {}
            how = getattr(message, "response_metadata", None) or {}
            whole = said(getattr(message, "content", None)) if message is not None else getattr(first, "text", "")
            place = {"run_id": run.run_id or None, "task_id": run.task}
            if whole and not run.streamed:
                events.text(str(run_id), whole, run.agent, **place)
            if whole or run.streamed:
                events.text_ended(str(run_id), run.agent, **place)
            events.model_ended(
                str(run_id),
                run.model or how.get("model_name"),
                input_tokens=usage.get("input_tokens"),
                output_tokens=usage.get("output_tokens"),
                cached_tokens=(usage.get("input_token_details") or {}).get("cache_read"),
                reasoning_tokens=(usage.get("output_token_details") or {}).get("reasoning"),
                finish_reason=how.get("finish_reason"),
                ttft_ms=run.first,
                duration_ms=run.took,
                **run.place,
            )

        @safely
        def on_llm_error(self, error: BaseException, *, run_id: Any, **kw: Any) -> None:
            run = runs.end(run_id)
            if run is not None:
                events.model_ended(str(run_id), run.model, error=error, duration_ms=run.took, **run.place)

        @safely
        def on_retriever_start(self, serialized: Any, query: Any, *, run_id: Any, **kw: Any) -> None:
            runs.begin(run_id, kw.get("parent_run_id"), str((serialized or {}).get("name") or kw.get("name") or "retriever"))

        @safely
        def on_retriever_end(self, documents: Any, *, run_id: Any, **kw: Any) -> None:
            run = runs.end(run_id)
            if run is not None:
                events.tell("retrieval.completed", name=run.name, count=len(documents), duration_ms=run.took, **run.place)

        @safely
        def on_retriever_error(self, error: BaseException, *, run_id: Any, **kw: Any) -> None:
            run = runs.end(run_id)
            if run is not None:
                events.tell("retrieval.failed", name=run.name, duration_ms=run.took, **events.fault(error), **run.place)

        @safely
        def on_tool_start(self, serialized: Any, input_str: Any, *, run_id: Any, **kw: Any) -> None:
            name = str((serialized or {}).get("name") or kw.get("name") or "tool")
            run = runs.begin(run_id, kw.get("parent_run_id"), name)
            args = kw.get("inputs") if kw.get("inputs") is not None else input_str
            events.tool_started(str(run_id), name, args=args, tool_kind="function", **run.place)

        @safely
        def on_tool_end(self, output: Any, *, run_id: Any, **kw: Any) -> None:
            run = runs.end(run_id)
            if run is None:
                return
            result = getattr(output, "content", output)
            events.tool_ended(str(run_id), run.name, result=result, duration_ms=run.took, **run.place)
            to = run.name[len("transfer_to_") :] if run.name.startswith("transfer_to_") else ""
            if to and run.agent is not None:
                events.handed(run.agent, events.agent_arrived(to, kind="node"), run_id=run.run_id, task_id=run.task)

        @safely
        def on_tool_error(self, error: BaseException, *, run_id: Any, **kw: Any) -> None:
            run = runs.end(run_id)
            if run is not None:
                bubbles = "GraphBubbleUp" in {kind.__name__ for kind in type(error).__mro__}
                fault = None if bubbles else error
                events.tool_ended(str(run_id), run.name, error=fault, duration_ms=run.took, **run.place)

    return StoaHandler()


def install(module: ModuleType) -> None:
    """Puts the handler into every run of the process."""
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.tracers.context import register_configure_hook

    here: contextvars.ContextVar[Any] = contextvars.ContextVar("stoa_langchain", default=handler(BaseCallbackHandler))
    register_configure_hook(here, True)
