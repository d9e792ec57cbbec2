"""The exceptions of the package, under the names that python-socketio gives them."""

from __future__ import annotations

from typing import Any


class SocketIOError(Exception):
    """The base of all exceptions here."""


class StoaError(SocketIOError):
    """Stoa refused an operation, or it could not be reached."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class ConnectionError(SocketIOError):  # noqa: A001 - the name of python-socketio
    """A connection was not made."""


class ConnectionRefusedError(ConnectionError):  # noqa: A001 - the name of python-socketio
    """Raised by a ``connect`` handler to turn a client away. The client is shown the arguments."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.error_args: dict[str, Any] = {"message": str(args[0]) if args else "Connection rejected by server"}
        if len(args) == 2:
            self.error_args["data"] = args[1]
        elif len(args) > 2:
            self.error_args["data"] = list(args[1:])


class TimeoutError(SocketIOError):  # noqa: A001 - the name of python-socketio
    """A client did not answer a call in time."""


class ClientGoneError(StoaError, TimeoutError):
    """A call to a client that is not connected, which can therefore give no answer."""


class BadNamespaceError(SocketIOError):
    """A namespace that is not there."""


class DisconnectedError(SocketIOError):
    """A client that has left."""


class NotOnStoaError(SocketIOError, NotImplementedError):
    """A part of the API that cannot be had on Stoa. The message says what to do instead."""
