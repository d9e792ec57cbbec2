"""stoa.ask: a person's answer comes back to the agent, whatever happens to the server meanwhile."""

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

from conftest import PATIENCE, ROOT, Restartable

sys.path.insert(0, str(ROOT / "clients/python/src"))

import stoa  # noqa: E402
from stoa import sending  # noqa: E402


@pytest.fixture(scope="module", params=["sqlite", "memory"])
def server(request, tmp_path_factory):
    journal = str(tmp_path_factory.mktemp("journal") / "stoa.db")
    here = Restartable({"STOA_JOURNAL__KIND": request.param, "STOA_JOURNAL__PATH": journal})
    before = dict(vars(sending.options()))
    sending.configure(url=here.url, service="shop", project="shop", exit_timeout=0.0, content="preview")
    yield here
    vars(sending.options()).update(before)
    here.kill()


def get(server, path):
    with urllib.request.urlopen(f"{server.url}{path}", timeout=PATIENCE) as answer:
        return json.load(answer)


def question(server, message):
    """The open question with that message, when the server knows it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            found = get(server, "/api/v1/state")["inputs"].values()
        except OSError:
            found = []
        for each in found:
            if each["message"] == message:
                return each
        time.sleep(0.01)
    raise AssertionError(f"nobody asks {message}")


def answer(server, asked, value):
    body = json.dumps({"value": value}).encode()
    url = f"{server.url}/api/v1/inputs/{asked['request_id']}"
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as told:
        assert json.load(told)["status"] == "ok"


def in_thread(work):
    """What the work gave or raised, once it is over."""
    found = []

    def run():
        try:
            found.append(work())
        except BaseException as fault:
            found.append(fault)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result():
        thread.join(PATIENCE)
        assert found, "it still waits"
        return found[0]

    return result


def ended(server, request):
    """The events about a question."""
    assert stoa.flush(PATIENCE)
    events = get(server, "/api/v1/events?type=input.*&limit=1000")["events"]
    return [event["data"].get("outcome", "") for event in events if event["data"]["request_id"] == request][1:]


def test_the_answer_comes_back_with_the_place_that_asked(server):
    def work():
        with stoa.agent("Editor", task="Publish it"):
            return stoa.ask("Publish?", options=["yes", "no"], kind="confirmation", timeout=PATIENCE)

    result = in_thread(work)
    asked = question(server, "Publish?")
    agent = get(server, "/api/v1/state")["agents"]["shop:Editor"]
    assert agent["status"] == "waiting" and asked["agent_id"] == "shop:Editor"
    assert asked["task_id"] == agent["task_id"] and asked["run_id"] and asked["options"] == ["yes", "no"]
    answer(server, asked, {"choice": "yes"})
    assert result() == {"choice": "yes"}
    assert ended(server, asked["request_id"]) == ["answered"]


def test_nobody_answers(server):
    result = in_thread(lambda: stoa.ask("Anybody?", timeout=0.3))
    asked = question(server, "Anybody?")
    fault = result()
    assert isinstance(fault, stoa.AnswerTimeoutError) and isinstance(fault, TimeoutError) and isinstance(fault, stoa.StoaError)
    assert ended(server, asked["request_id"]) == ["timeout"]
    assert stoa.ask("Still nobody?", timeout=0.1, default="no") == "no"
    with pytest.raises(urllib.error.HTTPError) as late:
        answer(server, asked, "yes")
    assert late.value.code == 409
    assert "Anybody?" not in json.dumps(get(server, "/api/v1/state")["inputs"])


def test_a_coroutine_waits_alone_and_takes_its_question_back(server):
    async def work():
        both = [asyncio.create_task(stoa.ask_async(f"Async {n}?", timeout=PATIENCE)) for n in range(2)]
        first, second = [await asyncio.to_thread(question, server, f"Async {n}?") for n in range(2)]
        both[1].cancel()
        await asyncio.to_thread(answer, server, first, 7)
        with pytest.raises(asyncio.CancelledError):
            await both[1]
        return await both[0], second["request_id"]

    found, cancelled = asyncio.run(work())
    assert found == 7
    assert ended(server, cancelled) == ["cancelled"]


def test_a_crash_of_the_server_loses_neither_question_nor_answer(server):
    result = in_thread(lambda: stoa.ask("Over a crash?", timeout=PATIENCE))
    before = question(server, "Over a crash?")
    server.crash()
    # A journal in memory has lost it: the question is sent again, under the same id.
    after = question(server, "Over a crash?")
    assert after["request_id"] == before["request_id"]
    answer(server, after, "yes")
    assert result() == "yes"


def test_the_address_may_be_that_of_the_lines_for_curl(server):
    sending.configure(url=f"{server.url}/api/v1/events")
    try:
        result = in_thread(lambda: stoa.ask("By which way?", timeout=PATIENCE))
        answer(server, question(server, "By which way?"), "this")
        assert result() == "this"
    finally:
        sending.configure(url=server.url)


@pytest.mark.parametrize("path, said", [("/elsewhere", "there is no Stoa at"), (":port", "is no address of Stoa")])
def test_a_wrong_address_is_told_at_once(server, path, said):
    sending.configure(url=server.url + path)
    try:
        with pytest.raises(stoa.StoaError, match=said):
            stoa.ask("Anybody there?", timeout=PATIENCE)
    finally:
        sending.configure(url=server.url)


def test_who_can_not_ask_is_told(server):
    sending.options().disabled = True
    try:
        with pytest.raises(stoa.StoaError, match="STOA_DISABLED"):
            stoa.ask("Off?")
    finally:
        sending.options().disabled = False


@pytest.mark.parametrize("page", ["docs/protocol.md", "clients/python/README.md"])
def test_the_lines_of_the_pages_answer_from_a_shell(server, page):
    lines = [line.replace("localhost:8000", server.address) for line in (ROOT / page).read_text().splitlines() if line.startswith("curl ")]
    (look,) = [line for line in lines if "its `inputs`" in line]
    (say,) = [line for line in lines if "/api/v1/inputs/" in line]
    result = in_thread(lambda: stoa.ask("By a shell?", options=["no"], timeout=PATIENCE))
    request = question(server, "By a shell?")["request_id"]
    told = subprocess.run(["bash", "-c", look], capture_output=True, text=True, timeout=PATIENCE)
    assert request in json.loads(told.stdout)["inputs"]
    subprocess.run(["bash", "-c", re.sub("/inputs/[^ ]*", f"/inputs/{request}", say)], capture_output=True, check=True, timeout=PATIENCE)
    # The answer is none of the options.
    assert result() == "yes"
