"""A lead that asks another agent by a tool, a tool that is tried again, and a failure, by a scripted model."""

import asyncio
import sys

if "before" in sys.argv:
    import stoa

    stoa.watch()

from pydantic_ai import Agent, InstrumentationSettings, ModelResponse, ModelRetry, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

if "before" not in sys.argv:
    import stoa

    stoa.watch()

if "otel" in sys.argv:
    from opentelemetry.sdk.trace import TracerProvider

    Agent.instrument_all(InstrumentationSettings(tracer_provider=TracerProvider()))


def model(*answers):
    left = list(answers)

    def answer(messages, info):
        parts = left.pop(0)
        if isinstance(parts, Exception):
            raise parts
        return ModelResponse(parts=parts if isinstance(parts, list) else [parts])

    return FunctionModel(answer, model_name="scripted-1")


helper = Agent(model(TextPart("It is blue.")), name="Helper")
lead = Agent(
    model(
        [ToolCallPart("look", {"at": "the sky"}, "c1"), ToolCallPart("shaky", {}, "c3")],
        ToolCallPart("shaky", {}, "c4"),
        ToolCallPart("ask", {"what": "colour"}, "c2"), TextPart("Blue, it is."),
    ),
    name="Lead",
)
breaker = Agent(model(ValueError("no model")), name="Breaker")


@lead.tool_plain
def look(at: str) -> str:
    return f"saw {at}"


TRIES = []


@lead.tool_plain
def shaky() -> str:
    TRIES.append(1)
    if len(TRIES) == 1:
        raise ModelRetry("once more")
    return "it holds"


@lead.tool_plain
async def ask(what: str) -> str:
    return (await helper.run(what)).output


async def main():
    assert (await lead.run("which colour?")).output == "Blue, it is."
    try:
        await breaker.run("go")
    except ValueError:
        print("failed as it should")


asyncio.run(main())
print(stoa.watch().frameworks, stoa.stats())
