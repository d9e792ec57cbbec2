"""A client for tests without a server."""

from __future__ import annotations

import json
import uuid
from typing import Any

from flask.testing import EnvironBuilder

from .. import wire
from ..local import LocalBus, LocalClient


class SocketIOTestClient:
    """Drives the handlers of an application in this process, as Stoa would over HTTP."""

    def __init__(
        self,
        app: Any,
        socketio: Any,
        namespace: str | None = None,
        query_string: str | None = None,
        headers: Any = None,
        auth: Any = None,
        flask_test_client: Any = None,
    ) -> None:
        self.app, self.socketio, self.flask_test_client = app, socketio, flask_test_client
        self.queue: list[dict[str, Any]] = []
        self._sids: dict[str, str] = {}
        operations = socketio.server.operations
        if not isinstance(operations.bus, LocalBus):
            operations.bus = LocalBus()
        self._bus: LocalBus = operations.bus
        self.connect(namespace=namespace, query_string=query_string, headers=headers, auth=auth)

    def is_connected(self, namespace: str | None = None) -> bool:
        """Whether the client is connected to a namespace."""
        return self._sids.get(namespace or "/") in self._bus.clients

    def connect(
        self, namespace: str | None = None, query_string: str | None = None, headers: Any = None, auth: Any = None
    ) -> None:
        """Connects to a namespace. The constructor has done it for the first one."""
        place = namespace or "/"
        query = (query_string or "").lstrip("?")
        environ = EnvironBuilder(self.app, path="/socket.io/", query_string=query, headers=headers).get_environ()
        if self.flask_test_client is not None:
            self.flask_test_client._add_cookies_to_wsgi(environ)
        named = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
        sid = uuid.uuid4().hex
        client = LocalClient(sid, place, lambda kind, message: self._receive(place, kind, message))
        # The client is there before its handler has said yes, so that it gets what the handler emits.
        self._bus.clients[sid] = client
        self._sids[place] = sid
        given = {"auth": auth, "query": environ["QUERY_STRING"], "headers": named, "address": "127.0.0.1"}
        if "refuse" in self._handle(client, {"type": "connect", **given}):
            self._bus.clients.pop(sid, None)

    def disconnect(self, namespace: str | None = None) -> None:
        """Disconnects from a namespace."""
        self._end(self._client(namespace), "client disconnect")

    def emit(self, event: str, *args: Any, callback: bool = False, namespace: str | None = None) -> Any:
        """Emits an event to the handlers. With ``callback`` the acknowledgement is returned."""
        packed, attachments = wire.pack(args)
        # JSON as it would go over the wire: tuples become lists, and the keys texts.
        values = json.loads(json.dumps(packed))
        sent = {"type": "event", "event": event, "args": wire.unpack(values, attachments), "ack": callback}
        answer = self._handle(self._client(namespace), sent)
        if "ack" not in answer:
            return None
        ack = wire.unpack(answer["ack"], answer.get("attachments"))
        return ack[0] if len(ack) == 1 else ack

    def send(self, data: Any, json: bool = False, callback: bool = False, namespace: str | None = None) -> Any:
        """Emits the event ``message``, or ``json``."""
        return self.emit("json" if json else "message", data, callback=callback, namespace=namespace)

    def get_received(self, namespace: str | None = None) -> list[dict[str, Any]]:
        """The events that the client got since the last time."""
        self._client(namespace)
        place = namespace or "/"
        received = [message for message in self.queue if message["namespace"] == place]
        self.queue = [message for message in self.queue if message["namespace"] != place]
        return received

    def _client(self, namespace: str | None) -> LocalClient:
        client = self._bus.clients.get(self._sids.get(namespace or "/", ""))
        if client is None:
            raise RuntimeError("not connected")
        return client

    def _handle(self, client: LocalClient, data: dict[str, Any]) -> dict[str, Any]:
        told = {"namespace": client.namespace, "client_id": client.sid, "rooms": sorted(client.rooms)}
        body, call = self.socketio.server.handle({**told, "session": client.session, **data}, {"flask.app": self.app})
        answer = json.loads(body)
        operations = [{"client": client.sid, **one} if "session" in one else one for one in answer.get("do") or []]
        self._bus.carry_out([json.dumps(one) for one in operations])
        for task in call.afterwards:
            task()
        return answer

    def _end(self, client: LocalClient, reason: str) -> None:
        if self._bus.clients.get(client.sid) is client:
            self._handle(client, {"type": "disconnect", "reason": reason})
            self._bus.clients.pop(client.sid, None)

    def _receive(self, namespace: str, kind: str, message: dict[str, Any]) -> None:
        if kind == "disconnect":
            self._end(self._client(namespace), "server disconnect")
            return
        args: Any = wire.unpack(message["args"], message.get("attachments"))
        name = message["event"]
        if name in ("message", "json"):
            args = args[0] if args else None
        self.queue.append({"name": name, "args": args, "namespace": namespace})
