"""Decorators and questions leave the work of the caller as it is."""

import asyncio
import contextlib
import re
import threading

import pytest

from conftest import PATIENCE
from telling_kit import project, sending, server, shown, stoa  # noqa: F401 - fixtures


def test_a_decorated_generator_takes_what_is_thrown_and_sent(server, project):
    sending.configure(content="preview", project=project)
    seen = []

    @contextlib.contextmanager
    @stoa.task
    def handling():
        try:
            yield 1
        except KeyError as error:
            seen.append(error)

    with handling():
        raise KeyError("mine")
    assert [str(error) for error in seen] == ["'mine'"]

    @contextlib.contextmanager
    @stoa.task
    def passing():
        yield 1

    with pytest.raises(KeyError), passing():
        raise KeyError("mine")

    @stoa.task
    def counting():
        got = yield 1
        try:
            got = yield got
        except ValueError as error:
            got = error
        yield got
        return "end"

    counter = counting()
    fault = ValueError()
    assert (next(counter), counter.send("V"), counter.throw(fault)) == (1, "V", fault)
    with pytest.raises(StopIteration) as ended:
        next(counter)
    assert ended.value.value == "end"

    @stoa.task
    async def later():
        got = yield 1
        try:
            yield got
        except ValueError as error:
            yield error

    async def main():
        here = later()
        return await here.__anext__(), await here.asend("V"), await here.athrow(fault), await here.aclose()

    assert asyncio.run(main()) == (1, "V", fault, None)
    ends = [(event["type"], event["data"].get("error_type")) for event in shown(server, project) if re.match(r"task\.(completed|failed)", event["type"])]
    assert ends == [("task.completed", None), ("task.failed", "KeyError"), ("task.completed", None), ("task.completed", None)]


@pytest.mark.parametrize("seconds", [1e13, float("inf")])
def test_a_question_may_wait_for_longer_than_any_calendar(server, project, seconds):
    sending.configure(content="preview", project=project)
    asked = threading.Thread(target=lambda: answers.append(stoa.ask("Now?", timeout=seconds)), daemon=True)
    answers = []
    asked.start()
    request = None
    while request is None:
        request = next((event["data"] for event in shown(server, project) if event["type"] == "input.requested"), None)
        assert asked.is_alive()
    assert "expires_at" not in request
    stoa.emit("input.received", {"request_id": request["request_id"], "answer": "yes"}, project_id=project)
    asked.join(PATIENCE)
    assert answers == ["yes"]


def test_a_timeout_that_is_no_number_is_refused_in_words():
    with pytest.raises(stoa.StoaError, match="give seconds"):
        stoa.ask("Now?", timeout=float("nan"))
