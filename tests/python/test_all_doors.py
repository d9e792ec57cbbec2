"""Every event comes at every door once, in one order, whichever door it was published at, while the server is killed again
and again."""

import itertools
import json
import queue
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import socketio
from websockets.exceptions import ConnectionClosed

from conftest import PATIENCE, Client
from doors import ByEvents, ByWebsocketClient, ByWebsockets, Plain, until

LAPS = 5
LONGEST_LIST = 12
BRISK = {"reconnection_delay": 0.05, "reconnection_delay_max": 0.1, "randomization_factor": 0.2}

# Nothing of these is coalesced; their priorities are different.
EVENTS = [
    lambda n: {"type": "workflow.node.started", "data": {"execution_id": "w1", "node_id": f"n{n}"}},
    lambda n: {"type": "ingest.job.created", "job": {"id": f"j{n}", "project_id": "p1"}},
    lambda n: {"type": "task.assigned", "data": {"task_id": f"t{n}", "agent_id": "a1", "task_name": "Build"}},
    lambda n: {"type": "agent.run.failed", "run": {"id": f"r{n}", "project_id": "p1"}, "errorMessage": "x"},
    lambda n: {"type": "decision.logged", "data": {"what": "x"}},
    lambda n: {"type": "agent.message.appended", "message": {"id": f"m{n}", "run_id": f"r{n}", "role": "user", "content": "x"}},
    lambda n: {"type": "team.notice", "data": {"message": "x"}},
    lambda n: {"type": "agent_registered", "data": {"agent_id": f"a{n}"}},
    lambda n: {"update_type": "node_update", "target_id": f"v{n}", "changes": {"x": n}},
]


def graph_update(n):
    return {"type": "node_update", "update_id": f"e{n}", "target_id": f"v{n}", "changes": {"x": n}, "project_id": "p1"}


def event(n):
    made = EVENTS[n % len(EVENTS)](n)
    name = "update_id" if "update_type" in made else "id"
    return {**made, "project_id": "p1", name: f"e{n}"}


class SocketIo:
    """An observer with the lines of the README."""

    def __init__(self, server, _path):
        self.seen, self.hellos, self.resumed, self.cursor = [], 0, [], None
        self.sio = Client(ordered=False, **BRISK)
        in_order = ThreadPoolExecutor(1)
        start = self.sio.eio.start_background_task
        self.sio.eio.start_background_task = lambda run, *args: in_order.submit(run, *args) if args else start(run)
        self.sio.on("*", self.take)
        auth = lambda: in_order.submit(lambda: {"rooms": ["project:p1"], "cursor": self.cursor}).result()
        self.sio.connect(server.url, auth=auth, transports=["websocket"])

    def take(self, name, update):
        self.cursor = update.get("cursor") or self.cursor
        if name == "connection_established":
            self.hellos += 1
        elif name == "resumed":
            self.resumed.append(update)
        else:
            self.seen.append({**update, "type": name})

    def close(self):
        self.sio.disconnect()


class Visualization(ByWebsockets):
    """It has no greeting, so a client asks something."""

    def __init__(self, server, path):
        super().__init__(server, path, first=[{"type": "hello"}])


# The door, its client, its path, and its words for a workflow's node that starts.
WATCHERS = {
    "socketio": (SocketIo, "", "node_update"),
    "server-sent events": (ByEvents, "/api/v1/stream?rooms=project:p1", "node_update"),
    "guide": (ByWebsockets, "/api/v1/ws?rooms=project:p1", "node_update"),
    "guide, all rooms": (ByWebsocketClient, "/api/v1/ws?rooms=observers", "node_update"),
    "stream": (ByWebsockets, "/api/stream/projects/p1", "workflow.node.started"),
    "stream of events": (ByEvents, "/api/stream/projects/p1", "workflow.node.started"),
    "pipeline": (ByWebsocketClient, "/ws/team/", "node_update"),
    "visualization": (Visualization, "/ws/visualization?rooms=project:p1", "node_update"),
}


class Publishers:
    """Publishes lists at each door in turn; one that was not answered is published again, under the same ids."""

    def __init__(self, server):
        self.server = server
        self.sio = Client(**BRISK)
        self.sio.connect(server.url, auth={"role": "producer", "filters": {"types": ["none"]}}, transports=["websocket"])
        self.doors = itertools.cycle([self.post, self.socketio, self.pipeline, self.visualization])
        self.plain = self.graph = None
        self.nodes = set()

    def publish(self, numbers):
        door = next(self.doors)
        make = graph_update if door == self.visualization else event
        events = [make(n) for n in numbers]
        self.nodes |= {event["id"] for event in events if event["type" if "type" in event else "update_type"] == "workflow.node.started"}
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = door(events)
            except (OSError, ConnectionClosed, socketio.exceptions.SocketIOError, queue.Empty, TimeoutError):
                self.plain = self.graph = None
                assert time.monotonic() < deadline, f"{door.__name__} does not take {events}"
                time.sleep(0.05)
                continue
            assert answer["accepted"] + answer["duplicates"] == len(events), (door.__name__, events, answer)
            return

    def post(self, events):
        return self.server.publish(events)

    def socketio(self, events):
        return self.sio.call("publish", events, timeout=10)

    def pipeline(self, events):
        if self.plain is None:
            plain = Plain(self.server, "/ws/team/?role=producer")
            plain.until("connection_established")
            plain.send(type="subscribe", channels=["task:nobody"])
            self.plain = plain
        self.plain.send(type="publish", events=events)
        return self.plain.until("published")

    def visualization(self, events):
        if self.graph is None:
            self.graph = Plain(self.server, "/ws/visualization?role=producer&types=none")
        for event in events:
            self.graph.send(**event)
            while "status" not in (answer := self.graph.next()):
                pass
            assert (answer["status"], answer["update_id"]) == ("accepted", event["update_id"]), answer
        return {"accepted": len(events), "duplicates": 0}

    def close(self):
        self.sio.disconnect()
        for socket in (self.plain, self.graph):
            if socket:
                socket.close()


def kept(server):
    ids, after = [], ""
    while after is not None:
        with urllib.request.urlopen(f"{server.url}/api/v1/events?limit=1000{after}", timeout=PATIENCE) as response:
            page = json.load(response)
        ids += [event["id"] for event in page["events"]]
        after = page["next"] and f"&after={page['next']}"
    return ids


def test_each_event_comes_at_every_door_once_and_in_one_order(durable):
    watchers = {name: client(durable, path) for name, (client, path, _) in WATCHERS.items()}
    publishers = None
    try:
        for name, watcher in watchers.items():
            until(lambda: name, lambda: watcher.hellos)
        publishers = Publishers(durable)
        numbers = itertools.count()
        for lap in range(LAPS):
            for size in range(1, LONGEST_LIST + lap):
                publishers.publish(list(itertools.islice(numbers, size)))
            # In every second lap the server dies under those who have not caught up.
            durable.crash()
            if lap % 2 == 0:
                for name, watcher in watchers.items():
                    until(lambda: f"{name} is back", lambda: watcher.hellos > lap // 2)
        durable.publish({"type": "decision.logged", "id": "last", "project_id": "p1", "data": {"what": "x"}})
        wanted = kept(durable)
        assert wanted == [f"e{n}" for n in range(len(wanted) - 1)] + ["last"]
        known = set(wanted)
        for name, watcher in watchers.items():
            # Figures for Seneca's pages have ids of their own.
            ids = lambda: [update["id"] for update in list(watcher.seen) if update.get("id") in known]
            until(lambda: (name, len(ids()), len(wanted)), lambda: "last" in ids()[-100:])
            found = ids()
            twice = [id for id, times in Counter(found).items() if times > 1]
            assert not twice, f"{name} was told twice of {twice}"
            assert found == wanted, f"{name}: {[pair for pair in zip(found, wanted) if pair[0] != pair[1]][:5]}, lost {set(wanted) - set(found)}"
            assert all(resumed["complete"] for resumed in watcher.resumed), (name, watcher.resumed)
            shapes = {update["type"] for update in watcher.seen if update.get("id") in publishers.nodes}
            assert shapes == {WATCHERS[name][2]}, name
    finally:
        if publishers:
            publishers.close()
        for watcher in watchers.values():
            watcher.close()
