"""Servers under test: an application on the package that it was written for, and on Stoa."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import urllib.request

from conftest import PATIENCE, ROOT, Stoa

HERE = os.path.dirname(__file__)
SOURCES = str(ROOT / "clients/python/src")
SECRET = "a secret of thirty-two bytes or more"


def listening():
    """A socket that listens, so that its address is known before the program that will serve it runs."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(64)
    sock.set_inheritable(True)
    return sock


def environment(**further):
    paths = [SOURCES, HERE, os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1", **further}


def get(url, cookie=None):
    """The text of a page, and the cookie that it sets."""
    request = urllib.request.Request(url, headers={"Cookie": cookie} if cookie else {})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return answer.read().decode(), (answer.headers.get("Set-Cookie") or "").split(";")[0]


class Program:
    """A program on a socket, ended by its own process id."""

    def __init__(self, command, sock, env, cwd=HERE):
        self.log = tempfile.NamedTemporaryFile("w+", prefix="stoa-drop-in-")
        self.process = subprocess.Popen(
            command, cwd=cwd, env=env, pass_fds=[sock.fileno()], stdout=self.log, stderr=subprocess.STDOUT
        )
        sock.close()

    def said(self):
        self.log.flush()
        with open(self.log.name) as file:
            return file.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=PATIENCE)
        self.log.close()


class Original:
    """An application on the package that it was written for: pages and clients at one address."""

    def __init__(self, app="table_app:app", command=None, env=None, cwd=HERE):
        sock = listening()
        self.pages = self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        fd = str(sock.fileno())
        command = [part.replace("{fd}", fd) for part in command or [sys.executable, f"{HERE}/serve.py", app, "{fd}"]]
        self.program = Program(command, sock, environment(**(env or {})), cwd)

    def stop(self):
        self.program.stop()


class OnStoa:
    """The same application on Stoa: clients at Stoa's address, pages at the application's."""

    def __init__(self, app="table_app:app", command=None, env=None, stoa=None, namespaces=(), cwd=HERE, prepare=None):
        sock = listening()
        self.pages = f"http://127.0.0.1:{sock.getsockname()[1]}"
        self.stoa = Stoa(
            env={
                "STOA_BACKEND__URL": f"{self.pages}/stoa",
                "STOA_BACKEND__SECRET": SECRET,
                "STOA_BACKEND__OVERRIDE": '["*"]',
                "STOA_BACKEND__TIMEOUT": "60",
                "STOA_NAMESPACES__DECLARED": json.dumps(list(namespaces)),
                **(stoa or {}),
            }
        )
        self.url = self.stoa.url
        if prepare:
            prepare(self.url)
        fd = str(sock.fileno())
        command = [part.replace("{fd}", fd) for part in command or [sys.executable, f"{HERE}/serve.py", app, "{fd}"]]
        ours = {"STOA_URL": self.url, "STOA_SECRET": SECRET, "SOCKETIO_PACKAGE": "stoa.flask_socketio", **(env or {})}
        self.program = Program(command, sock, environment(**ours), cwd)

    def stop(self):
        self.program.stop()
        self.stoa.stop()
