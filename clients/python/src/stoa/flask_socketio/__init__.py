"""The API of Flask-SocketIO 5, on Stoa."""

from ..exceptions import ConnectionRefusedError
from .context import call, close_room, disconnect, emit, join_room, leave_room, rooms, send, set_user
from .extension import SocketIO
from .namespace import Namespace
from .test_client import SocketIOTestClient

__all__ = [
    "ConnectionRefusedError",
    "Namespace",
    "SocketIO",
    "SocketIOTestClient",
    "call",
    "close_room",
    "disconnect",
    "emit",
    "join_room",
    "leave_room",
    "rooms",
    "send",
    "set_user",
]
