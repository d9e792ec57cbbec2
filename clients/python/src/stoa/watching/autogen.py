"""AutoGen's AgentChat: a look at the messages of teams and agents.

A turn of an agent is a task: it begins when another one speaks, and ends when the next does or the stream is over. Turns
have no start of their own there, so a turn is seen with its first message.
"""

from __future__ import annotations

import contextvars
import functools
import uuid
from types import ModuleType
from typing import Any

from .. import sending
from ..telling import events
from .langchain import said

#: Whether a stream is read below another one, whose messages come up to it.
_within: contextvars.ContextVar[bool] = contextvars.ContextVar("stoa_autogen", default=False)


class Team:
    """One run of a team, or of an agent by itself."""

    def __init__(self, name: str) -> None:
        self.run_id = uuid.uuid4().hex
        self._agent: str | None = None
        self._task: str | None = None
        self._turns = 0
        self._tools: dict[str, str] = {}
        self._streamed: set[str] = set()
        self._asked: list[str] = []
        events.run_started(self.run_id, name)

    @property
    def _place(self) -> dict[str, Any]:
        return {"agent_id": self._agent, "task_id": self._task, "run_id": self.run_id}

    def message(self, message: Any) -> None:
        """A message of the stream."""
        source, kind = getattr(message, "source", None), str(getattr(message, "type", type(message).__name__))
        if source is None:
            return
        if source == "user" and kind == "TextMessage":
            # The words that the run was begun with are no turn; what a person answers is one.
            if self._turns == 0:
                return
        self._turn_of(str(source))
        if self._asked and kind == "TextMessage":
            self._received(message.content)
        hook = getattr(self, f"_{kind}", None)
        if hook is not None:
            hook(message)
        elif hasattr(message, "content") and hasattr(message, "to_text"):
            self._text(message.id, message.to_text())
        usage = getattr(message, "models_usage", None)
        if usage is not None:
            tokens = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
            events.model_ended(f"{message.id}:model", None, **tokens, **self._place)

    def ended(self, error: BaseException | None = None) -> None:
        """The stream is over."""
        self._turn_ended(error)
        events.run_ended(self.run_id, error=error)

    def _turn_of(self, source: str) -> None:
        found = events.agent_id(source)
        if found == self._agent:
            return
        self._turn_ended()
        self._agent = events.agent_arrived(source)
        self._turns += 1
        self._task = f"{self.run_id}:{self._turns}"
        events.task_begun(self._task, f"{source}, turn {self._turns}", self._agent, run_id=self.run_id)
        events.agent_status(self._agent, "working", run_id=self.run_id)

    def _turn_ended(self, error: BaseException | None = None) -> None:
        if self._agent is None or self._task is None:
            return
        self._received()
        events.task_ended(self._task, self._agent, error=error, run_id=self.run_id)
        events.agent_status(self._agent, "idle", run_id=self.run_id)
        self._agent = self._task = None

    def _received(self, answer: Any = None) -> None:
        for request in self._asked:
            events.tell("input.received", request_id=request, answer=answer, **self._place)
        self._asked = []

    def _text(self, message: str, text: str, kind: str = "text") -> None:
        place = {"run_id": self.run_id, "task_id": self._task}
        if message not in self._streamed:
            events.text(message, text, self._agent, kind=kind, **place)
        events.text_ended(message, self._agent, kind=kind, **place)

    # By the types of messages.

    def _ModelClientStreamingChunkEvent(self, message: Any) -> None:
        key = str(message.full_message_id or message.id)
        self._streamed.add(key)
        events.text(key, message.content, self._agent, run_id=self.run_id, task_id=self._task)

    def _ThoughtEvent(self, message: Any) -> None:
        self._text(message.id, said(message.content), "reasoning")

    def _ToolCallRequestEvent(self, message: Any) -> None:
        for call in message.content:
            self._tools[call.id] = call.name
            events.tool_started(call.id, call.name, args=call.arguments, tool_kind="function", **self._place)

    def _ToolCallExecutionEvent(self, message: Any) -> None:
        for result in message.content:
            name = getattr(result, "name", None) or self._tools.get(result.call_id) or "tool"
            error = said(result.content) if getattr(result, "is_error", False) else None
            told = None if error else result.content
            events.tool_ended(result.call_id, name, error=error, result=told, tool_kind="function", **self._place)

    def _ToolCallSummaryMessage(self, message: Any) -> None:
        self._text(message.id, said(message.content))

    def _HandoffMessage(self, message: Any) -> None:
        taker = events.agent_arrived(message.target)
        if self._agent is not None:
            facts = {"task_id": self._task, "run_id": self.run_id, "reason": said(message.content)}
            events.handed(self._agent, taker, **facts)

    def _UserInputRequestedEvent(self, message: Any) -> None:
        self._asked.append(message.request_id)
        events.asked(message.request_id, "The team waits for your word", **self._place)

    def _MemoryQueryEvent(self, message: Any) -> None:
        events.tell("memory.queried", name="memory", **self._place)

    def _SelectSpeakerEvent(self, message: Any) -> None:
        """The next turn says it."""

    _SelectorEvent = _CodeGenerationEvent = _CodeExecutionEvent = _SelectSpeakerEvent


def _watched(run_stream: Any) -> Any:
    """The method ``run_stream``, looked at unless it is read by another one that is."""

    @functools.wraps(run_stream)
    async def looked_at(self: Any, *args: Any, **kwargs: Any) -> Any:
        stream = run_stream(self, *args, **kwargs)
        if _within.get():
            async for message in stream:
                yield message
            return
        team = _safely(lambda: Team(str(getattr(self, "name", None) or type(self).__name__)))
        fault: BaseException | None = None
        try:
            while True:
                token = _within.set(True)
                try:
                    message = await stream.__anext__()
                except StopAsyncIteration:
                    return
                finally:
                    _within.reset(token)
                if team is not None:
                    _safely(lambda: team.message(message))
                yield message
        except GeneratorExit:
            raise
        except BaseException as error:
            fault = error
            raise
        finally:
            if team is not None:
                _safely(lambda: team.ended(fault))

    return looked_at


def _safely(tell: Any) -> Any:
    try:
        return tell()
    except Exception:
        sending.failed("a message of AutoGen could not be told")
        return None


def install(module: ModuleType) -> None:
    """Looks at the streams of teams and of single agents; ``run`` of both reads them, too."""
    from autogen_agentchat.agents import BaseChatAgent
    from autogen_agentchat.teams import BaseGroupChat

    BaseGroupChat.run_stream = _watched(BaseGroupChat.run_stream)
    BaseChatAgent.run_stream = _watched(BaseChatAgent.run_stream)
