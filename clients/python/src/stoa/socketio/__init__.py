"""The API of python-socketio's servers, on Stoa."""

from ..exceptions import (
    BadNamespaceError,
    ConnectionError,
    ConnectionRefusedError,
    DisconnectedError,
    SocketIOError,
    TimeoutError,
)
from . import exceptions
from .apps import ASGIApp, WSGIApp
from .async_server import AsyncServer
from .namespace import AsyncNamespace, Namespace
from .server import Server

__all__ = [
    "ASGIApp",
    "AsyncNamespace",
    "AsyncServer",
    "BadNamespaceError",
    "ConnectionError",
    "ConnectionRefusedError",
    "DisconnectedError",
    "Namespace",
    "Server",
    "SocketIOError",
    "TimeoutError",
    "WSGIApp",
    "exceptions",
]
