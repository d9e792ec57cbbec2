"""Measures Stoa and its peers in turns, each server alone on one core and the load on another, and writes what was found.

`make bench-peers` runs this. Every scenario goes round all servers before the next one begins, so what else the machine
does falls on all of them; a measurement that was disturbed is made again. The tables and pictures are made of
results.json by report.py.
"""

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine
import report
from measure import Failed, HERE, complain, once
from scenarios import FULL, PEERS, QUICK, Scenario

ROOT = HERE.parent.parent
# A server is not offered so many times more than it takes as fast as it goes: only the queue would be measured.
TOO_MUCH = 1.1
# Seconds that a quiet moment is waited for before a disturbed one is made again, and the minutes after which none is.
QUIET, ENOUGH = 20, 30
SIZE = Scenario("size", 10, 1, ("--rate", "20"))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="", help="servers, with commas; all of them if not given")
    parser.add_argument("--rounds", type=int, help="times that each is measured; the median counts [3, quick: 1]")
    parser.add_argument("--quick", action="store_true", help="a few short ones, to see that all works; docs stay as they are")
    parser.add_argument("--only", default="", help="scenarios whose names begin so, with commas")
    parser.add_argument("--out", type=Path, help="where the results go [target/peers; those of all also here and into docs]")
    parser.add_argument("--again", type=int, default=3, help="times that a disturbed one is made again, while there is time [3]")
    asked = parser.parse_args()
    asked.rounds = asked.rounds or (1 if asked.quick else 3)
    known = [peer.key for peer in PEERS]
    wanted = [word for word in asked.peers.replace(",", " ").split()]
    for word in wanted:
        if word not in known:
            parser.error(f"there is no peer {word}: {', '.join(known)}")
    asked.peers = [peer for peer in PEERS if not wanted or peer.key in wanted]
    scenarios = QUICK if asked.quick else FULL
    begins = tuple(asked.only.replace(",", " ").split())
    asked.scenarios = [one for one in scenarios if not begins or one.key.startswith(begins)]
    return asked


def shell(words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def install(peers):
    """Installs all of them. What each is made of, and the program that is Stoa and the load."""
    programs = {"STOA_BENCH_BINARY": "stoa", "STOA_BENCH_SERVERS": "rust_servers"}
    for name, function in programs.items():
        if name not in os.environ:
            os.environ[name] = shell(["bash", "-c", f'. "{HERE}/common.sh"; {function}'])
    versions = {}
    for peer in peers:
        complain(f"installing {peer.name}")
        try:
            versions[peer.key] = shell(["bash", str(HERE / f"{peer.script or peer.key}.sh"), "--version"])
        except subprocess.CalledProcessError:
            complain(f"{peer.name} is left out: it can't be installed here")
    return versions


def can_do(command):
    """Whether the load knows this way of measuring; an older program may not."""
    asked = [os.environ["STOA_BENCH_BINARY"], "bench", command, "--help"]
    can = subprocess.run(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    if not can:
        complain(f"left out: stoa bench {command}, which this program does not know")
    return can


class Runner:
    def __init__(self, stoa, log, again):
        self.stoa, self.log, self.again = stoa, log, again
        self.begun = time.monotonic()
        self.size = None
        self.takes = {}

    def measure(self, peer, scenario):
        """The least disturbed of a few measurements; the figures that are kept."""
        if scenario.offered > TOO_MUCH * self.takes.get(peer.key, float("inf")):
            return {"skipped": "more than it takes"}
        best = None
        for _ in range(1 + self.again):
            try:
                found = once(self.stoa, peer, scenario, self.size, self.log)
            except Failed as failed:
                return {"failed": str(failed)}
            if best is None or found["others"] + found["stolen"] < best["others"] + best["stolen"]:
                best = found
            if not found["is_disturbed"] or time.monotonic() - self.begun > ENOUGH * 60:
                break
            if self.again:
                self.settle()
        if scenario.key == "pipelined-1000" and "deliveries_per_second" in best:
            self.takes[peer.key] = max(self.takes.get(peer.key, 0), best["deliveries_per_second"])
        return kept(scenario, best)

    def settle(self):
        """Waits until nobody else uses the machine."""
        for _ in range(QUIET):
            before = machine.Moment.now()
            time.sleep(1)
            if machine.Moment.now().busy - before.busy < 0.1:
                return


def kept(scenario, found):
    """The figures that go into the results."""
    round_to = lambda value, digits=3: None if value is None else round(value, digits)  # noqa: E731
    server = found.get("server", {})
    connect = found.get("connect", {})
    keep = {"others": found["others"], "stolen": found["stolen"], "is_disturbed": found["is_disturbed"]}
    if scenario.command == "connect":
        return {
            "connects_per_second": round_to(connect.get("per_second"), 0),
            "connect_p99_ms": round_to(connect.get("connect_ms", {}).get("p99")),
            "bytes_per_connection": server.get("bytes_per_connection"),
            "disconnected": found.get("disconnected"),
            **keep,
        }
    latency = found.get("latency_ms") or {}
    seconds = found.get("seconds") or 1
    share = lambda process: round(process.get("cpu_seconds", 0) / seconds, 2)  # noqa: E731
    return {
        "deliveries_per_second": round_to(found.get("deliveries_per_second"), 0),
        "bytes": found.get("bytes_per_delivery"),
        "cpu_us": round_to(server.get("cpu_us_per_delivery")),
        # The shares of their cores that the server and the load used.
        "server_share": share(server),
        "load_share": share(found.get("load", {})),
        "rss_mib": round_to(server.get("rss_bytes", 0) / 1024**2, 1),
        "p50": round_to(latency.get("p50")),
        "p99": round_to(latency.get("p99")),
        "lost": found.get("lost"),
        "doubled": found.get("doubled"),
        "out_of_order": found.get("out_of_order"),
        "disconnected": found.get("disconnected"),
        **keep,
    }


def main():
    asked = arguments()
    # A stop ends the server that is being measured too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    begun = time.monotonic()
    versions = install(asked.peers)
    asked.peers = [peer for peer in asked.peers if peer.key in versions]
    asked.scenarios = [one for one in asked.scenarios if can_do(one.command)]
    target = ROOT / "target" / "peers"
    target.mkdir(parents=True, exist_ok=True)
    results = {
        "date": datetime.date.today().isoformat(),
        "machine": machine.kind(),
        "rounds": asked.rounds,
        "size": None,
        "peers": versions,
        "scenarios": {one.key: {"observers": one.observers, "seconds": one.seconds} for one in asked.scenarios},
        "found": [],
    }
    is_all = not asked.quick and not asked.only and len(asked.peers) == len(PEERS)
    out = asked.out or target / "results.json"
    with tempfile.TemporaryFile("w+") as log:
        runner = Runner(os.environ["STOA_BENCH_BINARY"], log, 0 if asked.quick else asked.again)
        stoa = next(peer for peer in PEERS if peer.key == "stoa")
        runner.size = once(runner.stoa, stoa, SIZE, None, log)["bytes_per_delivery"]
        results["size"] = runner.size
        for nth in range(asked.rounds):
            for scenario in asked.scenarios:
                # Nobody is always the first.
                turn = nth % len(asked.peers)
                for peer in asked.peers[turn:] + asked.peers[:turn]:
                    if peer.key in scenario.without:
                        continue
                    found = runner.measure(peer, scenario)
                    line = {"round": nth + 1, "scenario": scenario.key, "peer": peer.key, **found}
                    results["found"].append(line)
                    complain(f"{time.monotonic() - begun:.0f} s {json.dumps(line)}")
                out.write_text(report.dumped(results))
    complain(f"measured in {(time.monotonic() - begun) / 60:.1f} minutes: {out}")
    if is_all and not asked.out:
        report.write(results)
    else:
        print(report.tables(results))


if __name__ == "__main__":
    sys.exit(main())
