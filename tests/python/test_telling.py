"""Agents, tasks and tools of own code: what the server makes of them."""

import asyncio
import contextvars
import json
import sys
import threading
import urllib.request

import pytest

from conftest import PATIENCE, ROOT, Stoa

sys.path.insert(0, str(ROOT / "clients/python/src"))

import stoa  # noqa: E402
from stoa import sending  # noqa: E402


@pytest.fixture(scope="module")
def server():
    here = Stoa()
    before = dict(vars(sending.options()))
    sending.configure(url=here.url, service="shop", exit_timeout=0.0, content="preview")
    yield here
    stoa.flush(PATIENCE)
    vars(sending.options()).update(before)
    here.stop()


@pytest.fixture
def project(server, request):
    return request.node.name.replace("[", ".").replace("]", "")


def told(server, project):
    """The events of a project, and its state."""
    assert stoa.flush(PATIENCE), stoa.stats()
    assert stoa.stats()["rejected"] == 0, stoa.stats()
    with urllib.request.urlopen(f"{server.url}/api/v1/events?limit=1000&project_id={project}", timeout=PATIENCE) as answer:
        events = json.load(answer)["events"]
    with urllib.request.urlopen(f"{server.url}/api/v1/state?project_id={project}", timeout=PATIENCE) as answer:
        return events, json.load(answer)


def types(events):
    return [event["type"] for event in events]


def test_blocks_tell_of_agents_tasks_and_tools(server, project):
    with stoa.agent("Market Researcher", role="finds things", project=project) as a:
        with a.task("Find it") as t:
            t.progress(40, "half")
            with t.tool("search", q="it") as call:
                call.result = {"found": 3}
            a.think("hm")
            a.say("It is ")
            stoa.decide("take it", "it is good", 0.8)
            stoa.usage("small-1", input_tokens=10, output_tokens=5, cost_usd=0.01)
            stoa.artifact("report.md", url="https://example.org/report.md")
            a.handoff("Writer", reason="found")
    events, state = told(server, project)
    assert types(events) == [
        "project.created", "workflow.run.started", "agent.registered", "agent.status.changed", "task.assigned",
        "task.progress", "tool.started", "tool.completed", "agent.reasoning.appended", "agent.message.completed",
        "agent.message.appended", "agent.message.completed", "decision.logged", "llm.completed", "artifact.created",
        "agent.registered", "agent.handoff", "task.completed", "agent.status.changed", "workflow.run.completed",
    ]  # fmt: skip
    agent = state["agents"]["shop:Market-Researcher"]
    assert (agent["name"], agent["role"], agent["status"]) == ("Market Researcher", "finds things", "idle")
    (task,) = state["tasks"].values()
    assert (task["name"], task["status"], task["agent_id"]) == ("Find it", "done", "shop:Market-Researcher")
    (run,) = state["runs"].values()
    assert run["status"] == "completed"
    tool = events[7]["data"]
    assert tool["result"] == {"found": 3} and tool["task_id"] == events[4]["data"]["task_id"] and tool["duration_ms"] >= 0
    assert events[16]["data"]["to_agent_id"] == "shop:Writer"
    assert len({event["data"]["run_id"] for event in events if "run_id" in event["data"]}) == 1


def test_decorators_tell_of_functions_coroutines_and_generators(server, project):
    @stoa.tool
    def add(a, b=1):
        return a + b

    @stoa.tool("fetch")
    async def fetch(url):
        await asyncio.sleep(0)
        return f"page of {url}"

    @stoa.task(name="count")
    def count(n):
        for i in range(n):
            add(i)
            yield i

    @stoa.task("stream")
    async def stream():
        yield await fetch("a")
        yield await fetch("b")

    @stoa.agent("Worker", project=project)
    async def work():
        assert list(count(2)) == [0, 1]
        return [piece async for piece in stream()]

    assert asyncio.run(work()) == ["page of a", "page of b"]
    events, state = told(server, project)
    assert types(events).count("tool.completed") == 4 and types(events).count("task.completed") == 2
    by_name = {event["data"]["task_name"]: event["data"]["task_id"] for event in events if event["type"] == "task.assigned"}
    assert set(by_name) == {"count", "stream"}
    calls = [event["data"] for event in events if event["type"] == "tool.completed"]
    assert [call["task_id"] for call in calls] == [by_name["count"]] * 2 + [by_name["stream"]] * 2
    assert calls[0]["args" if "args" in calls[0] else "result"] == 1
    assert {task["status"] for task in state["tasks"].values()} == {"done"}
    started = [event["data"] for event in events if event["type"] == "tool.started"]
    assert started[0]["args"] == {"a": 0} and started[2]["args"] == {"url": "a"}


def test_a_generator_that_is_left_ends_its_task_and_leaks_no_place(server, project):
    from stoa.telling.blocks import current

    @stoa.task("count", project=project)
    def count():
        yield 1
        yield 2

    source = count()
    assert next(source) == 1
    assert current() is None
    source.close()
    events, state = told(server, project)
    assert types(events)[-2:] == ["task.completed", "workflow.run.completed"]


@pytest.mark.parametrize("how", ["raise", "cancel"])
def test_failures_are_told_and_go_on(server, project, how):
    async def fail():
        async with stoa.agent("Worker", project=project):
            with stoa.task("Try"):
                if how == "raise":
                    raise ValueError("it broke")
                await asyncio.sleep(PATIENCE)

    async def main():
        running = asyncio.ensure_future(fail())
        await asyncio.sleep(0)
        if how == "cancel":
            running.cancel()
        await running

    with pytest.raises(ValueError if how == "raise" else asyncio.CancelledError):
        asyncio.run(main())
    events, state = told(server, project)
    assert types(events)[-3:] == ["task.failed", "agent.status.changed", "workflow.run.failed"]
    failed = events[-3]["data"]
    assert failed["error_type"] == ("ValueError" if how == "raise" else "CancelledError")
    assert [run["status"] for run in state["runs"].values()] == ["failed"]


def test_agents_side_by_side_keep_apart(server, project):
    async def one(name):
        async with stoa.agent(name, task=f"task of {name}"):
            await asyncio.sleep(0)
            with stoa.tool("t"):
                await asyncio.sleep(0)

    async def main():
        with stoa.agent("Boss", project=project):
            await asyncio.gather(*(one(f"a{n}") for n in range(5)))
            inner = contextvars.copy_context()
            thread = threading.Thread(target=lambda: inner.run(lambda: asyncio.run(one("a5"))))
            thread.start()
            thread.join()

    asyncio.run(main())
    events, state = told(server, project)
    assert {f"shop:a{n}" for n in range(6)} | {"shop:Boss"} == set(state["agents"])
    assert len(state["runs"]) == 1
    for event in events:
        if event["type"].startswith("tool."):
            task = state["tasks"][event["data"]["task_id"]]
            assert task["agent_id"] == event["data"]["agent_id"] and task["name"] == f"task of {task['agent_id'][5:]}"
    assert types(events).count("agent.handoff") == 6


def test_texts_come_in_pieces_and_a_preview_has_their_beginning(server, project):
    with stoa.agent("Writer", project=project) as a:
        for n in range(300):
            a.say(f"w{n} ", id=f"m-{project}")
        a.say("end", id=f"m-{project}", final=True)
    events, _ = told(server, project)
    pieces = [event["data"]["content"] for event in events if event["type"] == "agent.message.appended"]
    whole = "".join(f"w{n} " for n in range(300))
    assert "".join(pieces) in (whole[:500] + "…", whole[:500])
    assert types(events).count("agent.message.completed") == 1


def test_words_outside_of_blocks_and_odd_names_raise_nothing(server, project):
    stoa.progress(5)
    stoa.block("why")
    stoa.handoff("x")
    with stoa.agent("研究員\n", project=project) as a:
        a.say(object())
        with a.tool("odd", self=a, value=float("nan")):
            pass
    events, state = told(server, project)
    (agent,) = state["agents"].values()
    assert agent["name"] == "研究員" and agent["agent_id" if "agent_id" in agent else "name"]


def test_the_examples_of_the_page(server, project):
    page = (ROOT / "clients/python/README.md").read_text()
    for word in ("in an agent", "in own code"):
        exec(compile(page.split(f"# {word}\n")[1].split("```")[0], word, "exec"), {})  # noqa: S102
    _, state = told(server, "shop")
    assert state["tasks"]["t7"]["status"] == "done"
    assert state["agents"]["shop:Researcher"]["role"] == "finds things"
    assert {task["name"]: task["status"] for task in state["tasks"].values()}["Find it"] == "done"
    assert state["agents"]["shop:Researcher"]["handed_to"] == "shop:Writer"
