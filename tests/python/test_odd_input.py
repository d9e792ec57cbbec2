"""The texts that Python's own JSON writer makes of honest values: NaN, infinities, halves of surrogate pairs. They are read as `null`
and U+FFFD, are counted, and harm nothing beside them."""

import asyncio
import math
import queue
import re
import urllib.request

import pytest

from conftest import PATIENCE, AsyncClient, Client

ODD = [
    {"type": "loss.measured", "data": {"n": 0}},
    {"type": "loss.measured", "data": {"n": 1, "loss": math.nan, "best": -math.inf, "all": [1, math.inf]}},
    {"type": "loss.measured", "data": {"n": 2, "text": "cut \ud83d here", "whole": "\U0001f600"}},
    {"type": "loss.measured", "data": {"n": 3}},
]
READ = [
    {"n": 0},
    {"n": 1, "loss": None, "best": None, "all": [1, None]},
    {"n": 2, "text": "cut \ufffd here", "whole": "\U0001f600"},
    {"n": 3},
]
TRANSPORTS = [["websocket"], ["polling"]]


def counted(stoa):
    with urllib.request.urlopen(f"{stoa.url}/metrics", timeout=PATIENCE) as response:
        text = response.read().decode()
    return {what: int(count) for what, count in re.findall(r'stoa_input_mended_total\{what="(\w+)"\} (\d+)', text)}


def check(stoa, alone, together, seen):
    assert [answer["accepted"] for answer in alone] == [1] * len(ODD), alone
    assert (together["accepted"], together["rejected"]) == (len(ODD), []), together
    assert [update["data"] for update in seen] == READ + READ
    mended = counted(stoa)
    assert (mended["number"], mended["surrogate"]) == (6, 2), mended


@pytest.mark.parametrize("transports", TRANSPORTS, ids=lambda names: names[0])
def test_sync(stoa, transports):
    client, came = Client(reconnection=False), queue.Queue()
    client.on("generic_update", came.put)
    try:
        client.connect(stoa.url, transports=transports, auth={"role": "producer"})
        alone, seen = [], []
        for event in ODD:
            alone.append(client.call("publish", event, timeout=PATIENCE))
            seen.append(came.get(timeout=PATIENCE))
        before = counted(stoa)
        assert before, "counted"
        together = client.call("publish", ODD, timeout=PATIENCE)
        # Each has a thread of its own here.
        seen += sorted((came.get(timeout=PATIENCE) for _ in ODD), key=lambda update: update["data"]["n"])
        check(stoa, alone, together, seen)
        assert client.connected
    finally:
        client.disconnect()


@pytest.mark.parametrize("transports", TRANSPORTS, ids=lambda names: names[0])
def test_async(stoa, transports):
    asyncio.run(asynchronously(stoa, transports))


async def asynchronously(stoa, transports):
    client, came = AsyncClient(reconnection=False), asyncio.Queue()
    client.on("generic_update", came.put_nowait)
    try:
        await client.connect(stoa.url, transports=transports, auth={"role": "producer"})
        alone = [await client.call("publish", event, timeout=PATIENCE) for event in ODD]
        together = await client.call("publish", ODD, timeout=PATIENCE)
        seen = [await asyncio.wait_for(came.get(), PATIENCE) for _ in ODD + ODD]
        check(stoa, alone, together, seen)
        assert client.connected
    finally:
        await client.disconnect()
