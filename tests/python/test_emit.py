"""Emissions with python-socketio, as a client and as the one that emits."""

import json
import queue
import urllib.request

import pytest

from conftest import PATIENCE, Client

WAYS = {
    "websocket only": ["websocket"],
    "polling, then upgrade": None,
    "polling only": ["polling"],
}


def post(stoa, emission):
    request = urllib.request.Request(
        f"{stoa.url}/api/v1/emit",
        json.dumps(emission).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return json.load(response)


@pytest.mark.parametrize("transports", WAYS.values(), ids=WAYS.keys())
def test_arguments_and_bytes(stoa, transports):
    got = queue.Queue()
    observer, producer = Client(), Client()
    for name in ("said", "bytes"):
        observer.on(name, lambda *args, name=name: got.put((name, args)))
    established = queue.Queue()
    observer.on("connection_established", established.put)
    try:
        observer.connect(stoa.url, transports=transports, auth={"rooms": ["project:p1"]})
        producer.connect(stoa.url, transports=transports, auth={"role": "producer"})
        own = established.get(timeout=PATIENCE)["client_id"]
        for keep in (False, True):
            for args in ([], ["x"], [None, 1.5, {"id": 7, "type": "t"}], [[1, 2]]):
                emission = {"event": "said", "args": args, "room": "project:p1", "keep": keep}
                answer = producer.call("emit_to", emission, timeout=PATIENCE)
                assert (answer["status"], answer["accepted"]) == ("ok", 1)
                assert got.get(timeout=PATIENCE) == ("said", tuple(args))
            data = {"a": b"\x00\xff", "n": 1}
            producer.call("emit_to", {"event": "bytes", "args": [data, b"x"], "to": own, "keep": keep}, timeout=PATIENCE)
            assert got.get(timeout=PATIENCE) == ("bytes", (data, b"x"))
        # One after the other, kept and not, in the order in which they were emitted.
        for n in range(40):
            post(stoa, {"event": "said", "args": n, "keep": n % 3 == 0})
        assert [got.get(timeout=PATIENCE)[1][0] for _ in range(40)] == list(range(40))
    finally:
        observer.disconnect()
        producer.disconnect()
