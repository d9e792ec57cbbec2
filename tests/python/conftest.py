"""A real Stoa for each test: started on a free port, stopped by its own process id."""

import json
import os
import pathlib
import re
import subprocess
import threading
import urllib.request

import pytest
import socketio

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("STOA_BIN", str(ROOT / "target/debug/stoa"))
# The time after which something counts as broken, on a slow and busy machine too; a test waits so long only when
# something is wrong.
PATIENCE = 45
# The same for one answer in a row of tries: who waits for a server that has just died should not wait for long.
ANSWER = 10


def not_checked(why):
    """Skips a test that can't run on this machine; `make test` says so at its end."""
    if "NOT_CHECKED" in os.environ:
        with open(os.environ["NOT_CHECKED"], "a") as words:
            words.write(f"NOT CHECKED: {why}\n")
    pytest.skip(why)


class Client(socketio.Client):
    """As it is, but for two times that a busy machine needs: by itself it gives an answer to CONNECT one second, also
    when it comes back, and a request five. And it handles one message after the other as it reads them, if `ordered`: by
    itself it gives each a thread of its own, so that they overtake each other, and the connection's end overtakes them."""

    def __init__(self, ordered=True, **options):
        super().__init__(**{"request_timeout": ANSWER, **options})
        if ordered:
            trigger = self.eio._trigger_event
            self.eio._trigger_event = lambda event, *args, run_async=False, **more: trigger(
                event, *args, run_async=run_async and event != "message", **more
            )

    def connect(self, *args, wait_timeout=ANSWER, **options):
        super().connect(*args, wait_timeout=wait_timeout, **options)


class AsyncClient(socketio.AsyncClient):
    """The same of the other one."""

    def __init__(self, **options):
        super().__init__(**{"request_timeout": ANSWER, **options})

    async def connect(self, *args, wait_timeout=ANSWER, **options):
        await super().connect(*args, wait_timeout=wait_timeout, **options)


class Stoa:
    def __init__(self, port=0, env=None, args=()):
        self.process = subprocess.Popen(
            [BINARY, "serve", "--port", str(port), *args],
            cwd=ROOT,
            # A machine that is busy with other tests is no load that Stoa should save work for.
            env={**os.environ, "STOA_LOG__FORMAT": "json", "STOA_JOURNAL__KIND": "memory", "STOA_PACE__DEGRADE": "false", **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.address = self._listening()
        # The pipe must not fill up.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def _listening(self):
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            found = re.search(r'"address":"([^"]+)"', line)
            if found:
                return found.group(1)
        raise AssertionError("stoa ended before it listened:\n" + "".join(lines))

    @property
    def url(self):
        return f"http://{self.address}"

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    def publish(self, events):
        request = urllib.request.Request(
            f"{self.url}/api/v1/events",
            data=json.dumps(events).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return json.load(response)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=PATIENCE)

    def kill(self):
        """SIGKILL: nothing is tidied up."""
        self.process.kill()
        self.process.wait(timeout=PATIENCE)


class Restartable:
    """A Stoa that can go and come back at the same address."""

    def __init__(self, env=None):
        self.env = env
        self.now = Stoa(env=env)

    def __getattr__(self, name):
        return getattr(self.now, name)

    def restart(self):
        port = self.now.port
        self.now.stop()
        self.now = Stoa(port, self.env)

    def crash(self):
        port = self.now.port
        self.now.kill()
        self.now = Stoa(port, self.env)


@pytest.fixture
def stoa():
    server = Restartable()
    yield server
    server.stop()


@pytest.fixture
def durable(tmp_path):
    """A Stoa whose journal is a file: it has everything again after a crash."""
    server = Restartable({"STOA_JOURNAL__KIND": "sqlite", "STOA_JOURNAL__PATH": str(tmp_path / "stoa.db")})
    yield server
    server.kill()
