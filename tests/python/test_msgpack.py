"""Python's client with its msgpack serializer, by every transport."""

import queue

import pytest
import socketio
from conftest import PATIENCE, Client


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], None], ids=["websocket", "polling", "upgrade"])
def test_packets_of_msgpack_come_and_go(stoa, transports):
    packed, usual = Client(serializer="msgpack"), Client()
    hellos, got = {packed: queue.Queue(), usual: queue.Queue()}, {packed: queue.Queue(), usual: queue.Queue()}
    for client, heard in got.items():
        client.on("connection_established", hellos[client].put)
        client.on("blob", lambda *args, heard=heard: heard.put(args))
    try:
        packed.connect(stoa.url, auth={"role": "producer", "name": "Zoë"}, transports=transports)
        usual.connect(stoa.url, auth={"role": "producer"})
        for client, hello in hellos.items():
            assert hello.get(timeout=PATIENCE)["client_id"] == client.get_sid("/")
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
