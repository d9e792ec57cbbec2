"""The applications of tests/apps with real clients: as they stand, and moved to Stoa by their imports alone."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import pytest
import socketio as python_socketio

from conftest import BINARY, PATIENCE
from drop_in.apps import flask, moved, on_stoa, original, uvicorn
from drop_in.peer import Peer
from drop_in.servers import SOURCES, environment, get

ON = ["original", "stoa"]


def served(name, kind, command, folder, env=None, **options):
    if kind == "original":
        server = original(name, command, folder, env)
    else:
        server = on_stoa(name, command, folder, env, **options)
    try:
        get(server.pages)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module", params=ON)
def chat(request, tmp_path_factory):
    yield from served("chat", request.param, flask(), tmp_path_factory.mktemp("chat"))


@pytest.fixture(scope="module", params=ON)
def votes(request, tmp_path_factory):
    namespaces = ["/voters", "/screen"]
    yield from served("votes", request.param, uvicorn(), tmp_path_factory.mktemp("votes"), namespaces=namespaces)


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    if not shutil.which("redis-server"):
        pytest.fail("redis-server is not installed: make system-deps")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path_factory.mktemp("redis"))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until = time.monotonic() + PATIENCE
    while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    yield f"redis://127.0.0.1:{port}"
    process.terminate()
    process.wait(PATIENCE)


@pytest.fixture(scope="module", params=ON)
def jobs(request, redis, tmp_path_factory):
    # On Stoa there is nothing at the queue's address.
    queue = redis if request.param == "original" else "redis://127.0.0.1:9"
    yield from served("jobs", request.param, flask(), tmp_path_factory.mktemp("jobs"), {"REDIS_URL": queue})


@pytest.fixture
def enter():
    made = []

    def enter(server, **options):
        made.append(Peer(server.url, **options))
        return made[-1]

    yield enter
    for one in made:
        one.close()


def test_people_chat(chat, enter):
    ada = enter(chat, auth={"name": "ada"})
    assert ada.next("welcome") == {"name": "ada", "room": "lobby"}
    assert ada.next("people") == {"room": "lobby", "people": ["ada"]}
    bob = enter(chat, auth={"name": "bob"}, answers={"private": lambda message: "bob"})
    assert [who.next("people")["people"] for who in (ada, bob)] == [["ada", "bob"]] * 2
    for auth, said in [
        (None, {"message": "choose a name"}),
        ({"name": "ada"}, {"message": "this name is taken", "data": {"name": "ada"}}),
    ]:
        refused = Peer(chat.url, connect=False)
        with pytest.raises(python_socketio.exceptions.ConnectionError):
            refused.connect(chat.url, auth=auth)
        assert refused.refused == [said]

    # Typing is shown to the others alone.
    ada.emit("typing", True)
    assert bob.next("typing") == {"name": "ada", "typing": True}
    assert ada.call("say", "hello") == {"length": 5}
    assert [who.next("said") for who in (ada, bob)] == [{"from": "ada", "text": "hello"}] * 2
    assert ada.names("typing") == []

    # Rooms.
    assert bob.call("join", "kitchen") == {"room": "kitchen"}
    assert ada.next("people") == {"room": "lobby", "people": ["ada"]}
    assert bob.next("people") == {"room": "kitchen", "people": ["bob"]}
    ada.call("say", "anybody?")
    bob.call("say", "I am in the kitchen")
    assert bob.next("said") == {"from": "bob", "text": "I am in the kitchen"}
    assert ada.next("said") == {"from": "ada", "text": "anybody?"}
    assert bob.names("said") == []

    # A private message is receipted by who has read it.
    assert ada.call("private", "bob", "psst") == {"sent": True}
    assert ada.next("seen") == {"by": "bob", "text": "psst"}
    assert ada.call("private", "eve", "psst") == {"error": "eve is not here"}

    # Pictures.
    picture = os.urandom(40_000)
    assert bob.call("picture", picture, "cat.png") == 40_000
    assert bob.next("picture") == {"from": "bob", "name": "cat.png", "data": picture}
    assert ada.names("picture") == []

    # Faults, pages and leaving.
    assert ada.call("say", " ") == {"error": "a message has to say something"}
    assert ada.next("problem") == "a message has to say something"
    urllib.request.urlopen(urllib.request.Request(f"{chat.pages}/announce", b"closing soon"), timeout=PATIENCE).close()
    assert [who.next("announcement") for who in (ada, bob)] == [{"text": "closing soon"}] * 2
    assert json.loads(get(f"{chat.pages}/people")[0]) == {"ada": "lobby", "bob": "kitchen"}
    bob.call("join", "lobby")
    assert ada.next("people")["people"] == ["ada", "bob"]
    bob.emit("leave")
    assert ada.next("left") == {"name": "bob", "reason": "server disconnect"}
    assert ada.next("people")["people"] == ["ada"]
    assert bob.gone.wait(PATIENCE)


def test_a_worker_reports_to_the_dashboard(jobs, enter):
    a, b = enter(jobs), enter(jobs)
    started = urllib.request.Request(f"{jobs.pages}/jobs", urllib.parse.urlencode({"steps": 20}).encode())
    with urllib.request.urlopen(started, timeout=PATIENCE) as answer:
        job = json.load(answer)["job"]
    assert [who.next("new job") for who in (a, b)] == [{"job": job, "steps": 20}] * 2
    assert a.call("watch", job) is True
    assert a.next("watching") == {"job": job}
    assert [a.next("progress")["step"] for _ in range(20)] == list(range(1, 21))
    assert len(a.next("result")["digest"]) == 32
    assert [who.next("job done") for who in (a, b)] == [{"job": job}] * 2
    # They watch by themselves.
    assert b.names("progress", "result") == []


def test_voters_vote(votes, enter):
    screen = enter(votes, namespace="/screen")
    assert screen.next("result") == {"tea": 0, "coffee": 0}
    there = {"are you there?": lambda *_: "yes"}
    ada = enter(votes, namespace="/voters", auth={"name": "ada"}, answers=there)
    bob = enter(votes, namespace="/voters", auth={"name": "bob"}, answers=there)
    assert ada.next("question") == bob.next("question") == {"text": "Tea or coffee?", "choices": ["tea", "coffee"]}
    nameless = Peer(votes.url, "/voters", connect=False)
    with pytest.raises(python_socketio.exceptions.ConnectionError):
        nameless.connect(votes.url)
    assert nameless.refused == [{"message": "voters have a name"}]

    assert ada.call("vote", "tea") == (True, "tea")
    assert screen.next("result") == {"tea": 1, "coffee": 0}
    assert bob.call("vote", "milk") == (False, "milk is no choice")
    assert bob.call("vote", "tea") == (True, "tea")
    assert ada.next("also") == {"name": "bob"}
    assert bob.names("also") == []
    assert screen.next("result") == {"tea": 2, "coffee": 0}
    assert ada.call("mine") == {"name": "ada", "voted": "tea"}

    assert screen.call("poke", ada.sid) == "yes"
    screen.emit("count down", 5)
    assert [screen.next("tick") for _ in range(6)] == [5, 4, 3, 2, 1, 0]

    bob.say_goodbye()
    assert screen.next("result") == {"tea": 1, "coffee": 0}
    assert screen.call("ask", "Cake?", ["yes", "no"]) == 2
    assert ada.next("question") == {"text": "Cake?", "choices": ["yes", "no"]}
    assert screen.next("result") == {"yes": 0, "no": 0}


def children(process):
    """The process ids of a process' children."""
    found = []
    for task in os.listdir(f"/proc/{process.pid}/task"):
        # A thread may have ended meanwhile.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{process.pid}/task/{task}/children") as file:
            found += file.read().split()
    return found


def lives(process_id):
    """Whether a process is there and has not ended."""
    try:
        with open(f"/proc/{process_id}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def no_way_through(port, victim):
    """Nobody gets by the development server to what Stoa has for programs of its machine."""
    operations = json.dumps({"operations": [{"client": victim.client.get_sid()}]})
    within = (
        "POST /api/v1/operations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(operations)}\r\n\r\n{operations}"
    )
    split = "%20HTTP/1.1%0d%0aHost:%20localhost%0d%0a%0d%0aGET%20/api/v1/state%20HTTP/1.1%0d%0aHost:%20localhost%0d%0aX:"
    for target, further in [
        # No key: Stoa makes no WebSocket of it, so nothing more is carried.
        ("/socket.io/?EIO=4&transport=websocket", ""),
        (f"/socket.io/{split}", ""),
        (f"/socket.io/?EIO=4&transport=websocket{split}", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==\r\n"),
    ]:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
            head = f"GET {target} HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{further}\r\n"
            sock.sendall(head.encode())
            said = sock.recv(65536)
            with contextlib.suppress(OSError):
                sock.sendall(within.encode())
                sock.shutdown(socket.SHUT_WR)
                while part := sock.recv(65536):
                    said += part
        assert said.count(b"HTTP/1.") == 1, said
        assert b"results" not in said and b"agents" not in said, said
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/socket.io/?EIO=4&transport=polling", timeout=PATIENCE) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("ends_by", ["terminate", "kill"])
def test_run_serves_pages_and_clients_at_one_address(ends_by, tmp_path, enter):
    there = moved("chat", tmp_path)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    script = f"import app; app.socketio.run(app.app, port={port}, allow_unsafe_werkzeug=True)"
    env = environment(STOA_BINARY=BINARY, PYTHONPATH=SOURCES)
    for name in ("STOA_URL", "STOA_SECRET"):
        env.pop(name, None)
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen([sys.executable, "-c", script], cwd=there, env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + PATIENCE
        while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
            assert process.poll() is None and time.monotonic() < until, (tmp_path / "log").read_text()
            time.sleep(0.05)
        here = type("Here", (), {"url": f"http://127.0.0.1:{port}"})
        assert "<title>Chat</title>" in get(f"{here.url}/")[0]
        ada = enter(here, auth={"name": "ada"}, transports=["websocket"])
        bob = enter(here, auth={"name": "bob"}, transports=["polling"])
        both = enter(here, auth={"name": "both"})
        picture = os.urandom(50_000)
        assert bob.call("picture", picture, "cat.png") == 50_000
        for one in (ada, bob, both):
            assert one.next("picture")["data"] == picture
        assert json.loads(get(f"{here.url}/people")[0]) == {"ada": "lobby", "bob": "lobby", "both": "lobby"}
        no_way_through(port, ada)
        (stoa,) = children(process)
        for one in (ada, bob, both):
            one.close()
    finally:
        getattr(process, ends_by)()
        process.wait(PATIENCE)
    until = time.monotonic() + PATIENCE
    while lives(stoa):
        assert time.monotonic() < until, "Stoa lives on"
        time.sleep(0.02)
