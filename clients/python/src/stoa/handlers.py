"""The handlers of a server object: how they are registered and found."""

from __future__ import annotations

import inspect
from typing import Any, Callable

Handler = Callable[..., Any]

#: The result of an event that no handler took.
NOT_HANDLED = object()
_LIFE = ("connect", "disconnect")


class Handlers:
    """Handlers by namespace and event, with ``*`` for those of any name."""

    def __init__(self) -> None:
        self.functions: dict[str, dict[str, Handler]] = {}
        self.classes: dict[str, Any] = {}

    def add(self, event: str, handler: Handler, namespace: str | None = None) -> None:
        """Registers a function."""
        self.functions.setdefault(namespace or "/", {})[event] = handler

    def serves(self, namespace: str) -> bool:
        """Whether there is any handler on a namespace."""
        return any(name in known for known in (self.functions, self.classes) for name in (namespace, "*"))

    def find(self, event: str, namespace: str, args: tuple[Any, ...]) -> tuple[Handler | None, tuple[Any, ...]]:
        """The function for an event with its arguments: the exact names first, then ``*``, first of the event."""
        for place, beside in ((namespace, ()), ("*", (namespace,))):
            known = self.functions.get(place, {})
            if event in known:
                return known[event], (*beside, *args)
            if "*" in known and event not in _LIFE:
                return known["*"], (event, *beside, *args)
        return None, args

    def find_class(self, namespace: str, args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        """The class-based namespace, with the arguments for it."""
        if namespace in self.classes:
            return self.classes[namespace], args
        if "*" in self.classes:
            return self.classes["*"], (namespace, *args)
        return None, args


def fitting(handler: Handler, *candidates: tuple[Any, ...]) -> tuple[Any, ...]:
    """The first of several lists of arguments that a handler takes; the first of all if none fits."""
    try:
        signature = inspect.signature(handler)
    except (TypeError, ValueError):
        return candidates[0]
    for args in candidates:
        try:
            signature.bind(*args)
        except TypeError:
            continue
        return args
    return candidates[0]
