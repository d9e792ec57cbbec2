"""Agents of the OpenAI Agents SDK: tools side by side, one that fails, an agent as a tool, a hand-off, a guardrail, text as a
stream, a question, and a run that fails."""

import asyncio
import sys

if "before" in sys.argv:
    import stoa

    stoa.watch()

from agents import Agent, GuardrailFunctionOutput, Runner, function_tool, input_guardrail, set_trace_processors
from agents.testing import ScriptedModel, assistant_message, function_call
from agents.tracing import generation_span, get_trace_provider

if "before" not in sys.argv:
    import stoa

    stoa.watch()

# Nothing goes to the vendor.
every = get_trace_provider()._multi_processor._processors
set_trace_processors([each for each in every if type(each).__name__ == "StoaProcessor"])


class Scripted(ScriptedModel):
    """With the span that a real model's class makes."""

    async def get_response(self, *args, **kwargs):
        with generation_span(model="scripted-1") as span:
            answer = await super().get_response(*args, **kwargs)
            span.span_data.output = [item.model_dump() for item in answer.output]
            span.span_data.usage = {"input_tokens": 100, "output_tokens": 20}
            return answer

    async def stream_response(self, *args, **kwargs):
        with generation_span(model="scripted-1") as span:
            async for piece in super().stream_response(*args, **kwargs):
                if piece.type == "response.completed":
                    span.span_data.output = [item.model_dump() for item in piece.response.output]
                    span.span_data.usage = {"input_tokens": 100, "output_tokens": 20}
                yield piece


@function_tool
def look_up(order: str) -> str:
    """Looks up an order."""
    if order == "0":
        raise KeyError("no such order")
    return f"order {order} is late"


@function_tool(needs_approval=True)
def refund(order: str) -> str:
    """Pays back."""
    return "paid"


@input_guardrail
async def no_secrets(context, agent, given):
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)


translator = Agent("Translator", model=Scripted([[assistant_message("It came broken.", item_id="m1")]]))
clerk = Agent(
    "Clerk",
    tools=[look_up, refund],
    model=Scripted(
        [
            [function_call("look_up", {"order": "7"}, call_id="c1"), function_call("look_up", {"order": "0"}, call_id="c4")],
            [assistant_message("It is late, sorry.", item_id="m2")],
        ]
    ),
)
triage = Agent(
    "Triage",
    tools=[translator.as_tool("translate", "Translates")],
    handoffs=[clerk],
    input_guardrails=[no_secrets],
    model=Scripted(
        [
            [function_call("translate", {"input": "Kaputt"}, call_id="c0")],
            [function_call("transfer_to_clerk", {}, call_id="c2")],
        ]
    ),
)
asker = Agent("Asker", tools=[refund], model=Scripted([[function_call("refund", {"order": "7"}, call_id="c3")], [assistant_message("It is paid.", item_id="m3")]]))


class Broken(Scripted):
    async def get_response(self, *args, **kwargs):
        raise ValueError("no model")


async def main():
    streamed = Runner.run_streamed(triage, "Kaputt")
    async for _ in streamed.stream_events():
        pass
    assert streamed.final_output == "It is late, sorry.", streamed.final_output
    waits = await Runner.run(asker, "give it back")
    assert len(waits.interruptions) == 1
    state = waits.to_state()
    state.approve(waits.interruptions[0])
    end = await Runner.run(asker, state)
    assert end.final_output == "It is paid."
    try:
        raise KeyError("an error of the program's own, which is no failure of the run within it")
    except KeyError:
        await Runner.run(Agent("Calm", model=Scripted([[assistant_message("All is well.", item_id="m5")]])), "go")
    try:
        await Runner.run(Agent("Breaker", model=Broken([])), "go")
    except ValueError:
        print("failed as it should")


asyncio.run(main())
print(stoa.watch().frameworks, stoa.stats())
