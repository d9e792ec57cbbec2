"""A swarm of AutoGen: text as a stream, a tool, a hand-off, a thought, by a scripted model."""

import asyncio
import sys

if "before" in sys.argv:
    import stoa

    stoa.watch()

from autogen_agentchat.agents import AssistantAgent, UserProxyAgent
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat, Swarm
from autogen_core import FunctionCall
from autogen_core.models import CreateResult, RequestUsage
from autogen_ext.models.replay import ReplayChatCompletionClient

if "before" not in sys.argv:
    import stoa

    stoa.watch()

INFO = {"vision": False, "function_calling": True, "json_output": False, "family": "unknown", "structured_output": False}


def call(name, arguments="{}", thought=None):
    return CreateResult(
        finish_reason="function_calls",
        content=[FunctionCall(id=f"call-{name}", name=name, arguments=arguments)],
        usage=RequestUsage(prompt_tokens=100, completion_tokens=20),
        cached=False,
        thought=thought,
    )


def model(*answers):
    return ReplayChatCompletionClient(list(answers), model_info=INFO)


def look_up(city: str) -> str:
    """Looks up a hotel."""
    return f"a hotel in {city}"


async def main():
    planner = AssistantAgent("planner", model(call("transfer_to_hotels", thought="hotels know")), handoffs=["hotels"])
    hotels = AssistantAgent(
        "hotels",
        model(call("look_up", '{"city": "Rome"}'), "It is booked. DONE"),
        tools=[look_up],
        reflect_on_tool_use=True,
        model_client_stream=True,
    )
    team = Swarm([planner, hotels], termination_condition=TextMentionTermination("DONE"))
    result = await team.run(task="a trip to Rome")
    assert result.messages[-1].content == "It is booked. DONE", result
    asker = AssistantAgent("asker", model("May I?"))
    person = UserProxyAgent("person", input_func=lambda prompt: "yes, DONE")
    await RoundRobinGroupChat([asker, person], termination_condition=TextMentionTermination("DONE")).run(task="ask")
    broken = RoundRobinGroupChat([AssistantAgent("breaker", model())], max_turns=1)
    try:
        await broken.run(task="go")
    except Exception as error:
        print("failed as it should", type(error).__name__)


asyncio.run(main())
print(stoa.watch().frameworks, stoa.stats())
