"""Pydantic-AI: its own instrumentation, with a tracer that tells Stoa, unless the program has instrumented it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from .tracer import provider


def install(module: ModuleType) -> None:
    """Instruments all agents that say nothing else themselves."""
    agent: Any = module.Agent
    if getattr(agent, "_instrument_default", False):
        # The program has instrumented it by itself: its spans are told by open_telemetry, where its provider is the SDK's.
        return
    settings = module.InstrumentationSettings(tracer_provider=provider(), include_binary_content=False)
    agent.instrument_all(settings)
