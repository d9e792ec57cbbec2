"""Lean updates with python-socketio: each fact once, and the cursor holds in both shapes."""

import asyncio
import json

import pytest
import socketio

from conftest import PATIENCE, AsyncClient

FIELDS = ("type", "timestamp", "id", "cursor", "priority", "animation", "hint")


def decision(n):
    return {
        "type": "decision.made",
        "id": f"d{n}",
        "data": {"decision": "Use PostgreSQL", "rationale": "It is known", "confidence": 0.8, "n": n},
    }


def times(update):
    return json.dumps(update).count("Use PostgreSQL")


async def watching(stoa, transport, **auth):
    """A connected client, and the queue of the decisions that it is sent."""
    client, came, greeting = AsyncClient(), asyncio.Queue(), asyncio.Queue()
    client.on("decision_event", came.put_nowait)
    client.on("connection_established", greeting.put_nowait)
    await client.connect(stoa.url, transports=[transport], auth=auth)
    # An event that is published before the greeting may be older than the client.
    await asyncio.wait_for(greeting.get(), PATIENCE)

    async def get():
        return await asyncio.wait_for(came.get(), PATIENCE)

    return client, get


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_each_fact_is_there_once(stoa, transport):
    asyncio.run(each_fact(stoa, transport))


async def each_fact(stoa, transport):
    publish = lambda n: asyncio.to_thread(stoa.publish, decision(n))
    lean, short = await watching(stoa, transport, shape="lean")
    full, long = await watching(stoa, transport, name="full")
    try:
        await publish(1)
        of_lean, of_full = await short(), await long()
        assert times(of_lean) == 1 and of_lean["data"] == decision(1)["data"]
        assert times(of_full) > 2 and of_full["decision"] == "Use PostgreSQL"
        bytes_of = lambda update: len(json.dumps(update, separators=(",", ":")))
        assert bytes_of(of_lean) <= 0.45 * bytes_of(of_full)
        for key in FIELDS:
            assert of_lean[key] == of_full[key], key
        # A client that comes back may ask for the other shape.
        await lean.disconnect()
        await publish(2)
        await long()
        for auth, least in (({}, 2), ({"shape": "lean"}, 1)):
            back, missed = await watching(stoa, transport, cursor=of_lean["cursor"], **auth)
            update = await missed()
            assert update["id"] == "d2"
            assert (times(update) == 1) == (least == 1)
            await back.disconnect()
        refused, why = AsyncClient(), asyncio.Queue()
        refused.on("connect_error", why.put_nowait)
        with pytest.raises(socketio.exceptions.ConnectionError):
            await refused.connect(stoa.url, transports=[transport], auth={"shape": "fat"})
        assert "auth.shape must be full or lean" in str(await asyncio.wait_for(why.get(), PATIENCE))
    finally:
        await lean.disconnect()
        await full.disconnect()
