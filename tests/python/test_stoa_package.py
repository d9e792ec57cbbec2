"""The package of `clients/python` by itself: its endpoint, its signature, its way out of band, and its test client."""

import asyncio
import http.server
import json
import logging
import re
import subprocess
import sys
import threading
import time
import zipfile

import pytest
from flask import Flask, request, session

from conftest import PATIENCE, ROOT

sys.path.insert(0, str(ROOT / "clients/python/src"))

import stoa  # noqa: E402
from stoa import names, signature, wire  # noqa: E402
from stoa.flask_socketio import ConnectionRefusedError, Namespace, SocketIO, emit, join_room, rooms, set_user  # noqa: E402
from stoa.socketio import ASGIApp, AsyncNamespace, AsyncServer, Server, WSGIApp  # noqa: E402
from stoa.socketio.exceptions import NotOnStoaError, StoaError  # noqa: E402

SECRET = "a secret of thirty-two bytes or more"


class Recorder:
    """An HTTP server that keeps what is posted to it."""

    def __init__(self):
        recorder = self
        self.posts, self.connections, self.news = [], 0, threading.Condition()
        self.close_after_answer = False
        self.results = lambda operation: {"status": "ok"}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                recorder.connections += 1

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                operations = json.loads(body)["operations"]
                with recorder.news:
                    recorder.posts.append((dict(self.headers), body, operations))
                    recorder.news.notify_all()
                said = json.dumps({"results": [recorder.results(one) for one in operations]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)
                # The server closes without saying so, as one does whose patience with a quiet connection is at an end.
                self.close_connection = recorder.close_after_answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def operations(self, number):
        """The operations so far, when there are so many."""
        with self.news:
            assert self.news.wait_for(lambda: sum(len(post[2]) for post in self.posts) >= number, PATIENCE)
            return [operation for post in self.posts for operation in post[2]]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def recorder():
    recorder = Recorder()
    yield recorder
    recorder.stop()


def application(url="http://127.0.0.1:9", **options):
    app = Flask(__name__)
    app.secret_key = "a secret"
    return app, SocketIO(app, stoa_url=url, secret=SECRET, **options)


def post(app, body, secret=SECRET, headers=None, path="/stoa"):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = signature.sign(secret, raw) if headers is None else headers
    answer = app.test_client().post(path, data=raw, headers=signed)
    return answer.status_code, answer.get_json()


def event(name, *args, **further):
    return {"type": "event", "client_id": "c1", "namespace": "/", "event": name, "args": list(args), "ack": True, **further}


# The endpoint


def test_the_endpoint_takes_signed_and_fresh_calls_only():
    app, socketio = application()
    socketio.on_event("hello", lambda: "hi")
    assert post(app, event("hello")) == (200, {"ack": ["hi"]})
    for headers, word in [
        ({}, "missing"),
        (signature.sign("another secret of thirty-two bytes", b"{}"), "does not fit"),
        ({signature.TIMESTAMP: "soon", signature.SIGNATURE: "v1=00"}, "seconds since 1970"),
        (signature.sign(SECRET, b"{}", time.time() - 301), "old"),
        (signature.sign(SECRET, b"{}", time.time() + 360), "old"),
    ]:
        status, said = post(app, b"{}", headers=headers)
        assert status == 401 and word in said["error"]["message"], said
    body = json.dumps(event("hello")).encode()
    signed = signature.sign(SECRET, body)
    assert post(app, body.replace(b"c1", b"c2"), headers=signed)[0] == 401
    both = {**signed, signature.SIGNATURE: "v1=0000, " + signed[signature.SIGNATURE]}
    assert post(app, body, headers=both)[0] == 200


def test_without_a_secret_nobody_is_let_in(monkeypatch):
    monkeypatch.delenv("STOA_SECRET", raising=False)
    app = Flask(__name__)
    SocketIO(app)
    status, said = post(app, event("hello"), secret="")
    assert status == 503 and "STOA_SECRET" in said["error"]["message"]


@pytest.mark.parametrize(
    "body", [b"nothing", b"[]", b"{}", b'{"type":"event","client_id":"c"}', b'{"type":"other","client_id":"c"}',
             b'{"type":"event","client_id":"c","event":"e","args":[{"_placeholder":true,"num":3}],"attachments":["AA=="]}',
             b'{"type":"event","client_id":"c","event":"e","args":[],"attachments":["?"]}',
             b'{"type":"event","client_id":"c","event":"e","args":{"a":1}}',
             b'{"type":"event","client_id":"c","event":"e","rooms":7}', b'{"type":"event","client_id":"c","event":"e","rooms":[7]}',
             b'{"type":"connect","client_id":"c","session":[]}',
             b'{"type":"event","client_id":"c","event":"e","args":[' + b"[" * 900 + b"]" * 900 + b'],"attachments":["AA=="]}',
             b'{"type":"event","client_id":"c","event":"e","args":[' + b"[" * 200_000 + b"]" * 200_000 + b"]}"])
def test_a_body_that_is_no_call_is_refused(body):
    app, _ = application()
    status, said = post(app, body)
    assert status == 400 and said["error"]["message"]


def test_headers_are_judged_before_a_body_is_read():
    sio = AsyncServer(secret=SECRET, max_call_bytes=1000, async_mode="asgi")
    body = json.dumps(event("x")).encode()

    def status(headers):
        reads = 0

        async def receive():
            nonlocal reads
            reads += 1
            return {"type": "http.request", "body": body}

        said = []

        async def send(message):
            said.append(message)

        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": "/stoa", "headers": raw}
        asyncio.run(ASGIApp(sio)(scope, receive, send))
        return said[0]["status"], reads

    signed = {**signature.sign(SECRET, body), "Content-Length": str(len(body))}
    assert status(signed) == (200, 1)
    assert status({"Content-Length": "5"}) == (401, 0)
    assert status({**signed, **signature.sign(SECRET, body, time.time() - 400)}) == (401, 0)
    assert status({**signed, signature.SIGNATURE: "v1=00"}) == (401, 1)
    for length, expected in [("\u00b2", 411), ("1" * 5000, 411), ("-1", 411), ("1001", 413)]:
        assert status({**signed, "Content-Length": length}) == (expected, 0)


def test_a_body_in_many_parts_is_read_in_time_that_grows_with_its_bytes():
    sio = AsyncServer(secret=SECRET, async_mode="asgi")
    left, joined = 40_000, b"x" * 100

    async def receive():
        nonlocal left
        left -= 1
        return {"type": "http.request", "body": joined, "more_body": left > 0}

    said = []

    async def send(message):
        said.append(message)

    headers = {**signature.sign(SECRET, b""), "Content-Length": str(left * len(joined))}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/stoa", "headers": raw}
    before = time.process_time()
    asyncio.run(ASGIApp(sio)(scope, receive, send))
    assert said[0]["status"] == 401 and left == 0
    # To copy what came before with each part takes 80 GB of copies.
    assert time.process_time() - before < 3


def test_other_methods_and_paths(recorder):
    app, _ = application(stoa_path="/hooks/stoa")
    app.add_url_rule("/", view_func=lambda: "a page")
    assert app.test_client().get("/hooks/stoa").status_code == 405
    assert app.test_client().get("/").text == "a page"
    assert post(app, event("x"), path="/hooks/stoa") == (200, {"unhandled": True})
    assert post(app, event("x"))[0] == 404


def test_operations_go_with_the_answer_in_their_order():
    app, socketio = application()

    @socketio.on("do")
    def do(data):
        emit("one", data)
        join_room("r")
        emit("two", (1, 2), to=["r", "s"], include_self=False)
        session["n"] = (1, 2)
        return data, rooms()

    call = event("do", {"_placeholder": True, "num": 0}, attachments=["AAE="], rooms=["c1"])
    assert post(app, call) == (
        200,
        {
            "ack": [{"_placeholder": True, "num": 0}, ["c1", "r"]],
            "attachments": ["AAE="],
            "do": [
                {"emit": {"event": "one", "args": [{"_placeholder": True, "num": 0}], "attachments": ["AAE="], "rooms": ["c1"]}},
                {"join": "r", "client": "c1", "namespace": "/"},
                {"emit": {"event": "two", "args": [1, 2], "rooms": ["r", "s"], "except": ["c1"]}},
                {"session": {"flask": '{"n":{" t":[1,2]}}'}},
            ],
        },
    )


def test_the_session_keeps_the_request_and_the_fork_of_flasks_session():
    app, socketio = application()
    seen = []

    @socketio.on("connect")
    def connect(auth):
        seen.append((auth, request.args["a"], request.cookies["b"], request.remote_addr, session.get("name")))
        session["name"] = "ada"

    @socketio.on("again")
    def again():
        seen.append((request.args["a"], request.headers["User-Agent"], session["name"]))

    connected = {
        "type": "connect",
        "client_id": "c1",
        "namespace": "/",
        "auth": {"x": 1},
        "query": {"a": "1"},
        "headers": {"cookie": "b=2", "user-agent": "tests"},
        "address": "192.0.2.7:1234",
    }
    status, said = post(app, connected)
    kept = said["do"][-1]["session"]
    assert status == 200 and seen == [({"x": 1}, "1", "2", "192.0.2.7", None)]
    assert post(app, event("again", session=kept)) == (200, {"ack": []})
    assert seen[-1] == ("1", "tests", "ada")


def test_refusals_failures_and_unhandled_events(caplog):
    app, socketio = application()

    @socketio.on("connect")
    def connect():
        if request.args.get("how") == "raise":
            raise ConnectionRefusedError("no", {"why": b"\x00"})
        return False

    def connected(namespace="/", **further):
        return {"type": "connect", "client_id": "c1", "namespace": namespace, **further}

    socketio.on_event("broken", lambda: 1 // 0)
    assert post(app, connected()) == (200, {"refuse": {"message": "Connection rejected by server"}})
    refused = post(app, connected(query={"how": "raise"}))[1]["refuse"]
    assert refused["message"] == "no"
    assert post(app, connected("/nobody")) == (200, {"refuse": {"message": "Unable to connect"}})
    assert post(app, event("unheard of")) == (200, {"unhandled": True})
    assert post(app, event("connect")) == (200, {"unhandled": True})
    status, said = post(app, event("broken"))
    assert status == 200 and "'broken'" in said["refuse"]["message"] and "Zero" not in json.dumps(said)
    assert "ZeroDivisionError" in caplog.text


# Out of band


def test_outside_of_handlers_operations_are_posted_and_signed(recorder):
    _, socketio = application(recorder.url)
    for n in range(3):
        socketio.emit("tick", n, to="r", skip_sid="c9", namespace="/jobs")
    socketio.close_room("r")
    operations = recorder.operations(4)
    ids = [operation["emit"].pop("id") for operation in operations[:3]]
    assert len(set(ids)) == 3
    assert operations == [
        *({"emit": {"event": "tick", "args": [n], "rooms": ["r"], "except": ["c9"], "namespace": "/jobs"}} for n in range(3)),
        {"close_room": "r", "namespace": "/"},
    ]
    headers, body, _ = recorder.posts[0]
    assert signature.fault(SECRET, headers[signature.TIMESTAMP], headers[signature.SIGNATURE], body) is None
    assert recorder.connections == 1


def test_a_kept_connection_that_was_closed_is_opened_again(recorder):
    recorder.close_after_answer = True
    emitter = stoa.Emitter(recorder.url, SECRET)
    for n in range(20):
        emitter.emit("tick", n)
    assert [operation["emit"]["args"] for operation in recorder.operations(20)] == [[n] for n in range(20)]
    assert recorder.connections == 20


def test_many_threads_share_an_emitter(recorder):
    emitter = stoa.Emitter(recorder.url, SECRET)
    threads = [threading.Thread(target=lambda t=t: [emitter.emit("tick", t, n) for n in range(20)]) for t in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = [operation["emit"]["args"] for operation in recorder.operations(160)]
    for t in range(8):
        assert [n for by, n in said if by == t] == list(range(20))


def test_a_handler_that_takes_long_is_heard_before_it_ends(recorder):
    app, socketio = application(recorder.url)

    @socketio.on("work")
    def work():
        for n in range(3):
            emit("progress", n)
            # Nothing but the operations that are sent ahead lets the handler go on.
            recorder.operations(n + 1)
        emit("progress", 3)

    said = post(app, event("work"))[1]
    ahead = [operation["emit"]["args"] for operation in recorder.operations(3)]
    assert ahead == [[0], [1], [2]]
    assert [one["emit"]["args"] for one in said["do"] if "emit" in one] == [[3]]


def test_operations_about_a_client_that_has_left_are_posted(recorder):
    app, socketio = application(recorder.url)
    socketio.on_event("disconnect", lambda reason: emit("left", reason, to="r"))
    left = {"type": "disconnect", "client_id": "c1", "namespace": "/", "reason": "transport close"}
    assert post(app, left) == (200, {})
    assert recorder.operations(1)[0]["emit"]["args"] == ["transport close"]


def test_questions_go_behind_what_was_emitted_before_them(recorder):
    app, socketio = application(recorder.url)
    recorder.results = lambda operation: {"status": "ok", "args": [4, 5]} if "call" in operation else {"status": "ok"}
    socketio.on_event("ask", lambda: (emit("before", 1), socketio.call("question", to="c2", timeout=3))[1])
    assert post(app, event("ask"))[1]["ack"] == [4, 5]
    first, second = recorder.operations(2)
    assert first["emit"]["event"] == "before"
    assert second == {"call": {"client": "c2", "event": "question", "args": [], "timeout_ms": 3000}}


def test_stoa_away_fails_no_page_and_is_logged_once(caplog):
    _, socketio = application("http://127.0.0.1:9")
    for _ in range(5):
        socketio.emit("tick", 1)
    lines = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(lines) == 1 and "STOA_URL" in lines[0].getMessage()
    with pytest.raises(StoaError, match="cannot be reached"):
        stoa.Emitter("http://127.0.0.1:9", SECRET).emit("tick", 1)


def test_operations_that_could_not_be_sent_ahead_go_with_the_answer(caplog):
    app, socketio = application("http://127.0.0.1:9")
    socketio.on_event("many", lambda: [emit("n", n) for n in range(1200)] and None)
    said = post(app, event("many"))[1]
    assert [one["emit"]["args"][0] for one in said["do"] if "emit" in one] == list(range(1200))


def test_a_worker_with_a_message_queue_only_emits(recorder, monkeypatch):
    monkeypatch.setenv("STOA_URL", recorder.url)
    monkeypatch.setenv("STOA_SECRET", SECRET)
    SocketIO(message_queue="redis://localhost:6379/0").emit("done", {"job": 1}, to="job:1")
    assert recorder.operations(1)[0]["emit"]["rooms"] == ["job:1"]
    SocketIO(message_queue=recorder.url).emit("done", {"job": 2})
    assert recorder.operations(2)[1]["emit"]["args"] == [{"job": 2}]


def test_an_emitter_is_told_why_it_is_refused(recorder):
    refusal = {"status": "error", "error": {"code": "unknown_namespace", "message": "declare it"}}
    recorder.results = lambda operation: refusal
    with pytest.raises(StoaError, match="declare it") as raised:
        stoa.Emitter(recorder.url, SECRET).emit("x", namespace="/jobs")
    assert raised.value.code == "unknown_namespace"


# Arguments


def test_rooms_of_any_name_become_names_that_stoa_takes():
    taken = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@/ -")
    for room in ["plain", "user:1", "Zimmer Ü", "a@@b", "@@", "@@@", "@@fc.", "日本", "a\nb", "@@@@x#", "general", "observers", 5]:
        name = wire.room_name(room)
        assert set(name) <= taken
        assert name not in ("general", "observers")
        assert wire.room_of(name) == str(room)
    assert wire.room_of("@@110000.") == "@@110000." and wire.room_of("@@10ffff.") == "\U0010ffff"
    assert wire.rooms_of(["c1", "general", wire.room_name("general"), "observers"]) == {"c1", "general"}
    with pytest.raises(ValueError, match="shorter"):
        wire.room_name("x" * 129)


def test_arguments_that_are_no_json_are_refused_where_they_are_made():
    _, socketio = application()
    for value, raised in [(float("nan"), ValueError), ({1, 2}, TypeError), (object(), TypeError)]:
        with pytest.raises(raised):
            socketio.emit("x", value)
    with pytest.raises(ValueError, match="Socket.IO's own"):
        socketio.emit("connect", 1)
    with pytest.raises(ValueError, match="callback"):
        socketio.emit("x", 1, callback=print)


def test_settings_of_the_server_are_named_with_their_keys(caplog):
    caplog.set_level(logging.INFO, "stoa")
    app, _ = application(cors_allowed_origins="*", ping_timeout=10, async_mode="gevent")
    post(app, event("x"))
    post(app, event("x"))
    assert caplog.text.count("[server] cors_allowed_origins") == 1
    assert caplog.text.count("[server] ping_timeout") == 1
    assert "async_mode is not needed" in caplog.text
    for options, word in [({"path": "/ws"}, "/socket.io/"), ({"serializer": "msgpack"}, "parser"), ({"client_manager": 1}, "Emitter")]:
        with pytest.raises(NotOnStoaError, match=word):
            application(**options)
    with pytest.raises(TypeError, match="cors_allowed_origin'"):
        application(cors_allowed_origin="*")
    with pytest.raises(NotOnStoaError, match="process id"):
        application()[1].stop()


# The test client


def test_the_test_client_drives_an_application_without_a_server():
    app, socketio = application()

    @app.route("/login")
    def login():
        session["user"] = "ada"
        return "welcome"

    @socketio.on("connect")
    def connect(auth):
        if auth == "wrong":
            return False
        join_room("all")
        emit("hello", session.get("user"))

    @socketio.on("say")
    def say(text, data):
        emit("said", (text, data), to="all", include_self=False)
        socketio.send({"text": text}, json=True)
        return len(data), data

    class Chat(Namespace):
        def on_disconnect(self, reason):
            socketio.emit("left", reason)

    socketio.on_namespace(Chat("/chat"))
    pages = app.test_client()
    pages.get("/login")
    a, b = socketio.test_client(app, flask_test_client=pages), socketio.test_client(app)
    assert a.is_connected() and not a.is_connected("/chat")
    assert a.get_received() == [{"name": "hello", "args": ["ada"], "namespace": "/"}]
    assert b.get_received() == [{"name": "hello", "args": [], "namespace": "/"}]
    assert a.emit("say", "hey", b"\x00\x01", callback=True) == [2, b"\x00\x01"]
    assert [one["name"] for one in a.get_received()] == ["json"]
    assert b.get_received() == [
        {"name": "said", "args": ["hey", b"\x00\x01"], "namespace": "/"},
        {"name": "json", "args": {"text": "hey"}, "namespace": "/"},
    ]
    assert not socketio.test_client(app, auth="wrong").is_connected()
    b.connect("/chat")
    b.disconnect("/chat")
    assert a.get_received() == [{"name": "left", "args": ["client disconnect"], "namespace": "/"}]
    with pytest.raises(RuntimeError, match="not connected"):
        b.emit("x", namespace="/chat")


# python-socketio's API


def test_a_server_of_python_socketio_in_wsgi(tmp_path):
    sio = Server(secret=SECRET, stoa_url="http://127.0.0.1:9", namespaces=["/", "/x"])
    (tmp_path / "index.html").write_text("a page")
    (tmp_path.parent / "secret.txt").write_text("not for pages")
    app = Flask(__name__)
    app.wsgi_app = WSGIApp(sio, app.wsgi_app, static_files={"/static": str(tmp_path), "/": str(tmp_path / "index.html")})

    @sio.event
    def connect(sid, environ):
        sio.save_session(sid, {"from": environ["REMOTE_ADDR"]})

    @sio.on("who")
    def who(sid, *args):
        with sio.session(sid) as data:
            data["n"] = data.get("n", 0) + 1
        sio.enter_room(sid, "r")
        sio.emit("x", args, room="r", skip_sid=sid)
        return data["from"], data["n"]

    said = post(app, {"type": "connect", "client_id": "c1", "namespace": "/", "address": "[::1]:5"})[1]
    kept = said["do"][-1]["session"]
    said = post(app, event("who", 1, 2, session=kept))[1]
    assert said["ack"] == ["::1", 1]
    assert said["do"][:2] == [
        {"join": "r", "client": "c1", "namespace": "/"},
        {"emit": {"event": "x", "args": [1, 2], "rooms": ["r"], "except": ["c1"]}},
    ]
    assert said["do"][2]["session"]["user"] == {"from": "::1", "n": 1}
    pages = app.test_client()
    assert pages.get("/").text == "a page"
    assert pages.get("/static/index.html").text == "a page"
    assert pages.get("/static/../secret.txt").status_code == 404
    assert pages.get("/static/%2e%2e/secret.txt").status_code == 404


async def asgi(app, body, headers=None, path="/stoa"):
    raw = json.dumps(body).encode()
    signed = signature.sign(SECRET, raw) if headers is None else headers
    named = [(name.lower().encode(), value.encode()) for name, value in {**signed, "content-length": str(len(raw))}.items()]
    parts = [{"type": "http.request", "body": raw[:5], "more_body": True}, {"type": "http.request", "body": raw[5:]}]
    sent = []

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    await app({"type": "http", "method": "POST", "path": path, "headers": named, "server": ("h", 1)}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_an_asynchronous_server_in_asgi(recorder):
    sio = AsyncServer(secret=SECRET, stoa_url=recorder.url, async_mode="asgi")
    recorder.results = lambda operation: {"status": "ok", "args": [7]} if "call" in operation else {"status": "ok"}

    @sio.event
    async def connect(sid, environ, auth):
        if auth != {"let": "in"}:
            raise ConnectionRefusedError("no")
        await sio.save_session(sid, {"n": 1})

    @sio.on("work")
    async def work(sid, data):
        async with sio.session(sid) as kept:
            kept["n"] += 1
        await sio.emit("first", data, to=sid)
        heard = await sio.call("question", to=sid)
        await sio.emit("second", heard, to=sid)
        return kept["n"]

    @sio.on("plain function")
    def plain(sid):
        return "plain"

    class Jobs(AsyncNamespace):
        async def on_start(self, sid, job):
            await self.emit("started", job)
            await self.enter_room(sid, "jobs")
            return "started", sid

    sio.register_namespace(Jobs("/jobs"))
    app = ASGIApp(sio)

    async def run():
        assert (await asgi(app, event("work"), headers={}))[0] == 401
        connected = {"type": "connect", "client_id": "c1", "namespace": "/"}
        assert await asgi(app, connected) == (200, {"refuse": {"message": "no"}})
        _, said = await asgi(app, {**connected, "auth": {"let": "in"}})
        kept = said["do"][0]["session"]
        _, said = await asgi(app, event("work", {"a": 1}, session=kept))
        assert said["ack"] == [2]
        assert [one["emit"]["args"] for one in said["do"] if "emit" in one] == [[7]]
        assert (await asgi(app, event("plain function")))[1] == {"ack": ["plain"]}
        _, said = await asgi(app, event("start", "j", namespace="/jobs"))
        assert said == {
            "ack": ["started", "c1"],
            "do": [
                {"emit": {"event": "started", "args": ["j"], "namespace": "/jobs"}},
                {"join": "jobs", "client": "c1", "namespace": "/jobs"},
            ],
        }
        await sio.emit("outside", 1)

    asyncio.run(run())
    ahead = recorder.operations(3)
    assert [next(iter(one)) for one in ahead] == ["emit", "call", "emit"]
    assert ahead[0]["emit"]["event"] == "first" and ahead[2]["emit"]["event"] == "outside"


# The package as it is installed


def test_the_wheel_is_whole_and_needs_the_standard_library_only(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(ROOT / "clients/python")], check=True)
    (wheel,) = tmp_path.glob("stoa_agents-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = ROOT / "clients/python/src"
    assert {str(file.relative_to(sources)) for file in sources.rglob("*.py")} | {"stoa/py.typed"} <= names
    # Without any other package.
    script = f"import sys; sys.path.insert(0, {str(wheel)!r}); import stoa, stoa.socketio; print(stoa.__version__)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == stoa.__version__, done.stderr


def test_a_call_to_a_client_that_is_gone_is_both_a_refusal_and_a_timeout(recorder):
    from stoa.socketio.exceptions import TimeoutError as NoAnswer

    gone = {"status": "error", "error": {"code": "not_found", "message": "no such client"}}
    recorder.results = lambda operation: gone
    server = Server(stoa_url=recorder.url, secret=SECRET)
    for kind in (NoAnswer, StoaError):
        with pytest.raises(kind, match="no such client"):
            server.call("ask", to="nobody")


def test_a_client_that_comes_to_the_application_is_told_where_stoa_is(caplog):
    app = Flask(__name__)
    SocketIO(app, secret=SECRET)
    for _ in range(2):
        answer = app.test_client().get("/socket.io/?EIO=4&transport=polling")
        assert answer.status_code == 404
        assert "clients connect to Stoa" in answer.json["error"]["message"]
    assert sum("a client asked for /socket.io/" in line for line in caplog.messages) == 1


def warned(caplog, socketio, **further):
    caplog.clear()
    call = {"type": "connect", "client_id": "c1", "namespace": "/", "auth": None, **further}
    socketio.server.handle(call)
    socketio.server.handle(call)
    return [record.getMessage() for record in caplog.records if record.name == "stoa" and record.levelno == logging.WARNING]


def test_handlers_that_stoa_never_asks_are_named_once(caplog, monkeypatch):
    monkeypatch.delenv("STOA_BACKEND__OVERRIDE", raising=False)
    _, socketio = application()
    for name in ("subscribe", "ping", "join", "chat", "publish"):
        socketio.on_event(name, lambda *_: None)
    for name in ("subscribe", "presence"):
        socketio.on_event(name, lambda *_: None, namespace="/chat")
    unasked, never = warned(caplog, socketio)
    assert unasked.startswith("Stoa handles ping, presence, subscribe itself")
    assert """STOA_BACKEND__OVERRIDE='["join", "leave", "ping", "presence", "subscribe"]'""" in unasked
    assert never.startswith("Stoa keeps publish on / for itself") and "rename" in never

    # The same setting in the application's environment says that they are asked.
    monkeypatch.setenv("STOA_BACKEND__OVERRIDE", '["pi*", "subscribe"]')
    _, socketio = application()
    for name in ("subscribe", "ping"):
        socketio.on_event(name, lambda *_: None)
    assert warned(caplog, socketio) == []

    # Names that Stoa has on / only are the application's elsewhere.
    monkeypatch.delenv("STOA_BACKEND__OVERRIDE")
    _, socketio = application()

    class Chat(Namespace):
        def on_subscribe(self):
            pass

    socketio.on_namespace(Chat("/chat"))
    socketio.on_event("chat", lambda *_: None)
    assert warned(caplog, socketio) == []


def test_the_names_that_stoa_takes_are_those_of_its_source():
    source = (ROOT / "src/doors/socketio/events/application.rs").read_text()

    def listed(name):
        return set(re.findall(r'"(\w+)"', re.search(rf"const {name}: \[&str; \d+\] = \[(.*?)\];", source, re.DOTALL)[1]))

    assert listed("OWN") == names.OWN
    assert listed("OWN_ON_APPLICATIONS") == names.OWN_ON_APPLICATIONS
    config = (ROOT / "config.toml").read_text()
    assert f"override = {json.dumps(list(names.OVERRIDE))}" in config


def test_a_connect_handler_names_the_user():
    _, socketio = application()

    @socketio.on("connect")
    def connect(auth):
        set_user(auth["user"])

    def answer(user):
        call = {"type": "connect", "client_id": "c1", "namespace": "/", "auth": {"user": user}}
        return json.loads(socketio.server.handle(call)[0])

    assert answer("anna@example.org")["user"] == "anna@example.org"
    # A name that Stoa would not take is the handler's fault, so that nobody comes in.
    assert "refuse" in answer("anna smith")
    with pytest.raises(RuntimeError, match="connect handler"):
        socketio.server.set_user("c1", "anna")
