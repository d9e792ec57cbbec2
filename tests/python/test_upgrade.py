"""Boxes between client and server that spoil the upgrade to a WebSocket, each in its way: the session goes on by polling,
and every event comes once and in order."""

import asyncio
import contextlib
import queue
import re
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import PATIENCE, AsyncClient, Client, Stoa

WAYS = [
    "answers 400",
    "answers 429",
    "answers 502",
    "drops the upgrade's headers",
    "hangs",
    "cuts after 101",
    "resets after 101",
    "cuts at the probe",
    "swallows the probe",
    "answers the probe with something else",
]
# A client that waits for the answer to its probe waits until the server ends that; half of this.
PATIENT = {"STOA_SERVER__CONNECT_TIMEOUT": "4"}
# Seconds that a client waits for an answer to an upgrade, if it does not wait for ever, and that a box holds it.
SHORT = 1
EVENTS = 60


class Box:
    """A proxy on loopback that passes everything on but upgrades, and counts what it sees."""

    def __init__(self, port, way):
        self.port, self.way = port, way
        self.polls = self.upgrades = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.open = set()
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        # Wakes a thread that waits in `accept` or `recv`.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        with self.lock:
            for one in self.open:
                self._drop(one)

    @staticmethod
    def _drop(one):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.socket.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        server = socket.create_connection(("127.0.0.1", self.port))
        with self.lock:
            self.open |= {client, server}
        link = {"upgrading": False}
        back = threading.Thread(target=self._back, args=(client, server, link), daemon=True)
        back.start()
        try:
            while data := client.recv(65_536):
                if not self._forth(client, server, link, data):
                    break
        except OSError:
            pass
        self._drop(client)
        self._drop(server)
        back.join()
        with self.lock:
            self.open -= {client, server}
        client.close()
        server.close()

    def _forth(self, client, server, link, data):
        """The client's bytes; whether it may send more."""
        with self.lock:
            self.polls += len(re.findall(rb"^GET [^ ]*transport=polling", data, re.M))
        if link["upgrading"]:
            if self.way == "cuts at the probe":
                return False
            if self.way == "swallows the probe":
                return True
        elif re.search(rb"^upgrade: websocket", data, re.M | re.I):
            link["upgrading"] = True
            with self.lock:
                self.upgrades += 1
            if self.way.startswith("answers 4") or self.way.startswith("answers 5"):
                status = self.way.split()[1]
                client.sendall(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                return False
            if self.way == "hangs":
                threading.Timer(SHORT, self._drop, [client]).start()
                return True
            if self.way == "drops the upgrade's headers":
                data = re.sub(rb"^(upgrade|connection): [^\r]*\r\n", b"", data, flags=re.M | re.I)
        server.sendall(data)
        return True

    def _back(self, client, server, link):
        """The server's answers."""
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                is_upgraded = link["upgrading"] and data.startswith(b"HTTP/1.1 101")
                if link["upgrading"] and not is_upgraded and self.way == "answers the probe with something else":
                    # A frame with a packet that says nothing.
                    data = b"\x81\x016"
                client.sendall(data)
                if is_upgraded and self.way == "cuts after 101":
                    break
                if is_upgraded and self.way == "resets after 101":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.close()
                    break
        self._drop(server)
        self._drop(client)


@pytest.fixture
def stoa():
    server = Stoa(env=PATIENT)
    yield server
    server.stop()


def decisions(first, count):
    return [{"type": "decision.logged", "data": {"what": "x", "n": n}} for n in range(first, first + count)]


def check(box, came, before):
    # Two producers published, and each one's are in order.
    numbers = [update["data"]["n"] for update in came]
    assert [n for n in numbers if n < EVENTS // 2] == list(range(EVENTS // 2))
    assert [n for n in numbers if n >= EVENTS // 2] == list(range(EVENTS // 2, EVENTS))
    assert box.upgrades >= 1, box.way
    # Each poll brings something: none comes back empty at once, again and again.
    assert box.polls - before <= EVENTS + 20, f"{box.polls - before} polls, {box.way}"


@pytest.mark.parametrize("way", WAYS)
def test_sync(stoa, way):
    box = Box(stoa.port, way)
    client, came, gone = Client(ordered=False, request_timeout=SHORT, reconnection=False), queue.Queue(), []
    # It hands each event to a thread of its own; these are the lines of the README that keep them in order.
    in_order = ThreadPoolExecutor(1)
    start = client.eio.start_background_task
    client.eio.start_background_task = lambda run, *args: in_order.submit(run, *args) if args else start(run)
    greeting = queue.Queue()
    client.on("connection_established", greeting.put)
    client.on("decision_event", came.put)
    client.on("disconnect", lambda *why: gone.append(why))
    try:
        # It comes back when its try to upgrade is over.
        client.connect(box.url, auth={"role": "producer"})
        greeting.get(timeout=PATIENCE)
        assert client.transport() == "polling"
        before = box.polls
        stoa.publish(decisions(0, EVENTS // 2))
        answer = client.call("publish", decisions(EVENTS // 2, EVENTS // 2), timeout=PATIENCE)
        assert (answer["status"], answer["accepted"]) == ("ok", EVENTS // 2)
        seen = [came.get(timeout=PATIENCE) for _ in range(EVENTS)]
        assert client.call("ping", timeout=PATIENCE)["status"] == "ok"
        assert (came.empty(), gone, client.transport()) == (True, [], "polling")
        check(box, seen, before)
    finally:
        client.disconnect()
        box.close()


@pytest.mark.parametrize("way", WAYS)
def test_async(stoa, way):
    asyncio.run(asynchronously(stoa, way))


async def asynchronously(stoa, way):
    box = Box(stoa.port, way)
    client, came, gone = AsyncClient(request_timeout=SHORT, reconnection=False), asyncio.Queue(), []
    greeting = asyncio.Queue()
    client.on("connection_established", greeting.put_nowait)
    client.on("decision_event", came.put_nowait)
    client.on("disconnect", lambda *why: gone.append(why))
    try:
        await client.connect(box.url, auth={"role": "producer"})
        await asyncio.wait_for(greeting.get(), PATIENCE)
        assert client.transport() == "polling"
        before = box.polls
        await asyncio.to_thread(stoa.publish, decisions(0, EVENTS // 2))
        answer = await client.call("publish", decisions(EVENTS // 2, EVENTS // 2), timeout=PATIENCE)
        assert (answer["status"], answer["accepted"]) == ("ok", EVENTS // 2)
        seen = [await asyncio.wait_for(came.get(), PATIENCE) for _ in range(EVENTS)]
        assert (await client.call("ping", timeout=PATIENCE))["status"] == "ok"
        assert (came.empty(), gone, client.transport()) == (True, [], "polling")
        check(box, seen, before)
    finally:
        await client.disconnect()
        box.close()
