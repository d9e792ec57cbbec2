"""`stoa.watch()` with the frameworks themselves and scripted models: what the server makes of a team.

Each team is a program in `frameworks/`, run by the interpreter of `tests/.frameworks/NAME` (`make test` makes those that are
soon installed, `make test-frameworks` all of them), else by this one, if the framework is there.
"""

import collections
import json
import os
import pathlib
import socket
import subprocess
import sys
import urllib.request

import pytest

from conftest import PATIENCE, ROOT, Stoa, not_checked

SOURCES = str(ROOT / "clients/python/src")
TEAMS = pathlib.Path(__file__).parent / "frameworks"
# A team is watched before its framework is imported, and after; in `make test` only once each, for an import takes seconds.
WHEN = ["before", "after"] if os.environ.get("FRAMEWORKS_ALL") else ["before"]
HOME = pathlib.Path(os.environ.get("FRAMEWORKS_HOME", ROOT / "tests/.frameworks"))


def interpreter(name, module):
    own = HOME / name / "bin/python"
    python = str(own) if own.exists() else sys.executable
    seek = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    if subprocess.run([python, "-c", seek], timeout=PATIENCE).returncode:
        assert not os.environ.get("FRAMEWORKS_ALL"), f"{name} is not installed"
        not_checked(f"stoa.watch() with {name}, which takes long to install: make test-frameworks")
    return python


class Shown:
    """The server's view of a team when its program has ended."""

    def __init__(self, server, said):
        self.said = said
        with urllib.request.urlopen(f"{server.url}/api/v1/events?limit=1000", timeout=PATIENCE) as answer:
            self.events = json.load(answer)["events"]
        with urllib.request.urlopen(f"{server.url}/api/v1/state", timeout=PATIENCE) as answer:
            state = json.load(answer)
        self.agents = {agent["name"]: agent["status"] for agent in state["agents"].values()}
        self.tasks = collections.Counter((task["name"], task["status"]) for task in state["tasks"].values())
        self.runs = collections.Counter(run["status"] for run in state["runs"].values())
        self.types = collections.Counter(event["type"] for event in self.events)

    def keep(self, name):
        """Writes the stream down where STREAMS names a folder: web-demo/picture plays it to the page."""
        folder = os.environ.get("STREAMS")
        if not folder:
            return
        parts = ("type", "id", "timestamp", "project_id", "source", "priority", "data")
        lines = [json.dumps({part: event[part] for part in parts if part in event}, ensure_ascii=False) for event in self.events]
        (ROOT / folder).mkdir(parents=True, exist_ok=True)
        (ROOT / folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")

    def of(self, type):
        return [event["data"] for event in self.events if event["type"] == type]

    def texts(self):
        texts = collections.defaultdict(str)
        for data in self.of("agent.message.appended"):
            texts[data["message_id"]] += data["content"]
        return sorted(texts.values())

    def tokens(self):
        return sum(data.get("input_tokens", 0) for data in self.of("llm.completed"))


def run(name, module, url, *words, **env):
    python = interpreter(name, module)
    env = {
        **os.environ, "PYTHONPATH": SOURCES, "STOA_URL": url, "STOA_SERVICE": "team", "STOA_EXIT_TIMEOUT": str(PATIENCE),
        "OPENAI_API_KEY": "none", "CREWAI_DISABLE_TELEMETRY": "true", "OTEL_SDK_DISABLED": "", **env,
    }  # fmt: skip
    done = subprocess.run(
        [python, str(TEAMS / f"{name}_team.py"), *words], env=env, capture_output=True, text=True, timeout=3 * PATIENCE
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    return done.stdout


@pytest.fixture
def shown():
    servers = []

    def show(name, module, *words):
        servers.append(Stoa())
        said = run(name, module, servers[-1].url, *words)
        figures = Shown(servers[-1], said)
        figures.keep(name)
        assert "'rejected': 0" in said and "'failures': 0" in said and "'dropped': 0" in said, said
        return figures

    yield show
    for server in servers:
        server.stop()


@pytest.mark.parametrize("when", WHEN)
def test_langgraph(shown, when):
    team = shown("langgraph", "langgraph", when)
    names = ["planner", "researcher", "writer", "editor", "publisher", "breaker"]
    assert team.agents == dict.fromkeys(names, "idle")
    assert team.tasks == {(name, "failed" if name == "breaker" else "done"): 1 for name in names}
    assert team.runs == {"completed": 1, "failed": 1}
    assert team.texts() == ["a good plan", "the words come slowly"] and team.tokens() == 100
    (tool,) = team.of("tool.completed")
    assert (tool["tool_name"], tool["agent_id"], tool["result"]) == ("search", "team:researcher", "found the answer")
    (asked,), (answered,) = team.of("input.requested"), team.of("input.received")
    assert asked["message"] == "Publish it?" and asked["request_id"] == answered["request_id"]
    assert answered["answer"] == "yes"
    assert team.types["workflow.run.paused"] == team.types["workflow.run.resumed"] == team.types["task.retried"] == 1
    # The branches are at work at the same time.
    order = [(e["type"], e["data"].get("agent_id")) for e in team.events if e["type"] in ("task.assigned", "task.completed")]
    assert order.index(("task.assigned", "team:writer")) < order.index(("task.completed", "team:researcher"))


@pytest.mark.parametrize("when", WHEN)
def test_openai_agents(shown, when):
    team = shown("openai_agents", "agents", when)
    assert team.agents == dict.fromkeys(["Triage", "Translator", "Clerk", "Asker", "Calm", "Breaker"], "idle")
    assert team.tasks == {("Triage", "done"): 1, ("Translator", "done"): 1, ("Clerk", "done"): 1, ("Asker", "done"): 2, ("Calm", "done"): 1, ("Breaker", "failed"): 1}
    assert team.runs == {"completed": 3, "failed": 1}
    assert team.of("workflow.run.failed")[0]["error"] == "no model"
    assert team.texts() == ["All is well.", "It came broken.", "It is late, sorry.", "It is paid."]
    assert team.types["agent.message.completed"] == 4 and team.tokens() == 800
    assert [(data["tool_name"], data["agent_id"]) for data in team.of("tool.failed")] == [("look_up", "team:Clerk")]
    order = [(e["type"], e["data"].get("args")) for e in team.events if e["data"].get("tool_name") == "look_up"]
    assert [type for type, _ in order[:2]] == ["tool.started"] * 2
    tools = collections.Counter(data["tool_name"] for data in team.of("tool.completed"))
    assert tools["look_up"] == tools["translate"] == 1
    handoffs = [(data["from_agent_id"], data["to_agent_id"], data["kind"]) for data in team.of("agent.handoff")]
    assert handoffs == [("team:Triage", "team:Translator", "delegation"), ("team:Triage", "team:Clerk", "handoff")]
    assert team.of("guardrail.passed")[0]["name"] == "no_secrets"
    (asked,), (answered,) = team.of("input.requested"), team.of("input.received")
    assert asked["tool_call_id"] == answered["request_id"] == "c3" and answered["outcome"] == "approved"


@pytest.mark.parametrize("when", ["before", "after"])
def test_autogen(shown, when):
    team = shown("autogen", "autogen_agentchat", when)
    assert team.agents == dict.fromkeys(["planner", "hotels", "asker", "person"], "idle")
    turns = ["planner, turn 1", "hotels, turn 2", "asker, turn 1", "person, turn 2"]
    assert team.tasks == {(name, "done"): 1 for name in turns}
    assert team.runs == {"completed": 2, "failed": 1}
    (asked,), (answered,) = team.of("input.requested"), team.of("input.received")
    assert asked["request_id"] == answered["request_id"] and answered["answer"] == "yes, DONE"
    assert team.texts() == ["It is booked. DONE", "May I?", "yes, DONE"] and team.tokens() > 200
    assert [data["content"] for data in team.of("agent.reasoning.appended")] == ["hotels know"]
    (handoff,) = team.of("agent.handoff")
    assert (handoff["from_agent_id"], handoff["to_agent_id"]) == ("team:planner", "team:hotels")
    assert {data["tool_name"]: data["result"] for data in team.of("tool.completed")}["look_up"] == "a hotel in Rome"


@pytest.mark.parametrize("when", WHEN)
def test_llama_index(shown, when):
    team = shown("llama_index", "llama_index", when)
    teams, steps = ["planner", "hotels", "lead", "helper", "failing"], ["split", "work", "join", "publish", "breaker"]
    assert team.agents == dict.fromkeys(teams + steps, "idle")
    # The framework runs a step that collects once more when two events came at the same time.
    joins = team.tasks["join", "done"]
    assert joins in (2, 3)
    counts, failed = {"work": 2, "join": joins}, {"failing", "breaker"}
    wanted = {(name, "failed" if name in failed else "done"): counts.get(name, 1) for name in teams + steps}
    assert team.tasks == wanted
    assert team.runs == {"completed": 3, "failed": 2}
    assert team.texts() == ["Blue, it is.", "It is blue.", "It is booked."] and team.tokens() == 800
    assert team.types["agent.message.completed"] == 3 and team.types["llm.failed"] == 1
    tools = {data["tool_name"]: data["result"] for data in team.of("tool.completed")}
    assert (tools.pop("handoff")[:12], tools) == ("Agent hotels", {"look_up": "a hotel in Rome", "confirm": "yes", "ask": "It is blue."})
    assert [(data["tool_name"], data["error"]) for data in team.of("tool.failed")] == [("broken", "no such thing")]
    handoffs = [(data["from_agent_id"], data["to_agent_id"], data["kind"]) for data in team.of("agent.handoff")]
    assert handoffs == [("team:planner", "team:hotels", "handoff"), ("team:lead", "team:helper", "delegation")]
    # A tool asks, and a step does.
    asked = [(data["message"], data["agent_id"]) for data in team.of("input.requested")]
    assert asked == [("Book it?", "team:hotels"), ("Publish it?", "team:join")]
    requests, answers = ({data["request_id"] for data in team.of(f"input.{word}")} for word in ("requested", "received"))
    assert requests == answers and len(answers) == 2
    assert team.types["workflow.run.paused"] == team.types["workflow.run.resumed"] == 2 and team.types["task.retried"] == 1


@pytest.mark.parametrize("when", WHEN)
def test_crewai(shown, when):
    team = shown("crewai", "crewai", when)
    assert team.agents == dict.fromkeys(["Writer", "Market Researcher", "Scout 1", "Scout 2", "Clerk", "Breaker"], "idle")
    done = ["write_ad", "find a desk", "look 1", "look 2", "price"]
    assert team.tasks == {**{(name, "done"): 1 for name in done}, ("break", "failed"): 1}
    assert team.runs == {"completed": 2, "failed": 1}
    assert [data["agent_id"] for data in team.of("guardrail.triggered")] == ["team:Clerk"] and team.types["guardrail.passed"] == 1
    assert team.types["task.retried"] == 1
    assert [text.rpartition("Final Answer: ")[2] for text in team.texts() if "Final" in text] == [
        "$9",
        "A fine oak desk.",
        "an oak desk",
        "cheap",
        "shop 1",
        "shop 2",
    ]
    assert team.tokens() == 800 and team.types["llm.failed"] == 1
    assert {data["tool_name"]: data["agent_id"] for data in team.of("tool.completed")} == {
        "search_catalogue": "team:Market-Researcher",
        "delegate_work_to_coworker": "team:Writer",
    }
    (handoff,) = team.of("agent.handoff")
    assert (handoff["to_agent_id"], handoff["kind"]) == ("team:Market-Researcher", "delegation")
    assert [data["node_name"] for data in team.of("workflow.node.completed")] == ["brief", "work"]


# With "otel" the program has it instrumented by a provider of its own.
@pytest.mark.parametrize("when", [*WHEN, "otel"] if len(WHEN) > 1 else WHEN)
def test_pydantic_ai(shown, when):
    team = shown("pydantic_ai", "pydantic_ai", when)
    assert team.agents == dict.fromkeys(["Lead", "Helper", "Breaker"], "idle")
    assert team.tasks == {("Lead", "done"): 1, ("Helper", "done"): 1, ("Breaker", "failed"): 1}
    assert team.runs == {"completed": 1, "failed": 1}
    assert team.texts() == ["Blue, it is.", "It is blue."] and team.tokens() > 100 and team.types["llm.failed"] == 1
    assert {data["tool_name"]: data["result"] for data in team.of("tool.completed")} == {
        "look": "saw the sky",
        "shaky": "it holds",
        "ask": "It is blue.",
    }
    assert {data["tool_name"]: "once more" in data["error"] for data in team.of("tool.failed")} == {"shaky": True}
    # Two tools are at work at the same time.
    order = [e["type"] for e in team.events if e["data"].get("tool_name") in ("look", "shaky")]
    assert order[:2] == ["tool.started"] * 2
    (handoff,) = team.of("agent.handoff")
    assert (handoff["from_agent_id"], handoff["to_agent_id"]) == ("team:Lead", "team:Helper")


@pytest.mark.parametrize("when", WHEN)
def test_smolagents(shown, when):
    team = shown("smolagents", "smolagents", when)
    assert team.agents == dict.fromkeys(["lead", "helper", "breaker"], "idle")
    assert collections.Counter(status for (_, status), n in team.tasks.items() for _ in range(n)) == {"done": 2, "failed": 1}
    assert team.runs == {"completed": 1, "failed": 1}
    assert team.tokens() == 400 and team.types["agent.message.completed"] == 4
    tools = [(data["tool_name"], data["agent_id"]) for data in team.of("tool.completed")]
    assert tools[0] == ("search", "team:helper") and ("final_answer", "team:lead") in tools
    (handoff,) = team.of("agent.handoff")
    assert (handoff["from_agent_id"], handoff["to_agent_id"]) == ("team:lead", "team:helper")


@pytest.mark.parametrize("when", WHEN)
def test_an_mcp_server(shown, when):
    team = shown("mcp", "mcp", when)
    assert team.agents == {"team": "idle"}
    (done,), (failed,) = team.of("tool.completed"), team.of("tool.failed")
    assert (done["tool_name"], done["tool_kind"], done["agent_id"]) == ("search", "mcp", "team:team")
    assert failed["tool_name"] == "broken" and "no such thing" in failed["error"]
    assert [data["args"] for data in team.of("tool.started")] == [{"query": "a desk"}, {}]


def test_a_team_works_the_same_without_a_server():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        hanging = f"http://127.0.0.1:{sock.getsockname()[1]}"
        said = run("autogen", "autogen_agentchat", hanging, STOA_EXIT_TIMEOUT="0.1")
    assert "failed as it should" in said


def test_watch_raises_nothing_and_says_what_is_watched(tmp_path):
    # A module of the user's that has the name of a framework, and one that fails when it is watched.
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents/__init__.py").write_text("MINE = 1")
    (tmp_path / "agents/tracing.py").write_text("ALSO = 1")
    program = (
        "import stoa, sys\nfirst = stoa.watch('http://127.0.0.1:1')\nassert set(first.frameworks.values()) == {'waiting'}\n"
        "assert 'langchain_core' not in sys.modules\nimport agents.tracing\nassert agents.tracing.ALSO == 1\n"
        "assert agents.tracing.__loader__ is agents.tracing.__spec__.loader\n"
        "again = stoa.watch(only=['langgraph'])\nassert again is first\nprint(first.frameworks['openai_agents'])\n"
        "print(stoa.stats()['failures'] >= 1)\n"
    )
    env = {**os.environ, "PYTHONPATH": f"{SOURCES}:{tmp_path}", "STOA_EXIT_TIMEOUT": "0"}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    said, counted = done.stdout.splitlines()
    assert said.startswith("failed: ") and counted == "True"


NAMES = {
    "langgraph": ["langchain"],
    "Pydantic-AI, openai-agents": ["openai_agents", "pydantic_ai"],
    "mcp": ["fastmcp", "mcp"],
    "otel": ["open_telemetry"],
    "autogen_agentchat,llama-index": ["autogen", "llama_index"],
    "langgrph": [],
    "nope,crewai": ["crewai"],
    "": ["autogen", "crewai", "fastmcp", "langchain", "llama_index", "mcp", "open_telemetry", "openai_agents", "pydantic_ai", "smolagents"],
}


# Nothing is no name: it leaves all of them chosen.
@pytest.mark.parametrize("names, how", [(names, how) for names in NAMES for how in ("only=names.split(',')", "only=names", "variable") if names or how == "variable"])
def test_frameworks_are_chosen_by_any_of_their_names_and_unknown_ones_are_said(names, how):
    given = "" if how == "variable" else how
    program = f"import os, stoa\nnames = os.environ['NAMES']\nprint(*sorted(stoa.watch({given}).frameworks))\nprint(stoa.stats()['failures'])\n"
    env = {**os.environ, "PYTHONPATH": SOURCES, "STOA_URL": "http://127.0.0.1:1", "NAMES": names}
    if how == "variable":
        env["STOA_FRAMEWORKS"] = names
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    chosen, failures = done.stdout.split("\n")[:2]
    assert chosen.split() == NAMES[names]
    unknown = [name for name in names.split(",") if name in ("langgrph", "nope")]
    assert int(failures) == len(unknown)
    assert [f"stoa.watch: {name!r} is none of " in done.stderr for name in unknown] == [True] * len(unknown)


#: A stream of AG-UI as objects, as server-sent events in odd pieces, and as lines of JSON.
FORMS = {
    "objects": "[json.loads(line) for line in lines]",
    "events": "[body[at:at + 7] for at in range(0, len(body), 7)]",
    "lines": "[line + '\\n' for line in lines]",
}


@pytest.mark.parametrize("form", FORMS)
def test_tee_sends_a_protocol_to_its_door(form):
    """Stoa makes the same of a stream that is looked at as of one that is posted whole."""
    server = Stoa()
    try:
        data = ROOT / "tests/data/producers/ag_ui_showcase_1_0.jsonl"
        program = (
            "import json, pathlib, stoa\n"
            f"lines = pathlib.Path({str(data)!r}).read_text().splitlines()\nbody = ''.join(f'data: {{line}}\\n\\n' for line in lines)\n"
            f"given = {FORMS[form]}\n"
            "stoa.emit('before.it', {})\n"
            "assert list(stoa.tee(iter(given), speaks='ag-ui', agent='lead', project='shop')) == given\n"
            "stoa.emit('after.it', {})\nassert stoa.flush(45)\nprint(json.dumps([len(lines), stoa.stats()]))\n"
        )
        env = {**os.environ, "PYTHONPATH": SOURCES, "STOA_URL": server.url, "STOA_CONTENT": "full"}
        done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=3 * PATIENCE)
        assert done.returncode == 0, done.stderr
        number, stats = json.loads(done.stdout)
        assert (stats["sent"], stats["rejected"], stats["failures"]) == (number + 2, 0, 0), stats
        shown = Shown(server, "")
        assert shown.events[0]["type"] == "before.it" and shown.events[-1]["type"] == "after.it"
        posted = Stoa()
        try:
            request = urllib.request.Request(f"{posted.url}/ag-ui/in?agent=lead&project=shop", data.read_bytes(), {"Content-Type": "application/x-ndjson"})
            urllib.request.urlopen(request, timeout=PATIENCE).close()
            whole = Shown(posted, "")
        finally:
            posted.stop()
        assert shown.agents == whole.agents and shown.agents and shown.tasks == whole.tasks and shown.texts() == whole.texts()
    finally:
        server.stop()


def test_tee_gives_on_what_comes():
    program = (
        "import asyncio, stoa\n"
        "assert list(stoa.tee(iter([{'type': 'a.b', 'n': 1}, 2]))) == [{'type': 'a.b', 'n': 1}, 2]\n"
        "async def pieces():\n    yield 1\n    yield 2\n"
        "async def main():\n    return [piece async for piece in stoa.tee(pieces(), look=lambda piece: 1 / 0)]\n"
        "assert asyncio.run(main()) == [1, 2]\nprint(stoa.stats()['failures'], stoa.stats()['queued'])\n"
    )
    env = {**os.environ, "PYTHONPATH": SOURCES, "STOA_URL": "http://127.0.0.1:1", "STOA_EXIT_TIMEOUT": "0", "STOA_LINGER_MS": "60000"}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 2\n"
