"""Senders of their own, servers that answer by a script, and what a server kept: for the tests of `stoa.emit`."""

import http.server
import json
import logging
import sys
import threading
import time
import urllib.request

import pytest

from conftest import PATIENCE, ROOT, Stoa

SOURCES = str(ROOT / "clients/python/src")
sys.path.insert(0, SOURCES)

from stoa.sending.options import Options  # noqa: E402
from stoa.sending.sender import Sender  # noqa: E402

# Senders that a test leaves behind say at its end what is of no interest.
logging.getLogger("stoa").addHandler(logging.NullHandler())


@pytest.fixture(scope="module")
def server():
    here = Stoa()
    yield here
    here.stop()


def sender(url, **env):
    """A sender of its own, which does not hold up the end of the tests."""
    given = {"STOA_URL": url, "STOA_EXIT_TIMEOUT": "0", "STOA_SERVICE": "tests", **env}
    return Sender(Options(given))


def events(url, **query):
    """All events of the history that a query asks for, oldest first."""
    found = []
    words = "&".join(f"{key}={value}" for key, value in query.items())
    cursor = ""
    while True:
        with urllib.request.urlopen(f"{url}/api/v1/events?limit=500&{words}{cursor}", timeout=PATIENCE) as answer:
            page = json.load(answer)
        found += page["events"]
        if not page.get("next"):
            return found
        cursor = f"&after={page['next']}"


class Scripted:
    """An HTTP server that answers by a function of the lines, and notes each body."""

    def __init__(self, answer):
        self.bodies, self.paths = [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                lines = [json.loads(line) for line in body.splitlines()]
                outer.paths.append(self.path)
                outer.bodies.append(lines)
                status, said, *headers = answer(lines, len(outer.bodies), body)
                if status is None:
                    self.close_connection = True
                    return
                said = json.dumps(said).encode()
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def scripted():
    made = []

    def make(answer):
        made.append(Scripted(answer))
        return made[-1]

    yield make
    for each in made:
        each.close()


def taken(lines):
    return 202, {"accepted": len(lines), "duplicates": 0, "rejected": []}


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
