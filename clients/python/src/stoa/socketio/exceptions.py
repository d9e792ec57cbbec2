"""The exceptions, where python-socketio has them."""

from ..exceptions import (
    BadNamespaceError,
    ClientGoneError,
    ConnectionError,
    ConnectionRefusedError,
    DisconnectedError,
    NotOnStoaError,
    SocketIOError,
    StoaError,
    TimeoutError,
)

__all__ = [
    "BadNamespaceError",
    "ClientGoneError",
    "ConnectionError",
    "ConnectionRefusedError",
    "DisconnectedError",
    "NotOnStoaError",
    "SocketIOError",
    "StoaError",
    "TimeoutError",
]
