"""A team of LlamaIndex with a hand-off and a tool that asks; a workflow with branches, a retry, a question; a failure."""

import asyncio
import sys

if "before" in sys.argv:
    import stoa

    stoa.watch()

from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, TextBlock, ToolCallBlock
from llama_index.core.llms.callbacks import llm_chat_callback
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.workflow import (
    Context,
    Event,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from workflows.retry_policy import retry_policy, stop_after_attempt, wait_fixed

if "before" not in sys.argv:
    import stoa

    stoa.watch()

TOKENS = {"prompt_tokens": 100, "completion_tokens": 20}


class Scripted(MockFunctionCallingLLM):
    """A model that answers what it was told to, in pieces."""

    answers: list = []

    @llm_chat_callback()
    async def astream_chat(self, messages, **_):
        message = self.answers.pop(0)
        if isinstance(message, Exception):
            raise message

        async def pieces():
            text = message.content or ""
            for piece in (text[:5], text[5:]):
                yield ChatResponse(message=message, delta=piece, additional_kwargs=TOKENS)

        return pieces()


def model(*answers):
    return Scripted(answers=list(answers))


def call(name, **args):
    return ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_call_id=f"c-{name}", tool_name=name, tool_kwargs=args)])


def says(text):
    return ChatMessage(role="assistant", blocks=[TextBlock(text=text)])


def look_up(city: str) -> str:
    """Looks up a hotel."""
    return f"a hotel in {city}"


def broken() -> str:
    """Does nothing."""
    raise ValueError("no such thing")


async def confirm(ctx: Context) -> str:
    """Asks a person."""
    answer = await ctx.wait_for_event(HumanResponseEvent, waiter_event=InputRequiredEvent(prefix="Book it?"))
    return answer.response


class Part(Event):
    n: int


class Done(Event):
    n: int


TRIES = []


class Release(Workflow):
    @step
    async def split(self, ctx: Context, ev: StartEvent) -> Part | None:
        ctx.send_event(Part(n=1))
        ctx.send_event(Part(n=2))

    @step(num_workers=2, retry_policy=retry_policy(wait=wait_fixed(0.01), stop=stop_after_attempt(3)))
    async def work(self, ev: Part) -> Done:
        TRIES.append(ev.n)
        if len(TRIES) == 1:
            raise ConnectionError("the printer is off")
        return Done(n=ev.n)

    @step
    async def join(self, ctx: Context, ev: Done) -> InputRequiredEvent | None:
        return InputRequiredEvent(prefix="Publish it?") if ctx.collect_events(ev, [Done] * 2) else None

    @step
    async def publish(self, ev: HumanResponseEvent) -> StopEvent:
        return StopEvent(result=ev.response)


class Bad(Workflow):
    @step
    async def breaker(self, ev: StartEvent) -> StopEvent:
        raise ValueError("no such thing")


async def answered(handler):
    async for event in handler.stream_events():
        if isinstance(event, InputRequiredEvent):
            handler.ctx.send_event(HumanResponseEvent(response="yes"))
    return await handler


async def main():
    planner = FunctionAgent(
        name="planner", description="plans", llm=model(call("handoff", to_agent="hotels", reason="hotels know")), can_handoff_to=["hotels"]
    )
    hotels = FunctionAgent(
        name="hotels",
        description="books",
        tools=[look_up, broken, confirm],
        llm=model(call("look_up", city="Rome"), call("broken"), call("confirm"), says("It is booked.")),
    )
    team = AgentWorkflow(agents=[planner, hotels], root_agent="planner")
    assert str(await answered(team.run(user_msg="a trip to Rome"))) == "It is booked."
    assert await answered(Release().run()) == "yes"
    helper = FunctionAgent(name="helper", description="helps", llm=model(says("It is blue.")))

    async def ask(what: str) -> str:
        """Asks the helper."""
        return str(await helper.run(user_msg=what))

    lead = FunctionAgent(name="lead", description="leads", tools=[ask], llm=model(call("ask", what="colour"), says("Blue, it is.")))
    assert str(await lead.run(user_msg="which colour?")) == "Blue, it is."
    for workflow in (Bad(), FunctionAgent(name="failing", llm=model(ValueError("no model")))):
        try:
            await workflow.run(user_msg="go")
        except ValueError:
            print("failed as it should")


asyncio.run(main())
print(stoa.watch().frameworks, stoa.stats())
