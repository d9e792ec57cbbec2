"""Streams that are looked at while they pass: of events, and of the protocols that Stoa reads by itself."""

from __future__ import annotations

import json
import uuid
from typing import Any, Callable, Iterator
from urllib.parse import urlencode

from .. import sending
from ..sending import plain

#: Done with each piece of a stream.
Look = Callable[[Any], None]
#: The protocols that Stoa reads, and their doors.
DOORS = {"ag-ui": "/ag-ui/in", "vercel": "/vercel/in", "langgraph": "/langgraph/in"}
#: Keys of the text in these protocols, beside those of events.
TEXTS = plain.CONTENT | {"delta", "text", "value", "snapshot", "messages", "chunk", "inputTextDelta", "payload", "rawEvent"}
#: Characters of a line that has not ended.
MAX_REST = 1_000_000


def tee(stream: Any, look: Look | None = None, *, speaks: str | None = None, agent: str | None = None, project: str | None = None) -> Any:
    """Gives on what comes from a stream, sync or async, and publishes each piece.

    Without more a piece is an event: one with a ``type`` goes out under that name, with its other facts as ``data``. With
    ``speaks`` it is a message of that protocol (``ag-ui``, ``vercel``, ``langgraph``), as an object or as written for the
    wire, and Stoa makes of the stream what it says; ``agent`` and ``project`` say whose it is. ``look`` is called instead of
    both.
    """
    if look is None:
        look = _as_it_is
        if speaks is not None:
            relay = _relay(speaks, agent, project)
            look = relay if relay is not None else look
    if hasattr(stream, "__aiter__"):
        return _async_tee(stream, look)
    return _tee(stream, look)


def _tee(stream: Any, look: Look) -> Any:
    for piece in stream:
        _looked(look, piece)
        yield piece


async def _async_tee(stream: Any, look: Look) -> Any:
    async for piece in stream:
        _looked(look, piece)
        yield piece


def _looked(look: Look, piece: Any) -> None:
    try:
        look(piece)
    except Exception:
        sending.failed("a piece of a stream could not be told")


def _as_it_is(piece: Any) -> None:
    facts = plain.plain(piece)
    if not isinstance(facts, dict):
        facts = {"content": facts}
    kind = facts.pop("type", None) or type(piece).__name__
    sending.emit(str(kind), facts)


def _relay(speaks: str, agent: str | None, project: str | None) -> Relay | None:
    try:
        return Relay(speaks, agent, project)
    except KeyError:
        sending.failed(f"stoa.tee: {speaks!r} is none of {', '.join(DOORS)}")
        return None


class Relay:
    """Sends the messages of one stream to the door of their protocol, in their order."""

    def __init__(self, speaks: str, agent: str | None, project: str | None) -> None:
        # The stream's own name: its messages go out in several bodies, and beside those of others.
        facts = {"project": project or sending.options().project, "agent": agent, "thread": uuid.uuid4().hex}
        self._path = f"{DOORS[speaks]}?{urlencode({key: value for key, value in facts.items() if value})}"
        self._speaks = speaks
        self._rest = ""

    def __call__(self, piece: Any) -> None:
        for message in self._messages(piece):
            content = sending.options().content
            said = plain.plain(message, plain.MAX_CONTENT if content == "full" else plain.PREVIEW)
            if isinstance(said, dict):
                said = _without_texts(said) if content == "none" else said
                kind = said.get("type") or said.get("event") or said.get("method") or "message"
                sending.forward(self._path, f"{self._speaks}.{kind}", said)

    def _messages(self, piece: Any) -> Iterator[Any]:
        if isinstance(piece, (bytes, bytearray)):
            piece = piece.decode("utf-8", "replace")
        if not isinstance(piece, str):
            # Models of pydantic have other names on the wire.
            dump = getattr(piece, "model_dump", None)
            yield dump(mode="json", by_alias=True, exclude_none=True) if dump is not None else piece
            return
        # A message that is given by itself needs no end of its line.
        alone = _json(piece)
        if alone is not None:
            self._rest = ""
            yield alone
            return
        *lines, self._rest = (self._rest + piece).split("\n")
        if len(self._rest) > MAX_REST:
            self._rest = ""
        for line in lines:
            message = _json(line)
            if message is not None:
                yield message


def _json(line: str) -> dict[str, Any] | None:
    """The message of a line of server-sent events, or of lines of JSON."""
    line = line.strip()
    try:
        said = json.loads(line[5:] if line.startswith("data:") else line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _without_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_texts(each) for key, each in value.items() if key not in TEXTS}
    return [_without_texts(each) for each in value] if isinstance(value, list) else value
