"""Any value of Python as JSON, without raising, without end, and not larger than it may be."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import marshal
import time
from typing import Any, Callable

from .bare import CONTENT, facts as bare_facts, stand_in

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
#: Characters of a key.
MAX_KEY = 128
#: Values of one event.
MAX_VALUES = 1_000
#: Kinds of values that nobody can change.
UNCHANGING = frozenset((str, int, float, bool, type(None)))
#: Bytes of an event that wait as they are; what is larger is cut at once.
MAX_HELD = 32_000
#: Entries of a list or an object within ``data`` that is looked at later.
MAX_SMALL = 20
_WHOLE = 1 << 63


def _encoder() -> Callable[[Any], str]:
    """An encoder for plain values. Python's own, made once instead of for each value where that can be."""
    slow = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=False).encode
    try:
        inner = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
            None, _refuse, json.encoder.encode_basestring, None, ":", ",", False, False, False
        )

        def fast(value: Any) -> str:
            return "".join(inner(value, 0))

        tried = {"a": ["b\n\"\u00e9", 1, 2.5, None, True, {}]}
        return fast if fast(tried) == slow(tried) else slow
    except Exception:
        return slow


def _refuse(value: Any) -> Any:
    raise TypeError(f"{value!r} is no plain value")


_encode = _encoder()


def line(event: dict[str, Any]) -> bytes:
    """An event of plain values as one line of JSON."""
    return _encode(event).encode("utf-8", "replace")


def cut(text: str, most: int = MAX_TEXT) -> str:
    """A text of at most so many characters, which any encoder takes."""
    if len(text) > most:
        text = text[: most - 1] + "…"
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text


def held(type: str, id: str, project: Any, priority: Any, value: Any, content: str) -> bytes:  # noqa: A002
    """An event as it waits: bytes, made by the interpreter itself, that hold no object of the caller's.

    This runs in the agent's own thread, so it does no more than it must: :func:`event` does the rest in another.
    """
    now = time.time_ns() // 1000
    if _is_simple(value):
        try:
            waits = marshal.dumps((type, id, now, project, priority, False, value))
            if len(waits) <= MAX_HELD:
                return waits
        except ValueError:
            pass
    return marshal.dumps((type, id, now, project, priority, True, data(value, content)))


def event(waits: bytes, content: str) -> dict[str, Any]:
    """The event that waited, of plain values."""
    type_, id_, now, project, priority, is_plain, value = marshal.loads(waits)
    facts = value if is_plain else data(value, content)
    if content == "none":
        facts = bare_facts(facts) if is_plain else facts
        stand_in(type_, facts)
    said = {"type": type_, "id": id_, "timestamp": now, "project_id": project, "data": facts}
    if priority is not None:
        said["priority"] = priority
    return said


def _is_simple(value: Any) -> bool:
    """Says if a value is a small object of what can't change, or of small lists and objects of that."""
    if value is None:
        return True
    if value.__class__ is not dict or len(value) > MAX_ENTRIES:
        return False
    if UNCHANGING.issuperset(map(type, value.values())):
        return True
    for each in value.values():
        if each.__class__ in UNCHANGING:
            continue
        if each.__class__ is not dict and each.__class__ is not list or len(each) > MAX_SMALL:
            return False
        if not UNCHANGING.issuperset(map(type, each.values() if each.__class__ is dict else each)):
            return False
    return True


def data(value: Any, content: str) -> dict[str, Any]:
    """The ``data`` of an event: an object of plain values, with as much of its texts as may go out."""
    if value is None:
        return {}
    budget = [MAX_VALUES]
    if content == "none":
        return bare_facts(_plain(value, budget, 0, MAX_TEXT))
    if not isinstance(value, dict):
        whole = _plain(value, budget, 0, MAX_TEXT)
        return whole if isinstance(whole, dict) else {"value": whole}
    said: dict[str, Any] = {}
    for key, each in list(value.items())[:MAX_ENTRIES]:
        if key in CONTENT:
            most = MAX_CONTENT if content == "full" else PREVIEW
            said[key] = preview(_plain(each, budget, 1, most), most)
        elif each.__class__ is str and len(each) <= MAX_TEXT and key.__class__ is str and len(key) <= MAX_KEY:
            said[key] = each
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
        return value if len(value) <= most else cut(value, most)
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if -_WHOLE <= value < 2 * _WHOLE else _text(value, most)
    if kind is float:
        return value if value - value == 0 else str(value)
    if kind is dict and depth < MAX_DEPTH and len(value) <= min(budget[0], MAX_ENTRIES):
        budget[0] -= 1 + len(value)
        return {_key(key): _plain(each, budget, depth + 1, most) for key, each in value.copy().items()}
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
    if key.__class__ is str and len(key) <= MAX_KEY:
        return key  # type: ignore[no-any-return]
    return cut(_text(key, MAX_KEY), MAX_KEY)


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
