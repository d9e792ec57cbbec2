#!/usr/bin/env python3
"""Lean updates beside full ones: a small decision to the same number of observers, in turns.

`cargo build --release && python3 benches/shapes.py`. One server after the other gets `stoa bench fanout` at 20 updates a second and
with 64 in flight; server and load have a core each where `taskset` is there. Every figure is the median of the rounds. At 20 updates a
second there is one more, with `[seneca] aggregates = true`: the figures for Seneca's pages go to everybody then.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKET = json.dumps(
    [
        "publish",
        {
            "type": "decision.made",
            "source": "bench",
            "data": {"decision": "Use PostgreSQL", "rationale": "It is known", "confidence": 0.8, "seq": "SEQ"},
        },
    ]
).replace('"SEQ"', "{seq}")
CALM, FULL = ("20 updates/s", ["--rate", "20"]), ("64 in flight", ["--in-flight", "64"])
# The load, the name, the observers' hello, the server's settings.
KINDS = [
    (CALM, "full", {}, {}),
    (CALM, "lean", {"shape": "lean"}, {}),
    (CALM, "full, figures to all", {}, {"STOA_SENECA__AGGREGATES": "true"}),
    (FULL, "full", {}, {}),
    (FULL, "lean", {"shape": "lean"}, {}),
]


def pinned(core, command):
    return ["taskset", "-c", str(core), *command] if shutil.which("taskset") and os.cpu_count() > 1 else command


def run(asked, auth, settings, load):
    """One server, one load: what `stoa bench` reports."""
    environment = {**os.environ, "STOA_LOG__FORMAT": "json", "STOA_JOURNAL__KIND": "memory", **settings}
    serve = pinned(0, [asked.program, "serve", "--port", "0"])
    server = subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/")
    try:
        address = next(found for line in server.stdout if (found := re.search(r'"address":"([^"]+)"', line))).group(1)
        bench = [asked.program, "bench", "fanout", f"http://{address}", "--observers", str(asked.observers), "--seconds"]
        bench += [str(asked.seconds), "--warmup", "1", "--auth", json.dumps(auth), "--packet", PACKET, "--pid", str(server.pid), "--json", *load]
        done = subprocess.run(pinned(1, bench), stdout=subprocess.PIPE, check=True, text=True)
        return json.loads(done.stdout)
    finally:
        server.terminate()
        server.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default=str(ROOT / "target/release/stoa"))
    parser.add_argument("--observers", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    found = {(load, kind): [] for (load, _), kind, _, _ in KINDS}
    for _ in range(asked.rounds):
        for (load, options), kind, auth, settings in KINDS:
            found[load, kind].append(run(asked, auth, settings, options))
    print(f"{asked.observers} observers, {asked.seconds} s, median of {asked.rounds} rounds\n")
    print("| | | bytes | deliveries/s | processor time of one, µs | p50 / p99, ms | packets beside |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for (load, kind), runs in found.items():
        median = lambda value: statistics.median(value(one) for one in runs)
        latency = lambda name: median(lambda one: one["latency_ms"][name])
        print(
            f"| {load} | {kind} | {median(lambda one: one['bytes_per_delivery']):.0f}"
            f" | {median(lambda one: one['deliveries_per_second']):,.0f}"
            f" | {median(lambda one: one['server']['cpu_us_per_delivery']):.2f}"
            f" | {latency('p50'):.1f} / {latency('p99'):.1f} | {median(lambda one: one['others']):.0f} |"
        )


main()
