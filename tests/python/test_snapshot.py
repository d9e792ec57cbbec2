"""A state that is larger than a message may be reaches python's clients in parts."""

import asyncio
import json
import urllib.request

import websockets

from conftest import PATIENCE, AsyncClient

TASKS = 400
MAPS = ("projects", "agents", "tasks", "runs")


def fill(stoa):
    """Some megabytes: many tasks with facts."""
    text = "x" * 7_000
    for first in range(0, TASKS, 50):
        stoa.publish(
            [
                {
                    "type": "task.created",
                    "project_id": f"p{n % 2}",
                    "data": {"task_id": f"t{n}", "name": f"Task {n}", "note": text, "more": {"n": n}},
                }
                for n in range(first, first + 50)
            ]
        )


def state(stoa):
    with urllib.request.urlopen(f"{stoa.url}/api/v1/state", timeout=PATIENCE) as response:
        return json.load(response)


class Parts:
    """Takes the parts of a snapshot in their order and lays them over each other."""

    def __init__(self):
        self.whole = {}
        self.taken = 0

    def take(self, part):
        """Whether it was the last one."""
        self.taken += 1
        assert part["part"] == self.taken
        last = part["parts"] == self.taken
        assert ("cursor" in part) == last
        for name in MAPS:
            known = self.whole.setdefault(name, {})
            assert not known.keys() & part[name].keys()
            known.update(part[name])
        if last:
            self.whole["cursor"] = part["cursor"]
            self.whole["counts"] = part["counts"]
        return last

    def is_state(self, state):
        assert self.taken > 5
        assert len(state["tasks"]) == TASKS
        for name in (*MAPS, "cursor", "counts"):
            assert self.whole[name] == state[name], name


def test_parts_are_the_state(stoa):
    fill(stoa)
    asyncio.run(asynchronously(stoa))


async def asynchronously(stoa):
    client, came = AsyncClient(), asyncio.Queue()
    client.on("snapshot", came.put_nowait)
    try:
        await client.connect(stoa.url, transports=["websocket"], auth={"snapshot": True})
        parts = Parts()
        while not parts.take(await asyncio.wait_for(came.get(), PATIENCE)):
            pass
        parts.is_state(await asyncio.to_thread(state, stoa))
    finally:
        await client.disconnect()


def test_no_part_is_longer_than_websockets_takes(stoa):
    """`websockets` closes a connection on which a message of more than 1 MiB comes."""
    fill(stoa)
    asyncio.run(asyncio.wait_for(raw(stoa), PATIENCE))


async def raw(stoa):
    url = f"ws://{stoa.address}/socket.io/?EIO=4&transport=websocket"
    async with websockets.connect(url, proxy=None) as socket:
        assert (await socket.recv()).startswith("0{")
        await socket.send('40{"snapshot":true}')
        parts = Parts()
        while True:
            packet = await socket.recv()
            if packet == "2":
                await socket.send("3")
            elif packet.startswith('42["snapshot"') and parts.take(json.loads(packet[2:])[1]):
                break
        parts.is_state(await asyncio.to_thread(state, stoa))
