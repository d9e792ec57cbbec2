"""A real Stoa for each test: started on a free port, stopped by its own process id."""

import json
import os
import pathlib
import re
import subprocess
import threading
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("STOA_BIN", str(ROOT / "target/debug/stoa"))


class Stoa:
    def __init__(self, port=0, env=None, args=()):
        self.process = subprocess.Popen(
            [BINARY, "serve", "--port", str(port), *args],
            cwd=ROOT,
            env={**os.environ, "STOA_LOG__FORMAT": "json", "STOA_JOURNAL__KIND": "memory", **(env or {})},
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
        with urllib.request.urlopen(request, timeout=15) as response:
            return json.load(response)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=20)

    def kill(self):
        """SIGKILL: nothing is tidied up."""
        self.process.kill()
        self.process.wait(timeout=20)


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
