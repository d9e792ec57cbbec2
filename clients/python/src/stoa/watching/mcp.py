"""MCP servers of the Python SDK: the calls of their tools. The server itself is an agent of the kind ``tool``."""

from __future__ import annotations

import functools
import time
import uuid
from types import ModuleType
from typing import Any

from .. import sending
from ..telling import events
from ..telling.blocks import current
from .watch import safely


class Call:
    """One call of a tool."""

    def __init__(self, name: str, args: Any) -> None:
        self._id, self._name, self._began = uuid.uuid4().hex, name, time.monotonic()
        here = current()
        agent = here.agent_id if here is not None else events.agent_arrived(sending.options().service, kind="tool")
        self._facts = {"tool_kind": "mcp", **(here.place if here is not None else {"agent_id": agent})}
        events.tool_started(self._id, name, args=args, **self._facts)

    def over(self, result: Any = None, error: BaseException | None = None) -> None:
        """The tool has given something, or raised."""
        took = round((time.monotonic() - self._began) * 1000, 3)
        events.tool_ended(self._id, self._name, error=error, result=result, duration_ms=took, **self._facts)


def install(module: ModuleType) -> None:
    """Looks at the manager of tools."""
    manager: Any = module.ToolManager  # type: ignore[attr-defined]
    call_tool = manager.call_tool
    begin, over = safely(Call), safely(Call.over)

    @functools.wraps(call_tool)
    async def called(self: Any, name: str, arguments: Any, *args: Any, **kwargs: Any) -> Any:
        call = begin(name, arguments)
        try:
            result = await call_tool(self, name, arguments, *args, **kwargs)
        except BaseException as error:
            over(call, error=error.__cause__ or error)
            raise
        over(call, result)
        return result

    manager.call_tool = called
