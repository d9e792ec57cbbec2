"""A manager with a managed agent and a tool, and a failure, by a scripted model."""

import sys

if "before" in sys.argv:
    import stoa

    stoa.watch()

from smolagents import Model, ToolCallingAgent, tool
from smolagents.models import ChatMessage, ChatMessageToolCall, ChatMessageToolCallFunction, MessageRole
from smolagents.monitoring import TokenUsage

if "before" not in sys.argv:
    import stoa

    stoa.watch()


class Scripted(Model):
    def __init__(self, *answers):
        super().__init__(model_id="scripted-1")
        self.answers = list(answers)

    def generate(self, messages, **_):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        name, arguments = answer
        call = ChatMessageToolCall(
            id=f"c{len(self.answers)}", type="function", function=ChatMessageToolCallFunction(name=name, arguments=arguments)
        )
        return ChatMessage(
            role=MessageRole.ASSISTANT, content=f"I use {name}", tool_calls=[call], token_usage=TokenUsage(100, 20)
        )


@tool
def search(query: str) -> str:
    """Finds things.

    Args:
        query: what to find
    """
    return f"found {query}"


helper = ToolCallingAgent(
    tools=[search],
    model=Scripted(("search", {"query": "a desk"}), ("final_answer", {"answer": "a desk"})),
    name="helper",
    description="finds things",
)
lead = ToolCallingAgent(
    tools=[],
    managed_agents=[helper],
    model=Scripted(("helper", {"task": "find a desk"}), ("final_answer", {"answer": "it is a desk"})),
    name="lead",
)
assert lead.run("a desk, please") == "it is a desk"
breaker = ToolCallingAgent(tools=[], model=Scripted(ValueError("no model")), name="breaker", max_steps=1)
try:
    list(breaker.run("go", stream=True))
except Exception as error:
    print("failed as it should", type(error).__name__)
print(stoa.watch().frameworks, stoa.stats())
