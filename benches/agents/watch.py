"""The time that a run of agents takes with `stoa.watch()` and without it, for each state that the server may be in.

    python3 benches/agents/watch.py [--tokens-per-second 100] [--rounds 7] [--stoa URL] [langgraph] [openai_agents]

Programs with scripted models, each in the environment that `make test-frameworks` makes. The kinds take turns, so that a busy
machine is as busy for each of them; the median of all runs counts. The processor's time of a run, all threads of it, says more
than the wall's where other programs are at work; its difference stands as a share of the run's time, too.
"""

import argparse
import asyncio
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from servers import answering, hanging, none

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOME = pathlib.Path(os.environ.get("FRAMEWORKS_HOME", ROOT / "tests/.frameworks"))
RUNS, WORDS = 6, "the words of the answer come one after the other as those of a real model do ".split() * 2


def langgraph(pause):
    """A graph: a plan, two branches at once, of which one uses a tool, and the end; four calls of a model as streams."""
    import operator
    from typing import Annotated, TypedDict

    from langchain_core.language_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.tools import tool
    from langgraph.graph import END, START, StateGraph

    class Model(GenericFakeChatModel):
        async def _astream(self, *args, **kwargs):
            async for piece in super()._astream(*args, **kwargs):
                await asyncio.sleep(pause)
                yield piece

    class State(TypedDict):
        notes: Annotated[list, operator.add]

    @tool
    def search(query: str) -> str:
        """Finds things."""
        return f"found {query}"

    async def node(state):
        text = ""
        async for piece in Model(messages=iter([AIMessage(" ".join(WORDS))])).astream("go"):
            text += piece.content
        return {"notes": [text]}

    async def finder(state):
        await search.ainvoke({"query": "the answer"})
        return await node(state)

    graph = StateGraph(State)
    for name, work in {"planner": node, "finder": finder, "writer": node, "editor": node}.items():
        graph.add_node(name, work)
    graph.add_edge(START, "planner")
    graph.add_edge("planner", "finder")
    graph.add_edge("planner", "writer")
    graph.add_edge(["finder", "writer"], "editor")
    graph.add_edge("editor", END)
    compiled = graph.compile()

    async def run():
        async for _ in compiled.astream({"notes": []}, stream_mode="messages"):
            pass

    return run


def openai_agents(pause):
    """An agent that calls a tool and hands off to another one, whose text is a stream; three calls of a model."""
    from agents import Agent, Runner, function_tool, set_trace_processors
    from agents.testing import ScriptedModel, assistant_message, function_call
    from agents.tracing import get_trace_provider

    every = get_trace_provider()._multi_processor._processors
    set_trace_processors([each for each in every if type(each).__name__ == "StoaProcessor"])

    class Model(ScriptedModel):
        async def stream_response(self, *args, **kwargs):
            async for piece in super().stream_response(*args, **kwargs):
                if piece.type == "response.completed":
                    await asyncio.sleep(pause * len(WORDS))
                yield piece

    @function_tool
    def look_up(order: str) -> str:
        """Looks up an order."""
        return f"order {order} is late"

    async def run():
        clerk = Agent("Clerk", model=Model([[assistant_message(" ".join(WORDS), item_id="m1")]]))
        calls = [[function_call("look_up", {"order": "7"}, call_id="c1")], [function_call("transfer_to_clerk", {}, call_id="c2")]]
        triage = Agent("Triage", tools=[look_up], handoffs=[clerk], model=Model(calls))
        streamed = Runner.run_streamed(triage, "where is it?")
        async for _ in streamed.stream_events():
            pass

    return run


def child(framework, pause, watched):
    """Some runs in this process; writes the seconds of each, by the wall and by the processor."""
    os.environ.setdefault("OPENAI_API_KEY", "none")
    if watched:
        import stoa

        stoa.watch()
    run = globals()[framework](pause)

    async def runs():
        found = []
        for _ in range(RUNS + 1):
            begin, work = time.perf_counter(), time.process_time()
            await run()
            found.append((time.perf_counter() - begin, time.process_time() - work))
        return found[1:]

    found = asyncio.run(runs())
    print(json.dumps({"runs": found, "stats": stoa.stats() if watched else None}))


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--tokens-per-second", type=float, default=100)
    words.add_argument("--rounds", type=int, default=7)
    words.add_argument("--stoa", help="the address of a Stoa that takes the events")
    words.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    words.add_argument("frameworks", nargs="*")
    given = words.parse_args()
    if given.child:
        return child(given.child[0], float(given.child[1]), given.child[2] == "yes")
    pause = 1 / given.tokens_per_second if given.tokens_per_second else 0
    kinds = {"not watched": None, "no server": none(), "hangs": hanging(), "503": answering(503), "401": answering(401)}
    if given.stoa:
        kinds["Stoa"] = given.stoa
    print(f"{'framework':14} {'server':12} {'run, ms':>9} {'longer':>8} {'CPU, ms':>9} {'more':>8} {'events':>7}")
    for framework in given.frameworks or ["langgraph", "openai_agents"]:
        python = HOME / framework / "bin/python"
        found, events = {kind: [] for kind in kinds}, dict.fromkeys(kinds, 0)
        for _ in range(given.rounds):
            for kind, url in kinds.items():
                env = {**os.environ, "STOA_URL": url or "", "STOA_EXIT_TIMEOUT": "0", "STOA_SERVICE": "bench"}
                command = [python, __file__, "--child", framework, str(pause), "yes" if url else "no"]
                done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
                if done.returncode:
                    sys.exit(done.stderr)
                said = json.loads(done.stdout.splitlines()[-1])
                found[kind] += said["runs"]
                if said["stats"]:
                    events[kind] = sum(said["stats"][key] for key in ("sent", "dropped", "queued")) // (RUNS + 1)
        plain, work = (statistics.median(run[n] for run in found["not watched"]) for n in (0, 1))
        for kind, runs in found.items():
            wall, cpu = (statistics.median(run[n] for run in runs) for n in (0, 1))
            print(
                f"{framework:14} {kind:12} {wall * 1e3:9.1f} {(wall / plain - 1) * 100:7.1f} % {cpu * 1e3:8.1f} "
                f"{(cpu - work) / plain * 100:6.1f} % {events[kind]:7}",
                flush=True,
            )


if __name__ == "__main__":
    main()
