"""The way of `stoa.emit` when something is wrong: bounded, never in the way, the same ids again."""

import collections
import json
import socket
import time
import urllib.request

import pytest

from conftest import PATIENCE, Restartable, Stoa
from sending_kit import Options, Sender, events, scripted, sender, server, taken, until  # noqa: F401 - fixtures among them


def test_a_server_that_is_away_misses_nothing():
    server = Restartable({"STOA_JOURNAL__KIND": "memory"})
    try:
        url = server.url
        here = sender(url)
        before = here.emit("away.before", {})
        assert here.flush(PATIENCE)
        port = server.port
        server.stop()
        ids = [here.emit("away.meanwhile", {"n": n}) for n in range(300)]
        assert not here.flush(0.3)
        assert here.stats()["queued"] == 300 and here.stats()["failures"] > 0
        server.now = Stoa(port)
        assert here.flush(PATIENCE)
        assert [event["id"] for event in events(url, type="away.meanwhile")] == ids
        assert before not in ids and here.stats()["dropped"] == 0
    finally:
        server.stop()


def test_a_lost_answer_brings_the_same_ids_and_no_event_twice(server, scripted):
    def answer(lines, number, body):
        request = urllib.request.Request(
            f"{server.url}/api/v1/events", body, {"Content-Type": "application/x-ndjson"}
        )
        said = json.load(urllib.request.urlopen(request, timeout=PATIENCE))
        return (None, None) if number == 1 else (202, said)

    between = scripted(answer)
    here = sender(between.url)
    ids = [here.emit("lost.answer", {"n": n}) for n in range(20)]
    assert here.flush(PATIENCE)
    assert [line["id"] for body in between.bodies for line in body][:20] == ids
    assert len(between.bodies) >= 2 and between.bodies[0] == between.bodies[1]
    assert [event["id"] for event in events(server.url, type="lost.answer")] == ids


def test_a_server_that_hangs_holds_up_nobody():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        here = sender(f"http://127.0.0.1:{sock.getsockname()[1]}", STOA_QUEUE="50")
        for n in range(1_000):
            here.emit("hang.on", {"n": n})
        assert not here.flush(0.1)
        stats = here.stats()
        assert stats["queued"] + stats["dropped"] == 1_000 and stats["queued"] <= 100


def test_busy_servers_are_asked_again_when_they_say(scripted):
    when = []

    def answer(lines, number, body):
        when.append(time.monotonic())
        if number == 1:
            return 503, {"error": {"code": "overloaded", "message": "later"}}, ("Retry-After", "1")
        if number == 2:
            return 429, {}
        if number == 3:
            refused = [{"index": 1, "error": {"code": "overloaded", "message": "later"}}]
            return 202, {"accepted": 1, "duplicates": 0, "rejected": refused}
        return taken(lines)

    busy = scripted(answer)
    here = sender(busy.url)
    ids = [here.emit("busy", {}), here.emit("busy", {})]
    until(lambda: len(busy.bodies) >= 1)
    here.flush(PATIENCE)
    assert [[line["id"] for line in body] for body in busy.bodies] == [ids, ids, ids, ids[1:]]
    assert when[1] - when[0] >= 1 and here.stats()["sent"] == 2 and here.stats()["failures"] == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_stops_it_and_is_said_once(scripted, caplog, status):
    closed = scripted(lambda lines, number, body: (status, {"error": {"code": "unauthorized", "message": "no token"}}))
    here = sender(closed.url)
    for n in range(3):
        here.emit("no.token", {"n": n})
    until(lambda: here.stats()["stopped"])
    for n in range(3):
        here.emit("no.token", {"n": n})
    assert here.flush(PATIENCE)
    assert here.stats()["dropped"] == 6 and here.stats()["dropped_by_type"] == {"no.token": 6}
    assert len(closed.bodies) == 1
    assert ["STOA_TOKEN" in record.message for record in caplog.records] == [True]


def test_a_full_queue_gives_up_pieces_of_text_first_and_tells_later():
    server = Restartable()
    try:
        url, port = server.url, server.port
        server.stop()
        here = sender(url, STOA_QUEUE="100", STOA_LINGER_MS="1")
        here.emit("first", {})
        until(lambda: here.stats()["failures"])
        for n in range(60):
            here.emit("task.started", {"task_id": f"t{n}"})
            here.emit("agent.message.appended", {"message_id": "m", "content": "word"})
            here.emit("some.note", {"n": n})
            here.emit("task.failed", {"task_id": f"t{n}", "error": "x"})
        assert here.stats()["dropped_by_type"] == {
            "agent.message.appended": 60,
            "some.note": 60,
            # The oldest of those that are kept longest.
            "task.started": 10,
            "task.failed": 10,
        }
        server.now = Stoa(port)
        assert here.flush(PATIENCE)
        until(lambda: here.flush(PATIENCE) and here.stats()["sent"] >= 102)
        kept = collections.Counter(event["type"] for event in events(url))
        assert kept == {"first": 1, "task.started": 50, "task.failed": 50, "system.client.dropped": 1}
        told = events(url, type="system.client.dropped")[0]["data"]
        assert told["count"] == 140 == here.stats()["dropped"] and told["since"]
    finally:
        server.stop()


def test_the_bytes_of_the_queue_are_bounded_too():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    here = sender(f"http://127.0.0.1:{port}", STOA_QUEUE_BYTES="100000")
    for _ in range(300):
        here.emit("some.note", {"text": "x" * 1_900})
    with here._lock:
        assert here._waiting.bytes <= 100_000
    assert here.stats()["dropped"] > 0


def test_a_batch_that_is_too_large_is_halved(scripted):
    small = scripted(lambda lines, number, body: (413, {}) if len(lines) > 3 else taken(lines))
    here = sender(small.url)
    ids = [here.emit("large", {"n": n}) for n in range(20)]
    assert here.flush(PATIENCE)
    assert [line["id"] for body in small.bodies if len(body) <= 3 for line in body] == ids
    assert here.stats()["sent"] == 20
    one = scripted(lambda lines, number, body: (413, {}))
    here = sender(one.url)
    here.emit("large", {})
    assert here.flush(PATIENCE)
    assert here.stats()["rejected"] == 1 and len(one.bodies) == 1


def test_refused_events_are_counted_and_the_others_arrive(server):
    here = sender(server.url)
    here.emit("not a type", {})
    here.emit("good.type", {}, project_id="refusals")
    assert here.flush(PATIENCE)
    assert here.stats()["rejected"] == 1 and here.stats()["sent"] == 1 and "not a type" in here.stats()["last_error"]
    assert len(events(server.url, project_id="refusals")) == 1


def test_unreadable_settings_and_addresses_raise_nothing(caplog):
    options = Options({"STOA_QUEUE": "many", "STOA_LINGER_MS": "-1", "STOA_CONTENT": "some", "STOA_URL": "ftp://x"})
    assert (options.queue, options.linger, options.content) == (10_000, 0.05, "preview")
    assert sorted(record.args[0] for record in caplog.records if record.args)[0:2]
    here = Sender(options)
    here.emit("nowhere", {})
    until(lambda: here.stats()["stopped"])
    assert "ftp://x" in here.stats()["last_error"]
    off = sender("http://127.0.0.1:1", STOA_DISABLED="1")
    assert off.emit("nothing", {}) is None and off.stats()["queued"] == 0


@pytest.mark.parametrize("path", ["/", "/api/v1/events", "/api/v1/events/"])
def test_the_address_may_be_that_of_the_lines_for_curl(server, path):
    here = sender(server.url + path)
    sent = here.emit("curl.path", {})
    assert here.flush(PATIENCE) and here.stats()["sent"] == 1
    assert sent in [event["id"] for event in events(server.url, type="curl.path")]


def test_what_is_no_stoa_stops_it_and_is_said_once(server, scripted, caplog):
    other = scripted(lambda lines, number, body: (405, {"detail": "Method Not Allowed"}))
    for url in (server.url + "/elsewhere", other.url):
        here = sender(url)
        here.emit("no.stoa", {})
        until(lambda: here.stats()["stopped"])
        here.emit("no.stoa", {})
        assert here.flush(PATIENCE)
        assert here.stats()["dropped"] == 2 and here.stats()["rejected"] == 0
        said = f"there is no Stoa at {url}: write STOA_URL as http://host:8000"
        assert here.stats()["stopped"] == said
        assert [said in record.message for record in caplog.records] == [True]
        caplog.clear()
    assert len(other.bodies) == 1


def test_a_door_that_an_older_stoa_has_not_stops_nothing(scripted):
    where = scripted(lambda lines, number, body: (404, {}) if "delta" in lines[0] else taken(lines))
    here = sender(where.url)
    here.forward("/new/in", "ag-ui.TEXT", {"delta": 1})
    here.emit("after.it", {})
    assert here.flush(PATIENCE)
    assert (here.stats()["stopped"], here.stats()["rejected"], here.stats()["sent"]) == (None, 1, 1)


def test_an_event_without_a_type_is_a_fault_and_not_sent(server, caplog):
    here = sender(server.url)
    assert here.emit(None, {"n": 1}, project_id="none") is None
    here.emit("with.type", {}, project_id="none")
    assert here.flush(PATIENCE)
    assert here.stats()["dropped"] == 1 and "type is None" in here.stats()["last_error"]
    assert "type is None" in caplog.text
    assert [event["type"] for event in events(server.url, project_id="none")] == ["with.type"]
