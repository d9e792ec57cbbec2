"""Python applications on Stoa.

``stoa.flask_socketio`` has the API of Flask-SocketIO, ``stoa.socketio`` that of python-socketio's servers, and
:class:`Emitter` emits from programs that handle nothing.
"""

from .emitter import Emitter
from .exceptions import StoaError
from .version import __version__

__all__ = ["Emitter", "StoaError", "__version__"]
