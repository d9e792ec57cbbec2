"""The time that `stoa.emit` takes on the caller's thread: at several rates, for three sizes of events and four servers.

    python3 benches/agents/emit.py [STOA_URL]

Without an address: no server, one that hangs, and one that answers 503. Beside each figure stands that of `json.dumps` of the
same data at the same rate, for comparison: after a pause a machine with other work has the caches full of that, and the first
call of anything takes long.
"""

import json
import sys
import time

from servers import hanging, none, unavailable  # puts the package on the path

import stoa
from stoa import sending

#: Emits in a second, emits in all. Without a number of the first one follows the other.
RATES = {"0.8/s": (0.8, 12), "100/s": (100, 500), "1,000/s": (1_000, 4_000), "burst": (None, 8_000)}
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
}  # fmt: skip


def took(call, rate, times):
    """The microseconds of each call, in order of size."""
    found = []
    for _ in range(times):
        if rate:
            time.sleep(1 / rate)
        begin = time.perf_counter_ns()
        call()
        found.append((time.perf_counter_ns() - begin) / 1000)
    return sorted(found)


def part(found, share):
    return found[min(int(len(found) * share), len(found) - 1)]


def main():
    print(f"{'server':7} {'event':18} {'rate':8} {'median':>8} {'p99':>8} {'p99.9':>8} {'json':>8} {'p99':>8} {'p99.9':>8}   µs")
    servers = [("Stoa", lambda: sys.argv[1])] if sys.argv[1:] else [("none", none), ("hangs", hanging), ("503", unavailable)]
    for server, make in servers:
        sending.configure(url=make(), exit_timeout=0.1)
        for event, (type_, data) in EVENTS.items():
            for rate, (number, times) in RATES.items():
                if rate == "0.8/s" and event != "tool call":
                    continue
                found = took(lambda: stoa.emit(type_, data), number, times)
                alone = took(lambda: json.dumps(data), number, times)
                figures = [part(of, share) for of in (found, alone) for share in (0.5, 0.99, 0.999)]
                print(f"{server:7} {event:18} {rate:8} " + " ".join(f"{figure:8.1f}" for figure in figures), flush=True)
    print(stoa.stats())


main()
