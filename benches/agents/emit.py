"""The time that `stoa.emit` takes on the caller's thread, for three sizes of events and four servers.

    python3 benches/agents/emit.py [STOA_URL]

Without an address: no server, one that hangs, and one that answers 503 at once.
"""

import http.server
import pathlib
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "clients/python/src"))
import stoa  # noqa: E402
from stoa import sending  # noqa: E402

ROUNDS = 5_000
# As an agent emits them: some, and then something else for a while.
PAUSE_EVERY, PAUSE = 20, 0.002
EVENTS = {
    "piece of text": ("agent.message.appended", {"message_id": "m1", "agent_id": "writer", "content": "some words of it"}),
    "tool call": (
        "tool.completed",
        {
            "tool_call_id": "c1", "tool_name": "search", "agent_id": "writer", "task_id": "t1", "run_id": "r1",
            "args": {"query": "how tall is it", "limit": 5}, "result": "three metres", "duration_ms": 12.5,
        },
    ),
    "20 facts and 2 kB": ("task.created", {**{f"fact{n}": n for n in range(20)}, "text": "x" * 2000}),
}


class Busy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def servers():
    if len(sys.argv) > 1:
        yield "Stoa", sys.argv[1]
        return
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    yield "none", f"http://127.0.0.1:{port}"
    hanging = socket.socket()
    hanging.bind(("127.0.0.1", 0))
    hanging.listen()
    yield "hangs", f"http://127.0.0.1:{hanging.getsockname()[1]}"
    busy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    threading.Thread(target=busy.serve_forever, daemon=True).start()
    yield "503", f"http://127.0.0.1:{busy.server_port}"


def main():
    print(f"{'server':8} {'event':18} {'median':>8} {'p99':>8} {'max':>9}   µs")
    for server, url in servers():
        sending.configure(url=url, exit_timeout=0.1)
        for name, (type_, data) in EVENTS.items():
            took = []
            for n in range(ROUNDS):
                if n % PAUSE_EVERY == 0:
                    time.sleep(PAUSE)
                begin = time.perf_counter_ns()
                stoa.emit(type_, data)
                took.append(time.perf_counter_ns() - begin)
            took.sort()
            median, p99, most = (took[int(len(took) * part) - 1] / 1000 for part in (0.5, 0.99, 1))
            print(f"{server:8} {name:18} {median:8.1f} {p99:8.1f} {most:9.1f}")
    print(stoa.stats())


main()
