"""The way of `stoa.emit`: what arrives of the values that a program gives."""

import dataclasses
import json

import pytest

from conftest import PATIENCE
from sending_kit import events, scripted, sender, server, taken  # noqa: F401 - fixtures among them


@dataclasses.dataclass
class Point:
    x: int
    y: float


class Odd:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


def test_events_arrive_in_order_with_any_values(server):
    here = sender(server.url)
    round_ = []
    round_.append(round_)
    ids = [here.emit("odd.first", {"n": n}, project_id="order") for n in range(1_200)]
    values = {
        "nan": float("nan"), "inf": [float("-inf")], "surrogate": "a\ud83db", "bytes": b"123", "set": {1}, "big": 1 << 80,
        "point": Point(1, 2.5), "odd": Odd(), "round": round_, "type": Odd, "fault": ValueError("bad"), 7: "seven",
        "long": "x" * 100_000, "many": list(range(10_000)), "deep": json.loads("[" * 60 + "]" * 60), "none": None,
    }  # fmt: skip
    ids.append(here.emit("odd.values", values, project_id="order"))
    ids.append(here.emit("odd.object", Point(1, 2), project_id="order"))
    ids.append(here.emit("odd.last", {f"k{n}": "x" * 2_000 for n in range(100)}, project_id="order"))
    assert here.flush(PATIENCE)
    assert here.stats()["sent"] == len(ids) and here.stats()["rejected"] == here.stats()["dropped"] == 0
    kept = events(server.url, project_id="order")
    assert [event["id"] for event in kept] == ids
    data = kept[-3]["data"]
    assert data["nan"] == "nan" and data["surrogate"] == "a?b" and data["bytes"] == "<3 bytes>" and data["set"] == [1]
    assert data["point"] == {"x": 1, "y": 2.5} and data["odd"] == "<Odd>" and data["fault"] == "bad" and data["7"] == "seven"
    assert len(data["long"]) == 2_000 and data["many"][-1] == "… 9900 more"
    assert kept[-2]["data"] == {"x": 1, "y": 2}


@pytest.mark.parametrize("content", ["none", "preview", "full"])
def test_as_much_of_texts_goes_out_as_is_wanted(scripted, content):
    where = scripted(lambda lines, number, body: taken(lines))
    here = sender(where.url, STOA_CONTENT=content)
    here.emit("tool.completed", {"tool_name": "search", "args": {"q": "x" * 900}, "result": "y" * 900})
    assert here.flush(PATIENCE)
    data = where.bodies[0][0]["data"]
    assert data["tool_name"] == "search"
    if content == "none":
        assert set(data) == {"tool_name"}
    else:
        assert len(data["result"]) == (500 if content == "preview" else 900)
        assert len(json.dumps(data["args"])) < 600 if content == "preview" else len(data["args"]["q"]) == 900


def test_what_is_changed_after_the_call_is_not_in_the_event(scripted):
    where = scripted(lambda lines, number, body: taken(lines))
    here = sender(where.url)
    point = Point(1, 2.0)
    given = {"name": "first", "list": [1], "deep": {"a": {"b": [1]}}, "object": point, "tuple": (1, [2])}
    here.emit("changed", given)
    given["list"].append(2)
    given["deep"]["a"]["b"].append(2)
    given["tuple"][1].append(3)
    point.x, given["name"], given["more"] = 9, "second", True
    assert here.flush(PATIENCE)
    assert where.bodies[0][0]["data"] == {
        "name": "first", "list": [1], "deep": {"a": {"b": [1]}}, "object": {"x": 1, "y": 2.0}, "tuple": [1, [2]],
    }  # fmt: skip


def test_before_send_changes_and_leaves_out_and_may_fail(scripted):
    where = scripted(lambda lines, number, body: taken(lines))
    here = sender(where.url)

    def hook(event):
        if event["data"].get("n") == 1:
            return None
        if event["data"].get("n") == 2:
            raise RuntimeError("oh")
        event["data"]["secret"] = "***"
        return event

    here.options.before_send = hook
    for n in range(4):
        here.emit("hooked", {"n": n, "secret": "word"})
    assert here.flush(PATIENCE)
    sent = [line["data"] for body in where.bodies for line in body if line["type"] == "hooked"]
    assert sent == [{"n": 0, "secret": "***"}, {"n": 3, "secret": "***"}]
    assert here.stats()["dropped"] == 1


def test_messages_for_other_doors_keep_their_place_among_events(scripted):
    where = scripted(lambda lines, number, body: (503, {}) if number == 2 else taken(lines))
    here = sender(where.url + "/behind")
    here.emit("first", {"n": 0})
    for n in (1, 2):
        here.forward("/ag-ui/in?agent=a", "ag-ui.TEXT", {"n": n})
    here.emit("last", {"n": 3})
    here.options.before_send = lambda event: None
    here.forward("/ag-ui/in?agent=a", "ag-ui.TEXT", {"n": 4})
    assert here.flush(PATIENCE) and here.stats()["sent"] == 4
    doors = ["/behind/api/v1/events", "/behind/ag-ui/in?agent=a", "/behind/ag-ui/in?agent=a", "/behind/api/v1/events"]
    assert where.paths == doors and where.bodies[1] == where.bodies[2] == [{"n": 1}, {"n": 2}]
    assert [where.bodies[at][0]["data"]["n"] for at in (0, 3)] == [0, 3]


def test_a_protocol_is_read_as_objects_and_in_any_pieces():
    from stoa.watching.tee import Relay

    lines = [json.dumps({"type": f"T{n}", "delta": "wörds\nof it"}) for n in range(5)]
    body = "".join(f"id: {n}\ndata: {line}\n\n: a comment\n" for n, line in enumerate(lines)) + "data: [DONE]\n\n"
    forms = [[json.loads(line) for line in lines], lines, [f"data: {line}\n\n" for line in lines], [line.encode() + b"\n" for line in lines]]
    for given in (*forms, *([body[at : at + size] for at in range(0, len(body), size)] for size in (1, 7, 100))):
        relay = Relay("ag-ui", "a", "p")
        assert [message["type"] for piece in given for message in relay._messages(piece)] == ["T0", "T1", "T2", "T3", "T4"]
