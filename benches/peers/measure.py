"""One measurement: a server on one core, the load on another, and a look at what else the machine did."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import machine

HERE = Path(__file__).parent
SERVER_CORE, LOAD_CORE = "0", "1"
# The share of one core that other programs, and of the machine that its host, may take meanwhile.
OTHERS, STOLEN = 0.10, 0.02
STARTING, PATIENCE = 60, 120


class Failed(Exception):
    """A server that could not be measured, and why."""


def pinned(core, command):
    can_pin = os.cpu_count() > 1 and shutil.which("taskset")
    return ["taskset", "-c", core, *command] if can_pin else command


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A peer that runs. Its script becomes the server, so the process is the server's."""

    def __init__(self, peer, log):
        self.port = free_port()
        script = str(HERE / f"{peer.script or peer.key}.sh")
        self.process = subprocess.Popen(
            pinned(SERVER_CORE, ["bash", script, str(self.port)]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
        )
        timer = threading.Timer(STARTING, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if line.strip() != f"listening on 127.0.0.1:{self.port}":
            self.stop()
            raise Failed("it does not start")

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        """Ends it and its children, at once: nothing of it is needed."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process.stdout.close()


def command(stoa, peer, scenario, port, size, pid):
    """The load's command line."""
    words = [stoa, "bench", scenario.command, f"http://127.0.0.1:{port}", "--observers", str(scenario.observers)]
    words += ["--seconds", str(scenario.seconds), "--warmup", str(scenario.warmup)]
    words += scenario.options
    if scenario.command == "fanout":
        words += peer.load
        if peer.is_padded and size:
            words += ["--size", str(size)]
    return [*words, "--pid", str(pid), "--json"]


def once(stoa, peer, scenario, size, log):
    """Measures once. The result of the load, and whether anything else disturbed it."""
    server = Server(peer, log)
    try:
        before, cpu, own = machine.Moment.now(), machine.cpu_seconds(server.pid), children()
        begun = time.monotonic()
        words = command(stoa, peer, scenario, server.port, size, server.pid)
        try:
            load = subprocess.run(
                pinned(LOAD_CORE, words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"it was not done after {PATIENCE} s") from None
        took = time.monotonic() - begun
        after = machine.Moment.now()
        ours = machine.cpu_seconds(server.pid) - cpu + children() - own
    finally:
        server.stop()
    if not load.stdout.strip():
        raise Failed(reason(load.stderr))
    found = json.loads(load.stdout)
    others = max(0.0, after.busy - before.busy - ours) / took
    stolen = (after.stolen - before.stolen) / took / os.cpu_count()
    found["others"], found["stolen"] = round(others, 3), round(stolen, 3)
    found["is_disturbed"] = others > OTHERS or stolen > STOLEN
    return found


def reason(said):
    """The reason why the load gave up: its live lines come before that."""
    lines = said.strip().splitlines() or ["the load ended without a word"]
    return next((line for line in lines if line.startswith(("stoa: ", "error: "))), lines[-1])


def children():
    """The processor time of this process, and of its children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime + own.ru_utime + own.ru_stime


def complain(text):
    print(text, file=sys.stderr, flush=True)
