"""A Flask-SocketIO server that sends everybody what it is given: `flask_server.py threading|gevent PORT`."""

import sys

MODE, PORT = sys.argv[1], int(sys.argv[2])

if MODE == "gevent":
    from gevent import monkey

    monkey.patch_all()

from flask import Flask  # noqa: E402
from flask_socketio import SocketIO  # noqa: E402

app = Flask(__name__)
# Handlers of one client run in turn: in threads of their own, updates would pass each other.
socketio = SocketIO(app, async_mode=MODE, async_handlers=False)


@socketio.on("publish")
def publish(data):
    socketio.emit("update", data)


socketio.run(app, host="127.0.0.1", port=PORT, allow_unsafe_werkzeug=True)
