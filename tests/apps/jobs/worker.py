"""A worker, as Celery or RQ run them: a process of its own, which knows the queue only."""

import hashlib
import os
import sys

from flask_socketio import SocketIO

socketio = SocketIO(message_queue=os.environ.get("REDIS_URL", "redis://localhost:6379"))


def work(job, steps):
    digest = hashlib.sha256()
    for step in range(1, steps + 1):
        digest.update(os.urandom(1 << 16))
        socketio.emit("progress", {"job": job, "step": step, "of": steps}, to=f"job {job}")
    socketio.emit("result", {"job": job, "digest": digest.digest()}, to=f"job {job}")
    socketio.emit("job done", {"job": job})


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]))
