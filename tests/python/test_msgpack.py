"""Python's client with its msgpack serializer, by every transport."""

import queue

import pytest
import socketio
from conftest import PATIENCE, Client


def in_order(client):
    """By itself the client handles each message in a thread of its own, so that bytes may overtake the packet that they belong to."""
    trigger = client.eio._trigger_event
    client.eio._trigger_event = lambda event, *args, run_async=False, **more: trigger(
        event, *args, run_async=run_async and event != "message", **more
    )
    return client


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], None], ids=["websocket", "polling", "upgrade"])
def test_packets_of_msgpack_come_and_go(stoa, transports):
    packed, usual = in_order(Client(serializer="msgpack")), in_order(Client())
    hellos, got = queue.Queue(), {packed: queue.Queue(), usual: queue.Queue()}
    packed.on("connection_established", hellos.put)
    for client, heard in got.items():
        client.on("blob", lambda *args, heard=heard: heard.put(args))
    try:
        packed.connect(stoa.url, auth={"role": "producer", "name": "Zoë"}, transports=transports)
        usual.connect(stoa.url, auth={"role": "producer"})
        assert hellos.get(timeout=PATIENCE)["client_id"] == packed.get_sid("/")
        for sender in (packed, usual):
            told = {"event": "blob", "args": [b"\x00\xff", {"deep": b"z"}, "ü", 1.5, None]}
            assert sender.call("emit_to", told, timeout=PATIENCE)["status"] == "ok"
            for client in (packed, usual):
                assert got[client].get(timeout=PATIENCE) == tuple(told["args"])
        answer = packed.call("publish", {"type": "custom.thing", "data": {"n": list(range(300))}}, timeout=PATIENCE)
        assert answer["accepted"] == 1
    finally:
        packed.disconnect()
        usual.disconnect()


def test_a_refusal_is_read(stoa):
    client, refused = Client(serializer="msgpack"), queue.Queue()
    client.on("connect_error", refused.put)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(stoa.url, auth={"role": "emperor"})
    assert "role" in refused.get(timeout=PATIENCE)["message"]
