import os
import subprocess
import sys
import uuid

from flask import Flask, render_template, request
from flask_socketio import SocketIO, emit, join_room

app = Flask(__name__)
socketio = SocketIO(app, message_queue=os.environ.get("REDIS_URL", "redis://localhost:6379"), cors_allowed_origins="*")

jobs = {}


@app.route("/")
def index():
    return render_template("index.html")


@app.route("/jobs", methods=["POST"])
def start():
    job = uuid.uuid4().hex[:8]
    jobs[job] = int(request.form.get("steps", 5))
    socketio.emit("new job", {"job": job, "steps": jobs[job]})
    return {"job": job}


@socketio.on("watch")
def watch(job):
    join_room(f"job {job}")
    emit("watching", {"job": job})
    # The first who watches has it begin, and misses nothing.
    steps = jobs.pop(job, None)
    if steps is not None:
        subprocess.Popen([sys.executable, os.path.join(app.root_path, "worker.py"), job, str(steps)])
    return steps is not None


if __name__ == "__main__":
    socketio.run(app, port=5000, allow_unsafe_werkzeug=True)
