"""An application that knows its users by cookies, in production: nobody has a token, and the application alone lets clients in."""

import json
import os
import subprocess
import urllib.error
import urllib.request

import pytest
import socketio as python_socketio

from conftest import BINARY, PATIENCE, ROOT
from drop_in.peer import Peer
from drop_in.servers import OnStoa, Original, get

# The whole of it; the address and the secret are in OnStoa's own settings.
ADMITS = {
    "STOA_AUTHENTICATION__REQUIRED": "true",
    "STOA_BACKEND__ADMITS": "true",
    "STOA_BACKEND__OVERRIDE": '["join", "leave"]',
}
TOKENS = {"STOA_AUTHENTICATION__SECRET": "a secret for tokens of thirty-two bytes or more"}
# A proxy on this machine that ends TLS says for whom it asks.
PROXY = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module", params=["original", "stoa"])
def server(request):
    is_original = request.param == "original"
    server = Original("cookie_app:app") if is_original else OnStoa("cookie_app:app", stoa=ADMITS)
    get(f"{server.pages}/ready")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def guarded():
    """The same with tokens for the programs that publish and watch over it."""
    server = OnStoa("cookie_app:app", stoa={**ADMITS, **TOKENS})
    get(f"{server.pages}/ready")
    yield server
    server.stop()


@pytest.fixture
def enter():
    made = []

    def enter(server, name=None, **options):
        cookie = get(f"{server.pages}/login/{name}")[1] if name else None
        headers = {**PROXY, **({"Cookie": cookie} if cookie else {})}
        made.append(Peer(server.url, headers=headers, **options))
        return made[-1]

    yield enter
    for one in made:
        one.close()


def token(role, **claims):
    more = [part for key, value in claims.items() for part in (f"--{key}", value)]
    command = [BINARY, "token", "--role", role, "--user", "someone", *more]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **TOKENS}, capture_output=True, text=True, check=True).stdout.strip()


def status(url, body=None, **headers):
    request = urllib.request.Request(url, data=body, headers={**PROXY, "Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], None], ids=["websocket", "polling", "upgrade"])
def test_a_cookie_lets_in_and_nothing_else(server, enter, transports):
    with pytest.raises(python_socketio.exceptions.ConnectionError):
        enter(server, transports=transports)
    anna = enter(server, "anna", transports=transports)
    assert anna.next("welcome") == "anna"
    assert anna.call("whoami") == "anna"
    get(f"{server.pages}/tell/members/hello")
    assert anna.next("told") == "hello"


def test_the_application_names_the_user(guarded, enter):
    anna, again, bob = enter(guarded, "anna"), enter(guarded, "anna"), enter(guarded, "bob")
    assert anna.next("connection_established")["user"] == "anna"
    get(f"{guarded.pages}/tell/user:anna/private")
    get(f"{guarded.pages}/tell/members/everybody")
    for one in (anna, again):
        assert (one.next("told"), one.next("told")) == ("private", "everybody")
    assert bob.next("told") == "everybody"
    assert bob.call("join_room", "user:anna")["error"]["code"] == "forbidden_room"
    # A ban of the user ends the connections, and a cookie opens none.
    admin = {"Authorization": f"Bearer {token('admin')}"}
    assert status(f"{guarded.url}/api/v1/admin/bans", json.dumps({"user": "anna", "seconds": 600}).encode(), **admin) == 200
    assert anna.gone.wait(PATIENCE) and again.gone.wait(PATIENCE)
    with pytest.raises(python_socketio.exceptions.ConnectionError):
        enter(guarded, "anna")
    assert bob.call("whoami") == "bob"


def test_a_client_that_was_let_in_has_no_rights_beyond(guarded, enter):
    carl = enter(guarded, "carl", auth={"role": "operator", "rooms": []})
    assert carl.next("connection_established")["role"] == "observer"
    for event, data in [
        ("publish", {"type": "custom.thing"}),
        ("emit_to", {"event": "told", "args": ["forged"]}),
        ("get_stats", {}),
        ("agent_action", {"agent_id": "a", "action": "stop"}),
    ]:
        assert carl.call(event, data)["error"]["code"] == "forbidden", event
    for room in ("staff", "project:p1", "user:bob"):
        assert carl.call("join_room", room)["error"]["code"] == "forbidden_room", room
    # Events of a project's agents are for those whose token names it.
    producer = {"Authorization": f"Bearer {token('producer')}"}
    about = [{"type": "agent.registered", "agent_id": "a", "project_id": "p1"}, {"type": "task.created", "task_id": "t", "project_id": "p1"}]
    assert status(f"{guarded.url}/api/v1/events", json.dumps(about).encode(), **producer) == 202
    state = carl.call("get_state", {})
    assert not state["projects"] and not state["tasks"]
    get(f"{guarded.pages}/tell/members/behind")
    assert carl.next("told") == "behind"
    assert carl.names("agent_update", "task_update") == []


def test_all_other_doors_ask_for_a_token(server):
    if isinstance(server, Original):
        pytest.skip("Stoa's own doors")
    for path in ("/api/v1/events", "/api/v1/state", "/api/v1/stream", "/api/v1/ws/stats", "/metrics"):
        assert status(server.url + path) == 401, path
    for path in ("/api/v1/events", "/api/v1/emit", "/api/v1/operations"):
        assert status(server.url + path, b"{}") == 401, path
    for namespace in ("/admin", "/conversations"):
        peer = Peer(server.url, namespace, connect=False)
        with pytest.raises(python_socketio.exceptions.ConnectionError):
            peer.connect(server.url, headers=PROXY)
        assert peer.refused[0]["message"].startswith("unauthorized"), peer.refused
        peer.close()
    assert status(f"{server.url}/healthz") == 200


def test_while_the_application_is_away_nobody_comes_in():
    server = OnStoa("cookie_app:app", stoa={**ADMITS, "STOA_BACKEND__RETRIES": "0"})
    try:
        cookie = get(f"{server.pages}/login/anna")[1]
        server.program.stop()
        peer = Peer(server.url, connect=False)
        with pytest.raises(python_socketio.exceptions.ConnectionError):
            peer.connect(server.url, headers={"Cookie": cookie})
        assert peer.refused[0]["message"].startswith("backend_unavailable"), peer.refused
        peer.close()
    finally:
        server.stop()


def test_settings_that_would_let_in_nobody_or_everybody_are_refused():
    def said(**settings):
        env = {**os.environ, **{f"STOA_{key}": value for key, value in settings.items()}}
        done = subprocess.run([BINARY, "check"], cwd=ROOT, env=env, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    code, words = said(BACKEND__ADMITS="true")
    assert code != 0 and "admits" in words and "set url" in words, words
    code, words = said(BACKEND__ADMITS="true", BACKEND__URL="http://127.0.0.1:1/", BACKEND__SECRET="x" * 40, BACKEND__CONNECT="false")
    assert code != 0 and "leave connect at true" in words, words
    code, words = said(
        BACKEND__ADMITS="true", BACKEND__URL="http://127.0.0.1:1/", BACKEND__SECRET="x" * 40, AUTHENTICATION__REQUIRED="true", SERVER__HOST="0.0.0.0"
    )
    assert code == 0 and "--insecure" not in words, words
