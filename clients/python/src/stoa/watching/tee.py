"""Streams that are looked at while they pass: of events, and of the protocols that Stoa reads by itself."""

from __future__ import annotations

import json
import uuid
from typing import Any, Callable, Iterator
from urllib.parse import urlencode

from .. import sending
from ..sending import plain
from ..sending.beginnings import Beginnings
from .pieces import Pieces
from .shapes import BARE

#: Done with each piece of a stream.
Look = Callable[[Any], None]
#: The protocols that Stoa reads, and their doors.
DOORS = {"ag-ui": "/ag-ui/in", "vercel": "/vercel/in", "langgraph": "/langgraph/in"}
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
        look = AsItIs()
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


class AsItIs:
    """Publishes the pieces of one stream as events."""

    def __init__(self) -> None:
        self._texts = Beginnings()

    def __call__(self, piece: Any) -> None:
        is_preview = sending.options().content == "preview"
        facts = plain.plain(piece, plain.MAX_CONTENT)
        if not isinstance(facts, dict):
            if is_preview and isinstance(facts, str):
                facts = self._texts.piece(None, facts, plain.PREVIEW)
                if not facts:
                    return
            facts = {"content": facts}
        kind = facts.pop("type", None) or type(piece).__name__
        if is_preview:
            own = facts.get("message_id") or facts.get("messageId") or facts.get("id")
            for key in ("content", "delta"):
                if isinstance(facts.get(key), str) and (own is not None or key == "delta"):
                    facts[key] = self._texts.piece(own, facts[key], plain.PREVIEW)
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
        # The sender numbers the bodies: one that comes twice is told once.
        self._path = f"{DOORS[speaks]}?{urlencode({key: value for key, value in facts.items() if value})}&body="
        self._speaks = speaks
        self._pieces = Pieces(speaks)
        self._rest = ""

    def __call__(self, piece: Any) -> None:
        for message in self._messages(piece):
            content = sending.options().content
            said = plain.plain(message, plain.MAX_CONTENT)
            said = self._pieces.fit(said, content) if isinstance(said, dict) else None
            if said is not None and content == "none":
                said = BARE[self._speaks](said)
            elif said is not None and content == "preview":
                said = plain.plain(said, plain.PREVIEW)
            if said is not None:
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
