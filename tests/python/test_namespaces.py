"""Namespaces of an application and rooms of any name, with python-socketio by every transport."""

import queue

import pytest
import socketio

from conftest import PATIENCE, Client, Stoa

WAYS = {"websocket": ["websocket"], "polling, then upgrade": None, "polling": ["polling"]}


@pytest.fixture
def declared():
    stoa = Stoa(env={"STOA_NAMESPACES__DECLARED": '["/chat"]'})
    yield stoa
    stoa.stop()


@pytest.mark.parametrize("transports", WAYS.values(), ids=WAYS.keys())
def test_two_namespaces_of_one_connection(declared, transports):
    client, guest = Client(), Client()
    hellos, news = queue.Queue(), queue.Queue()
    client.on("connection_established", hellos.put)
    client.on("presence", news.put, namespace="/chat")
    try:
        client.connect(declared.url, transports=transports, namespaces=["/", "/chat"])
        assert hellos.get(timeout=PATIENCE)["client_id"] == client.get_sid("/")
        assert len({client.sid, client.get_sid("/"), client.get_sid("/chat")}) == 3
        for namespace in ("/", "/chat"):
            joined = client.call("join_room", "lobby", namespace=namespace, timeout=PATIENCE)
            assert joined == {"status": "ok", "room": "lobby", "members": 1}
        answer = client.call("say", "hello", namespace="/chat", timeout=PATIENCE)
        assert answer["error"]["code"] == "unknown_event"
        client.call("presence", {"room": "lobby"}, namespace="/chat", timeout=PATIENCE)
        guest.connect(declared.url, transports=transports, namespaces=["/chat"])
        guest.call("join_room", "lobby", namespace="/chat", timeout=PATIENCE)
        came = news.get(timeout=PATIENCE)
        assert (came["event"], came["client_id"], came["members"]) == ("join", guest.get_sid("/chat"), 2)
    finally:
        client.disconnect()
        guest.disconnect()


def test_another_namespace_is_refused(declared):
    client = Client()
    with pytest.raises(socketio.exceptions.ConnectionError, match="Invalid namespace|namespaces failed"):
        client.connect(declared.url, namespaces=["/other"])
    client.disconnect()
