"""A graph with parallel branches, a subgraph, a tool, a retry, a failure and an interrupt, by a scripted model."""

import asyncio
import operator
import sys
from typing import Annotated, TypedDict

if "before" in sys.argv:
    import stoa

    stoa.watch()

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, RetryPolicy, interrupt

if "before" not in sys.argv:
    import stoa

    stoa.watch()

USAGE = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}


class State(TypedDict):
    notes: Annotated[list, operator.add]


def model(*texts):
    return GenericFakeChatModel(messages=iter([AIMessage(text, usage_metadata=USAGE) for text in texts]))


@tool
def search(query: str) -> str:
    """Finds things."""
    return f"found {query}"


def planner(state):
    return {"notes": [model("a good plan").invoke("plan it").content]}


def researcher(state):
    return {"notes": [search.invoke({"query": "the answer"})]}


async def inner_writer(state):
    text = ""
    async for piece in model("the words come slowly").astream("write"):
        text += piece.content
    return {"notes": [text]}


inner = StateGraph(State)
inner.add_node("drafter", inner_writer)
inner.add_edge(START, "drafter")
inner.add_edge("drafter", END)

TRIES = []


def publisher(state):
    TRIES.append(1)
    if len(TRIES) == 1:
        raise ConnectionError("the printer is off")
    return {"notes": ["published"]}


def editor(state):
    answer = interrupt({"question": "Publish it?"})
    return {"notes": [answer]}


def graph():
    made = StateGraph(State)
    made.add_node("planner", planner)
    made.add_node("researcher", researcher)
    made.add_node("writer", inner.compile())
    made.add_node("editor", editor)
    made.add_node("publisher", publisher, retry_policy=RetryPolicy(max_attempts=3, initial_interval=0.01))
    made.add_edge(START, "planner")
    made.add_edge("planner", "researcher")
    made.add_edge("planner", "writer")
    made.add_edge(["researcher", "writer"], "editor")
    made.add_edge("editor", "publisher")
    made.add_edge("publisher", END)
    return made.compile(checkpointer=InMemorySaver(), name="release")


def broken(state):
    raise ValueError("no such thing")


async def main():
    config = {"configurable": {"thread_id": "thread-1"}}
    here = graph()
    await here.ainvoke({"notes": []}, config)
    end = await here.ainvoke(Command(resume="yes"), config)
    assert end["notes"][-2:] == ["yes", "published"], end
    bad = StateGraph(State)
    bad.add_node("breaker", broken)
    bad.add_edge(START, "breaker")
    try:
        await bad.compile(name="bad").ainvoke({"notes": []})
    except ValueError:
        print("failed as it should")


asyncio.run(main())
print(stoa.watch().frameworks, stoa.stats())
