"""Python applications and agents on Stoa.

``stoa.flask_socketio`` has the API of Flask-SocketIO, ``stoa.socketio`` that of python-socketio's servers, and
:class:`Emitter` emits from programs that handle nothing. :func:`emit` publishes events of agents, from a thread of its
own, and raises nothing; :func:`ask` waits for a person's answer; :func:`agent`, :func:`task` and :func:`tool` tell of own code.
"""

from .emitter import Emitter
from .exceptions import StoaError
from .sending import emit, flush, stats
from .telling import AnswerTimeoutError, agent, artifact, ask, ask_async, block, decide, handoff, progress, say, task, think, tool, usage
from .version import __version__
from .watching import Watched, tee, watch

__all__ = [
    "AnswerTimeoutError",
    "Emitter",
    "StoaError",
    "Watched",
    "__version__",
    "agent",
    "artifact",
    "ask",
    "ask_async",
    "block",
    "decide",
    "emit",
    "flush",
    "handoff",
    "progress",
    "say",
    "stats",
    "task",
    "tee",
    "think",
    "tool",
    "usage",
    "watch",
]
