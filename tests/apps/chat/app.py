from flask import Flask, render_template, request, session
from flask_socketio import ConnectionRefusedError, SocketIO, disconnect, emit, join_room, leave_room

app = Flask(__name__)
app.config["SECRET_KEY"] = "change me"
socketio = SocketIO(app, cors_allowed_origins="*", max_http_buffer_size=5_000_000)

LOBBY = "lobby"
# name -> {"sid": …, "room": …}
people = {}


@app.route("/")
def index():
    return render_template("index.html")


@app.route("/people")
def who_is_here():
    return {name: person["room"] for name, person in people.items()}


@app.route("/announce", methods=["POST"])
def announce():
    """The operator's button: everybody sees it."""
    socketio.emit("announcement", {"text": request.get_data(as_text=True)})
    return "", 204


def show_people(room):
    here = sorted(name for name, person in people.items() if person["room"] == room)
    emit("people", {"room": room, "people": here}, to=room)


@socketio.on("connect")
def on_connect(auth):
    name = ((auth or {}).get("name") or "").strip()
    if not name:
        raise ConnectionRefusedError("choose a name")
    if name in people:
        raise ConnectionRefusedError("this name is taken", {"name": name})
    session["name"] = name
    people[name] = {"sid": request.sid, "room": LOBBY}
    join_room(LOBBY)
    emit("welcome", {"name": name, "room": LOBBY})
    show_people(LOBBY)


@socketio.on("disconnect")
def on_disconnect(reason):
    person = people.pop(session.get("name"), None)
    if person:
        emit("left", {"name": session["name"], "reason": reason}, to=person["room"])
        show_people(person["room"])


@socketio.on("join")
def on_join(room):
    name = session["name"]
    before = people[name]["room"]
    leave_room(before)
    people[name]["room"] = room
    show_people(before)
    join_room(room)
    show_people(room)
    return {"room": room}


@socketio.on("say")
def on_say(text):
    if not text.strip():
        raise ValueError("a message has to say something")
    message = {"from": session["name"], "text": text}
    emit("said", message, to=people[session["name"]]["room"])
    return {"length": len(text)}


@socketio.on("typing")
def on_typing(is_typing):
    room = people[session["name"]]["room"]
    emit("typing", {"name": session["name"], "typing": is_typing}, to=room, include_self=False)


@socketio.on("private")
def on_private(to, text):
    sender, me = request.sid, session["name"]
    if to not in people:
        return {"error": f"{to} is not here"}

    def seen(by):
        emit("seen", {"by": by, "text": text}, to=sender)

    emit("private", {"from": me, "text": text}, to=people[to]["sid"], callback=seen)
    return {"sent": True}


@socketio.on("picture")
def on_picture(data, name):
    emit("picture", {"from": session["name"], "name": name, "data": data}, to=people[session["name"]]["room"])
    return len(data)


@socketio.on("leave")
def on_leave():
    disconnect()


@socketio.on_error_default
def on_error(error):
    emit("problem", str(error))
    return {"error": str(error)}


if __name__ == "__main__":
    socketio.run(app, port=5000, allow_unsafe_werkzeug=True)
