"""A crew with a tool and a delegation, two tasks side by side, one that a guardrail sends back, one that fails, and a flow, by a
scripted model."""

import os
import sys

os.environ["CREWAI_TRACING_ENABLED"] = "false"
if "before" in sys.argv:
    import stoa

    stoa.watch()

from crewai import Agent, BaseLLM, Crew, Process, Task
from crewai.events.types.llm_events import LLMCallType
from crewai.flow.flow import Flow, listen, start
from crewai.llms.base_llm import llm_call_context
from crewai.tools import tool

if "before" not in sys.argv:
    import stoa

    stoa.watch()


class Scripted(BaseLLM):
    """A model that answers what it was told to, in pieces."""

    answers: list = []

    def call(self, messages, tools=None, callbacks=None, available_functions=None, from_task=None, from_agent=None, **_):
        with llm_call_context():
            self._emit_call_started_event(messages, from_task=from_task, from_agent=from_agent)
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                self._emit_call_failed_event(str(answer), from_task=from_task, from_agent=from_agent)
                raise answer
            for piece in (answer[:10], answer[10:]):
                self._emit_stream_chunk_event(piece, from_task=from_task, from_agent=from_agent)
            self._emit_call_completed_event(
                answer, LLMCallType.LLM_CALL, from_task, from_agent, usage={"prompt_tokens": 100, "completion_tokens": 20}
            )
            return answer

    def supports_function_calling(self):
        return False


def model(*answers):
    return Scripted(model="scripted-1", answers=list(answers))


@tool("search_catalogue")
def search(query: str) -> str:
    """Searches the catalogue."""
    return f"one {query}"


USE = 'Thought: look.\nAction: search_catalogue\nAction Input: {"query": "desk"}'
ASK = (
    "Thought: ask.\nAction: delegate_work_to_coworker\n"
    'Action Input: {"task": "find a desk", "context": "none", "coworker": "Market Researcher"}'
)


def end(text):
    return f"Thought: I now know the final answer\nFinal Answer: {text}"


def crew():
    researcher = Agent(
        role="Market Researcher\n", goal="Find things", backstory="-", tools=[search], llm=model(USE, end("an oak desk"))
    )
    writer = Agent(
        role="Writer", goal="Write", backstory="-", allow_delegation=True, llm=model(ASK, end("A fine oak desk."))
    )
    task = Task(name="write_ad", description="Write the ad", expected_output="an ad", agent=writer)
    return Crew(name="campaign", agents=[writer, researcher], tasks=[task], process=Process.sequential)


class Campaign(Flow):
    @start()
    def brief(self):
        return "desk"

    @listen(brief)
    def work(self, what):
        return crew().kickoff()


result = Campaign().kickoff()
assert result.raw == "A fine oak desk.", result


def has_a_price(output):
    return ("$" in output.raw, "no price")


scouts = [Agent(role=f"Scout {n}", goal="Look", backstory="-", llm=model(end(f"shop {n}"))) for n in (1, 2)]
clerk = Agent(role="Clerk", goal="Price", backstory="-", llm=model(end("cheap"), end("$9")))
Crew(
    name="prices",
    agents=[*scouts, clerk],
    tasks=[
        *(Task(name=f"look {n}", description="x", expected_output="y", agent=scout, async_execution=True) for n, scout in enumerate(scouts, 1)),
        Task(name="price", description="x", expected_output="y", agent=clerk, guardrail=has_a_price),
    ],
).kickoff()
breaker = Agent(role="Breaker", goal="Break", backstory="-", llm=model(*[ValueError("no model")] * 9), max_retry_limit=0)
try:
    Crew(
        name="bad", agents=[breaker], tasks=[Task(name="break", description="x", expected_output="y", agent=breaker)]
    ).kickoff()
except ValueError:
    print("failed as it should")
print(stoa.watch().frameworks, stoa.stats())
