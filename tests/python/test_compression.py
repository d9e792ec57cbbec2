"""Compression of messages with python's own clients: what they offer by themselves is agreed on, both ways."""

import asyncio
import json
import re
import urllib.request

import aiohttp
import pytest
import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from conftest import PATIENCE, AsyncClient

TEXT = "the same words again and again, " * 150
SMALL = "few words"


def counted(stoa, line):
    with urllib.request.urlopen(f"{stoa.url}/metrics", timeout=PATIENCE) as response:
        text = response.read().decode()
    return sum(int(n) for n in re.findall(rf"^{re.escape(line)}.* (\d+)$", text, re.MULTILINE))


def decision(n, what=TEXT):
    return {"type": "decision.logged", "id": f"d{n}", "data": {"what": what, "n": n}}


async def packets(socket):
    """Packets as they come, pings answered."""
    while True:
        packet = await asyncio.wait_for(socket.recv(), PATIENCE)
        if packet == "2":
            await socket.send("3")
        else:
            yield packet


async def wait_for(socket, start):
    async for packet in packets(socket):
        if packet.startswith(start):
            return packet


def address(stoa):
    return f"ws://{stoa.address}/socket.io/?EIO=4&transport=websocket"


OFFERS = {
    "its own": "deflate",
    "no takeover": [ClientPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)],
    "a window of its own": [ClientPerMessageDeflateFactory(client_max_window_bits=9)],
    "the largest window of the server": [ClientPerMessageDeflateFactory(server_max_window_bits=15)],
    "a small window, or any": [
        ClientPerMessageDeflateFactory(server_max_window_bits=10),
        ClientPerMessageDeflateFactory(),
    ],
}


@pytest.mark.parametrize("offer", OFFERS)
def test_websockets_compresses_both_ways(stoa, offer):
    offered = OFFERS[offer]
    how = {"compression": "deflate"} if offered == "deflate" else {"compression": None, "extensions": offered}

    async def run():
        async with websockets.connect(address(stoa), **how) as socket:
            agreed = socket.response.headers["Sec-WebSocket-Extensions"]
            assert "server_no_context_takeover" in agreed and "client_no_context_takeover" in agreed
            await socket.send('40{"role":"producer"}')
            await wait_for(socket, '42["connection_established"')
            # Several, so that each must be a message by itself.
            for n, what in enumerate([TEXT, SMALL, TEXT, TEXT[::-1]]):
                await socket.send(f"42{n}" + json.dumps(["publish", decision(n, what)]))
                update = json.loads((await wait_for(socket, '42["decision_event"'))[2:])
                assert update[1]["decision"] == what
        return True

    assert asyncio.run(run())
    assert counted(stoa, "stoa_messages_compressed_total") >= 3
    assert counted(stoa, "stoa_messages_inflated_total") >= 4


def test_an_offer_that_can_not_be_taken_leaves_the_connection_as_it_is(stoa):
    async def run():
        offered = [ClientPerMessageDeflateFactory(server_max_window_bits=9)]
        async with websockets.connect(address(stoa), compression=None, extensions=offered) as socket:
            assert "Sec-WebSocket-Extensions" not in socket.response.headers
            await socket.send("40")
            await wait_for(socket, '42["connection_established"')

    asyncio.run(run())
    assert counted(stoa, 'stoa_compression_offers_total{outcome="window"}') == 1


def test_aiohttp_compresses_both_ways(stoa):
    async def run():
        async with aiohttp.ClientSession() as session, session.ws_connect(address(stoa), compress=15) as socket:
            assert socket.compress
            await socket.send_str('40{"role":"producer"}')
            while not (await socket.receive_str(timeout=PATIENCE)).startswith('42["connection_established"'):
                pass
            await socket.send_str("420" + json.dumps(["publish", [decision(0), decision(1)]]))
            came = []
            while len(came) < 2:
                packet = await socket.receive_str(timeout=PATIENCE)
                if packet.startswith('42["decision_event"'):
                    came.append(json.loads(packet[2:])[1]["data"]["n"])
            assert came == [0, 1]

    asyncio.run(run())
    assert counted(stoa, "stoa_deliveries_compressed_total") >= 2
    assert counted(stoa, "stoa_messages_inflated_total") >= 2


def test_socketio_over_a_compressed_websocket(stoa):
    async def run():
        client = AsyncClient(websocket_extra_options={"compress": 15})
        came = asyncio.get_running_loop().create_future()
        client.on("decision_event", lambda update: came.done() or came.set_result(update))
        await client.connect(stoa.url, transports=["websocket"], auth={"role": "producer", "snapshot": True})
        answer = await client.call("publish", decision(0))
        assert answer["accepted"] == 1
        assert (await asyncio.wait_for(came, PATIENCE))["decision"] == TEXT
        history = await client.call("get_history", {})
        assert history["events"][0]["data"]["what"] == TEXT
        await client.disconnect()

    asyncio.run(run())
    assert counted(stoa, 'stoa_compression_offers_total{outcome="agreed"}') == 1
    assert counted(stoa, "stoa_deliveries_compressed_total") >= 1


def test_the_guides_socket_is_compressed(stoa):
    async def run():
        async with websockets.connect(f"ws://{stoa.address}/api/v1/ws") as socket:
            assert "permessage-deflate" in socket.response.headers["Sec-WebSocket-Extensions"]
            for room in ("execution:e", "workflow:w"):
                await socket.send(json.dumps({"type": "subscribe", "room_id": room, "note": TEXT}))
                while json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))["type"] != "subscription":
                    pass
            node = {"execution_id": "e", "node_id": "n", "node_execution_id": "x", "status": "completed", "message": TEXT}
            for _ in range(2):
                stoa.publish([{"type": "workflow.node.completed", "data": node}])
                update = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
                assert update["type"] == "node_update" and update["data"]["message"] == TEXT

    asyncio.run(run())
    assert counted(stoa, "stoa_messages_compressed_total") == 2
    assert counted(stoa, "stoa_messages_inflated_total") == 2
