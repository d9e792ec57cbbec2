"""A Flask application that knows its users by the session's cookie, and has never heard of tokens."""

import importlib
import os

from flask import Flask, session

flask_socketio = importlib.import_module(os.environ.get("SOCKETIO_PACKAGE", "flask_socketio"))
emit, join_room = flask_socketio.emit, flask_socketio.join_room

app = Flask(__name__)
app.config["SECRET_KEY"] = "a secret of this test"
socketio = flask_socketio.SocketIO(app, cors_allowed_origins="*", async_mode="threading")


@app.route("/ready")
def ready():
    return "ready"


@app.route("/login/<name>")
def login(name):
    session["user"] = name
    return name


@app.route("/tell/<room>/<text>")
def tell(room, text):
    socketio.emit("told", text, to=room)
    return text


@socketio.on("connect")
def on_connect():
    if "user" not in session:
        return False
    # Only on Stoa: the rooms, bans and lists of users know the client, too.
    if hasattr(flask_socketio, "set_user"):
        flask_socketio.set_user(session["user"])
    join_room("members")
    emit("welcome", session["user"])
    return None


@socketio.on("whoami")
def on_whoami():
    return session["user"]
