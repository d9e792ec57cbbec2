"""The parts that a server and an asynchronous one have in common."""

from __future__ import annotations

import builtins
import logging
import re
from typing import Any, Callable, Iterator

from .. import endpoint, names, wire
from ..environ import environ, request_of
from ..exceptions import ConnectionRefusedError, NotOnStoaError, StoaError
from ..handlers import NOT_HANDLED, Handlers, fitting
from ..http import Http
from ..operations import Call, Operations
from ..settings import Settings

log = logging.getLogger("stoa")

#: The names that Stoa takes for users.
USER = re.compile(r"[A-Za-z0-9_.:@|+=-]{1,128}")


class Reason:
    """The reasons for which a client leaves."""

    SERVER_DISCONNECT = "server disconnect"
    CLIENT_DISCONNECT = "client disconnect"
    PING_TIMEOUT = "ping timeout"
    TRANSPORT_CLOSE = "transport close"
    TRANSPORT_ERROR = "transport error"


class Manager:
    """The questions about clients that applications ask a manager."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def get_participants(self, namespace: str, room: Any) -> Iterator[tuple[str, str]]:
        """The clients in a room, each as two ids, which are the same here."""
        asked = {"members": wire.room_name(room), "namespace": namespace}
        for client in self._operations.ask(asked).get("members") or []:
            yield client, client

    def is_connected(self, sid: str, namespace: str) -> bool:
        """Whether a client is there."""
        try:
            self._operations.ask({"client": sid, "namespace": namespace})
        except StoaError:
            return False
        return True

    def __getattr__(self, name: str) -> Any:
        raise NotOnStoaError(
            f"Stoa manages the clients, so manager.{name} is not here: ask server.rooms(sid) or "
            f"server.manager.get_participants(namespace, room)"
        )


class BaseServer:
    """Handlers, settings and the forms of operations."""

    reason = Reason
    is_async = False

    def __init__(self, **options: Any) -> None:
        self.settings = Settings(options)
        self.handlers = Handlers()
        self.operations = Operations(Http(self.settings.url, self.settings.secret), self.settings.send_ahead_ms)
        self.manager = Manager(self.operations)
        self.async_mode = "asgi" if self.is_async else "threading"
        self.logger = self.settings.logger if isinstance(self.settings.logger, logging.Logger) else log
        self.not_handled = NOT_HANDLED
        #: The patterns of Stoa's own events that it asks this application about first, as far as is known here.
        self.override = names.override_given()
        self._is_warned = False

    # Handlers

    def on(self, event: str, handler: Callable[..., Any] | None = None, namespace: str | None = None) -> Any:
        """Registers a handler for an event, as a decorator or with the handler given."""

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self.handlers.add(event, function, namespace)
            return function

        return register if handler is None else register(handler)

    def event(self, *args: Any, **options: Any) -> Any:
        """Registers a handler for the event with the function's own name."""
        if len(args) == 1 and not options and callable(args[0]):
            return self.on(args[0].__name__)(args[0])
        return lambda handler: self.on(handler.__name__, *args, **options)(handler)

    def register_namespace(self, namespace: Any) -> None:
        """Registers a class-based namespace."""
        if not hasattr(namespace, "_set_server"):
            raise ValueError("Not a namespace instance")
        if namespace.is_asyncio_based() != self.is_async:
            raise ValueError("Not a valid namespace class for this server")
        namespace._set_server(self)
        self.handlers.classes[namespace.namespace] = namespace

    def is_asyncio_based(self) -> bool:
        """Whether handlers may be coroutines."""
        return self.is_async

    def serves(self, namespace: str) -> bool:
        """Whether clients may connect to a namespace."""
        named = self.settings.namespaces
        return named == "*" or namespace in named or self.handlers.serves(namespace)

    def set_user(self, sid: str, user: str) -> None:
        """Says which user a client is, in its connect handler: it has the room ``user:{user}`` from then on."""
        call = self._own(sid)
        if call is None or call.type != "connect":
            raise RuntimeError("set_user() is for the connect handler of the client: later its user is settled")
        if not USER.fullmatch(user):
            raise ValueError("a user is 1 to 128 of A-Z a-z 0-9 _ . : @ | + = -")
        call.user = user

    # The clients of calls

    def _begin(self, data: dict[str, Any], server: dict[str, Any] | None) -> Call:
        call = Call(data, self.operations)
        call.data["server"] = server
        if call.type == "connect":
            if not self._is_warned:
                # Now all handlers are registered, and it is settled who runs Stoa.
                self._is_warned = True
                names.warn(self.handlers, self.override)
            call.session = {"request": request_of(data)}
            call.session_changed = True
        return call

    def _arguments(self, call: Call) -> tuple[Any, ...]:
        """The arguments of a call's handlers."""
        if call.type == "connect":
            return call.client, self._environ_of(call), call.data.get("auth") or None
        if call.type == "disconnect":
            return call.client, call.data.get("reason") or Reason.CLIENT_DISCONNECT
        return (call.client, *call.data["args"])

    def _environ_of(self, call: Call) -> dict[str, Any]:
        # One dictionary for a call: applications keep things of their own in it.
        if "environ" not in call.data:
            call.data["environ"] = environ(call.session.get("request") or {}, call.data["server"])
        return call.data["environ"]

    def _own(self, sid: str) -> Call | None:
        """The call that runs here, if it is of this client."""
        call = self.operations.call()
        return call if call is not None and call.client == sid else None

    @staticmethod
    def _fitting(handler: Callable[..., Any], event: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments without those that older handlers do not take: ``auth`` of connect, the reason of disconnect."""
        if event == "connect" and args[-1] is None or event == "disconnect":
            return fitting(handler, args, args[:-1])
        return args

    def _answer(self, call: Call, value: Any) -> dict[str, Any]:
        """The parts of the answer that a handler's value makes."""
        if call.type == "connect":
            return endpoint.refusal(ConnectionRefusedError()) if value is False else {}
        if call.type == "disconnect":
            return {}
        if value is NOT_HANDLED:
            return {"unhandled": True}
        return endpoint.result(value, bool(call.data.get("ack")), self.settings.json)

    def _refused(self, call: Call, error: BaseException) -> dict[str, Any]:
        """The parts of the answer of a handler that raised."""
        if isinstance(error, (ConnectionRefusedError, builtins.ConnectionRefusedError)):
            if isinstance(error, ConnectionRefusedError):
                return endpoint.refusal(error, self.settings.json)
            return {"refuse": {"message": "Connection refused by server"}}
        event = call.data.get("event") or call.type
        self.logger.error("the handler of %r on %s failed", event, call.namespace, exc_info=error)
        return endpoint.failure(event)

    @staticmethod
    def _unserved() -> dict[str, Any]:
        return {"refuse": {"message": "Unable to connect"}}

    # Operations

    def _emission(
        self, event: str, data: Any, to: Any, skip_sid: Any, namespace: str | None
    ) -> dict[str, Any]:
        return wire.emission(
            event,
            wire.arguments(data),
            to=to,
            skip=skip_sid,
            namespace=namespace or "/",
            json=self.settings.json,
        )

    def _question(self, event: str, data: Any, client: str, namespace: str | None, timeout: float) -> dict[str, Any]:
        packed, attachments = wire.pack(wire.arguments(data), self.settings.json)
        call: dict[str, Any] = {"client": client, "event": event, "args": packed, "timeout_ms": int(timeout * 1000)}
        if attachments:
            call["attachments"] = attachments
        if namespace and namespace != "/":
            call["namespace"] = namespace
        return {"call": call}

    @staticmethod
    def _membership(kind: str, sid: str, room: Any, namespace: str | None) -> dict[str, Any]:
        return {kind: wire.room_name(room), "client": sid, "namespace": namespace or "/"}

    @staticmethod
    def _heard(result: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(wire.unpack(result.get("args"), result.get("attachments")))


def one_or_all(args: tuple[Any, ...]) -> Any:
    """The value of an acknowledgement: one argument is itself, several are a tuple, none is ``None``."""
    return args if len(args) > 1 else args[0] if args else None
