"""The examples of the package's page, as they stand."""

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from flask import Flask

from conftest import BINARY, PATIENCE, ROOT, Client
from drop_in.servers import SECRET, SOURCES, OnStoa, environment, get

PAGE = (ROOT / "clients/python/README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def block(language, word):
    (code,) = [code for kind, code in BLOCKS if kind == language and word in code]
    return code


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return str(sock.getsockname()[1])


IMPORT = re.search(r"^\+(from .*)$", block("diff", "flask_socketio"), re.MULTILINE)[1]
# An application as its users have it, with the line that the page changes.
APP = f"""
from flask import Flask, session
{IMPORT}

app = Flask(__name__)
app.secret_key = "a secret"
socketio = SocketIO(app, cors_allowed_origins="*")

@app.route("/login/<name>")
def login(name):
    session["name"] = name
    return name

@socketio.on("connect")
def connect():
    if "name" not in session:
        return False
    join_room("job:7")

@socketio.on("say", namespace="/")
def say(text):
    emit("said", text, broadcast=True)
    return session["name"]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/stoa").symlink_to(BINARY)
    return tmp_path


class Both:
    """The commands of the page's production, at ports of their own, in a group of processes of their own."""

    def __init__(self, folder):
        self.ports = {"5000": free_port(), "8000": free_port()}
        lines = (block("sh", "gunicorn") + block("sh", "stoa serve")).splitlines()
        started = [f"{line} &" if line.startswith("STOA_") else line for line in lines]
        script = "\n".join([*started, "echo SECRET=$SECRET", "wait"])
        for shown, real in self.ports.items():
            script = script.replace(f"127.0.0.1:{shown}", f"127.0.0.1:{real}")
        path = os.pathsep.join([str(folder / "bin"), os.path.dirname(sys.executable), os.environ["PATH"]])
        env = environment(PATH=path, STOA_SERVER__PORT=self.ports["8000"], STOA_JOURNAL__KIND="memory")
        self.log = folder / "log"
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", script], cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.pages, self.url = (f"http://127.0.0.1:{self.ports[port]}" for port in ("5000", "8000"))
        try:
            self.until(lambda: get(f"{self.pages}/login/anna"))
            self.until(lambda: get(f"{self.url}/healthz"))
            self.secret = re.search(r"^SECRET=(.+)$", self.log.read_text(), re.MULTILINE)[1]
        except BaseException:
            self.stop()
            raise

    def until(self, done):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return done()
            except OSError:
                assert time.monotonic() < end and self.process.poll() is None, self.log.read_text()
                time.sleep(0.05)

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(PATIENCE)


def test_production_as_the_page_says_it(folder):
    both = Both(folder)
    client, heard = Client(), queue.Queue()
    client.on("said", heard.put)
    client.on("progress", heard.put)
    try:
        with pytest.raises(Exception, match="failed to connect"):
            Client().connect(both.url)
        client.connect(both.url, headers={"Cookie": get(f"{both.pages}/login/anna")[1]})
        assert client.call("say", "hello", timeout=PATIENCE) == "anna"
        assert heard.get(timeout=PATIENCE) == "hello"
        # A worker, which only emits.
        env = environment(STOA_URL=both.url, STOA_SECRET=both.secret)
        subprocess.run([sys.executable, "-c", block("python", "Emitter")], env=env, check=True, timeout=PATIENCE)
        assert heard.get(timeout=PATIENCE) == {"job": 7, "done": 0.5}
    finally:
        client.disconnect()
        both.stop()


def test_the_asynchronous_server_of_the_page(tmp_path):
    (tmp_path / "app.py").write_text(block("python", "AsyncServer"))
    command = [sys.executable, "-m", "uvicorn", "--fd", "{fd}", "--log-level", "warning", "app:app"]
    server = OnStoa("app:app", command, cwd=tmp_path)
    one, other, asked = Client(), Client(), queue.Queue()
    other.on("asked", asked.put)
    try:
        for client in (one, other):
            client.connect(server.url)
        assert one.call("ask", "why?", timeout=PATIENCE) == "4 characters"
        assert asked.get(timeout=PATIENCE) == "why?"
    finally:
        one.disconnect()
        other.disconnect()
        server.stop()


def test_the_test_client_of_the_page(monkeypatch):
    monkeypatch.syspath_prepend(SOURCES)
    from stoa.flask_socketio import SocketIO

    app = Flask(__name__)
    socketio = SocketIO(app, secret=SECRET)
    socketio.on_event("ask", lambda question: f"{len(question)} characters")
    exec(block("python", "test_client"), {"app": app, "socketio": socketio})


def test_the_page_names_settings_and_commands_that_there_are():
    config = (ROOT / "config.toml").read_text()
    for section, keys in re.findall(r"^\| `\[(\w+)\] ([^|]+) \|", PAGE, re.MULTILINE):
        table = config.split(f"\n[{section}]\n")[1].split("\n[")[0]
        for key in re.findall(r"`(\w+)`|^(\w+)`", keys.split(";")[0]):
            assert re.search(rf"^#? ?{''.join(key)} = ", table, re.MULTILINE), (section, key)
    for script in (code for kind, code in BLOCKS if kind == "sh"):
        subprocess.run(["bash", "-n", "-c", script], check=True)
        for target in re.findall(r"\bmake (\w+)", script):
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
