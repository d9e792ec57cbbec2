"""`make run-cluster`, without its build: three nodes behind nginx, and what a client has of them when one is killed."""

import asyncio
import http.client
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest
from conftest import ANSWER, BINARY, PATIENCE, ROOT, AsyncClient, not_checked

# nginx's answers for a node that dies or is gone.
AGAIN = (502, 503, 504)
RUN = ROOT / "docs/cluster/run.py"
PATH = os.environ.get("PATH", "") + ":/usr/sbin"


def free_ports(count):
    """The first of so many free ports in a row, below those that the system gives away itself."""
    for first in range(22_000 + os.getpid() % 5_000, 32_000, count):
        sockets = []
        try:
            for port in range(first, first + count):
                sockets.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise AssertionError("no free ports")


class Cluster:
    def __init__(self, tmp):
        self.port = free_ports(5)
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, str(RUN), "--port", str(self.port), "--stoa", BINARY, "--folder", str(tmp)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.said = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.said.put(line)
        self.said.put(None)

    def until(self, words):
        """The lines up to the first with these words."""
        lines = []
        while not lines or not re.search(words, lines[-1]):
            line = self.said.get(timeout=PATIENCE)
            assert line is not None, "".join(lines)
            lines.append(line)
        return lines

    def until_ready(self, node):
        """Waits for the node that was started again."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return urllib.request.urlopen(f"http://127.0.0.1:{self.port + 1 + node}/readyz", timeout=PATIENCE).close()
            except OSError:
                assert time.monotonic() < end, f"node {node} does not come back"
                time.sleep(0.05)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)


@pytest.fixture
def cluster(tmp_path):
    for names in (["redis-server", "valkey-server"], ["nginx"]):
        if not any(shutil.which(name, path=PATH) for name in names):
            not_checked(f"make run-cluster: {' or '.join(names)} is not installed")
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.stop()


def publish(url, ids):
    """As a producer does: what a node that dies leaves without an answer is published again, with the same ids."""
    events = [{"id": id, "type": "task.created", "data": {"task_id": id}} for id in ids]
    request = urllib.request.Request(f"{url}/api/v1/events", json.dumps(events).encode(), {"content-type": "application/json"})
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(request, timeout=ANSWER) as answer:
                told = json.load(answer)
        except urllib.error.HTTPError as refusal:
            assert refusal.code in AGAIN and time.monotonic() < end, f"{refusal}: {refusal.read()[:200]}"
        except (OSError, http.client.HTTPException) as lost:
            assert time.monotonic() < end, f"it can't be published: {lost!r}"
        else:
            # A node that died may have kept them before.
            assert told["accepted"] + told["duplicates"] == len(ids), told
            return
        time.sleep(0.05)


class Watcher:
    """A client that comes back with its cursor, and keeps the ids that are this test's."""

    def __init__(self, url, transports):
        self.cursor, self.ids, self.greetings = None, asyncio.Queue(), asyncio.Queue()
        self.client = AsyncClient(reconnection_delay=0.1, reconnection_delay_max=1)
        self.client.on("*", self.take)
        self.connecting = self.client.connect(url, transports=transports, auth=lambda: {"cursor": self.cursor} if self.cursor else {})

    def take(self, name, body=None):
        if not isinstance(body, dict):
            return
        self.cursor = body.get("cursor", self.cursor)
        if name == "connection_established":
            self.greetings.put_nowait(body)
        if str(body.get("id")).startswith("mine-"):
            self.ids.put_nowait(body["id"])

    async def next(self, count):
        return [await asyncio.wait_for(self.ids.get(), PATIENCE) for _ in range(count)]

    async def greeted(self):
        await asyncio.wait_for(self.greetings.get(), PATIENCE)


def test_clients_go_on_when_nodes_are_killed(cluster):
    lines = cluster.until("Ctrl-C")
    found = filter(None, (re.search(r"Node (\w), process (\d+)", line) for line in lines))
    nodes = {one[1]: int(one[2]) for one in found}
    assert list(nodes) == ["a", "b", "c"]
    asyncio.run(going_on(cluster, nodes))
    assert cluster.stop() == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(cluster.url, timeout=PATIENCE)


async def going_on(cluster, nodes):
    first, then = [f"mine-{n}" for n in range(3)], [f"mine-{n}" for n in range(3, 9)]
    watchers = [Watcher(cluster.url, way) for way in (["polling"], ["polling", "websocket"], ["websocket"])]
    try:
        for watcher in watchers:
            await watcher.connecting
            await watcher.greeted()
        await asyncio.to_thread(publish, cluster.url, first)
        for watcher in watchers:
            assert await watcher.next(len(first)) == first
        # Each node once, so each client is cut off, and comes back to another one.
        for at, (name, process) in enumerate(nodes.items()):
            os.kill(process, signal.SIGKILL)
            await asyncio.to_thread(cluster.until, f"node-{name} ended")
            await asyncio.to_thread(publish, cluster.url, then[2 * at : 2 * at + 2])
            await asyncio.to_thread(cluster.until_ready, at)
        for watcher in watchers:
            await watcher.greeted()
            assert await watcher.next(len(then)) == then
            assert watcher.ids.empty()
    finally:
        for watcher in watchers:
            await watcher.client.disconnect()
