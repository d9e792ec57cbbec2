"""`stoa emit` on the command line, and the examples of docs/emit.md, against a real server with real clients."""

import json
import os
import pathlib
import queue
import re
import subprocess
import urllib.request

import pytest
from conftest import BINARY, PATIENCE, ROOT, Client, Stoa

PAGE = (ROOT / "docs/emit.md").read_text()
SECRET = "0123456789abcdef0123456789abcdef0123456789"


def stoa_emit(url, *words, **env):
    """The command's exit code and its text."""
    known = {key: value for key, value in os.environ.items() if not key.startswith("STOA_")}
    command = [BINARY, "emit", "--url", url, *words]
    done = subprocess.run(command, env={**known, **env}, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode in (0, 1, 2), done
    return done.returncode, (done.stdout + done.stderr).strip()


class Observer:
    """A client that notes each event but Stoa's own, with all of its arguments."""

    def __init__(self, url, rooms=(), namespace="/"):
        self.got = queue.Queue()
        self.client = Client()
        established = queue.Queue()
        if namespace == "/":
            self.client.on("connection_established", established.put)
        self.client.on("*", self.note, namespace=namespace)
        self.client.connect(url, transports=["websocket"], auth={"rooms": list(rooms)}, namespaces=[namespace])
        self.id = established.get(timeout=PATIENCE)["client_id"] if namespace == "/" else None

    def note(self, event, *args):
        if event in ("chat", "news", "end"):
            self.got.put((event, *args))

    def next(self):
        return self.got.get(timeout=PATIENCE)

    def close(self):
        self.client.disconnect()


@pytest.fixture(scope="module")
def server():
    here = Stoa(env={"STOA_NAMESPACES__DECLARED": '["/jobs"]'})
    yield here
    here.stop()


@pytest.fixture
def enter(server):
    entered = []

    def enter(*args, **options):
        entered.append(Observer(server.url, *args, **options))
        return entered[-1]

    yield enter
    for one in entered:
        one.close()


def test_arguments_go_out_as_they_are(server, enter):
    observer = enter()
    big = 2**70
    for words, args in [
        ([], []),
        (["hello world"], ["hello world"]),
        (['{"text": "hello"}', "[1, 2]", "null", '"4"', str(big)], [{"text": "hello"}, [1, 2], None, "4", big]),
        (["two\nlines", ""], ["two\nlines", ""]),
        (["--", "-5", "--not-a-flag"], [-5, "--not-a-flag"]),
    ]:
        assert stoa_emit(server.url, "chat", *words) == (0, "emitted"), words
        assert observer.next() == ("chat", *args)


def test_it_reaches_those_whom_it_names(server, enter):
    one, two, jobs = enter(rooms=["project:p1"]), enter(rooms=["project:p1", "task:t1"]), enter(namespace="/jobs")
    for words, to in [
        (["--room", "project:p1"], [one, two]),
        (["--room", "project:p1", "--except", "task:t1"], [one]),
        (["--room", one.id, "--room", "task:t1"], [one, two]),
        (["--except", one.id], [two]),
        (["--volatile"], [one, two]),
        (["--namespace", "/jobs"], [jobs]),
    ]:
        assert stoa_emit(server.url, "chat", "x", *words) == (0, "emitted"), words
        for observer in to:
            assert observer.next() == ("chat", "x"), words
    # Nobody has anything else when the last one comes.
    for namespace, observers in (("/", [one, two]), ("/jobs", [jobs])):
        assert stoa_emit(server.url, "end", "--namespace", namespace)[0] == 0
        for observer in observers:
            assert observer.next() == ("end",)


def test_kept_ones_are_in_the_history_and_an_id_counts_once(server, enter):
    observer = enter()
    once = ["news", '"first"', "--keep", "--id", "n1"]
    assert stoa_emit(server.url, *once) == (0, "emitted")
    assert stoa_emit(server.url, *once) == (0, "not emitted again: an emission with this id was there before")
    assert stoa_emit(server.url, "end")[0] == 0
    assert [observer.next(), observer.next()] == [("news", "first"), ("end",)]
    with urllib.request.urlopen(f"{server.url}/api/v1/events?type=news", timeout=PATIENCE) as answer:
        (kept,) = json.load(answer)["events"]
    assert kept["emission"]["args"] == ["first"]


def test_a_refusal_says_why_and_ends_with_an_error(server):
    for words, why in [
        (["connect"], "invalid_event"),
        (["chat", "--namespace", "/nowhere"], "unknown_namespace"),
        (["chat", *["x" * 120_000] * 9], "too_large"),
        (["chat", "[" * 40 + "]" * 40], "nested more than 32 levels"),
    ]:
        status, said = stoa_emit(server.url, *words)
        assert status == 1 and why in said and "panicked" not in said, (words, said)
    assert stoa_emit(server.url)[0] == 2
    # No server is there.
    status, said = stoa_emit("http://127.0.0.1:9", "chat")
    assert status == 1 and "127.0.0.1:9" in said, said


def test_it_asks_for_a_token_and_sends_what_the_token_may():
    settings = {"STOA_AUTHENTICATION__REQUIRED": "true", "STOA_AUTHENTICATION__SECRET": SECRET}
    here = Stoa(env=settings)

    def token(*words):
        done = subprocess.run([BINARY, "token", *words], env={**os.environ, **settings}, capture_output=True, text=True, cwd="/")
        return done.stdout.splitlines()[0]

    try:
        status, said = stoa_emit(here.url, "chat")
        assert status == 1 and "unauthorized" in said, said
        of_project = token("--role", "producer", "--user", "p", "--projects", "p1")
        assert stoa_emit(here.url, "chat", "--room", "project:p1", STOA_TOKEN=of_project) == (0, "emitted")
        for words in (["--room", "project:p2"], []):
            status, said = stoa_emit(here.url, "chat", *words, STOA_TOKEN=of_project)
            assert status == 1 and "forbidden" in said and of_project not in said, said
        everything = token("--role", "producer", "--user", "b")
        assert stoa_emit(here.url, "--token", everything, "chat") == (0, "emitted")
    finally:
        here.stop()


def commands():
    """Each command of the page's shell blocks, with the lines that it goes on over."""
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S):
        yield from re.findall(r"(?:.*\\\n)*.+", block)


def test_there_are_commands_of_both_kinds():
    assert {command.split()[0] for command in commands()} == {"stoa", "curl"}


@pytest.mark.parametrize("command", list(commands()), ids=lambda command: " ".join(command.split()[:2]))
def test_each_command_of_the_page_emits_what_it_says(command, server, enter):
    observer = enter(rooms=["project:p1"])
    here = command.replace("localhost:8000", server.address).replace("stoa emit", f"stoa emit --url {server.url}")
    path = f"{pathlib.Path(BINARY).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", here], env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done
    if command.startswith("curl"):
        assert json.loads(done.stdout) == {"accepted": 1, "duplicates": 0, "rejected": []}
    assert observer.next() == ("chat", {"text": "hello"})


def test_the_script_of_the_page_emits_and_is_answered_as_it_says(server, enter, tmp_path):
    observer = enter(rooms=["project:p1"])
    (block,) = re.findall(r"^```js\n(.*?)^```$", PAGE, re.M | re.S)
    promised = re.search(r"// (\{status.*\})$", block, re.M)
    script = f"""
import assert from 'node:assert/strict';
import {{ io }} from 'socket.io-client';
const socket = io({json.dumps(server.url)}, {{ auth: {{ role: 'producer' }} }});
{block.replace(promised.group(0), f"assert.deepEqual(answer, {promised.group(1)}); socket.close();")}
"""
    (tmp_path / "node_modules").symlink_to(ROOT / "tests/js/node_modules")
    (tmp_path / "script.mjs").write_text(script)
    done = subprocess.run(["node", "script.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert observer.next() == ("chat", {"text": "hello"})
