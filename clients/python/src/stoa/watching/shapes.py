"""The bare facts of the messages of other protocols: as much of them as goes out where ``content`` is ``none``.

Each protocol has the shape of what goes out, and all else stays: fields that nobody knows here may say anything. What a door
needs and may not have gets words that say nothing.
"""

from __future__ import annotations

import re
from typing import Any, Callable

from ..sending import bare

#: A name, a number or a truth value, or a list of them.
FACT: Any = object()
#: Numbers only, under any name.
NUMBERS: Any = object()
#: A text that is a word, rather than a sentence.
WORD: Any = object()
_WORD = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_TOKENS = re.compile(r"'(input_tokens|output_tokens)': (\d+)")
_ID = re.compile(r"\bid='([^'\\]{1,256})'")
ASKS = "asks for an answer"


def _facts(names: str) -> dict[str, Any]:
    return dict.fromkeys(names.split(), FACT)


def shaped(shape: Any, value: Any) -> Any:
    """The part of a value that has this shape; ``None`` where nothing of it has."""
    if shape is FACT:
        if isinstance(value, list):
            return [each for each in (shaped(FACT, part) for part in value) if each is not None]
        if isinstance(value, str):
            return bare.name(value)
        return value if isinstance(value, (bool, int, float)) else None
    if shape is NUMBERS:
        if not isinstance(value, dict):
            return None
        return {key: each for key, each in value.items() if isinstance(each, (int, float)) and _WORD.fullmatch(key)}
    if shape is WORD:
        return value if isinstance(value, str) and _WORD.fullmatch(value) else None
    if isinstance(shape, list):
        parts = (shaped(shape[0], part) for part in value) if isinstance(value, list) else ()
        return [part for part in parts if part is not None] if isinstance(value, list) else None
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return None
        found = ((key, shaped(inner, value[key])) for key, inner in shape.items() if key in value)
        return {key: each for key, each in found if each is not None}
    return shape(value)


def _snake(shape: dict[str, Any]) -> dict[str, Any]:
    """The same in both spellings: of JavaScript, and of Python."""
    snakes = {re.sub("([A-Z])", r"_\1", key).lower(): inner for key, inner in shape.items()}
    return {**snakes, **shape}


# AG-UI.

AG_UI = _snake(
    {
        **_facts(
            "type timestamp threadId runId parentRunId messageId parentMessageId toolCallId toolCallName role name stepName "
            "subagentRunId parentSubagentRunId parentToolCallId activityType code replace"
        ),
        "outcome": _snake(
            {
                **_facts("type interruptIds"),
                "interrupts": [_snake({**_facts("id toolCallId expiresAt subagentRunId"), "reason": WORD})],
            }
        ),
        "usage": [
            _facts("provider model inputTokens outputTokens cachedInputTokens cacheWriteInputTokens reasoningTokens totalTokens")
        ],
        "input": {"resume": [_snake(_facts("interruptId status"))]},
    }
)


def ag_ui(message: dict[str, Any]) -> dict[str, Any] | None:
    """The bare facts of an event of AG-UI; ``None`` for the pieces of a text."""
    kind = message.get("type")
    if kind in ("TEXT_MESSAGE_CONTENT", "REASONING_MESSAGE_CONTENT", "TOOL_CALL_ARGS"):
        return None
    said: dict[str, Any] = shaped(AG_UI, message)
    if kind in ("RUN_ERROR", "SUBAGENT_ERROR"):
        said["message"] = "failed"
    return said


# Vercel's AI SDK.

VERCEL = {
    **_facts(
        "type id messageId toolCallId toolName approvalId approved sourceId mediaType finishReason preliminary transient "
        "dynamic providerExecuted"
    ),
    "messageMetadata": {"usage": NUMBERS, "totalUsage": NUMBERS, "model": FACT},
}
_NEEDED: dict[str, dict[str, str]] = {
    "error": {"errorText": "failed"},
    "tool-input-error": {"errorText": "failed"},
    "tool-output-error": {"errorText": "failed"},
    "file": {"url": ""},
    "reasoning-file": {"url": ""},
    "source-url": {"url": "", "title": "a source"},
    "source-document": {"title": "a source"},
}


def vercel(message: dict[str, Any]) -> dict[str, Any] | None:
    """The bare facts of a part of a UI message stream; ``None`` for the pieces of a text."""
    kind = message.get("type")
    if kind in ("text-delta", "reasoning-delta", "tool-input-delta"):
        return None
    return {**shaped(VERCEL, message), **_NEEDED.get(str(kind), {})}


# LangGraph.


def _interrupts(value: Any) -> Any:
    """Interrupts, as objects or as Python writes them."""
    if not isinstance(value, list):
        return None
    found = []
    for each in value:
        if isinstance(each, str):
            named = _ID.search(each)
            said = {"id": named[1]} if named else {}
        else:
            said = shaped(_facts("id interrupt_id"), each) or {}
        found.append({**said, "value": ASKS})
    return found


def _output(value: Any) -> Any:
    """The tokens of what a model answered."""
    if isinstance(value, str):
        return {"usage_metadata": {name: int(number) for name, number in _TOKENS.findall(value)}}
    return shaped({"usage_metadata": NUMBERS, "response_metadata": _facts("model_name finish_reason")}, value)


def _there(value: Any) -> Any:
    """The mark of something that is there, whatever it is."""
    return False


_METADATA = _facts(
    "langgraph_node langgraph_checkpoint_ns checkpoint_ns langgraph_step thread_id lc_agent_name ls_model_name ls_provider"
)
EVENT = {
    **_facts("event name run_id parent_ids"),
    "metadata": _METADATA,
    "data": {"chunk": {"__interrupt__": _interrupts}, "output": _output},
}
_PAYLOAD = {**_facts("event id role type index"), "metadata": _facts("model provider"), "usage": NUMBERS}
#: Fields of the ``data`` of a channel that go out; of all other channels nothing does.
CHANNELS: dict[str, Any] = {
    "lifecycle": _facts("event namespace graph_name"),
    "tools": _facts("event tool_call_id tool_name"),
    "tasks": {**_facts("id name"), "result": _there, "interrupts": _interrupts},
    "input.requested": _facts("interrupt_id"),
}


def langgraph(message: dict[str, Any]) -> dict[str, Any] | None:
    """The bare facts of an event of LangGraph; ``None`` for the pieces of a text."""
    if "method" in message:
        return _of_protocol(message)
    said: dict[str, Any] = shaped(EVENT, message)
    data = said.setdefault("data", {})
    if str(message.get("event")).endswith("_stream") and not data.get("chunk"):
        return None
    if "tags" in message:
        said["tags"] = []
    return said


def _of_protocol(message: dict[str, Any]) -> dict[str, Any] | None:
    method, params = str(message["method"]), message.get("params")
    said: dict[str, Any] = shaped(_facts("type method seq event_id"), message)
    if not isinstance(params, dict):
        return said
    kept = said["params"] = shaped({**_facts("namespace timestamp"), "interrupts": _interrupts}, params)
    data = params.get("data")
    if method == "messages":
        data = data if isinstance(data, list) else [data]
        payload = data[0] if data else None
        if isinstance(payload, dict) and payload.get("event") in ("content-block-delta", "content-block-start", "content-block-finish"):
            return None
        bare_data = [shaped(_PAYLOAD, payload) or {}, *(shaped(_METADATA, each) or {} for each in data[1:2])]
        kept["data"] = bare_data if isinstance(params.get("data"), list) else bare_data[0]
    elif method == "custom" or method.startswith("custom:"):
        kept["data"] = {**(shaped(_facts("name"), data) or {}), "payload": False}
    else:
        kept["data"] = shaped(CHANNELS.get(method, {}), data) or {}
    if method == "tools" and isinstance(data, dict) and data.get("event") == "tool-output-delta":
        return None
    if method == "tasks" and isinstance(data, dict) and "error" in data:
        kept["data"]["error"] = None if data["error"] is None else "failed"
    if method == "input.requested":
        kept["data"]["payload"] = ASKS
    return said


#: The bare facts of a message, by protocol.
BARE: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {"ag-ui": ag_ui, "vercel": vercel, "langgraph": langgraph}
