"""Arguments, attachments, rooms and operations as they go over the wire."""

from __future__ import annotations

import base64
import binascii
import json as std_json
import re
from typing import Any, Iterable

#: Names that Socket.IO keeps for itself.
RESERVED = {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
MAX_EVENT = 128
MAX_ROOM = 128

_BINARY = (bytes, bytearray, memoryview)
# Stoa's rooms are of these characters. Others are written as "@@<hex>.", and so is the mark itself.
_FOREIGN = re.compile(r"@@|[^A-Za-z0-9_.:@/ -]")
# Stoa's own rooms, in which it puts clients by itself, are not the application's rooms of these names.
_OWN = {"general", "observers", "producers"}
_ESCAPED = re.compile(r"@@(10[0-9a-f]{4}|[0-9a-f]{1,5})\.")


def arguments(data: Any) -> list[Any]:
    """The arguments that a payload stands for: a tuple is several, ``None`` is none."""
    if data is None:
        return []
    return list(data) if isinstance(data, tuple) else [data]


def pack(args: Iterable[Any], json: Any = None) -> tuple[Any, list[str]]:
    """Arguments as JSON values, and the binary parts that they name."""
    attachments: list[str] = []

    def walk(value: Any) -> Any:
        if isinstance(value, _BINARY):
            attachments.append(base64.b64encode(value).decode())
            return {"_placeholder": True, "num": len(attachments) - 1}
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [walk(item) for item in value]
        return value

    packed = [walk(arg) for arg in args]
    if json is not None and json is not std_json:
        packed = std_json.loads(json.dumps(packed))
    return packed, attachments


def unpack(args: Any, attachments: Any) -> list[Any]:
    """Arguments with their binary parts in place. Raises ``ValueError`` if one is missing."""
    try:
        parts = [base64.b64decode(part, validate=True) for part in attachments or []]
    except (TypeError, ValueError, binascii.Error) as error:
        raise ValueError(f"an attachment is no base64: {error}") from None

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            if value.get("_placeholder") is True and isinstance(value.get("num"), int):
                number = value["num"]
                if not 0 <= number < len(parts):
                    raise ValueError(f"attachment {number} is missing")
                return parts[number]
            return {key: walk(item) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item) for item in value]
        return value

    if not isinstance(args or [], list):
        raise ValueError("the arguments are no list")
    # Without attachments there is nothing to put in place.
    return [walk(arg) for arg in args or []] if parts else list(args or [])


def room_name(room: Any) -> str:
    """The name by which Stoa knows a room."""
    name = _FOREIGN.sub(lambda found: _escape(found.group()), str(room))
    if name in _OWN:
        name = _escape(name[0]) + name[1:]
    if not 1 <= len(name) <= MAX_ROOM:
        raise ValueError(
            f"the room {str(room)[:40]!r} has {len(name)} characters as Stoa writes it (1 to {MAX_ROOM}): use a shorter name"
        )
    return name


def _escape(text: str) -> str:
    return "".join(f"@@{ord(one):x}." for one in text)


def rooms_of(names: Iterable[str]) -> set[str]:
    """The application's rooms among those that a client is in."""
    return {room_of(name) for name in names if name not in _OWN}


def room_of(name: str) -> str:
    """The room with a name of Stoa's: the opposite of :func:`room_name`."""
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), name)


def room_list(rooms: Any) -> list[str]:
    """One room or several, as names; none for everybody."""
    if rooms is None or rooms == "":
        return []
    if isinstance(rooms, (list, tuple, set, frozenset)):
        return [room_name(room) for room in rooms]
    return [room_name(rooms)]


def emission(
    event: str,
    args: Iterable[Any],
    *,
    to: Any = None,
    skip: Any = None,
    namespace: str | None = None,
    json: Any = None,
    **options: Any,
) -> dict[str, Any]:
    """The operation that emits an event."""
    if not isinstance(event, str) or not 1 <= len(event) <= MAX_EVENT:
        raise ValueError(f"an event's name is a text of 1 to {MAX_EVENT} characters, not {event!r:.60}")
    if event in RESERVED:
        raise ValueError(f"{event!r} is Socket.IO's own: emit the event under another name")
    packed, attachments = pack(args, json)
    emit: dict[str, Any] = {"event": event, "args": packed, **options}
    rooms, skipped = room_list(to), room_list(skip)
    if attachments:
        emit["attachments"] = attachments
    if rooms:
        emit["rooms"] = rooms
    if skipped:
        emit["except"] = skipped
    if namespace and namespace != "/":
        emit["namespace"] = namespace
    return {"emit": emit}


def text(value: Any) -> str:
    """JSON as Stoa reads it: numbers that JSON does not have are refused where they are made."""
    return std_json.dumps(value, separators=(",", ":"), allow_nan=False)
