"""Emitters of every age of python-socketio, and Flask-SocketIO's `message_queue`, on a real Redis: each in a process of its
own, as a worker that knows no Stoa."""

import os
import pathlib
import pickle
import queue
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from conftest import PATIENCE, Client, Restartable

EMITTERS = pathlib.Path(__file__).resolve().parents[1] / ".emitters"
OLD = ["5.14.0", "5.14.2", "5.15.0"]
NOW = "current"
REDIS = shutil.which("redis-server") or shutil.which("valkey-server")


class Redis:
    def __init__(self, *settings):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [REDIS, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *settings],
            stdout=subprocess.DEVNULL,
            cwd="/tmp",
        )
        self.url = f"redis://127.0.0.1:{self.port}"
        until("Redis answers", lambda: self.command("PING") == "+PONG")

    def command(self, *words):
        """One command, and the first line of its answer; none while nobody answers."""
        parts = [word if isinstance(word, bytes) else word.encode() for word in words]
        text = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
                connection.sendall(text)
                return connection.makefile().readline().strip()
        except OSError:
            return None

    def stop(self):
        self.process.kill()
        self.process.wait()


def until(what, look):
    ends = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < ends, f"waited in vain: {what}"
        time.sleep(0.01)
    return found


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.stop()


def figure(stoa, start):
    with urllib.request.urlopen(f"{stoa.url}/metrics", timeout=PATIENCE) as response:
        lines = response.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start))


@pytest.fixture
def bus(redis):
    """Starts a Stoa on the bus."""
    started = []

    def start(**settings):
        env = {f"STOA_BUS__{key.upper()}": value for key, value in settings.items()}
        server = Restartable({"STOA_BUS__URL": redis.url, **env})
        started.append(server)
        until("the bus is there", lambda: figure(server, "stoa_bus_connected") > 0)
        return server

    yield start
    for server in started:
        server.stop()


class Watcher:
    """A browser's place: it keeps what came, with all arguments."""

    def __init__(self, stoa, rooms=()):
        self.came = queue.Queue()
        self.client = Client()
        self.client.on("*", lambda name, *args: self.came.put((name, list(args))))
        self.client.on("connection_established", lambda hello: self.came.put(("connection_established", [hello])))
        self.client.connect(stoa.url, auth={"rooms": list(rooms)}, transports=["websocket"])
        self.id = self.next("connection_established")[0]["client_id"]

    def next(self, name):
        while True:
            event, args = self.came.get(timeout=PATIENCE)
            if event == name:
                return args

    def close(self):
        self.client.disconnect()


def worker(version, script, *args):
    """Runs a script with this version of python-socketio."""
    env = dict(os.environ)
    if version != NOW:
        folder = EMITTERS / version
        assert folder.is_dir(), f"{folder} is not there: make deps"
        env["PYTHONPATH"] = str(folder)
    ran = subprocess.run(
        [sys.executable, "-c", script, *args], env=env, capture_output=True, text=True, timeout=PATIENCE
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


EMIT = """
import importlib.metadata, json, socketio, sys
url, channel, calls = sys.argv[1:]
manager = socketio.RedisManager(url, channel=channel, write_only=True)
for args, options in eval(calls):
    manager.emit(*args, **options)
print(importlib.metadata.version("python-socketio"))
"""


def emit(version, redis, calls, channel="socketio"):
    said = worker(version, EMIT, redis.url, channel, repr(calls))
    assert version == NOW or said.strip() == version, said


@pytest.mark.parametrize("version", [*OLD, "5.15.1", "5.16.0", NOW])
def test_what_each_age_emits_comes_out_as_it_was_emitted(version, redis, bus):
    is_old = version in OLD
    stoa = bus(python_data="raw") if is_old else bus()
    inside, outside = Watcher(stoa, ["project:p1"]), Watcher(stoa)
    # The old ones write a tuple as a list, and nobody can tell it from one.
    several = [[1, "two"]] if is_old else [1, "two"]
    calls = [
        (("e", {"id": 1, "type": "t"}), {}, [{"id": 1, "type": "t"}]),
        (("e", "text"), {}, ["text"]),
        (("e", None), {}, []),
        (("e", [1, [2]]), {}, [[1, [2]]]),
        (("e", (1, "two")), {}, several),
        (("e", 7), {"room": "project:p1"}, [7]),
        (("e", 8), {"room": inside.id}, [8]),
    ]
    if version != "5.14.0":
        calls += [
            (("e", b"\x00\xff"), {}, [b"\x00\xff"]),
            (("e", {"a": b"1", "b": [b"2"]}), {}, [{"a": b"1", "b": [b"2"]}]),
        ]
    emit(version, redis, [call[:2] for call in calls])
    for args, options, expected in calls:
        assert inside.next("e") == expected, args
        if not options:
            assert outside.next("e") == expected, args
    emit(version, redis, [(("e", "skip"), {"skip_sid": inside.id}), (("e", "end"), {})])
    assert inside.next("e") == ["end"]
    assert [outside.next("e"), outside.next("e")] == [["skip"], ["end"]]
    inside.close()
    outside.close()


def test_several_rooms_are_one_union(redis, bus):
    stoa = bus()
    watcher = Watcher(stoa, ["project:p1", "project:p2"])
    calls = [(("e", 1), {"room": ["project:p1", "project:p2"]}), (("e", 2), {})]
    emit(NOW, redis, calls)
    assert [watcher.next("e"), watcher.next("e")] == [[1], [2]]
    watcher.close()


def test_a_pickle_is_never_read(redis, bus, tmp_path):
    stoa = bus()
    watcher = Watcher(stoa)
    emit("5.13.0", redis, [(("e", 1), {})] * 3)
    made = tmp_path / "made"

    class Bomb:
        def __reduce__(self):
            return (open, (str(made), "w"))

    for protocol in range(2, 6):
        assert redis.command("PUBLISH", "socketio", pickle.dumps(Bomb(), protocol)) == ":1"
    until("all are counted", lambda: figure(stoa, 'stoa_bus_refused_total{reason="pickle"}') == 7)
    assert not made.exists()
    pickle.loads(pickle.dumps(Bomb()))
    assert made.exists(), "it would have run"
    emit(NOW, redis, [(("e", "after"), {})])
    assert watcher.next("e") == ["after"]
    watcher.close()


FLASK = """
import sys
from flask_socketio import SocketIO
socketio = SocketIO(message_queue=sys.argv[1])
socketio.emit("progress", {"percent": 50}, to="project:p1")
socketio.emit("several", ("a", {"b": 1}))
socketio.emit("bytes", b"123", namespace="/")
socketio.send("hello")
socketio.send({"json": 1}, json=True)
"""


def test_a_worker_with_flask_socketio(redis, bus):
    stoa = bus()
    watcher = Watcher(stoa, ["project:p1"])
    worker(NOW, FLASK, redis.url)
    assert watcher.next("progress") == [{"percent": 50}]
    assert watcher.next("several") == ["a", {"b": 1}]
    assert watcher.next("bytes") == [b"123"]
    assert watcher.next("message") == ["hello"]
    assert watcher.next("json") == [{"json": 1}]
    watcher.close()


ASYNC = """
import asyncio, socketio, sys
async def main():
    manager = socketio.AsyncRedisManager(sys.argv[1], write_only=True)
    for n in range(100):
        await manager.emit("n", n)
    await manager.redis.aclose()
asyncio.run(main())
"""


def test_the_asynchronous_manager_keeps_its_order(redis, bus):
    stoa = bus()
    watcher = Watcher(stoa)
    worker(NOW, ASYNC, redis.url)
    assert [watcher.next("n") for _ in range(100)] == [[n] for n in range(100)]
    watcher.close()


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1, which vouches for itself."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        + ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
        + ["-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
        check=True,
        capture_output=True,
    )
    return tmp_path


def test_encrypted_by_a_socket_and_with_a_password(certificate):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        tls_port = free.getsockname()[1]
    path = certificate / "redis.sock"
    redis = Redis(
        *("--tls-port", str(tls_port), "--tls-auth-clients", "no", "--unixsocket", str(path)),
        *("--tls-cert-file", str(certificate / "cert.pem"), "--tls-key-file", str(certificate / "key.pem")),
    )
    try:
        assert redis.command("CONFIG", "SET", "requirepass", "pass word") == "+OK"
        urls = {
            f"rediss://:pass%20word@127.0.0.1:{tls_port}": 1,
            f"unix://{path}?pass=pass%20word": 1,
            f"redis://:wrong@127.0.0.1:{redis.port}": 0,
        }
        for url, connects in urls.items():
            stoa = Restartable({"STOA_BUS__URL": url, "SSL_CERT_FILE": str(certificate / "cert.pem")})
            try:
                if connects:
                    until(url, lambda: figure(stoa, "stoa_bus_connected") > 0)
                else:
                    until(url, lambda: figure(stoa, 'stoa_breaker_failures_total{part="bus"}') > 0)
                    assert figure(stoa, "stoa_bus_connected") == 0
            finally:
                stoa.stop()
    finally:
        redis.stop()
