"""The way of `stoa.emit`: bounded, never in the way, the same ids again, and all ends of a process."""

import collections
import dataclasses
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

from conftest import PATIENCE, ROOT, Restartable, Stoa

SOURCES = str(ROOT / "clients/python/src")
sys.path.insert(0, SOURCES)

from stoa.sending.options import Options  # noqa: E402
from stoa.sending.sender import Sender  # noqa: E402


@pytest.fixture(scope="module")
def server():
    here = Stoa()
    yield here
    here.stop()


def sender(url, **env):
    """A sender of its own, which does not hold up the end of the tests."""
    given = {"STOA_URL": url, "STOA_EXIT_TIMEOUT": "0", "STOA_SERVICE": "tests", **env}
    return Sender(Options(given))


def events(url, **query):
    """All events of the history that a query asks for, oldest first."""
    found = []
    words = "&".join(f"{key}={value}" for key, value in query.items())
    cursor = ""
    while True:
        with urllib.request.urlopen(f"{url}/api/v1/events?limit=500&{words}{cursor}", timeout=PATIENCE) as answer:
            page = json.load(answer)
        found += page["events"]
        if not page.get("next"):
            return found
        cursor = f"&after={page['next']}"


class Scripted:
    """An HTTP server that answers by a function of the lines, and notes each body."""

    def __init__(self, answer):
        self.bodies = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                lines = [json.loads(line) for line in body.splitlines()]
                outer.bodies.append(lines)
                status, said, *headers = answer(lines, len(outer.bodies), body)
                if status is None:
                    self.close_connection = True
                    return
                said = json.dumps(said).encode()
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def scripted():
    made = []

    def make(answer):
        made.append(Scripted(answer))
        return made[-1]

    yield make
    for each in made:
        each.close()


def taken(lines):
    return 202, {"accepted": len(lines), "duplicates": 0, "rejected": []}


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@dataclasses.dataclass
class Point:
    x: int
    y: float


class Odd:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


def test_events_arrive_in_order_with_any_values(server):
    here = sender(server.url)
    round_ = []
    round_.append(round_)
    ids = [here.emit("odd.first", {"n": n}, project_id="order") for n in range(1_200)]
    values = {
        "nan": float("nan"), "inf": [float("-inf")], "surrogate": "a\ud83db", "bytes": b"123", "set": {1}, "big": 1 << 80,
        "point": Point(1, 2.5), "odd": Odd(), "round": round_, "type": Odd, "fault": ValueError("bad"), 7: "seven",
        "long": "x" * 100_000, "many": list(range(10_000)), "deep": json.loads("[" * 60 + "]" * 60), "none": None,
    }  # fmt: skip
    ids.append(here.emit("odd.values", values, project_id="order"))
    ids.append(here.emit("odd.object", Point(1, 2), project_id="order"))
    ids.append(here.emit("odd.last", {f"k{n}": "x" * 2_000 for n in range(100)}, project_id="order"))
    assert here.flush(PATIENCE)
    assert here.stats()["sent"] == len(ids) and here.stats()["rejected"] == here.stats()["dropped"] == 0
    kept = events(server.url, project_id="order")
    assert [event["id"] for event in kept] == ids
    data = kept[-3]["data"]
    assert data["nan"] == "nan" and data["surrogate"] == "a?b" and data["bytes"] == "<3 bytes>" and data["set"] == [1]
    assert data["point"] == {"x": 1, "y": 2.5} and data["odd"] == "<Odd>" and data["fault"] == "bad" and data["7"] == "seven"
    assert len(data["long"]) == 2_000 and data["many"][-1] == "… 9900 more"
    assert kept[-2]["data"] == {"x": 1, "y": 2}


def test_a_server_that_is_away_misses_nothing():
    server = Restartable({"STOA_JOURNAL__KIND": "memory"})
    try:
        url = server.url
        here = sender(url)
        before = here.emit("away.before", {})
        assert here.flush(PATIENCE)
        port = server.port
        server.stop()
        ids = [here.emit("away.meanwhile", {"n": n}) for n in range(300)]
        assert not here.flush(0.3)
        assert here.stats()["queued"] == 300 and here.stats()["failures"] > 0
        server.now = Stoa(port)
        assert here.flush(PATIENCE)
        assert [event["id"] for event in events(url, type="away.meanwhile")] == ids
        assert before not in ids and here.stats()["dropped"] == 0
    finally:
        server.stop()


def test_a_lost_answer_brings_the_same_ids_and_no_event_twice(server, scripted):
    def answer(lines, number, body):
        request = urllib.request.Request(
            f"{server.url}/api/v1/events", body, {"Content-Type": "application/x-ndjson"}
        )
        said = json.load(urllib.request.urlopen(request, timeout=PATIENCE))
        return (None, None) if number == 1 else (202, said)

    between = scripted(answer)
    here = sender(between.url)
    ids = [here.emit("lost.answer", {"n": n}) for n in range(20)]
    assert here.flush(PATIENCE)
    assert [line["id"] for body in between.bodies for line in body][:20] == ids
    assert len(between.bodies) >= 2 and between.bodies[0] == between.bodies[1]
    assert [event["id"] for event in events(server.url, type="lost.answer")] == ids


def test_a_server_that_hangs_holds_up_nobody():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        here = sender(f"http://127.0.0.1:{sock.getsockname()[1]}", STOA_QUEUE="50")
        for n in range(1_000):
            here.emit("hang.on", {"n": n})
        assert not here.flush(0.1)
        stats = here.stats()
        assert stats["queued"] + stats["dropped"] == 1_000 and stats["queued"] <= 100


def test_busy_servers_are_asked_again_when_they_say(scripted):
    when = []

    def answer(lines, number, body):
        when.append(time.monotonic())
        if number == 1:
            return 503, {"error": {"code": "overloaded", "message": "later"}}, ("Retry-After", "1")
        if number == 2:
            return 429, {}
        if number == 3:
            refused = [{"index": 1, "error": {"code": "overloaded", "message": "later"}}]
            return 202, {"accepted": 1, "duplicates": 0, "rejected": refused}
        return taken(lines)

    busy = scripted(answer)
    here = sender(busy.url)
    ids = [here.emit("busy", {}), here.emit("busy", {})]
    until(lambda: len(busy.bodies) >= 1)
    here.flush(PATIENCE)
    assert [[line["id"] for line in body] for body in busy.bodies] == [ids, ids, ids, ids[1:]]
    assert when[1] - when[0] >= 1 and here.stats()["sent"] == 2 and here.stats()["failures"] == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_stops_it_and_is_said_once(scripted, caplog, status):
    closed = scripted(lambda lines, number, body: (status, {"error": {"code": "unauthorized", "message": "no token"}}))
    here = sender(closed.url)
    for n in range(3):
        here.emit("no.token", {"n": n})
    until(lambda: here.stats()["stopped"])
    for n in range(3):
        here.emit("no.token", {"n": n})
    assert here.flush(PATIENCE)
    assert here.stats()["dropped"] == 6 and here.stats()["dropped_by_type"] == {"no.token": 6}
    assert len(closed.bodies) == 1
    assert ["STOA_TOKEN" in record.message for record in caplog.records] == [True]


def test_a_full_queue_gives_up_pieces_of_text_first_and_tells_later():
    server = Restartable()
    try:
        url, port = server.url, server.port
        server.stop()
        here = sender(url, STOA_QUEUE="100", STOA_LINGER_MS="1")
        here.emit("first", {})
        until(lambda: here.stats()["failures"])
        for n in range(60):
            here.emit("task.started", {"task_id": f"t{n}"})
            here.emit("agent.message.appended", {"message_id": "m", "content": "word"})
            here.emit("some.note", {"n": n})
            here.emit("task.failed", {"task_id": f"t{n}", "error": "x"})
        assert here.stats()["dropped_by_type"] == {
            "agent.message.appended": 60,
            "some.note": 60,
            # The oldest of those that are kept longest.
            "task.started": 10,
            "task.failed": 10,
        }
        server.now = Stoa(port)
        assert here.flush(PATIENCE)
        until(lambda: here.flush(PATIENCE) and here.stats()["sent"] >= 102)
        kept = collections.Counter(event["type"] for event in events(url))
        assert kept == {"first": 1, "task.started": 50, "task.failed": 50, "system.client.dropped": 1}
        told = events(url, type="system.client.dropped")[0]["data"]
        assert told["count"] == 140 == here.stats()["dropped"] and told["since"]
    finally:
        server.stop()


def test_the_bytes_of_the_queue_are_bounded_too():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    here = sender(f"http://127.0.0.1:{port}", STOA_QUEUE_BYTES="100000")
    for _ in range(300):
        here.emit("some.note", {"text": "x" * 1_900})
    with here._lock:
        assert here._waiting.bytes <= 100_000
    assert here.stats()["dropped"] > 0


def test_a_batch_that_is_too_large_is_halved(scripted):
    small = scripted(lambda lines, number, body: (413, {}) if len(lines) > 3 else taken(lines))
    here = sender(small.url)
    ids = [here.emit("large", {"n": n}) for n in range(20)]
    assert here.flush(PATIENCE)
    assert [line["id"] for body in small.bodies if len(body) <= 3 for line in body] == ids
    assert here.stats()["sent"] == 20
    one = scripted(lambda lines, number, body: (413, {}))
    here = sender(one.url)
    here.emit("large", {})
    assert here.flush(PATIENCE)
    assert here.stats()["rejected"] == 1 and len(one.bodies) == 1


def test_refused_events_are_counted_and_the_others_arrive(server):
    here = sender(server.url)
    here.emit("not a type", {})
    here.emit("good.type", {}, project_id="refusals")
    assert here.flush(PATIENCE)
    assert here.stats()["rejected"] == 1 and here.stats()["sent"] == 1 and "not a type" in here.stats()["last_error"]
    assert len(events(server.url, project_id="refusals")) == 1


@pytest.mark.parametrize("content", ["none", "preview", "full"])
def test_as_much_of_texts_goes_out_as_is_wanted(scripted, content):
    where = scripted(lambda lines, number, body: taken(lines))
    here = sender(where.url, STOA_CONTENT=content)
    here.emit("tool.completed", {"tool_name": "search", "args": {"q": "x" * 900}, "result": "y" * 900})
    assert here.flush(PATIENCE)
    data = where.bodies[0][0]["data"]
    assert data["tool_name"] == "search"
    if content == "none":
        assert set(data) == {"tool_name"}
    else:
        assert len(data["result"]) == (500 if content == "preview" else 900)
        assert len(json.dumps(data["args"])) < 600 if content == "preview" else len(data["args"]["q"]) == 900


def test_before_send_changes_and_leaves_out_and_may_fail(scripted):
    where = scripted(lambda lines, number, body: taken(lines))
    here = sender(where.url)

    def hook(event):
        if event["data"].get("n") == 1:
            return None
        if event["data"].get("n") == 2:
            raise RuntimeError("oh")
        event["data"]["secret"] = "***"
        return event

    here.options.before_send = hook
    for n in range(4):
        here.emit("hooked", {"n": n, "secret": "word"})
    assert here.flush(PATIENCE)
    sent = [line["data"] for body in where.bodies for line in body if line["type"] == "hooked"]
    assert sent == [{"n": 0, "secret": "***"}, {"n": 3, "secret": "***"}]
    assert here.stats()["dropped"] == 1


def test_unreadable_settings_and_addresses_raise_nothing(caplog):
    options = Options({"STOA_QUEUE": "many", "STOA_LINGER_MS": "-1", "STOA_CONTENT": "some", "STOA_URL": "ftp://x"})
    assert (options.queue, options.linger, options.content) == (10_000, 0.05, "preview")
    assert sorted(record.args[0] for record in caplog.records if record.args)[0:2]
    here = Sender(options)
    here.emit("nowhere", {})
    until(lambda: here.stats()["stopped"])
    assert "ftp://x" in here.stats()["last_error"]
    off = sender("http://127.0.0.1:1", STOA_DISABLED="1")
    assert off.emit("nothing", {}) is None and off.stats()["queued"] == 0


ENDS = {
    "plain": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "exception": ("raise ValueError('x')", 1),
    "fork": (
        "pid = os.fork()\nif not pid:\n    [stoa.emit(kind, {'child': n}) for n in range(100)]\n    sys.exit(0)\nos.waitpid(pid, 0)",
        0,
    ),
    "multiprocessing fork": ("start('fork')", 0),
    "multiprocessing spawn": ("start('spawn')", 0),
    "a thread that emits": (
        "t = threading.Thread(target=lambda: [stoa.emit(kind, {'child': n}) for n in range(100)]); t.start(); t.join()",
        0,
    ),
}
PROGRAM = """
import multiprocessing, os, signal, sys, threading
# A shell's background job ignores it from birth.
signal.signal(signal.SIGINT, signal.default_int_handler)
import stoa
kind = os.environ["KIND"]

def work():
    for n in range(100):
        stoa.emit(kind, {"child": n})

def start(method):
    child = multiprocessing.get_context(method).Process(target=work)
    child.start()
    child.join()

if __name__ == "__main__":
    for n in range(1000):
        stoa.emit(kind, {"n": n})
    #END
"""


def program(path, url, kind, end):
    path.write_text(PROGRAM.replace("#END", end.replace("\n", "\n    ")))
    env = {**os.environ, "PYTHONPATH": SOURCES, "STOA_URL": url, "KIND": kind, "STOA_EXIT_TIMEOUT": str(PATIENCE)}
    return subprocess.Popen(
        [sys.executable, str(path)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("name", ENDS)
def test_all_is_kept_at_the_end_of_a_process(server, tmp_path, name):
    end, code = ENDS[name]
    kind = "end." + name.replace(" ", "_")
    ended = program(tmp_path / "program.py", server.url, kind, end)
    _, said = ended.communicate(timeout=PATIENCE)
    assert ended.returncode == code, said
    children = 100 if "child" in end or "start(" in end else 0
    kept = events(server.url, type=kind)
    assert len(kept) == len({event["id"] for event in kept}) == 1_000 + children


@pytest.mark.parametrize("word, code", [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, -signal.SIGINT)])
def test_all_is_kept_when_a_signal_ends_it(server, tmp_path, word, code):
    kind = f"end.signal_{int(word)}"
    end = "print('ready', flush=True)\nwhile True: threading.Event().wait(1)"
    ended = program(tmp_path / "program.py", server.url, kind, end)
    assert ended.stdout.readline() == "ready\n"
    ended.send_signal(word)
    ended.communicate(timeout=PATIENCE)
    assert ended.returncode == code
    assert len(events(server.url, type=kind)) == 1_000


def test_a_handler_of_the_programs_own_stays(server, tmp_path):
    end = (
        "import signal\nprint(signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL, flush=True)\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\nstoa.emit(kind, {})\nprint('ready', flush=True)\n"
        "while True: threading.Event().wait(1)"
    )
    ended = program(tmp_path / "program.py", server.url, "end.own", end)
    assert [ended.stdout.readline(), ended.stdout.readline()] == ["True\n", "ready\n"]
    ended.terminate()
    ended.communicate(timeout=PATIENCE)
    assert ended.returncode == 9
    assert len(events(server.url, type="end.own")) == 1_001


def test_a_process_ends_though_the_server_hangs(tmp_path):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        path = tmp_path / "program.py"
        path.write_text("import stoa\nstoa.emit('last.word')\n")
        env = {**os.environ, "PYTHONPATH": SOURCES, "STOA_EXIT_TIMEOUT": "0.3"}
        env["STOA_URL"] = f"http://127.0.0.1:{sock.getsockname()[1]}"
        ended = subprocess.run([sys.executable, str(path)], env=env, timeout=PATIENCE, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr


def test_what_a_fork_may_find_half_done_is_there_before(tmp_path):
    # The parent's thread is the first to look a name up; a child that is forked in the middle of that would never send.
    program = "import sys, stoa\nassert 'encodings.idna' in sys.modules and 'stringprep' in sys.modules\n"
    env = {**os.environ, "PYTHONPATH": SOURCES}
    done = subprocess.run([sys.executable, "-c", program], env=env, timeout=PATIENCE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
