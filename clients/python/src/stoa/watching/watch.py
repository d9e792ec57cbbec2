"""The call that starts it, and what it says of itself."""

from __future__ import annotations

import functools
import importlib
import inspect
import threading
from types import ModuleType
from typing import Any, Callable, Iterable

from .. import sending
from .imports import Imports

#: Each framework: the module whose import shows that it is used, and the file here that watches it.
FRAMEWORKS = {
    "langchain": ("langchain_core", "langchain"),
    "openai_agents": ("agents.tracing", "openai_agents"),
    "pydantic_ai": ("pydantic_ai", "pydantic_ai"),
    "crewai": ("crewai.events.event_bus", "crewai"),
    "autogen": ("autogen_agentchat.teams", "autogen"),
    "llama_index": ("llama_index_instrumentation", "llama_index"),
    "smolagents": ("smolagents", "smolagents"),
    # The name of its second edition, and that of its first.
    "mcp": ("mcp.server.mcpserver.tools.tool_manager", "mcp"),
    "fastmcp": ("mcp.server.fastmcp.tools.tool_manager", "mcp"),
    "open_telemetry": ("opentelemetry.sdk.trace", "open_telemetry"),
}
#: Names under which frameworks may be asked for, too.
ALSO = {
    "langgraph": ("langchain",),
    "agents": ("openai_agents",),
    "autogen_agentchat": ("autogen",),
    "mcp": ("mcp", "fastmcp"),
    "opentelemetry": ("open_telemetry",),
    "otel": ("open_telemetry",),
}


class Watched:
    """The frameworks that are watched. ``frameworks`` has ``ok``, ``waiting`` for the import, or what failed."""

    def __init__(self) -> None:
        self.frameworks: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Watched({self.frameworks})"


_watched = Watched()
_imports = Imports()
_lock = threading.Lock()


def watched() -> Watched:
    """The frameworks that are watched by now."""
    return _watched


def when(module: str, call: Callable[[ModuleType], Any]) -> None:
    """Calls with a module once it is imported. The call raises nothing."""
    _imports.when(module, call)


def watch(
    url: str | None = None,
    *,
    token: str | None = None,
    project: str | None = None,
    service: str | None = None,
    content: str | None = None,
    only: Iterable[str] | None = None,
    exclude: Iterable[str] | None = None,
    before_send: Callable[[dict[str, Any]], dict[str, Any] | None] | None = None,
) -> Watched:
    """Watches the frameworks of this program, those that are imported and those that will be. Raises nothing.

    ``only`` and ``exclude`` name frameworks (also ``STOA_FRAMEWORKS``); the other arguments go over the environment. Called
    again, it takes other settings, and watches nothing twice.
    """
    try:
        options = sending.configure(
            url=url, token=token, service=service, project=project, content=content, before_send=before_send
        )
        if options.disabled:
            return _watched
        chosen = _names(only if only is not None else options.frameworks or FRAMEWORKS)
        without = _names(exclude or ())
        with _lock:
            for name, (module, file) in FRAMEWORKS.items():
                if name in chosen - without and name not in _watched.frameworks:
                    _watched.frameworks[name] = "waiting"
                    _imports.when(module, functools.partial(_install, name, file))
    except Exception:
        sending.failed("stoa.watch")
    return _watched


def _names(given: Iterable[str]) -> set[str]:
    """The frameworks that are asked for, however they are written. A name that is none is said, and counts as a fault."""
    names: set[str] = set()
    for word in given.split(",") if isinstance(given, str) else given:
        name = str(word).strip().lower().replace("-", "_")
        named = ALSO.get(name) or ((name,) if name in FRAMEWORKS else ())
        if not named:
            sending.failed(f"stoa.watch: {word!r} is none of {', '.join(sorted({*FRAMEWORKS, *ALSO}))}")
        names.update(named)
    return names


def _install(name: str, file: str, module: ModuleType) -> None:
    try:
        importlib.import_module(f"{__package__}.{file}").install(module)
        _watched.frameworks[name] = "ok"
    except Exception as error:
        _watched.frameworks[name] = f"failed: {type(error).__name__}: {error}"
        sending.failed(f"{name} can't be watched")


def safely(hook: Callable[..., Any]) -> Callable[..., Any]:
    """A hook that a framework calls: what goes wrong in it is counted, and never reaches the framework."""
    if inspect.iscoroutinefunction(hook):
        raise TypeError("hooks are plain functions")

    @functools.wraps(hook)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return hook(*args, **kwargs)
        except Exception:
            sending.failed(f"{hook.__module__}.{hook.__qualname__}")
            return None

    return called
