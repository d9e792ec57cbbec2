"""kill -9 again and again: an observer made of the few lines of the README has every acknowledged event once, or united
into a later one of its key, and needs no snapshot."""

import asyncio
import json
import queue
import threading
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import socketio

from conftest import PATIENCE, AsyncClient, Client

ROUNDS = 5
EVENTS_A_ROUND = 400
BRISK = {"reconnection_delay": 0.05, "reconnection_delay_max": 0.1, "randomization_factor": 0.2}
WAYS = [["websocket"], None, ["polling"]]

changed = threading.Condition()


def until(what, holds):
    """Waits without asking in between: whoever changes something says so."""
    deadline = time.monotonic() + PATIENCE
    with changed:
        while not holds():
            left = deadline - time.monotonic()
            assert left > 0, f"not in time: {what()}"
            changed.wait(left)


class Screen:
    """The updates that one observer saw over all its connections."""

    def __init__(self, transports):
        self.transports = transports
        self.hellos = 0
        self.resumed = []
        self.snapshots = 0
        self.updates = []

    def take(self, name, update):
        with changed:
            if name == "connection_established":
                self.hellos += 1
            elif name == "resumed":
                self.resumed.append(update)
            elif name == "snapshot":
                self.snapshots += 1
            elif name in ("decision_event", "progress_update", "message_appended"):
                self.updates.append((name, update))
            changed.notify_all()

    def of(self, name):
        return [update for found, update in self.updates if found == name]

    def events(self):
        return sum(update.get("coalesced", 1) for _, update in self.updates)

    def shown(self):
        texts, progress, events = Counter(), {}, Counter()
        for update in self.of("message_appended"):
            key = update["data"]["message_id"]
            texts[key] = (texts[key] or "") + update["data"]["content"]
        for update in self.of("progress_update"):
            progress[update["task_id"]] = update["progress"]
            events[update["task_id"]] += update.get("coalesced", 1)
        return sorted(update["id"] for update in self.of("decision_event")), texts, progress, events


class SyncObservers:
    def __init__(self, url, screens):
        self.clients = [self.observe(url, screen) for screen in screens]

    def observe(self, url, screen):
        # These are the lines of the README.
        sio = Client(ordered=False, **BRISK)
        in_order = ThreadPoolExecutor(1)
        start = sio.eio.start_background_task
        sio.eio.start_background_task = lambda run, *args: in_order.submit(run, *args) if args else start(run)
        cursor = None

        @sio.on("*")
        def on_update(name, update):
            nonlocal cursor
            cursor = update.get("cursor") or cursor
            screen.take(name, update)

        def auth():
            return in_order.submit(lambda: {"name": "recorder", "cursor": cursor}).result()

        sio.connect(url, auth=auth, transports=screen.transports)
        return sio

    def close(self):
        for sio in self.clients:
            sio.disconnect()


class AsyncObservers:
    """Their loop runs in a thread of its own."""

    def __init__(self, url, screens):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.clients = [self.run(self.observe(url, screen)) for screen in screens]

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    async def observe(self, url, screen):
        # These are the lines of the README.
        sio = AsyncClient(**BRISK)
        cursor = None

        @sio.on("*")
        def on_update(name, update):
            nonlocal cursor
            cursor = update.get("cursor") or cursor
            screen.take(name, update)

        await sio.connect(url, auth=lambda: {"name": "recorder", "cursor": cursor}, transports=screen.transports)
        return sio

    def close(self):
        for sio in self.clients:
            self.run(sio.disconnect())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class Producer:
    """Publishes until told to stop; what was not acknowledged is published again, under the same ids."""

    def __init__(self, url):
        self.stop = threading.Event()
        self.acknowledged = set()
        self.connected = threading.Event()
        # Connections that ended: what was sent on one of them and is not answered yet will not be.
        self.lost = 0
        self.answer = queue.Queue()
        self.failed = None
        self.sio = Client(**BRISK)
        self.sio.on("connect", self.connected.set)
        self.sio.on("disconnect", self.gone)
        self.sio.connect(url, auth={"role": "producer", "filters": {"types": ["none"]}}, transports=["websocket"])
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def gone(self, _reason):
        self.connected.clear()
        self.lost += 1
        self.answer.put(None)

    def run(self):
        try:
            n = 0
            while not self.stop.is_set():
                events = [
                    {"type": "decision.logged", "id": f"d{n}", "data": {"what": "x"}},
                    {"type": "task.progress", "id": f"p{n}", "data": {"task_id": f"t{n % 3}", "progress": n}},
                    {"type": "agent.message.appended", "id": f"m{n}", "data": {"run_id": "r", "message_id": "m", "role": "assistant", "content": f"{n} "}},
                ]
                while (receipt := self.publish(events)) is None:
                    pass
                assert (receipt["status"], receipt["rejected"]) == ("ok", []), receipt
                with changed:
                    self.acknowledged.update(event["id"] for event in events)
                    changed.notify_all()
                n += 1
        except BaseException as error:
            self.failed = error
            raise

    def publish(self, events):
        """The receipt; none when the connection ended before it came."""
        assert self.connected.wait(PATIENCE)
        lost = self.lost
        self.answer = answer = queue.Queue()
        try:
            self.sio.emit("publish", events, callback=answer.put)
        except socketio.exceptions.BadNamespaceError:
            return None
        if self.lost != lost:
            return None
        return answer.get(timeout=PATIENCE)

    def end(self):
        self.stop.set()
        self.thread.join()
        self.sio.disconnect()
        assert self.failed is None, self.failed


def kept(url):
    events, after = [], ""
    while after is not None:
        with urllib.request.urlopen(f"{url}/api/v1/events?limit=1000{after}", timeout=PATIENCE) as response:
            page = json.load(response)
        assert page["complete"] is True
        events += page["events"]
        after = page["next"] and f"&after={page['next']}"
    return events


def truth(events):
    texts, progress, numbers = Counter(), {}, Counter()
    for event in events:
        data = event["data"]
        if event["type"] == "agent.message.appended":
            texts[data["message_id"]] = (texts[data["message_id"]] or "") + data["content"]
        elif event["type"] == "task.progress":
            progress[data["task_id"]] = data["progress"]
            numbers[data["task_id"]] += 1
    return sorted(e["id"] for e in events if e["type"] == "decision.logged"), texts, progress, numbers


@pytest.mark.parametrize("observers", [SyncObservers, AsyncObservers])
def test_nothing_acknowledged_is_lost_or_shown_twice(durable, observers):
    screens = [Screen(transports) for transports in WAYS]
    watching = observers(durable.url, screens)
    producer = None
    try:
        until(lambda: "hellos", lambda: all(screen.hellos for screen in screens))
        producer = Producer(durable.url)
        for number in range(ROUNDS):
            wanted = len(producer.acknowledged) + EVENTS_A_ROUND + number * 37
            until(lambda: f"round {number}", lambda: len(producer.acknowledged) >= wanted)
            # In every second round the server also dies under those who are still catching up.
            until(
                lambda: "connected again, or caught up",
                lambda: all(screen.hellos > number and len(screen.resumed) >= number / 2 for screen in screens),
            )
            durable.crash()
        producer.stop.set()
        producer.thread.join()
        # Something that is not united, so that what would come too much has come before it.
        assert durable.publish({"type": "decision.logged", "id": "last", "data": {"what": "x"}})["accepted"] == 1

        events = kept(durable.url)
        ids = {event["id"] for event in events}
        assert len(ids) == len(events), "no event is kept twice"
        assert producer.acknowledged <= ids, "something was acknowledged and is gone"
        expected = truth(events)
        for screen in screens:
            until(
                lambda: f"{screen.events()} of {len(events)} with {screen.transports}",
                lambda: screen.events() >= len(events) and "last" in (u["id"] for _, u in screen.updates[-100:]),
            )
            # It comes behind all that was missed, which may be all that there is.
            until(
                lambda: f"resumed {len(screen.resumed)} times with {screen.transports}",
                lambda: len(screen.resumed) >= ROUNDS / 2,
            )
            assert screen.shown() == expected
            assert max(Counter((name, update["id"]) for name, update in screen.updates).values()) == 1
            assert screen.snapshots == 0
            assert all(resumed["complete"] for resumed in screen.resumed), screen.resumed
    finally:
        if producer:
            producer.end()
        watching.close()
