"""The events that Stoa handles by itself, and handlers that are therefore never asked."""

from __future__ import annotations

import fnmatch
import json
import logging
import os
from typing import Any, Iterator, Sequence

log = logging.getLogger("stoa")

#: Stoa's own events on ``/``. ``join`` and ``leave`` are the application's, unless ``[backend] override`` says otherwise.
OWN = frozenset(
    """join_room join leave_room leave subscribe unsubscribe publish emit_to agent_action get_state get_history resume authenticate
    subscribe_conversations subscribe_health_updates subscribe_pipeline_flow subscribe_metrics subscribe_flow unsubscribe_flow ping
    get_stats get_rooms presence""".split()
)
#: Stoa's own events on the namespaces of applications.
OWN_ON_APPLICATIONS = frozenset(["join_room", "leave_room", "presence", "authenticate"])
#: Events on ``/`` that an application can't have.
NEVER = frozenset(["publish", "emit_to"])
#: The events that are handed over first if nothing is set.
OVERRIDE = ("join", "leave")


def events(handlers: Any) -> Iterator[tuple[str, str]]:
    """The namespace and the name of each event that has a handler."""
    for namespace, known in handlers.functions.items():
        yield from ((namespace, event) for event in known)
    for namespace, known in handlers.classes.items():
        yield from ((namespace, name[3:]) for name in dir(known) if name.startswith("on_"))


def override_given() -> Sequence[str]:
    """The patterns of ``STOA_BACKEND__OVERRIDE``, if this process has Stoa's setting in its environment."""
    try:
        given = json.loads(os.environ.get("STOA_BACKEND__OVERRIDE", ""))
    except ValueError:
        return OVERRIDE
    return [one for one in given if isinstance(one, str)] if isinstance(given, list) else OVERRIDE


def warn(handlers: Any, override: Sequence[str]) -> None:
    """Logs which handlers Stoa does not ask."""
    unasked, never = set(), set()
    for namespace, event in events(handlers):
        own = OWN if namespace == "/" else OWN | OWN_ON_APPLICATIONS if namespace == "*" else OWN_ON_APPLICATIONS
        if event not in own:
            continue
        if event in NEVER:
            never.add(event)
        elif not any(fnmatch.fnmatchcase(event, pattern) for pattern in override):
            unasked.add(event)
    if unasked:
        log.warning(
            "Stoa handles %s itself, so handlers of these names do not run unless its [backend] override names them: start it with "
            "STOA_BACKEND__OVERRIDE='%s' (and give the application the same to end this warning)",
            ", ".join(sorted(unasked)),
            json.dumps(sorted({*override, *unasked})),
        )
    if never:
        log.warning("Stoa keeps %s on / for itself, so handlers of these names never run: rename the events", ", ".join(sorted(never)))
