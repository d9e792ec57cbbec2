"""A Flask application with a handler for each documented behaviour of Flask-SocketIO. The package that it imports is
named by the environment: the rest is the same for both."""

import importlib
import os
import threading

from flask import Flask, request, session

flask_socketio = importlib.import_module(os.environ.get("SOCKETIO_PACKAGE", "flask_socketio"))
Namespace, SocketIO = flask_socketio.Namespace, flask_socketio.SocketIO
ConnectionRefusedError = flask_socketio.ConnectionRefusedError
call, close_room, disconnect, emit = (
    flask_socketio.call,
    flask_socketio.close_room,
    flask_socketio.disconnect,
    flask_socketio.emit,
)
join_room, leave_room, rooms, send = (
    flask_socketio.join_room,
    flask_socketio.leave_room,
    flask_socketio.rooms,
    flask_socketio.send,
)

app = Flask(__name__)
app.config["SECRET_KEY"] = "a secret of this test"
socketio = SocketIO(app, cors_allowed_origins="*", async_mode="threading")


# Pages


@app.route("/ready")
def ready():
    return "ready"


@app.route("/login/<name>")
def login(name):
    session["name"] = name
    return "welcome"


@app.route("/whoami")
def whoami():
    return {"name": session.get("name"), "n": session.get("n")}


@app.route("/tell/<room>")
def tell(room):
    socketio.emit("told", {"by": "page"}, to=room)
    return "told"


@app.route("/tell-all")
def tell_all():
    socketio.send("to all")
    socketio.send({"to": "all"}, json=True)
    return "told"


@app.route("/ask/<sid>")
def ask(sid):
    return {"heard": socketio.call("question", {"n": 20}, to=sid, timeout=10)}


@app.route("/close/<room>")
def close(room):
    socketio.close_room(room)
    return "closed"


@app.route("/background/<room>")
def background(room):
    def work():
        for n in range(5):
            socketio.emit("progress", n, to=room)
            socketio.sleep(0.01)

    socketio.start_background_task(work)
    return "started"


# The life of a client


@socketio.on("connect")
def on_connect(auth):
    said = request.args.get("refuse") or (auth or {}).get("refuse")
    if said == "false":
        return False
    if said == "none":
        raise ConnectionRefusedError()
    if said == "one":
        raise ConnectionRefusedError("not you")
    if said == "two":
        raise ConnectionRefusedError("not you", {"try": "later"})
    if said == "three":
        raise ConnectionRefusedError("not you", 1, "b")
    join_room("everybody")
    emit("greeting", {"sid": request.sid, "auth": auth, "page": request.args.get("page"), "namespace": request.namespace})
    return None


@socketio.on("disconnect")
def on_disconnect(reason):
    emit("left", {"sid": request.sid, "reason": reason, "name": session.get("name")}, to="everybody")


# To whom


@socketio.on("echo")
def echo(*args):
    emit("echoed", args)
    return "done"


@socketio.on("say")
def say(message, options):
    emit("said", message, **options)
    return "done"


@socketio.on("say as message")
def say_as_message(message, options):
    send(message, **options)
    return "done"


@socketio.on("enter")
def enter(room, sid=None):
    join_room(room, sid=sid)
    return sorted(rooms(sid))


@socketio.on("quit")
def quit_room(room, sid=None):
    leave_room(room, sid=sid)
    return sorted(rooms(sid))


@socketio.on("close")
def close_it(room):
    close_room(room)
    return sorted(rooms())


@socketio.on("message")
def on_message(message):
    return ["message", message]


@socketio.on("json")
def on_json(message):
    return ["json", message]


# Acknowledgements


@socketio.on("ack none")
def ack_none():
    pass


@socketio.on("ack one")
def ack_one(value):
    return value


@socketio.on("ack several")
def ack_several(*values):
    return values


@socketio.event
def reverse_bytes(data):
    emit("reversed", {"data": data["data"][::-1], "list": [data["data"], 1]})
    return {"size": len(data["data"]), "data": data["data"]}


@socketio.on("count")
def count():
    session["n"] = session.get("n", 0) + 1
    return {"name": session.get("name"), "n": session["n"]}


@socketio.on("who")
def who():
    return {
        "sid": request.sid,
        "namespace": request.namespace,
        "message": request.event["message"],
        "args": list(request.event["args"]),
        "cookie": request.cookies.get("flavour"),
        "agent": request.headers.get("User-Agent"),
    }


# Calls and callbacks


@socketio.on("call me")
def call_me(n):
    return {"heard": call("question", {"n": n}, timeout=10)}


@socketio.on("call other")
def call_other(sid):
    return {"heard": socketio.call("question", {"n": 5}, to=sid, timeout=10)}


@socketio.on("call in vain")
def call_in_vain():
    try:
        call("nobody answers this", timeout=0.2)
    except Exception as error:
        return type(error).__name__
    return "answered"


@socketio.on("call back")
def call_back(n):
    def heard(*args):
        emit("called back", {"args": list(args), "sid": request.sid})

    emit("question", {"n": n}, callback=heard)


@socketio.on("call several back")
def call_several_back():
    def heard(*args):
        emit("called back", {"args": list(args), "sid": request.sid})

    emit("several questions", callback=heard)


@socketio.on("long work")
def long_work():
    for n in range(3):
        emit("progress", n)
        # The client says that it has seen it, which it can't while nothing is sent before the end.
        seen.setdefault(request.sid, threading.Semaphore(0)).acquire(timeout=20)
    return "done"


@app.route("/seen/<sid>")
def saw(sid):
    seen.setdefault(sid, threading.Semaphore(0)).release()
    return "thanks"


seen = {}


@socketio.on("many")
def many(number):
    for n in range(number):
        emit("numbered", n)
    return number


@socketio.on("from a thread")
def from_a_thread():
    sid = request.sid
    emit("progress", "before")

    def work():
        socketio.emit("progress", "inside", to=sid)

    socketio.start_background_task(work).join()
    emit("progress", "after")


@socketio.on("leave me")
def leave_me():
    disconnect()


@socketio.on("throw out")
def throw_out(sid):
    disconnect(sid=sid)
    return "done"


# Faults


@socketio.on("fail")
def fail(value):
    raise ValueError(value)


@socketio.on_error()
def on_error(error):
    emit("failed", {"where": "/", "error": str(error), "event": request.event["message"]})
    return "the handler failed"


@socketio.on_error_default
def on_any_error(error):
    emit("failed", {"where": "default", "error": str(error), "namespace": request.namespace})
    return "some handler failed"


# Other namespaces


@socketio.on("connect", namespace="/chat")
def on_chat():
    if request.args.get("refuse") == "chat":
        return False


@socketio.on("enter", namespace="/chat")
def enter_chat(room):
    join_room(room)
    return sorted(rooms())


@socketio.on("say", namespace="/chat")
def say_chat(message, options):
    emit("said", {"chat": message}, **options)
    return "done"


@socketio.on("across", namespace="/chat")
def across(message):
    emit("said", {"across": message}, namespace="/", to="everybody")
    return "done"


@socketio.on("fail", namespace="/chat")
def fail_chat(value):
    raise ValueError(value)


@socketio.on("count", namespace="/chat")
def count_chat():
    session["n"] = session.get("n", 0) + 100
    return session["n"]


@socketio.on("*", namespace="/any")
def anything(event, *args):
    return [event, *args]


class Board(Namespace):
    def on_connect(self, auth=None):
        join_room("board")
        self.emit("joined", {"auth": auth}, room=request.sid)

    def on_disconnect(self, reason):
        self.emit("gone", {"reason": reason}, room="board")

    def on_draw(self, x, y):
        self.emit("drawn", {"x": x, "y": y}, include_self=False)
        emit("kept", [x, y])
        return x, y

    def on_shout(self, text):
        self.send(text)
        return "done"

    def on_count(self):
        session["n"] = session.get("n", 0) + 1
        return session["n"]


socketio.on_namespace(Board("/board"))


def added(a, b):
    return a + b


socketio.on_event("add", added)
