"""Flask-SocketIO's documented behaviours, on Flask-SocketIO itself and on Stoa: one application, one set of tests."""

import contextlib
import json
import socket
import struct
import sys
import threading

import pytest
import socketio as python_socketio
import websocket

from conftest import PATIENCE, Client
from drop_in.peer import Peer
from drop_in.servers import OnStoa, Original, get

NAMESPACES = ["/chat", "/any", "/board"]
GUNICORN = [sys.executable, "-m", "gunicorn", "-w", "3", "--threads", "8", "-b", "fd://{fd}", "table_app:app"]


@pytest.fixture(scope="module", params=["flask-socketio", "stoa", "stoa, three workers"])
def server(request):
    if request.param == "flask-socketio":
        server = Original()
    else:
        workers = "workers" in request.param
        server = OnStoa(namespaces=NAMESPACES, command=GUNICORN if workers else None)
        server.workers = workers
    with contextlib.closing(type("Closing", (), {"close": server.stop})):
        get(f"{server.pages}/ready")
        yield server


@pytest.fixture
def peers(server):
    made = []
    over = threading.Event()
    answers = {
        "question": lambda data: data["n"] * 2,
        "several questions": lambda *_: (1, "two", [3]),
        # The client answers when it is too late.
        "nobody answers this": lambda *_: over.wait(PATIENCE),
    }

    def peer(namespace="/", **options):
        made.append(Peer(server.url, namespace, answers=answers, **options))
        return made[-1]

    yield peer
    over.set()
    # Flask-SocketIO takes seconds to let a client go.
    closing = [threading.Thread(target=one.close) for one in made]
    for thread in closing:
        thread.start()
    for thread in closing:
        thread.join()


def silent(*others, event, marker):
    """That none of the clients has got an event, up to one that all of them get."""
    for other in others:
        other.next(marker)
        assert other.names(event) == []


# To whom an emit goes


def test_an_emit_in_a_handler_answers_the_client_alone(peers):
    a, b = peers(), peers()
    assert a.call("echo", 1, "two", {"three": [4]}) == "done"
    assert a.next("echoed") == (1, "two", {"three": [4]})
    a.call("say", "marker", {"broadcast": True})
    silent(b, event="echoed", marker="said")


def test_broadcast_reaches_everybody_and_include_self_can_leave_out_the_sender(peers):
    a, b, c = peers(), peers(), peers()
    a.call("say", {"n": 1}, {"broadcast": True})
    assert [one.next("said") for one in (a, b, c)] == [{"n": 1}] * 3
    a.call("say", {"n": 2}, {"broadcast": True, "include_self": False})
    a.call("say", {"n": 3}, {"broadcast": True})
    assert a.next("said") == {"n": 3}
    assert [b.next("said"), c.next("said")] == [{"n": 2}] * 2


def test_skip_sid_leaves_out_one_or_several(peers):
    a, b, c = peers(), peers(), peers()
    a.call("say", 1, {"broadcast": True, "skip_sid": b.sid})
    a.call("say", 2, {"broadcast": True, "skip_sid": [a.sid, c.sid]})
    a.call("say", 3, {"broadcast": True})
    assert [a.next("said"), a.next("said")] == [1, 3]
    assert [b.next("said"), b.next("said")] == [2, 3]
    assert [c.next("said"), c.next("said")] == [1, 3]


def test_to_names_a_client_a_room_or_several_rooms(peers):
    a, b, c = peers(), peers(), peers()
    a.call("say", "for b", {"to": b.sid})
    assert b.next("said") == "for b"
    b.call("enter", "r1")
    b.call("enter", "r2")
    c.call("enter", "r2")
    a.call("say", "for r1", {"to": "r1"})
    a.call("say", "for both", {"to": ["r1", "r2"]})
    a.call("say", "old word", {"room": "r2"})
    assert [b.next("said") for _ in range(3)] == ["for r1", "for both", "old word"]
    assert [c.next("said") for _ in range(2)] == ["for both", "old word"]
    assert a.names("said") == []


def test_a_room_without_the_sender(peers):
    a, b = peers(), peers()
    a.call("enter", "pair")
    b.call("enter", "pair")
    a.call("say", 1, {"to": "pair", "include_self": False})
    a.call("say", 2, {"to": "pair"})
    assert b.next("said") == 1
    assert a.next("said") == 2


def test_send_emits_message_or_json(peers):
    a = peers()
    a.call("say as message", "text", {})
    assert a.next("message") == "text"
    a.call("say as message", {"a": 1}, {"json": True})
    assert a.next("json") == {"a": 1}
    assert a.call("message", "text") == ["message", "text"]
    assert a.call("json", {"a": 1}) == ["json", {"a": 1}]


# Rooms


def test_rooms_are_entered_left_and_closed(peers):
    a, b = peers(), peers()
    assert set(a.call("enter", "room one")) == {a.sid, "everybody", "room one"}
    b.call("enter", "room one")
    assert set(a.call("quit", "room one")) == {a.sid, "everybody"}
    b.call("say", "after", {"to": "room one"})
    assert b.next("said") == "after"
    assert set(b.call("close", "room one")) == {b.sid, "everybody"}
    b.call("say", "to nobody", {"to": "room one"})
    b.call("say", "marker", {"broadcast": True})
    assert [a.next("said"), b.next("said")] == ["marker", "marker"]


def test_a_room_may_have_any_name(peers):
    a = peers()
    for room in ("Zimmer Ü", "user#42", "a,b;c", "日本"):
        assert room in a.call("enter", room)
        a.call("say", room, {"to": room})
        assert a.next("said") == room


def test_another_client_is_put_into_a_room(peers):
    a, b = peers(), peers()
    assert "theirs" in a.call("enter", "theirs", b.sid)
    a.call("say", 1, {"to": "theirs"})
    assert b.next("said") == 1
    assert "theirs" not in a.call("quit", "theirs", b.sid)


def test_rooms_are_of_their_namespace(peers):
    root, chat = peers(), peers("/chat")
    root.call("enter", "lobby")
    assert set(chat.call("enter", "lobby")) == {chat.sid, "lobby"}
    root.call("say", "root", {"to": "lobby"})
    chat.call("say", "chat", {"to": "lobby"})
    assert root.next("said") == "root"
    assert chat.next("said") == {"chat": "chat"}
    chat.call("across", "over")
    assert root.next("said") == {"across": "over"}
    assert chat.names("said") == []


# Acknowledgements and arguments


def test_a_handlers_value_is_the_acknowledgement(peers):
    a = peers()
    assert a.call("ack none") is None
    for value in ("text", 5, 1.5, True, {"a": {"b": None}}, ["list", 1], ""):
        assert a.call("ack one", value) == value
    assert a.call("ack several", 1, "two", [3]) == (1, "two", [3])
    assert a.call("add", 2, 3) == 5


def test_binary_goes_both_ways(peers):
    a = peers()
    data = bytes(range(256))
    assert a.call("reverse_bytes", {"data": data}) == {"size": 256, "data": data}
    assert a.next("reversed") == {"data": data[::-1], "list": [data, 1]}
    assert a.call("ack several", b"1", "t", b"2") == (b"1", "t", b"2")


def test_binary_goes_both_ways_by_polling(peers):
    a = peers(transports=["polling"])
    data = bytes(range(256)) * 40
    assert a.call("reverse_bytes", {"data": data})["data"] == data
    assert a.next("reversed")["list"][0] == data


def test_a_client_is_called_from_a_handler_and_from_a_page(server, peers):
    # One of its answers has to wait.
    a, b = peers(ordered=False), peers()
    assert a.call("call me", 4) == {"heard": 8}
    assert a.call("call other", b.sid) == {"heard": 10}
    assert '"heard":40' in get(f"{server.pages}/ask/{a.sid}")[0].replace(" ", "")
    assert a.call("call in vain") == "TimeoutError"


def test_a_callback_hears_the_client(peers):
    a = peers()
    a.emit("call back", 21)
    assert a.next("called back") == {"args": [42], "sid": a.sid}
    a.emit("call several back")
    assert a.next("called back") == {"args": [1, "two", [3]], "sid": a.sid}


# Outside of handlers


def test_pages_and_threads_emit(server, peers):
    a, b = peers(), peers()
    get(f"{server.pages}/tell/{a.sid}")
    assert a.next("told") == {"by": "page"}
    get(f"{server.pages}/tell-all")
    assert [b.next("message"), b.next("json")] == ["to all", {"to": "all"}]
    assert b.names("told") == []
    b.call("enter", "watchers")
    get(f"{server.pages}/background/watchers")
    assert [b.next("progress") for _ in range(5)] == list(range(5))
    get(f"{server.pages}/close/watchers")
    assert "watchers" not in b.call("enter", "another")


def test_a_thread_of_a_handler_emits_in_its_turn(peers):
    a = peers()
    a.call("from a thread")
    assert [a.next("progress") for _ in range(3)] == ["before", "inside", "after"]


def test_progress_of_a_long_handler_is_seen_at_once(server, peers):
    if getattr(server, "workers", False):
        pytest.skip("the page that releases the handler has to be in its process")
    a = peers()
    done = []
    thread = threading.Thread(target=lambda: done.append(a.call("long work")))
    thread.start()
    for n in range(3):
        assert a.next("progress") == n
        assert done == []
        get(f"{server.pages}/seen/{a.sid}")
    thread.join()
    assert done == ["done"]


def test_a_handler_emits_thousands_in_order(peers):
    a = peers()
    assert a.call("many", 2500) == 2500
    assert [a.next("numbered") for _ in range(2500)] == list(range(2500))


# Connecting and leaving


def test_connect_sees_the_request_and_greets(peers):
    a = peers(auth={"token-like": "x"}, query="page=7")
    greeting = a.next("greeting")
    assert greeting == {"sid": a.sid, "auth": {"token-like": "x"}, "page": "7", "namespace": "/"}
    who = a.call("who")
    assert (who["sid"], who["namespace"], who["message"], who["args"]) == (a.sid, "/", "who", [])
    assert peers().next("greeting")["auth"] is None


def test_a_handler_sees_cookies_and_headers(peers):
    a = peers(headers={"Cookie": "flavour=vanilla", "User-Agent": "tests/1"})
    who = a.call("who")
    assert (who["cookie"], who["agent"]) == ("vanilla", "tests/1")


@pytest.mark.parametrize(
    "how, said",
    [
        ("false", {"message": "Connection rejected by server"}),
        ("none", {"message": "Connection rejected by server"}),
        ("one", {"message": "not you"}),
        ("two", {"message": "not you", "data": {"try": "later"}}),
        ("three", {"message": "not you", "data": [1, "b"]}),
    ],
)
@pytest.mark.parametrize("by", ["auth", "query"])
def test_connect_refuses(server, how, said, by):
    peer = Peer(server.url, connect=False)
    with pytest.raises(python_socketio.exceptions.ConnectionError):
        peer.connect(server.url, auth={"refuse": how} if by == "auth" else None, query=f"refuse={how}" if by == "query" else "")
    assert peer.refused == [said]
    peer.close()


def test_a_namespace_refuses_by_itself(server):
    peer = Peer(server.url, "/chat", connect=False)
    with pytest.raises(python_socketio.exceptions.ConnectionError):
        peer.connect(server.url, query="refuse=chat")
    assert peer.refused == [{"message": "Connection rejected by server"}]
    peer.close()


def test_an_unknown_namespace_is_refused(server):
    peer = Peer(server.url, "/nobody", connect=False)
    with pytest.raises(python_socketio.exceptions.ConnectionError):
        peer.connect(server.url)
    assert len(peer.refused) == 1
    peer.close()


def plain(url):
    """A client whose connection nobody else reads: its id, and the connection."""
    at = websocket.create_connection(f"{url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket", timeout=PATIENCE)
    at.recv()
    at.send("40")
    while not (said := at.recv()).startswith("40{"):
        pass
    return json.loads(said[2:])["sid"], at.sock


def reset(wire):
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


def test_the_reason_of_leaving(server, peers):
    watcher, polite, rude, thrown, leaving = (peers() for _ in range(5))
    sid = polite.sid
    polite.say_goodbye()
    assert watcher.next("left") == {"sid": sid, "reason": "client disconnect", "name": None}
    sid = rude.sid
    rude.client.eio.ws.close()
    assert watcher.next("left") == {"sid": sid, "reason": "transport close", "name": None}
    # Without a word: the connection ends, or is reset, as that of a machine that is gone.
    for end in (lambda wire: wire.shutdown(socket.SHUT_WR), reset):
        sid, wire = plain(server.url)
        end(wire)
        assert watcher.next("left") == {"sid": sid, "reason": "transport close", "name": None}
        wire.close()
    sid = thrown.sid
    assert watcher.call("throw out", sid) == "done"
    assert watcher.next("left") == {"sid": sid, "reason": "server disconnect", "name": None}
    assert thrown.gone.wait(PATIENCE)
    sid = leaving.sid
    leaving.emit("leave me")
    assert watcher.next("left") == {"sid": sid, "reason": "server disconnect", "name": None}
    assert leaving.gone.wait(PATIENCE)


# Sessions


def test_a_session_is_a_fork_of_the_pages(server, peers):
    _, cookie = get(f"{server.pages}/login/ada")
    a = peers(headers={"Cookie": cookie})
    b = peers(headers={"Cookie": cookie})
    assert a.call("count") == {"name": "ada", "n": 1}
    assert a.call("count") == {"name": "ada", "n": 2}
    assert b.call("count") == {"name": "ada", "n": 1}
    assert '"n":null' in get(f"{server.pages}/whoami", cookie)[0].replace(" ", "")
    watcher = peers()
    assert watcher.call("count") == {"name": None, "n": 1}
    a.close()
    assert watcher.next("left")["name"] == "ada"


# Faults


def test_error_handlers_of_a_namespace_and_of_all(peers):
    a, chat = peers(), peers("/chat")
    assert a.call("fail", "oh no") == "the handler failed"
    assert a.next("failed") == {"where": "/", "error": "oh no", "event": "fail"}
    assert chat.call("fail", "oh no") == "some handler failed"
    assert chat.next("failed") == {"where": "default", "error": "oh no", "namespace": "/chat"}


# Namespaces


def test_a_handler_of_any_event(peers):
    a = peers("/any")
    assert a.call("something", 1, {"b": 2}) == ["something", 1, {"b": 2}]
    assert a.call("else", 3) == ["else", 3]


def test_a_class_based_namespace(peers):
    a, b = peers("/board", auth={"as": "a"}), peers("/board")
    assert a.next("joined") == {"auth": {"as": "a"}}
    assert a.call("draw", 1, 2) == (1, 2)
    assert b.next("drawn") == {"x": 1, "y": 2}
    assert a.next("kept") == [1, 2]
    a.call("shout", "hey")
    assert [a.next("message"), b.next("message")] == ["hey", "hey"]
    assert a.names("drawn") == []
    assert [a.call("count"), a.call("count"), b.call("count")] == [1, 2, 1]
    b.say_goodbye()
    assert a.next("gone") == {"reason": "client disconnect"}


def test_two_namespaces_on_one_connection(server):
    client = Client(reconnection=False)
    client.connect(server.url, namespaces=["/", "/chat"], wait_timeout=PATIENCE)
    try:
        assert client.call("count", namespace="/", timeout=PATIENCE)["n"] == 1
        assert client.call("count", namespace="/chat", timeout=PATIENCE) >= 100
        assert client.get_sid("/") != client.get_sid("/chat")
    finally:
        client.disconnect()
