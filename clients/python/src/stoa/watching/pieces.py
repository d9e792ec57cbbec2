"""The pieces in which the protocols send a text: of each text only so much goes out as ``content`` says, however it is cut."""

from __future__ import annotations

import re
from typing import Any, Callable, Iterator

from ..sending import plain
from ..sending.beginnings import Beginnings

_CONTENT = re.compile(r"""\bcontent=(['"])((?:\\.|(?!\1).)*)\1""", re.DOTALL)
_ENDLESS = 1 << 60
#: The text that is a piece of one: the object that holds it, its name there, and the key of the whole.
Place = Any


class Pieces:
    """The texts of one stream."""

    def __init__(self, speaks: str) -> None:
        self._places = PLACES[speaks]
        self.texts = Beginnings()
        #: The last thing of each kind that came in chunks: further ones need not name it.
        self.last: dict[Any, Any] = {}

    def fit(self, message: dict[str, Any], content: str) -> dict[str, Any] | None:
        """The message with as much of its texts as may go out; ``None`` if that was all it had and nothing is left."""
        found = list(self._places(message, self, content))
        left = not found
        for holder, key, own in found:
            given = holder.get(key)
            if not isinstance(given, str) or not given:
                left = True
                continue
            # A chunk may begin what it is a piece of.
            begins = str(message.get("type")).endswith("_CHUNK") and self.texts.is_new(own)
            holder[key] = self.texts.piece(own, given, _most(own[0], content))
            left = left or begins or bool(holder[key])
        return message if left else None


def _most(kind: str, content: str) -> int:
    if content == "full":
        # Pieces of arguments are joined to one; those of a text have each an event of their own.
        return plain.MAX_CONTENT if kind == "call" else _ENDLESS
    return plain.PREVIEW if content == "preview" else 0


def _ag_ui(message: dict[str, Any], pieces: Pieces, content: str) -> Iterator[Place]:
    kind = str(message.get("type"))
    if content == "preview":
        # Pieces from elsewhere are in it, one by one.
        for key in ("rawEvent", "raw_event", *(("event",) if kind == "RAW" else ())):
            message.pop(key, None)
    of_call = kind.startswith("TOOL_CALL_")
    names = ("toolCallId", "tool_call_id") if of_call else ("messageId", "message_id")
    own = next((message[name] for name in names if message.get(name)), None)
    if kind.endswith("_CHUNK"):
        place = (kind, message.get("subagentRunId", message.get("subagent_run_id")))
        own = pieces.last[place] = own or pieces.last.get(place)
    whole = ("call" if of_call else "text", own)
    if kind in ("TEXT_MESSAGE_START", "REASONING_MESSAGE_START", "TOOL_CALL_START"):
        pieces.texts.end(whole)
    elif kind.endswith(("_MESSAGE_CONTENT", "_MESSAGE_CHUNK", "TOOL_CALL_ARGS", "TOOL_CALL_CHUNK")):
        yield message, "delta", whole


def _vercel(message: dict[str, Any], pieces: Pieces, content: str) -> Iterator[Place]:
    kind, own = str(message.get("type")), ("text", message.get("id"))
    if kind in ("text-start", "reasoning-start"):
        # The ids of parts are used again.
        pieces.texts.end(own)
    elif kind in ("text-delta", "reasoning-delta"):
        yield message, "delta", own
    elif kind == "tool-input-delta":
        yield message, "inputTextDelta", ("call", message.get("toolCallId"))


def _langgraph(message: dict[str, Any], pieces: Pieces, content: str) -> Iterator[Place]:
    if "method" in message:
        yield from _of_protocol(message, pieces)
        return
    own, data = ("text", message.get("run_id")), message.get("data")
    if content == "full" or not str(message.get("event")).endswith("_stream") or not isinstance(data, dict):
        return
    chunk = data.get("chunk")
    if isinstance(chunk, str):
        # Written by Python, with more around the text that may not be counted.
        found = _CONTENT.search(chunk)
        if found is None:
            yield data, "chunk", own
            return
        chunk = data["chunk"] = {"content": found[2]}
    if isinstance(chunk, dict) and "content" in chunk:
        # Beside the text stand others that are pieces of something, too; the end of the model's answer has them whole.
        chunk = data["chunk"] = {key: chunk[key] for key in ("content", "id", "type") if key in chunk}
        if isinstance(chunk["content"], list):
            for block in chunk["content"]:
                yield from _texts(block, own)
        else:
            yield chunk, "content", own


def _texts(block: Any, own: Any) -> Iterator[Place]:
    """All texts of a block, but for what it is."""
    if isinstance(block, dict):
        for key, each in block.items():
            if isinstance(each, str) and key not in ("type", "id", "index", "name"):
                yield block, key, own


def _of_protocol(message: dict[str, Any], pieces: Pieces) -> Iterator[Place]:
    params = message.get("params")
    params = params if isinstance(params, dict) else {}
    data = params.get("data")
    if message["method"] == "tools" and isinstance(data, dict) and data.get("event") == "tool-output-delta":
        yield data, "delta", ("text", data.get("tool_call_id"))
    if message["method"] != "messages":
        return
    parts = data if isinstance(data, list) else [data]
    payload, about = (*parts, None, None)[:2]
    if isinstance(payload, dict):
        place = about.get("langgraph_checkpoint_ns") if isinstance(about, dict) else None
        own = ("text", str(params.get("namespace")), place)
        if payload.get("event") == "message-start":
            pieces.texts.end(own)
        elif payload.get("event") == "content-block-delta":
            yield from _texts(payload.get("delta"), own)


PLACES: dict[str, Callable[[dict[str, Any], Pieces, str], Iterator[Place]]] = {
    "ag-ui": _ag_ui,
    "vercel": _vercel,
    "langgraph": _langgraph,
}
