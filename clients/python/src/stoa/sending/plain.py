"""Any value of Python as JSON, without raising, without end, and not larger than it may be."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
from typing import Any

#: Characters of one text.
MAX_TEXT = 2_000
#: Characters of one text of ``content`` where all of it is wanted.
MAX_CONTENT = 16_000
#: Characters of a preview.
PREVIEW = 500
#: Levels of lists and objects in each other.
MAX_DEPTH = 8
#: Entries of one list or object.
MAX_ENTRIES = 100
#: Values of one event.
MAX_VALUES = 1_000
#: The keys of ``data`` that say what was written, asked and answered, rather than that it was.
CONTENT = frozenset(("content", "args", "result", "answer", "input", "output", "prompt", "error", "reason", "blocker"))

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=False).encode
_WHOLE = 1 << 63


def line(event: dict[str, Any]) -> bytes:
    """An event of plain values as one line of JSON."""
    return _encode(event).encode()


def cut(text: str, most: int = MAX_TEXT) -> str:
    """A text of at most so many characters, which any encoder takes."""
    if len(text) > most:
        text = text[: most - 1] + "…"
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text


def data(value: Any, content: str) -> dict[str, Any]:
    """The ``data`` of an event: an object of plain values, with as much of its texts as may go out."""
    if value is None:
        return {}
    budget = [MAX_VALUES]
    if not isinstance(value, dict):
        whole = _plain(value, budget, 0, MAX_TEXT)
        return whole if isinstance(whole, dict) else {"value": whole}
    said: dict[str, Any] = {}
    for key, each in list(value.items())[:MAX_ENTRIES]:
        if each.__class__ is str and len(each) <= PREVIEW and key not in CONTENT:
            said[_key(key)] = each if each.isascii() else cut(each)
        elif key in CONTENT:
            if content == "none":
                continue
            most = MAX_CONTENT if content == "full" else PREVIEW
            said[_key(key)] = preview(_plain(each, budget, 1, most), most)
        else:
            said[_key(key)] = _plain(each, budget, 1, MAX_TEXT)
    return said


def preview(value: Any, most: int) -> Any:
    """A plain value, or the beginning of its JSON if that has more characters."""
    if value.__class__ is str or value.__class__ in (int, float, bool) or value is None:
        return value
    text = _encode(value)
    return value if len(text) <= most else cut(text, most)


def plain(value: Any, most: int = MAX_TEXT) -> Any:
    """A value in the forms of JSON."""
    return _plain(value, [MAX_VALUES], 0, most)


def _plain(value: Any, budget: list[int], depth: int, most: int) -> Any:
    kind = value.__class__
    if kind is str:
        return value if len(value) <= most and value.isascii() else cut(value, most)
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if -_WHOLE <= value < 2 * _WHOLE else _text(value, most)
    if kind is float:
        return value if value - value == 0 else str(value)
    budget[0] -= 1
    if depth >= MAX_DEPTH or budget[0] < 0:
        return _name(value)
    try:
        return _compound(value, budget, depth + 1, most)
    except RecursionError:
        return _name(value)
    except Exception:
        return _text(value, most)


def _compound(value: Any, budget: list[int], depth: int, most: int) -> Any:
    if isinstance(value, dict):
        entries = {_key(key): _plain(each, budget, depth, most) for key, each in _first(value.items(), budget)}
        if len(value) > len(entries):
            entries["…"] = f"{len(value) - len(entries)} more"
        return entries
    if isinstance(value, (list, tuple, set, frozenset)):
        some = [_plain(each, budget, depth, most) for each in _first(value, budget)]
        return some if len(some) == len(value) else [*some, f"… {len(value) - len(some)} more"]
    if isinstance(value, enum.Enum):
        return _plain(value.value, budget, depth, most)
    if isinstance(value, str):
        return cut(str.__str__(value), most)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, BaseException):
        return cut(error(value), most)
    if isinstance(value, type) or callable(value):
        return cut(getattr(value, "__qualname__", None) or _name(value), most)
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value) if not field.name.startswith("_")]
        return {name: _plain(getattr(value, name, None), budget, depth, most) for name in _first(names, budget)}
    if hasattr(value.__class__, "model_fields"):
        names = [name for name in vars(value) if not name.startswith("_")]
        return {name: _plain(vars(value)[name], budget, depth, most) for name in _first(names, budget)}
    return _text(value, most)


def _first(values: Any, budget: list[int]) -> list[Any]:
    """The first entries, as many as there is room for."""
    some = []
    for each in values:
        if len(some) == MAX_ENTRIES or budget[0] <= 0:
            break
        budget[0] -= 1
        some.append(each)
    return some


def _key(key: Any) -> str:
    if key.__class__ is str and len(key) <= 128 and key.isascii():
        return str(key)
    return cut(_text(key, 128), 128)


def _text(value: Any, most: int) -> str:
    try:
        return cut(str(value), most)
    except Exception:
        return _name(value)


def _name(value: Any) -> str:
    return f"<{type(value).__name__}>"


def error(fault: BaseException) -> str:
    """The words of an exception, or its name where it says nothing."""
    try:
        return str(fault) or type(fault).__name__
    except Exception:
        return type(fault).__name__
