"""Settings: from the environment, and over them what a program says."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, Callable, Mapping

log = logging.getLogger("stoa")

#: How much of texts goes out: none of them, their beginning, or all that an event may hold.
CONTENTS = ("none", "preview", "full")


class Options:
    """The settings of one process. One that can't be read is named in the log, and the default stands."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.url = env.get("STOA_URL") or "http://127.0.0.1:8000"
        self.token = env.get("STOA_TOKEN") or None
        self.service = env.get("STOA_SERVICE") or env.get("OTEL_SERVICE_NAME") or script()
        self.project = env.get("STOA_PROJECT") or self.service
        self.disabled = _flag(env, "STOA_DISABLED")
        self.debug = _flag(env, "STOA_DEBUG")
        self.content = _choice(env.get("STOA_CONTENT") or "preview", "STOA_CONTENT")
        self.frameworks = [name.strip() for name in (env.get("STOA_FRAMEWORKS") or "").split(",") if name.strip()]
        #: Seconds that the end of the process waits for what is still queued.
        self.exit_timeout = _number(env, "STOA_EXIT_TIMEOUT", 2.0)
        #: Events that may wait, and their bytes.
        self.queue = int(_number(env, "STOA_QUEUE", 10_000, least=1))
        self.queue_bytes = int(_number(env, "STOA_QUEUE_BYTES", 16 << 20, least=1))
        #: Seconds that an event waits for more.
        self.linger = _number(env, "STOA_LINGER_MS", 50.0) / 1000
        #: Takes each event before it is sent, and gives it back, changed or not; ``None`` leaves it out.
        self.before_send: Callable[[dict[str, Any]], dict[str, Any] | None] | None = None

    def update(self, given: Mapping[str, Any]) -> None:
        """Takes what a program says by name."""
        for key, value in given.items():
            if value is None:
                continue
            if key == "service" and self.project == self.service:
                self.project = str(value)
            setattr(self, key, _choice(value, "content") if key == "content" else value)


def script() -> str:
    """The name of the program, as far as Python knows it."""
    path = getattr(sys.modules.get("__main__"), "__file__", None) or (sys.argv[0] if sys.argv else "")
    name = os.path.splitext(os.path.basename(path))[0]
    if name == "__main__":
        name = os.path.basename(os.path.dirname(os.path.abspath(path)))
    return name or "python"


def _flag(env: Mapping[str, str], key: str) -> bool:
    return env.get(key, "").strip().lower() not in ("", "0", "false", "no", "off")


def _number(env: Mapping[str, str], key: str, default: float, least: float = 0) -> float:
    given = env.get(key)
    if not given:
        return default
    try:
        value = float(given)
        if value != value or value < least or value == float("inf"):
            raise ValueError
        return value
    except ValueError:
        log.warning("%s is %r, which is no number from %g on: %g is taken", key, given, least, default)
        return default


def _choice(value: Any, key: str) -> str:
    if value in CONTENTS:
        return str(value)
    log.warning("%s is %r, which is none of %s: preview is taken", key, value, ", ".join(CONTENTS))
    return "preview"


_options: Options | None = None


def options() -> Options:
    """The settings of this process, read from the environment when they are first asked for."""
    global _options
    if _options is None:
        _options = Options(os.environ)
    return _options
