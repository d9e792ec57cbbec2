"""Calls when a module has been imported, now or later, without importing it."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import threading
from types import ModuleType
from typing import Any, Callable, Sequence


class Imports(importlib.abc.MetaPathFinder):
    """A finder that finds nothing itself: it asks the others, and has the loader call when the module is whole."""

    def __init__(self) -> None:
        self._wanted: dict[str, Callable[[ModuleType], Any]] = {}
        self._asking = threading.local()

    def when(self, module: str, call: Callable[[ModuleType], Any]) -> None:
        """Calls with a module once it is there; the call raises nothing."""
        here = sys.modules.get(module)
        if here is not None and not getattr(getattr(here, "__spec__", None), "_initializing", False):
            call(here)
            return
        self._wanted[module] = call
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of the other finders, with a loader that calls; ``None`` for all other modules."""
        if name not in self._wanted or getattr(self._asking, "busy", False):
            return None
        self._asking.busy = True
        try:
            spec = None
            for finder in list(sys.meta_path):
                if finder is not self and hasattr(finder, "find_spec"):
                    spec = finder.find_spec(name, path, target)
                    if spec is not None:
                        break
        finally:
            self._asking.busy = False
        if spec is None or spec.loader is None or not hasattr(spec.loader, "exec_module"):
            return spec
        call, loader = self._wanted.pop(name), spec.loader
        run = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            call(module)

        try:
            loader.exec_module = exec_module  # type: ignore[method-assign]
        except AttributeError:
            pass
        return spec
