"""LlamaIndex's own objects, read without its classes: their names, words, results and tokens."""

from __future__ import annotations

from typing import Any

from ..langchain import said


def kinds_of(value: Any) -> set[str]:
    return {kind.__name__ for kind in type(value).__mro__}


def event_of(args: Any) -> Any:
    """The event that a step is called with."""
    return next((value for value in args.arguments.values() if "Event" in kinds_of(value)), None)


def words_of(event: Any) -> str:
    """The words of a question to a person, or of an answer."""
    for key in ("prefix", "message", "question", "msg", "prompt", "response", "answer"):
        try:
            value = getattr(event, key, None)
        except Exception:
            value = None
        if isinstance(value, str) and value:
            return value
    return said(event) or "asks for an answer"


def result_of(output: Any) -> Any:
    return output.content if hasattr(output, "content") and hasattr(output, "raw_output") else output


def failure_of(output: Any) -> Any:
    if not getattr(output, "is_error", False):
        return None
    return getattr(output, "exception", None) or said(result_of(output)) or "failed"


def usage_of(response: Any) -> dict[str, Any]:
    """The tokens, wherever an integration puts them."""
    raw = getattr(response, "raw", None)
    given = part(raw, "usage") or part(raw, "usage_metadata") or {}
    more = getattr(response, "additional_kwargs", None) or {}

    def first(*names: str) -> Any:
        found = (part(place, name) for place in (given, more) for name in names)
        return next((value for value in found if isinstance(value, (int, float))), None)

    return {
        "input_tokens": first("prompt_tokens", "input_tokens", "prompt_token_count"),
        "output_tokens": first("completion_tokens", "output_tokens", "candidates_token_count"),
        "cached_tokens": first("cache_read_input_tokens", "cached_content_token_count"),
    }


def part(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else getattr(value, key, None)
