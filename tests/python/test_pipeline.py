"""The update pipeline's WebSocket, with the two libraries that Python programs speak it with."""

import asyncio
import json
import time

import pytest
import websocket
import websockets
from conftest import PATIENCE, Client


def url_of(stoa, rest=""):
    return f"ws://{stoa.address}/ws/dating_show/{rest}"


class Blocking:
    """websocket-client."""

    def __init__(self, url):
        self.socket = websocket.create_connection(url, timeout=PATIENCE)

    def send(self, message):
        self.socket.send(json.dumps(message))

    def receive(self):
        return json.loads(self.socket.recv())

    def close(self):
        self.socket.close()


class Asynchronous:
    """websockets, in a loop of its own."""

    def __init__(self, url):
        self.loop = asyncio.new_event_loop()
        self.socket = self.run(websockets.connect(url))

    def run(self, work):
        async def limited():
            return await asyncio.wait_for(work, PATIENCE)

        return self.loop.run_until_complete(limited())

    def send(self, message):
        self.run(self.socket.send(json.dumps(message)))

    def receive(self):
        return json.loads(self.run(self.socket.recv()))

    def close(self):
        self.run(self.socket.close())
        self.loop.close()


@pytest.fixture(params=[Blocking, Asynchronous], ids=["websocket-client", "websockets"])
def connect(request):
    opened = []

    def connect(url):
        opened.append(request.param(url))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()


def is_now(message):
    assert isinstance(message["timestamp"], float), message
    assert abs(message["timestamp"] - time.time()) < PATIENCE, message


def test_each_message_of_the_document(stoa, connect):
    client = connect(url_of(stoa))
    hello = client.receive()
    assert hello["type"] == "connection_established"
    assert isinstance(hello["connection_id"], str)
    is_now(hello)

    stoa.publish({"type": "agent_update", "agent_id": "agent_001", "update_type": "state_change", "data": {"status": "active"}})
    update = client.receive()
    assert (update["type"], update["agent_id"], update["update_type"]) == ("agent_update", "agent_001", "state_change")
    assert update["data"]["status"] == "active"
    is_now(update)

    stoa.publish({"type": "system.notice", "data": {"level": "info", "message": "Rose ceremony starting"}})
    notice = client.receive()
    assert (notice["type"], notice["level"], notice["message"]) == ("system_notification", "info", "Rose ceremony starting")
    is_now(notice)

    client.send({"type": "subscribe", "channels": ["dating_show_updates", "agent_notifications"]})
    assert client.receive()["channels"] == ["dating_show_updates", "agent_notifications"]

    client.send({"type": "ping", "timestamp": 1623456789.123})
    pong = client.receive()
    assert (pong["type"], pong["echo"]) == ("pong", 1623456789.123)
    is_now(pong)


def test_an_action_reaches_the_producer_of_the_agent(stoa, connect):
    producer = Client()
    producer.on("agent_action", lambda action: {"moved_to": action["params"]["location"]})
    producer.connect(stoa.url, auth={"role": "producer"})
    assert producer.call("join_room", {"room": "agent:agent_001:actions"})["status"] == "ok"
    client = connect(url_of(stoa))
    client.receive()
    client.send({"type": "agent_action", "agent_id": "agent_001", "action": "move", "params": {"location": "pool"}})
    accepted = client.receive()
    assert accepted["type"] == "agent_action_accepted"
    result = client.receive()
    assert (result["type"], result["status"], result["action_id"]) == ("agent_action_result", "ok", accepted["action_id"])
    assert result["result"] == {"moved_to": "pool"}
    producer.disconnect()


def test_a_client_that_was_away_resumes(stoa, connect):
    cursor = connect(url_of(stoa)).receive()["cursor"]
    stoa.publish({"type": "agent.registered", "data": {"agent_id": "a1"}})
    client = connect(url_of(stoa, f"?cursor={cursor}"))
    assert client.receive()["type"] == "connection_established"
    # The loop may not have read the event when the client comes: then it comes live, after `resumed`.
    two = {message["type"]: message for message in (client.receive(), client.receive())}
    assert two["agent_update"]["agent_id"] == "a1"
    assert two["resumed"]["complete"] is True


def test_a_producers_queue_of_updates(stoa, connect):
    """`queue_agent_update`, over the wire: with NaN, which Python writes and JSON does not know."""
    watcher, producer = connect(url_of(stoa)), connect(url_of(stoa, "?role=producer"))
    watcher.receive(), producer.receive()
    update = {"type": "agent_update", "agent_id": "agent_001", "update_type": "state_change", "priority": "normal"}
    producer.send({**update, "data": {"status": "active", "mood": float("nan")}})
    published = producer.receive()
    while published["type"] != "published":
        published = producer.receive()
    assert published["accepted"] == 1
    seen = watcher.receive()
    assert seen["agent_id"] == "agent_001" and seen["data"]["mood"] is None
