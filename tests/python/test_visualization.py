"""The workflow visualization's socket, with the clients that its users have: websockets and websocket-client.

The first test is the one of the visualization's own document, with the server in the place of its manager."""

import asyncio
import json
import socket

import pytest
import websocket
import websockets

from conftest import PATIENCE, Stoa


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def own_port():
    """A server whose visualization has a port of its own, as its clients expect it."""
    port = free_port()
    server = Stoa(env={"STOA_DOORS__VISUALIZATION_PORT": str(port)})
    yield port
    server.stop()


async def told(ws):
    return json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))


def test_websocket_connection(own_port):
    async def run():
        nodes = {}
        async with websockets.connect(f"ws://localhost:{own_port}") as screen:
            # An answer shows that the screen watches.
            await screen.send("{}")
            assert (await told(screen))["status"] == "error"
            # Connect test client
            async with websockets.connect(f"ws://localhost:{own_port}") as ws:
                # Send test update
                await ws.send(json.dumps({
                    "type": "node_update",
                    "target_id": "test_node",
                    "changes": {"status": "completed"}
                }))

                # Verify response
                response = json.loads(await ws.recv())
                assert response["status"] == "accepted"

                # Verify update was processed
                update = await told(screen)
                nodes.setdefault(update["target_id"], {}).update(update["changes"])
                assert nodes["test_node"]["status"] == "completed"
                assert update["update_id"] == response["update_id"]

    asyncio.run(run())


def test_update_manager(own_port):
    """Five updates of nodes, as the manager's own test queues them, come as one batch or several, each once."""

    async def run():
        nodes = {}
        async with websockets.connect(f"ws://localhost:{own_port}/?batch=true") as screen:
            await screen.send("{}")
            assert (await told(screen))["status"] == "error"
            async with websockets.connect(f"ws://localhost:{own_port}") as ws:
                for i in range(5):
                    await ws.send(json.dumps({
                        "type": "node_update",
                        "priority": "high",
                        "target_id": f"node_{i}",
                        "changes": {"status": "completed"},
                    }))
                for _ in range(5):
                    assert (await told(ws))["status"] == "accepted"
            count = 0
            while count < 5:
                batch = await told(screen)
                assert batch["requires_layout_update"] is False
                for update in batch["updates"]:
                    count += 1
                    nodes[update["target_id"]] = update["changes"]
        assert sorted(nodes) == [f"node_{i}" for i in range(5)]
        assert all(node["status"] == "completed" for node in nodes.values())

    asyncio.run(run())


def test_the_other_client(own_port):
    """websocket-client, and bytes in place of a text, which json.loads reads as well."""
    screen = websocket.create_connection(f"ws://localhost:{own_port}", timeout=PATIENCE)
    sender = websocket.create_connection(f"ws://localhost:{own_port}", timeout=PATIENCE)
    screen.send("no json")
    answer = json.loads(screen.recv())
    assert answer["status"] == "error" and "JSON" in answer["error"]
    sender.send_binary(json.dumps({"type": "edge_update", "target_id": "e1", "changes": {"w": 1}}).encode())
    assert json.loads(sender.recv())["status"] == "accepted"
    update = json.loads(screen.recv())
    assert (update["update_type"], update["target_id"], update["priority"]) == ("edge_update", "e1", "medium")
    screen.close()
    sender.close()
