"""The bare facts: as much of an event's ``data`` as goes out where ``content`` is ``none``.

No list of what is forbidden would hold, since anybody may say anything under any name. So texts go out under the names of
this file only, at any depth; numbers and truth values go out, but for what is within :data:`CONTENT`.
"""

from __future__ import annotations

import re
from typing import Any

#: The keys of ``data`` that say what was written, asked and answered, rather than that it was.
CONTENT = frozenset(("content", "args", "result", "answer", "input", "output", "prompt", "error", "reason", "blocker"))
#: Names whose texts go out: what a thing is called, of which kind it is, how it does and since when.
NAMES = frozenset(
    "name agent_name task_name tool_name node_name project_name run_name workflow_name server_name "
    "id ids kind type status role model provider level priority severity stage phase outcome source service version mime "
    "timestamp since finish_reason dependencies depends_on current_node".split()
)
#: Ends of names whose texts go out.
ENDS = ("_id", "_ids", "_at", "_kind", "_type", "_status")
#: Characters of such a text.
MAX_NAME = 256
#: Words in the place of a text that a person has to read.
STANDING_IN = {
    "input.requested": ("message", "asks for an answer"),
    "decision.logged": ("decision", "a decision"),
    "system.client.dropped": ("message", "events were dropped before they could be sent"),
}
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
#: Keys that are names, rather than something that was said.
_WORD = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


def facts(value: Any) -> dict[str, Any]:
    """The bare facts of a plain object."""
    found = _bare("", value)
    return found if isinstance(found, dict) else {}


def name(text: str) -> str:
    """A name, as long as one may be."""
    return text if len(text) <= MAX_NAME else text[: MAX_NAME - 1] + "…"


def _bare(key: str, value: Any) -> Any:
    kind = value.__class__
    if kind is str:
        return name(value) if _is_name(key) else None
    if kind is dict:
        said = {}
        for inner, each in value.items():
            word = _HUMP.sub("_", inner).lower()
            if word in CONTENT or not _WORD.fullmatch(inner):
                continue
            bare = _bare(word, each)
            if bare is not None:
                said[inner] = bare
        return said or None
    if kind is list:
        return [bare for bare in (_bare(key, each) for each in value) if bare is not None] or None
    return value


def _is_name(key: str) -> bool:
    return key in NAMES or key.endswith(ENDS)


def stand_in(type: str, said: dict[str, Any]) -> None:  # noqa: A002 - the name on the wire
    """Puts in the words without which nobody knows what an event wants."""
    if type in STANDING_IN:
        key, words = STANDING_IN[type]
        said.setdefault(key, words)
