"""AG-UI's own package as a producer: events of all its types, written by its encoder."""

import json
import urllib.request

import pytest
from ag_ui import core
from ag_ui.core import EventType
from ag_ui.encoder import EventEncoder
from conftest import PATIENCE, Stoa

RUN = {"thread_id": "t-1", "run_id": "r-1"}
SUB = {"subagent_run_id": "s-1"}
#: One event of each type or more, in an order that AG-UI allows.
EVENTS = [
    core.RunStartedEvent(**RUN, protocol_version="1.0"),
    core.StateSnapshotEvent(snapshot={"plan": []}),
    core.StateDeltaEvent(delta=[{"op": "add", "path": "/plan/-", "value": "look"}]),
    core.StepStartedEvent(step_name="plan"),
    core.ReasoningStartEvent(message_id="q"),
    core.ReasoningMessageStartEvent(message_id="q", role="reasoning"),
    core.ReasoningMessageContentEvent(message_id="q", delta="Who knows?"),
    core.ReasoningMessageEndEvent(message_id="q"),
    core.ReasoningEncryptedValueEvent(subtype="message", entity_id="q", encrypted_value="AAAA"),
    core.ReasoningEndEvent(message_id="q"),
    core.ReasoningMessageChunkEvent(message_id="q2", delta="Somebody."),
    core.StepFinishedEvent(step_name="plan"),
    core.TextMessageStartEvent(message_id="m", role="assistant"),
    core.TextMessageContentEvent(message_id="m", delta="Hello "),
    core.TextMessageContentEvent(message_id="m", delta="world"),
    core.TextMessageEndEvent(message_id="m"),
    core.ToolCallStartEvent(tool_call_id="c", tool_call_name="delegate", parent_message_id="m"),
    core.ToolCallArgsEvent(tool_call_id="c", delta='{"to": "'),
    core.ToolCallArgsEvent(tool_call_id="c", delta='researcher"}'),
    core.ToolCallEndEvent(tool_call_id="c"),
    core.SubagentStartedEvent(**SUB, name="researcher", description="Looks around", parent_tool_call_id="c"),
    core.ToolCallChunkEvent(**SUB, tool_call_id="d", tool_call_name="search", delta='{"q": 1}'),
    core.ActivitySnapshotEvent(**SUB, message_id="a", activity_type="SEARCH", content={"hits": 0}),
    core.ActivityDeltaEvent(**SUB, message_id="a", activity_type="SEARCH", patch=[{"op": "replace", "path": "/hits", "value": 3}]),
    core.ToolCallResultEvent(**SUB, message_id="e", tool_call_id="d", content="3 pages"),
    core.TextMessageChunkEvent(**SUB, message_id="n", role="assistant", delta="Found."),
    core.SubagentFinishedEvent(**SUB, result="3 pages"),
    core.SubagentStartedEvent(subagent_run_id="s-2", name="critic"),
    core.SubagentErrorEvent(subagent_run_id="s-2", message="no time"),
    core.MessagesSnapshotEvent(messages=[]),
    core.RawEvent(event={"ping": 1}),
    core.CustomEvent(name="mood", value="good"),
    core.RunFinishedEvent(**RUN, usage=[core.TokenUsage(model="large-1", input_tokens=12, output_tokens=3)]),
    core.RunStartedEvent(thread_id="t-1", run_id="r-2"),
    core.RunErrorEvent(message="quota", code="429"),
]


@pytest.fixture(scope="module")
def stoa():
    server = Stoa()
    yield server
    server.stop()


def call(stoa, path, body=None, media="application/json"):
    headers = {"content-type": media} if body is not None else {}
    request = urllib.request.Request(f"{stoa.url}{path}", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def test_all_types_of_the_encoder_are_taken_and_shown(stoa):
    assert {event.type for event in EVENTS} == set(EventType), "each type of this version is sent"
    encoder = EventEncoder()
    body = "".join(encoder.encode(event) for event in EVENTS).encode()
    answer = call(stoa, "/ag-ui/in?agent=lead&project=shop", body, encoder.get_content_type())
    assert (answer["accepted"], answer["duplicates"], answer["rejected"]) == (len(EVENTS), 0, [])
    again = call(stoa, "/ag-ui/in?agent=lead&project=shop", body, encoder.get_content_type())
    assert (again["accepted"], again["duplicates"]) == (0, len(EVENTS))

    kinds = {}
    page = call(stoa, "/api/v1/events?limit=500")
    for event in page["events"]:
        kinds.setdefault(event["type"], []).append(event["data"])
    assert [data["agent_id"] for data in kinds["agent.registered"]] == ["lead", "researcher", "critic", "lead"]
    assert "".join(data["content"] for data in kinds["agent.message.appended"] if data["message_id"] == "m") == "Hello world"
    assert kinds["tool.progress"][0]["args"] == {"to": "researcher"}
    assert kinds["llm.completed"][0]["input_tokens"] == 12
    state = call(stoa, "/api/v1/state?project_id=shop")
    tasks = {name: task["status"] for name, task in state["tasks"].items()}
    assert tasks == {"r-1": "done", "r-2": "failed", "s-1": "done", "s-2": "failed"}
    metrics = urllib.request.urlopen(f"{stoa.url}/metrics", timeout=PATIENCE).read().decode()
    assert 'outcome="unknown"' not in metrics
