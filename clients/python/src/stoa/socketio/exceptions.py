"""The exceptions, where python-socketio has them."""

from ..exceptions import (
    BadNamespaceError,
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
    "ConnectionError",
    "ConnectionRefusedError",
    "DisconnectedError",
    "NotOnStoaError",
    "SocketIOError",
    "StoaError",
    "TimeoutError",
]
