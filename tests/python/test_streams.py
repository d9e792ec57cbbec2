"""The guide's socket and the streams of projects, with the clients that their documents name."""

import json
import urllib.request

import pytest

from conftest import PATIENCE
from doors import ByEvents, ByWebsocketClient, ByWebsockets, Plain, until

EXECUTION = "123e4567-e89b-12d3-a456-426614174000"
BY_LIBRARY = pytest.mark.parametrize("client", [ByWebsockets, ByWebsocketClient, ByEvents])


def get(server, path):
    with urllib.request.urlopen(f"{server.url}{path}", timeout=PATIENCE) as response:
        return json.load(response)


def test_each_message_of_the_guide(stoa):
    client = Plain(stoa, "/api/v1/ws")
    hello = client.next()
    assert (hello["type"], hello["event"]) == ("connection", "connected")
    assert hello["connection_id"] and hello["timestamp"]

    room = f"execution:{EXECUTION}"
    client.send(type="subscribe", room_id=room)
    answer = client.next()
    assert answer["timestamp"]
    assert {key: answer[key] for key in ("type", "event", "room_id")} == {"type": "subscription", "event": "subscribed", "room_id": room}

    data = {"execution_id": EXECUTION, "status": "running", "progress_percentage": 45.5, "completed_nodes": 3,
            "total_nodes": 7, "current_node": "node-3"}
    stoa.publish({"type": "workflow.run.updated", "data": data})
    update = client.next()
    assert (update["type"], update["event"], update["data"]) == ("execution_update", "status_changed", data)
    assert update["timestamp"]

    data = {"execution_id": EXECUTION, "node_execution_id": "abc-def-ghi", "node_id": "node-1",
            "node_name": "Customer Support Agent", "status": "running", "message": "Processing customer inquiry..."}
    stoa.publish({"type": "workflow.node.started", "data": data})
    update = client.next()
    assert (update["type"], update["event"], update["data"]) == ("node_update", "status_changed", data)
    assert update["timestamp"]

    client.send(type="ping")
    pong = client.next()
    assert pong["type"] == "pong" and pong["timestamp"]

    client.send(type="subscribe", room_id="producers")
    error = client.next()
    assert (error["type"], error["room_id"]) == ("error", "producers")
    assert error["message"]

    client.send(type="unsubscribe", room_id=room)
    answer = client.next()
    assert (answer["type"], answer["event"], answer["room_id"]) == ("subscription", "unsubscribed", room)
    client.close()


def test_the_guides_clients_are_counted(stoa):
    clients = [Plain(stoa, "/api/v1/ws") for _ in range(5)]
    rooms = [f"execution:{EXECUTION}", "workflow:abc-def-ghi", f"execution:{EXECUTION}"]
    for client, room in zip(clients, rooms):
        client.until("connection")
        client.send(type="subscribe", room_id=room)
        client.until("subscription")
    stats = get(stoa, "/api/v1/ws/stats")
    assert {key: stats[key] for key in ("total_connections", "user_connections", "active_rooms")} == {
        "total_connections": 5, "user_connections": 0, "active_rooms": 2}
    assert get(stoa, "/api/v1/ws/rooms") == {"active_rooms": sorted(set(rooms)), "total_rooms": 2}
    for client in clients[1:]:
        client.close()
    until(lambda: "the others are gone", lambda: get(stoa, "/api/v1/ws/stats")["total_connections"] == 1)
    assert get(stoa, "/api/v1/ws/rooms")["active_rooms"] == [f"execution:{EXECUTION}"]
    clients[0].close()


class Services:
    """The services of the event integration: they emit what its document shows, by POST."""

    def __init__(self, server):
        self.server = server

    def emit(self, kind, key, thing, error=None):
        event = {"type": kind, key: thing, "timestamp": "2026-01-02T03:04:05+00:00"}
        if error:
            event["errorMessage"] = error
        self.server.publish(event)
        return event

    def ingest(self, job_id):
        job = {"id": job_id, "project_id": "p1", "stage": "QUEUED", "progress": 0.0}
        yield self.emit("ingest.job.created", "job", job)
        job = {**job, "stage": "PREPROCESSING"}
        yield self.emit("ingest.job.updated", "job", job)
        yield self.emit("ingest.job.failed", "job", {**job, "progress": 0.5}, error="no such file")

    def agent(self, run_id):
        run = {"id": run_id, "project_id": "p1", "agent_id": "a1", "status": "running"}
        yield self.emit("agent.run.created", "run", run)
        yield self.emit("agent.step.updated", "step", {"id": "s1", "run_id": run_id, "name": "Look"})
        yield self.emit("agent.message.appended", "message", {"id": "m1", "run_id": run_id, "role": "assistant", "content": "Hi"})
        yield self.emit("workflow.node_state.updated", "nodeState", {"id": "n1", "run_id": run_id, "node_id": "n", "status": "running"})
        yield self.emit("agent.run.completed", "run", {**run, "status": "completed"})

    def workflow(self, run_id):
        run = {"id": run_id, "project_id": "p1", "workflow_id": "w", "status": "running"}
        yield self.emit("workflow.run.created", "run", run)
        for kind in ("started", "completed"):
            yield self.emit(f"workflow.node.{kind}", "nodeState", {"id": "n1", "run_id": run_id, "node_id": "n"})
        yield self.emit("workflow.run.completed", "run", {**run, "status": "completed"})


@BY_LIBRARY
@pytest.mark.parametrize("what, path", [("ingest", "ingest"), ("agent", "agent-runs"), ("workflow", "workflows/runs")])
def test_a_stream_tells_what_its_service_emits(stoa, client, what, path):
    watcher = client(stoa, f"/api/stream/projects/p1/{path}/x")
    try:
        until(lambda: "hello", lambda: watcher.hellos)
        emitted = list(getattr(Services(stoa), what)("x"))
        list(getattr(Services(stoa), what)("another"))
        until(lambda: watcher.seen, lambda: len(watcher.seen) >= len(emitted))
        for event, told in zip(emitted, watcher.seen, strict=True):
            key = next(key for key in event if key not in ("type", "timestamp", "errorMessage"))
            assert told["type"] == event["type"]
            assert told[key] == event[key]
            assert told.get("errorMessage") == event.get("errorMessage")
            assert told["timestamp"] == "2026-01-02T03:04:05.000Z"
            assert told["id"] and told["cursor"] and told["source_type"] == event["type"]
    finally:
        watcher.close()


@BY_LIBRARY
def test_a_stream_goes_on_where_it_was_when_the_server_is_killed(durable, client):
    watcher = client(durable, "/api/stream/projects/p1")
    try:
        until(lambda: "hello", lambda: watcher.hellos)
        for lap in range(4):
            for n in range(20):
                durable.publish({"type": "workflow.node.started", "id": f"{lap}-{n}",
                                 "nodeState": {"run_id": "r", "project_id": "p1", "node_id": f"n{lap}-{n}"}})
            durable.crash()
            until(lambda: f"hello {lap}", lambda: watcher.hellos > lap + 1)
        wanted = [f"{lap}-{n}" for lap in range(4) for n in range(20)]
        until(lambda: f"{len(watcher.seen)} of {len(wanted)}", lambda: len(watcher.seen) >= len(wanted))
        assert [told["id"] for told in watcher.seen] == wanted
        assert all(resumed["complete"] for resumed in watcher.resumed), watcher.resumed
    finally:
        watcher.close()
