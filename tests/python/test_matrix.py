"""python-socketio, sync and async, by every way a user may connect it."""

import asyncio
import queue
import urllib.parse

import pytest

from conftest import PATIENCE, AsyncClient, Client

WAYS = {
    "websocket only": ["websocket"],
    "polling, then upgrade": None,
    "polling only": ["polling"],
}

ASSIGNED = {
    "type": "task.assigned",
    "project_id": "p1",
    "data": {"agent_id": "a1", "task_id": "t1", "task_name": "Build"},
}


@pytest.mark.parametrize("transports", WAYS.values(), ids=WAYS.keys())
def test_sync(stoa, transports):
    received = {name: queue.Queue() for name in ("connection_established", "task_assignment", "agent_update")}
    observer = Client(reconnection_delay=0.05, reconnection_delay_max=0.2)
    producer = Client()
    for name, events in received.items():
        observer.on(name, events.put)
    try:
        observer.connect(stoa.url, transports=transports, auth={"name": "watcher"})
        producer.connect(stoa.url, transports=transports, auth={"name": "worker", "role": "producer"})
        established = received["connection_established"].get(timeout=PATIENCE)
        assert established["role"] == "observer"
        assert established["client_id"] == observer.get_sid() != observer.sid

        joined = observer.call("join_room", {"room": "project:p1"}, timeout=PATIENCE)
        assert joined == {"status": "ok", "room": "project:p1", "members": 1}

        receipt = producer.call("publish", ASSIGNED, timeout=PATIENCE)
        assert (receipt["status"], receipt["accepted"]) == ("ok", 1)
        update = received["task_assignment"].get(timeout=PATIENCE)
        assert (update["taskName"], update["cursor"]) == ("Build", receipt["cursor"])

        stoa.restart()
        received["connection_established"].get(timeout=PATIENCE)
        stoa.publish({"type": "agent_registered", "data": {"agent_id": "a2"}})
        assert received["agent_update"].get(timeout=PATIENCE)["data"]["agent_id"] == "a2"
    finally:
        observer.disconnect()
        producer.disconnect()


@pytest.mark.parametrize("transports", WAYS.values(), ids=WAYS.keys())
def test_async(stoa, transports):
    asyncio.run(asynchronously(stoa, transports))


async def asynchronously(stoa, transports):
    received = {name: asyncio.Queue() for name in ("connection_established", "task_assignment", "agent_update")}
    observer = AsyncClient(reconnection_delay=0.05, reconnection_delay_max=0.2)
    producer = AsyncClient()
    for name, events in received.items():
        observer.on(name, events.put_nowait)

    async def get(name):
        return await asyncio.wait_for(received[name].get(), PATIENCE)

    try:
        await observer.connect(stoa.url, transports=transports, auth={"name": "watcher"})
        await producer.connect(stoa.url, transports=transports, auth={"name": "worker", "role": "producer"})
        assert (await get("connection_established"))["rooms"] == ["general", "observers"]

        joined = await observer.call("join_room", {"room": "project:p1"}, timeout=PATIENCE)
        assert joined == {"status": "ok", "room": "project:p1", "members": 1}
        spelt = "task:" + urllib.parse.quote("Café|1/2", safe="")
        joined = await observer.call("join_room", {"room": spelt.lower().replace("c", "%43", 1)}, timeout=PATIENCE)
        assert joined["room"] == "task:Caf%C3%A9%7C1%2F2" == spelt

        receipt = await producer.call("publish", [ASSIGNED, {"data": {}}], timeout=PATIENCE)
        assert (receipt["accepted"], receipt["rejected"][0]["error"]["code"]) == (1, "missing_type")
        assert (await get("task_assignment"))["taskName"] == "Build"

        await asyncio.to_thread(stoa.restart)
        await get("connection_established")
        await asyncio.to_thread(stoa.publish, {"type": "agent_registered", "data": {"agent_id": "a2"}})
        assert (await get("agent_update"))["data"]["agent_id"] == "a2"
    finally:
        await observer.disconnect()
        await producer.disconnect()
