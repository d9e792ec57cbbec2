"""Python applications and agents on Stoa.

``stoa.flask_socketio`` has the API of Flask-SocketIO, ``stoa.socketio`` that of python-socketio's servers, and
:class:`Emitter` emits from programs that handle nothing. :func:`emit` publishes events of agents, from a thread of its
own, and raises nothing.
"""

from .emitter import Emitter
from .exceptions import StoaError
from .sending import emit, flush, stats
from .version import __version__

__all__ = ["Emitter", "StoaError", "__version__", "emit", "flush", "stats"]
