"""`STOA_CONTENT`: how much of what is said leaves the program, whoever says it.

With `none` no text of the work goes out, and Stoa still sees agents, tasks and tools; with `preview` of each text the beginning.
"""

import collections
import contextlib
import json
import os
import pathlib
import re
import subprocess

import pytest

from conftest import PATIENCE, ROOT, Stoa
from telling_kit import project, rejected, sending, server, shown, stoa  # noqa: F401 - fixtures
from test_watching import Shown, interpreter

from stoa.sending import plain

STREAMS = ROOT / "tests/data/producers"
SECRET = "the SECRET word"


#: Messages with the secret in every field that says something, known to a protocol or not.
MESSAGES = {
    "ag-ui": [
        {"type": "RUN_STARTED", "threadId": "t", "runId": "r", "input": {"messages": [{"role": "user", "content": SECRET}]}},
        {"type": "STEP_STARTED", "stepName": "plan", "rawEvent": {"x": SECRET}},
        {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant", "odd": SECRET},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": SECRET},
        {"type": "TEXT_MESSAGE_END", "messageId": "m", "metadata": {"note": SECRET}},
        {"type": "TEXT_MESSAGE_CHUNK", "messageId": "n", "role": "assistant", "delta": SECRET},
        {"type": "TEXT_MESSAGE_CHUNK", "delta": SECRET},
        {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "search"},
        {"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": f'{{"q":"{SECRET}"}}'},
        {"type": "TOOL_CALL_END", "toolCallId": "c"},
        {"type": "TOOL_CALL_RESULT", "toolCallId": "c", "messageId": "o", "content": SECRET},
        {"type": "STATE_SNAPSHOT", "snapshot": {SECRET: SECRET}},
        {"type": "STATE_DELTA", "delta": [{"op": "add", "path": "/a", "value": SECRET}]},
        {"type": "MESSAGES_SNAPSHOT", "messages": [{"role": "user", "content": SECRET}]},
        {"type": "ACTIVITY_SNAPSHOT", "messageId": "a", "activityType": "PLAN", "content": {"text": SECRET}},
        {"type": "ACTIVITY_DELTA", "messageId": "a", "activityType": "PLAN", "patch": [{"value": SECRET}]},
        {"type": "RAW", "event": {"x": SECRET}, "source": SECRET},
        {"type": "CUSTOM", "name": "note", "value": {"text": SECRET}},
        {"type": "REASONING_ENCRYPTED_VALUE", "subtype": "message", "entityId": "m", "encryptedValue": SECRET},
        {"type": "SUBAGENT_STARTED", "subagentRunId": "s", "name": "helper", "description": SECRET, "task": SECRET},
        {"type": "SUBAGENT_ERROR", "subagentRunId": "s", "message": SECRET},
        {"type": "TOMORROW", "words": SECRET},
        {
            "type": "RUN_FINISHED",
            "threadId": "t",
            "runId": "r",
            "outcome": {"type": "interrupt", "interrupts": [{"id": "i", "reason": SECRET, "message": SECRET, "responseSchema": {"title": SECRET}}]},
        },
        {"type": "RUN_STARTED", "threadId": "t", "runId": "r2", "input": {"resume": [{"interruptId": "i", "status": "resolved", "payload": SECRET}]}},
        {"type": "RUN_ERROR", "message": SECRET, "code": "E1"},
    ],
    "vercel": [
        {"type": "start", "messageId": "v", "messageMetadata": {"q": SECRET}},
        {"type": "start-step"},
        {"type": "text-start", "id": "0"},
        {"type": "text-delta", "id": "0", "delta": SECRET},
        {"type": "text-end", "id": "0", "providerMetadata": {"x": SECRET}},
        {"type": "tool-input-start", "toolCallId": "c", "toolName": "search", "title": SECRET},
        {"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": SECRET},
        {"type": "tool-input-available", "toolCallId": "c", "toolName": "search", "input": {"q": SECRET}},
        {"type": "tool-output-error", "toolCallId": "c", "errorText": SECRET},
        {"type": "data-draft", "id": "d", "data": {"body": SECRET}},
        {"type": "file", "url": f"data:text/plain,{SECRET}", "mediaType": "text/plain"},
        {"type": "source-url", "sourceId": "1", "url": f"https://example.org/?q={SECRET}", "title": SECRET},
        {"type": "source-document", "sourceId": "2", "mediaType": "text/plain", "title": SECRET, "filename": SECRET},
        {"type": "tomorrow", "words": SECRET},
        {"type": "error", "errorText": SECRET},
    ],
    "langgraph": [
        {"event": "on_chain_start", "name": "graph", "run_id": "r", "parent_ids": [], "tags": [SECRET], "metadata": {"user": SECRET}, "data": {"input": SECRET}},
        {"event": "on_chain_start", "name": "writer", "run_id": "n", "parent_ids": ["r"], "metadata": {"langgraph_node": "writer", "langgraph_checkpoint_ns": "writer:1"}, "data": {"input": SECRET}},
        {"event": "on_chat_model_start", "name": "model", "run_id": "l", "parent_ids": ["r", "n"], "metadata": {"ls_model_name": "m-1"}, "data": {"input": SECRET}},
        {"event": "on_chat_model_stream", "name": "model", "run_id": "l", "parent_ids": ["r", "n"], "data": {"chunk": {"content": SECRET}}},
        {"event": "on_parser_stream", "name": "parser", "run_id": "p", "parent_ids": ["r", "n"], "data": {"chunk": SECRET}},
        {"event": "on_chat_model_end", "name": "model", "run_id": "l", "parent_ids": ["r", "n"], "data": {"output": f"content='{SECRET}' usage_metadata={{'input_tokens': 7, 'output_tokens': 3}}"}},
        {"event": "on_tool_error", "name": "search", "run_id": "c", "parent_ids": ["r", "n"], "data": {"error": SECRET}},
        {"event": "on_custom_event", "name": "draft", "run_id": "r", "parent_ids": [], "data": {"draft": SECRET}},
        {"event": "on_chain_stream", "name": "graph", "run_id": "r", "parent_ids": [], "data": {"chunk": {"__interrupt__": [{"id": "i", "value": {"draft": SECRET}}]}}},
        {"event": "on_chain_end", "name": "graph", "run_id": "r", "parent_ids": [], "data": {"output": {"draft": SECRET}}},
    ],
    "langgraph v3": [
        {"type": "event", "seq": seq, "method": method, "params": {"namespace": namespace, "timestamp": 1_795_877_349_000 + seq, "data": data, **more}}
        for seq, (method, namespace, data, more) in enumerate(
            [
                ("values", [], {"draft": SECRET}, {}),
                ("tasks", [], {"id": "1", "name": "writer", "input": SECRET}, {}),
                ("updates", [], {"writer": {"draft": SECRET}}, {}),
                ("messages", ["writer:1"], [{"event": "message-start", "role": "ai", "id": "m", "odd": SECRET}, {"user": SECRET}], {}),
                ("messages", ["writer:1"], [{"event": "content-block-delta", "delta": {"type": "text-delta", "text": SECRET}}, {}], {}),
                ("messages", ["writer:1"], [{"event": "message-finish", "usage": {"input_tokens": 7, "output_tokens": 3}}, {}], {}),
                ("tools", ["writer:1"], {"event": "tool-started", "tool_call_id": "c", "tool_name": "search", "input": SECRET}, {}),
                ("tools", ["writer:1"], {"event": "tool-error", "tool_call_id": "c", "message": SECRET}, {}),
                ("custom", [], SECRET, {}),
                ("custom:draft", [], {"payload": SECRET}, {}),
                ("checkpoints", [], {"values": SECRET}, {}),
                ("input.requested", ["writer:1"], {"interrupt_id": "i", "payload": {"draft": SECRET}}, {}),
                ("lifecycle", [], {"event": "failed", "error": SECRET}, {}),
            ],
            1,
        )
    ],
}
#: The facts that Stoa makes of them all the same.
MEANS = {
    "ag-ui": {"workflow.run.started": 2, "tool.completed": 1, "input.requested": 1, "input.received": 1, "task.failed": 2, "agent.message.started": 2},
    "vercel": {"workflow.run.started": 1, "tool.failed": 1, "custom.draft": 1, "artifact.created": 1, "retrieval.source": 2, "workflow.run.failed": 1},
    "langgraph": {"workflow.run.started": 1, "task.assigned": 1, "llm.completed": 1, "tool.failed": 1, "input.requested": 1, "workflow.run.paused": 1},
    "langgraph v3": {"task.assigned": 1, "llm.completed": 1, "tool.failed": 1, "custom.draft": 1, "input.requested": 1, "workflow.run.failed": 1},
}


@pytest.mark.parametrize("speaks", MESSAGES)
def test_nothing_that_is_said_leaves_a_relayed_stream(server, project, speaks):
    sending.configure(content="none")
    before = rejected()
    given = MESSAGES[speaks]
    assert list(stoa.tee(iter(given), speaks=speaks.split()[0], agent="lead", project=project)) == given
    events = shown(server, project)
    assert rejected() == before, stoa.stats()
    types = collections.Counter(event["type"] for event in events)
    assert {kind: types[kind] for kind in MEANS[speaks]} == MEANS[speaks], types
    assert "SECRET" not in json.dumps(events)
    tokens = [(event["data"]["input_tokens"], event["data"]["output_tokens"]) for event in events if event["type"] == "llm.completed"]
    assert tokens == ([(7, 3)] if speaks.startswith("langgraph") else [])


RECORDED = {
    "ag_ui_showcase_1_0": "ag-ui",
    "vercel_ai_ui_message_stream": "vercel",
    "langgraph_astream_events_v2": "langgraph",
    "langgraph_protocol_v3": "langgraph",
}
#: Types that tell of what happens, rather than of what is said.
STRUCTURE = re.compile(r"(workflow|task|tool|llm|input|agent\.(registered|handoff|message\.(started|completed)))[.a-z]*$")


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_stream_means_the_same_without_its_texts(server, project, name):
    """Of what real programs sent, no sentence goes out, and agents, tasks, tools and questions are as they were."""
    given = [json.loads(line) for line in (STREAMS / f"{name}.jsonl").read_text().splitlines()]
    counts = []
    for content in ("full", "none"):
        sending.configure(content=content)
        before = rejected()
        collections.deque(stoa.tee(iter(given), speaks=RECORDED[name], agent="lead", project=f"{project}.{content}"), maxlen=0)
        events = shown(server, f"{project}.{content}")
        assert rejected() == before, stoa.stats()
        counts.append(collections.Counter(event["type"] for event in events if STRUCTURE.match(event["type"])))
    # Of a model's answer that was not streamed nobody knows that it was a text.
    for untold in ("agent.message.started", "agent.message.completed"):
        if counts[1][untold] < counts[0][untold] and RECORDED[name] == "langgraph":
            del counts[0][untold], counts[1][untold]
    assert counts[1] == counts[0] and counts[0]
    said = set(sentences(given))
    assert said and not said & set(sentences(events)), said & set(sentences(events))


def sentences(value):
    """All texts with a space in them."""
    if isinstance(value, str):
        if " " in value.strip():
            yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from sentences(each)


def test_nothing_that_is_said_leaves_own_code(server, project):
    sending.configure(content="none", project=project)
    before = rejected()
    with contextlib.suppress(ValueError):
        with stoa.agent("Editor", role="edits", task=SECRET) as agent:
            with agent.task("Write") as task:
                task.progress(40, SECRET)
                with task.tool("search", q=SECRET) as call:
                    call.result = {"found": SECRET}
                agent.say(SECRET)
                agent.think(SECRET)
                agent.handoff("Writer", reason=SECRET)
                agent.block(SECRET)
                stoa.decide(SECRET, SECRET, 0.5)
                stoa.artifact("page.html", url=f"https://example.org/{SECRET}")
            with pytest.raises(stoa.AnswerTimeoutError):
                stoa.ask(SECRET, options=[SECRET], schema={"title": SECRET}, timeout=0)
            raise ValueError(SECRET)
    stoa.emit("odd.one", {"messages": [{"content": SECRET, "n": 1}], "Content": SECRET, "errorText": SECRET, SECRET: 1, "agent_id": "a", "n": 2})
    stoa.emit("odd.text", SECRET)
    stoa.emit("odd.large", {"messages": [{"content": SECRET}] * 500})
    collections.deque(stoa.tee([{"type": "odd.piece", "delta": SECRET, "body": SECRET}, {"type": "odd.text", "text": SECRET}, SECRET]), maxlen=0)
    events = shown(server, project)
    assert rejected() == before, stoa.stats()
    assert "SECRET" not in json.dumps(events)
    told = {event["type"]: event["data"] for event in events}
    assert told["odd.one"] == {"messages": [{"n": 1}], "agent_id": "a", "n": 2}
    assert told["input.requested"]["message"] == "asks for an answer" and told["decision.logged"]["confidence_score"] == 0.5
    assert told["tool.completed"]["tool_name"] == "search" and told["artifact.created"]["name"] == "page.html"
    names = {event["data"]["task_name"] for event in events if event["type"] == "task.assigned"}
    assert names == {"Editor", "Write"} and told["task.failed"]["error_type"] == "ValueError"


TEAMS = {
    "langgraph": "langgraph", "openai_agents": "agents", "autogen": "autogen_agentchat", "llama_index": "llama_index", "crewai": "crewai",
    "pydantic_ai": "pydantic_ai", "smolagents": "smolagents", "mcp": "mcp",
}  # fmt: skip
#: Texts with a space that are names in the teams' code, or words of the package's own.
NAMES = re.compile(r"asks for an answer|Market Researcher|Scout \d|(planner|hotels|asker|person), turn \d|look \d|find a desk|Agent workflow|team:.*")


@pytest.mark.parametrize("name", TEAMS)
def test_nothing_that_is_said_leaves_a_framework(name):
    server = Stoa()
    try:
        python = interpreter(name, TEAMS[name])
        env = {
            **os.environ, "PYTHONPATH": str(ROOT / "clients/python/src"), "STOA_URL": server.url, "STOA_SERVICE": "team", "STOA_CONTENT": "none",
            "STOA_EXIT_TIMEOUT": str(PATIENCE), "OPENAI_API_KEY": "none", "CREWAI_DISABLE_TELEMETRY": "true", "OTEL_SDK_DISABLED": "",
        }  # fmt: skip
        program = pathlib.Path(__file__).parent / "frameworks" / f"{name}_team.py"
        done = subprocess.run([python, str(program)], env=env, capture_output=True, text=True, timeout=3 * PATIENCE)
        assert done.returncode == 0 and "'rejected': 0" in done.stdout, done.stderr[-4_000:]
        figures = Shown(server, done.stdout)
        assert figures.agents and figures.types["agent.message.appended"] == 0
        said = {text for event in figures.events for text in sentences(event["data"]) if not NAMES.fullmatch(text)}
        assert not said
    finally:
        server.stop()


#: A text of 80,000 characters in pieces of 400, by protocol.
LONG = {
    "ag-ui": [
        {"type": "RUN_STARTED", "threadId": "t", "runId": "r"},
        {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"},
        *[{"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "#" * 400, "rawEvent": {"delta": "#" * 400}}] * 200,
        {"type": "TEXT_MESSAGE_END", "messageId": "m"},
    ],
    "vercel": [
        {"type": "start", "messageId": "v"},
        {"type": "text-start", "id": "0"},
        *[{"type": "text-delta", "id": "0", "delta": "#" * 400}] * 200,
        {"type": "text-end", "id": "0"},
    ],
    "langgraph": [
        {"event": "on_chain_start", "name": "graph", "run_id": "r", "parent_ids": [], "data": {}},
        *[{"event": "on_chat_model_stream", "name": "m", "run_id": "l", "parent_ids": ["r"], "data": {"chunk": "content='" + "#" * 400 + "' id='1'"}}] * 200,
    ],
    "langgraph v3": [
        {"type": "event", "seq": seq, "method": "messages", "params": {"namespace": ["w:1"], "timestamp": 1_795_877_349_000 + seq, "data": [payload, {}]}}
        for seq, payload in enumerate(
            [
                {"event": "message-start", "role": "ai", "id": "m"},
                *[{"event": "content-block-delta", "delta": {"type": "text-delta", "text": "#" * 400}}] * 200,
            ],
            1,
        )
    ],
    None: [{"type": "agent.message.appended", "message_id": "m", "content": "#" * 400}] * 200,
}


@pytest.mark.parametrize("speaks", LONG)
def test_of_a_text_in_pieces_the_beginning_goes_out(server, project, speaks):
    sending.configure(content="preview", project=project)
    before = rejected()
    how = {} if speaks is None else {"speaks": speaks.split()[0], "agent": "lead", "project": project}
    collections.deque(stoa.tee(iter(LONG[speaks]), **how), maxlen=0)
    events = shown(server, project)
    assert rejected() == before, stoa.stats()
    whole = "".join(event["data"].get("content", "") for event in events if event["type"] == "agent.message.appended")
    assert whole == "#" * (plain.PREVIEW - 1) + "…" and json.dumps(events).count("#") == plain.PREVIEW - 1


def test_a_said_text_has_no_more_than_a_preview(server, project):
    sending.configure(content="preview", project=project)
    with stoa.agent("Editor"):
        for _ in range(20):
            stoa.say("#" * 400, id=f"{project}:m", final=False)
    whole = "".join(event["data"]["content"] for event in shown(server, project) if event["type"] == "agent.message.appended")
    assert len(whole) == plain.PREVIEW


@pytest.mark.parametrize("content", ["preview", "full"])
def test_arguments_in_pieces_stay_what_they_are(server, project, content):
    sending.configure(content=content)
    args = {"short": {"q": "a desk", "n": [1, 2, 3]}, "long": {"q": "#" * 40_000}}
    given = [{"type": "RUN_STARTED", "threadId": "t", "runId": "r"}]
    for call, value in args.items():
        text = json.dumps(value)
        given.append({"type": "TOOL_CALL_START", "toolCallId": call, "toolCallName": "search"})
        given += [{"type": "TOOL_CALL_ARGS", "toolCallId": call, "delta": text[at : at + 700]} for at in range(0, len(text), 700)]
        given.append({"type": "TOOL_CALL_END", "toolCallId": call})
    collections.deque(stoa.tee(iter(given), speaks="ag-ui", agent="lead", project=project), maxlen=0)
    told = {event["data"]["tool_call_id"]: event["data"]["args"] for event in shown(server, project) if event["type"] == "tool.progress"}
    assert told["short"] == args["short"]
    most = plain.PREVIEW if content == "preview" else plain.MAX_CONTENT
    assert told["long"] == json.dumps(args["long"])[: most - 1] + "…"
