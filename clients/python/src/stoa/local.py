"""Clients, rooms and sessions within this process, for tests without a server."""

from __future__ import annotations

import json
import threading
from typing import Any, Callable, Sequence


class LocalClient:
    """One client on one namespace."""

    def __init__(self, sid: str, namespace: str, receive: Callable[[str, dict[str, Any]], None]) -> None:
        self.sid, self.namespace, self.receive = sid, namespace, receive
        self.rooms = {sid}
        self.session: dict[str, Any] | None = None


class LocalBus:
    """Carries out operations as Stoa does."""

    def __init__(self) -> None:
        self.clients: dict[str, LocalClient] = {}
        self._lock = threading.RLock()

    def carry_out(self, operations: Sequence[str], wait: float = 0) -> list[dict[str, Any]]:
        """Carries out operations in their order."""
        with self._lock:
            return [self._one(json.loads(operation)) for operation in operations]

    def _in(self, rooms: set[str], namespace: str) -> list[LocalClient]:
        there = [client for client in self.clients.values() if client.namespace == namespace]
        return [client for client in there if not rooms or client.rooms & rooms]

    def _one(self, operation: dict[str, Any]) -> dict[str, Any]:
        namespace = operation.get("namespace") or "/"
        if "emit" in operation:
            emit = operation["emit"]
            skipped = set(emit.get("except") or [])
            for client in self._in(set(emit.get("rooms") or []), emit.get("namespace") or "/"):
                if not client.rooms & skipped:
                    client.receive("emit", emit)
            return {"status": "ok"}
        if "close_room" in operation:
            for client in self._in({operation["close_room"]}, namespace):
                client.rooms.discard(operation["close_room"])
            return {"status": "ok"}
        if "members" in operation:
            return {"status": "ok", "members": [c.sid for c in self._in({operation["members"]}, namespace)]}
        if "call" in operation:
            message = "a test client answers no calls"
            return {"status": "error", "error": {"code": "timeout", "message": message}}
        sid = operation.get("rooms_of") or operation.get("client") or operation.get("disconnect")
        found = self.clients.get(str(sid))
        if found is None:
            return {"status": "error", "error": {"code": "not_found", "message": f"there is no client {sid}"}}
        return self._of(found, operation)

    def _of(self, client: LocalClient, operation: dict[str, Any]) -> dict[str, Any]:
        if "join" in operation:
            client.rooms.add(operation["join"])
        elif "leave" in operation:
            client.rooms.discard(operation["leave"])
        elif "session" in operation:
            client.session = operation["session"]
        elif "disconnect" in operation:
            client.receive("disconnect", {})
        elif "rooms_of" in operation:
            return {"status": "ok", "rooms": sorted(client.rooms)}
        else:
            return {"status": "ok", "client_id": client.sid, "rooms": sorted(client.rooms), "session": client.session}
        return {"status": "ok"}
