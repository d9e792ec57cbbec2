"""Nodes that are drained: python-socketio comes back by itself, has each event once and in order, also while all nodes behind
nginx are restarted one after the other."""

import asyncio
import json
import os
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from conftest import ANSWER, BINARY, PATIENCE, AsyncClient, Stoa
from test_run_cluster import Cluster, Watcher, cluster, publish  # noqa: F401

SECRET = "the-secret-of-this-start"
WAYS = (["polling"], ["polling", "websocket"], ["websocket"])


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("STOA_AUTHENTICATION__START_SECRET", SECRET)


def ask(url, method, wish=None):
    headers = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}
    body = None if wish is None else json.dumps(wish).encode()
    request = urllib.request.Request(f"{url}/api/v1/admin/drain", body, headers, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)


async def until(what, holds):
    for _ in range(PATIENCE * 20):
        if await asyncio.to_thread(holds):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"no {what}")


class Producer:
    """Publishes one event after the other, each until it is kept: a node may go while it is asked."""

    def __init__(self, url):
        self.url, self.count, self.stops = url, 0, False
        self.task = asyncio.create_task(self.run())

    async def run(self):
        while not self.stops:
            await asyncio.to_thread(self.publish, f"mine-{self.count}")
            self.count += 1

    def publish(self, id):
        events = [{"id": id, "type": "task.created", "data": {"task_id": id}}]
        request = urllib.request.Request(
            f"{self.url}/api/v1/events", json.dumps(events).encode(), {"content-type": "application/json"}
        )
        for _ in range(PATIENCE * 20):
            try:
                with urllib.request.urlopen(request, timeout=ANSWER) as answer:
                    done = json.load(answer)
                assert done["accepted"] + done["duplicates"] == 1, done
                return
            except OSError:
                # As any client does: nginx answers at once while it takes all nodes for dead.
                time.sleep(0.05)
        raise AssertionError(f"{id} could not be published")

    async def further(self, more):
        from_here = self.count

        def are_kept():
            if self.task.done():
                self.task.result()
            return self.count >= from_here + more

        await until("further events", are_kept)

    async def stop(self):
        self.stops = True
        await self.task
        return [f"mine-{n}" for n in range(self.count)]


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_a_client_comes_back_to_a_node_that_takes_clients_again(way):
    stoa = Stoa()
    try:
        asyncio.run(comes_back(stoa.url, way))
    finally:
        stoa.stop()


async def comes_back(url, way):
    watcher = Watcher(url, way)
    try:
        await watcher.connecting
        await watcher.greeted()
        producer = Producer(url)
        await producer.further(10)
        for _ in range(2):
            await asyncio.to_thread(ask, url, "POST", {"seconds": 0})
            await until("end of the drain", lambda: ask(url, "GET")["state"] == "drained")
            assert (await asyncio.to_thread(ask, url, "DELETE"))["ended"]
            await watcher.greeted()
            await producer.further(5)
        expected = await producer.stop()
        assert await watcher.next(len(expected)) == expected
        assert watcher.ids.empty()
    finally:
        await watcher.client.disconnect()


def test_a_rolling_restart_loses_nothing(cluster):  # noqa: F811
    cluster.until("Ctrl-C")
    asyncio.run(restarts(cluster))
    assert cluster.stop() == 0


async def restarts(cluster):  # noqa: F811
    watchers = [Watcher(cluster.url, way) for way in WAYS for _ in range(3)]
    try:
        for watcher in watchers:
            await watcher.connecting
            await watcher.greeted()
        producer = Producer(cluster.url)
        await producer.further(10)
        for at, name in enumerate("abc"):
            node = f"http://127.0.0.1:{cluster.port + 1 + at}"
            drain = [BINARY, "drain", "--url", node, "--time", "2s", "--stop"]
            env = {**os.environ, "STOA_TOKEN": SECRET}
            done = await asyncio.to_thread(subprocess.run, drain, env=env, capture_output=True, text=True, timeout=2 * PATIENCE)
            assert done.returncode == 0, done
            assert "stopped" in done.stdout, done
            await asyncio.to_thread(cluster.until, f"node-{name} ended")
            await asyncio.to_thread(cluster.until_ready, at)
            await producer.further(10)
        expected = await producer.stop()
        for watcher in watchers:
            assert await watcher.next(len(expected)) == expected
            assert watcher.ids.empty()
            # It was let go at least once, and is in again.
            assert watcher.client.connected
    finally:
        for watcher in watchers:
            await watcher.client.disconnect()
