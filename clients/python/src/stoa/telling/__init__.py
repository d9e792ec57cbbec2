"""Own code tells: agents, tasks and tools, as decorators and as blocks of ``with``."""

from .asking import AnswerTimeoutError, ask, ask_async
from .blocks import Agent, Task, Tool, agent, task, tool
from .words import artifact, block, decide, handoff, progress, say, think, usage

__all__ = [
    "Agent",
    "AnswerTimeoutError",
    "Task",
    "Tool",
    "agent",
    "artifact",
    "ask",
    "ask_async",
    "block",
    "decide",
    "handoff",
    "progress",
    "say",
    "task",
    "think",
    "tool",
    "usage",
]
