"""Blocks of work: an agent, a task, a call of a tool. Each is a ``with`` block and a decorator, sync or async.

What runs within a block belongs to it, also in the threads and tasks that have its context. Faults of telling never reach
the work; faults of the work are told and go on.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import time
import uuid
from typing import Any, AsyncIterator, Callable, Iterator

from . import events

_current: contextvars.ContextVar[Block | None] = contextvars.ContextVar("stoa_block", default=None)


def current() -> Block | None:
    """The innermost block that the caller is in."""
    return _current.get()


class Block:
    """The part that agents, tasks and tools have in common: a place below another block, a run, a begin and an end."""

    kind = "block"

    def __init__(self, name: str, project: str | None = None, **facts: Any) -> None:
        self.name, self.facts = str(name), facts
        self.parent: Block | None = None
        #: Makes another one, for each call of a function that this one decorates.
        self.again: Callable[[str, Any], Block] | None = None
        self.project = project
        self.run_id = ""
        self.agent_id: str | None = None
        self.task_id: str | None = None
        self._owns_run = False
        self._began = 0.0
        self._token: contextvars.Token[Block | None] | None = None

    @property
    def place(self) -> dict[str, Any]:
        """The ids of where the block is."""
        return {"agent_id": self.agent_id, "task_id": self.task_id, "run_id": self.run_id}

    def begin(self) -> None:
        """Tells the begin."""
        self.parent = parent = _current.get()
        self._began = time.monotonic()
        if parent is not None:
            self.project = self.project or parent.project
            self.run_id, self.agent_id, self.task_id = parent.run_id, parent.agent_id, parent.task_id
        else:
            self.run_id, self._owns_run = uuid.uuid4().hex, True
            events.run_started(self.run_id, self.name, self.project)
        self._tell_begin()

    def end(self, error: BaseException | None = None) -> None:
        """Tells the end."""
        # A generator that nobody takes more from is ended; that is no failure.
        error = None if isinstance(error, GeneratorExit) else error
        self._tell_end(error)
        if self._owns_run:
            events.run_ended(self.run_id, self.project, error)

    def _tell_begin(self) -> None:
        raise NotImplementedError

    def _tell_end(self, error: BaseException | None) -> None:
        raise NotImplementedError

    @property
    def _took(self) -> float:
        return round((time.monotonic() - self._began) * 1000, 3)

    def __enter__(self) -> Any:
        _safely(self.begin)
        self._token = _current.set(self)
        return self

    def __exit__(self, _type: Any, error: BaseException | None, _trace: Any) -> None:
        if self._token is not None:
            try:
                _current.reset(self._token)
            except ValueError:
                _current.set(self.parent)
        _safely(self.end, error)

    def __call__(self, function: Any) -> Any:
        """Decorates a function: each of its calls is a block like this one."""
        if self.again is None:
            raise TypeError(f"{self.name}: decorate with stoa.agent, stoa.task or stoa.tool")
        return decorated(function, self.name, self.again)

    async def __aenter__(self) -> Any:
        return self.__enter__()

    async def __aexit__(self, *how: Any) -> None:
        self.__exit__(*how)

    # The words that need a block.

    def task(self, name: str, **facts: Any) -> Task:
        """A task below this block."""
        return Task(name, **facts)

    def tool(self, name: str, /, **args: Any) -> Tool:
        """A call of a tool below this block."""
        return Tool(name, args)

    def say(self, text: str, id: str | None = None, final: bool | None = None) -> str:  # noqa: A002 - the name on the wire
        """Says a text. With an ``id`` it is a piece of the text with that id, whose last one is ``final``."""
        return _say(self, text, id, final, "text")

    def think(self, text: str, id: str | None = None, final: bool | None = None) -> str:  # noqa: A002 - the name on the wire
        """The same for what the agent thinks."""
        return _say(self, text, id, final, "reasoning")

    def progress(self, percent: float, message: str | None = None) -> None:
        """The progress of the block's task, from 0 to 100."""
        if self.task_id is not None:
            _safely(lambda: events.tell("task.progress", self.project, progress=percent, message=message, **self.place))

    def block(self, why: str) -> None:
        """The block's task can't go on."""
        if self.task_id is not None:
            task, agent = self.task_id, self.agent_id
            _safely(lambda: events.task_blocked(task, agent, why, self.project, run_id=self.run_id))

    def handoff(self, to: str, reason: str | None = None, kind: str = "handoff") -> None:
        """The block's agent gives its work to the agent of that name."""

        def told() -> None:
            taker = events.agent_arrived(to, self.project)
            if self.agent_id is not None:
                facts = {"task_id": self.task_id, "run_id": self.run_id, "reason": reason}
                events.handed(self.agent_id, taker, kind, self.project, **facts)

        _safely(told)


class Agent(Block):
    """An agent at work. Its tasks may be blocks of their own below it, or it has one for itself (``task="…"``)."""

    kind = "agent"

    def __init__(self, name: str, *, role: str | None = None, task: str | None = None, project: str | None = None, **facts: Any):
        super().__init__(name, project, **facts)
        self.role, self._task_name = role, task

    def _tell_begin(self) -> None:
        giver, over = self.agent_id, self.parent
        self.agent_id = events.agent_arrived(
            self.name, self.project, role=self.role, parent_agent_id=giver if giver else None, **self.facts
        )
        if giver and giver != self.agent_id and over is not None:
            events.handed(giver, self.agent_id, "delegation", self.project, task_id=self.task_id, run_id=self.run_id)
        self.task_id = None
        events.agent_status(self.agent_id, "working", self.project, run_id=self.run_id)
        if self._task_name:
            self.task_id = f"{self.run_id}:{uuid.uuid4().hex[:8]}"
            # The work is described in words of the program's data; the name of the agent is one of its code.
            name = self._task_name if events.may_say() else self.name
            events.task_begun(self.task_id, name, self.agent_id, self.project, run_id=self.run_id)

    def _tell_end(self, error: BaseException | None) -> None:
        if self.task_id is not None:
            events.task_ended(self.task_id, self.agent_id, self.project, error, run_id=self.run_id)
        if self.agent_id is not None:
            events.agent_status(self.agent_id, "idle", self.project, run_id=self.run_id)


class Task(Block):
    """A task, of the agent that the block is in."""

    kind = "task"

    def __init__(self, name: str, *, id: str | None = None, project: str | None = None, **facts: Any) -> None:  # noqa: A002
        super().__init__(name, project, **facts)
        self._id = id

    def _tell_begin(self) -> None:
        parent_task = self.task_id
        self.task_id = self._id or f"{self.run_id}:{uuid.uuid4().hex[:8]}"
        facts = {"run_id": self.run_id, "parent_task_id": parent_task, **self.facts}
        events.task_begun(self.task_id, self.name, self.agent_id, self.project, **facts)

    def _tell_end(self, error: BaseException | None) -> None:
        if self.task_id is not None:
            events.task_ended(self.task_id, self.agent_id, self.project, error, run_id=self.run_id, duration_ms=self._took)


class Tool(Block):
    """A call of a tool. What it gives back is ``result``, where a block sets it."""

    kind = "tool"

    def __init__(self, name: str, args: Any = None, *, project: str | None = None, tool_kind: str = "function") -> None:
        super().__init__(name, project)
        self.args, self.result, self.tool_kind = args, None, tool_kind
        self.call_id = uuid.uuid4().hex

    def _tell_begin(self) -> None:
        facts = {"args": self.args, "tool_kind": self.tool_kind, **self.place}
        events.tool_started(self.call_id, self.name, self.project, **facts)

    def _tell_end(self, error: BaseException | None) -> None:
        facts = {"result": self.result, "duration_ms": self._took, "tool_kind": self.tool_kind, **self.place}
        events.tool_ended(self.call_id, self.name, self.project, error, **facts)


def agent(name: Any = None, *, role: str | None = None, task: str | None = None, project: str | None = None, **facts: Any) -> Any:
    """An agent, as a block (``with stoa.agent("Researcher") as a:``) or a decorator, with or without a name."""

    def make(called: str, args: Any) -> Block:
        return Agent(called, role=role, task=task, project=project, **facts)

    return _made(name, make)


def task(name: Any = None, *, id: str | None = None, project: str | None = None, **facts: Any) -> Any:  # noqa: A002
    """A task, as a block or a decorator."""
    return _made(name, lambda called, args: Task(called, id=id, project=project, **facts))


def tool(name: Any = None, /, *, project: str | None = None, tool_kind: str = "function", **args: Any) -> Any:
    """A call of a tool, as a block or a decorator; of a decorated function arguments and result are told."""
    return _made(name, lambda called, found: Tool(called, found or args, project=project, tool_kind=tool_kind))


def _made(name: Any, make: Callable[[str, Any], Block]) -> Any:
    if callable(name) and not isinstance(name, str):
        return decorated(name, getattr(name, "__name__", "work"), make)
    if name is None:
        return lambda function: decorated(function, getattr(function, "__name__", "work"), make)
    here = make(str(name), None)
    here.again = make
    return here


def decorated(function: Any, name: str, make: Callable[[str, Any], Block]) -> Any:
    """The function, each call of which is a block: also a coroutine, and a generator until it is used up."""

    def block(args: Any, kwargs: Any) -> Block:
        return make(name, _arguments(function, args, kwargs))

    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def pieces(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            here = block(args, kwargs)
            source = function(*args, **kwargs)
            fault: BaseException | None = None
            _safely(here.begin)
            step, given = source.asend, None
            try:
                while True:
                    token = _current.set(here)
                    try:
                        piece = await step(given)
                    except StopAsyncIteration:
                        return
                    finally:
                        _current.reset(token)
                    try:
                        step, given = source.asend, (yield piece)
                    except GeneratorExit:
                        raise
                    except BaseException as thrown:  # noqa: BLE001 - the function's own to take
                        step, given = source.athrow, thrown
            except BaseException as error:
                fault = error
                raise
            finally:
                try:
                    await source.aclose()
                finally:
                    _safely(here.end, fault)

        return pieces
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def parts(*args: Any, **kwargs: Any) -> Iterator[Any]:
            here = block(args, kwargs)
            source = function(*args, **kwargs)
            fault: BaseException | None = None
            _safely(here.begin)
            step, given = source.send, None
            try:
                while True:
                    token = _current.set(here)
                    try:
                        piece = step(given)
                    except StopIteration as end:
                        return end.value
                    finally:
                        _current.reset(token)
                    try:
                        step, given = source.send, (yield piece)
                    except GeneratorExit:
                        raise
                    except BaseException as thrown:  # noqa: BLE001 - the function's own to take
                        step, given = source.throw, thrown
            except BaseException as error:
                fault = error
                raise
            finally:
                try:
                    source.close()
                finally:
                    _safely(here.end, fault)

        return parts
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            with block(args, kwargs) as here:
                value = await function(*args, **kwargs)
                here.result = value
                return value

        return awaited

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        with block(args, kwargs) as here:
            value = function(*args, **kwargs)
            here.result = value
            return value

    return called


def _arguments(function: Any, args: Any, kwargs: Any) -> Any:
    try:
        found = dict(inspect.signature(function).bind(*args, **kwargs).arguments)
    except (TypeError, ValueError):
        return {**{str(n): value for n, value in enumerate(args)}, **kwargs}
    for own in ("self", "cls"):
        found.pop(own, None)
    return found


def _say(here: Block | None, text: str, id: str | None, final: bool | None, kind: str) -> str:  # noqa: A002
    message = id or uuid.uuid4().hex

    def told() -> None:
        place = here.place if here is not None else {}
        agent = place.get("agent_id")
        project = here.project if here is not None else None
        facts = {key: place.get(key) for key in ("run_id", "task_id")}
        events.text(message, str(text), agent, project, kind, **facts)
        if id is None if final is None else final:
            events.text_ended(message, agent, project, kind, **facts)

    _safely(told)
    return message


def _safely(tell: Callable[..., Any], *args: Any) -> None:
    """Telling must not break the work."""
    try:
        tell(*args)
    except Exception:
        events.sending.failed("a block could not be told")
