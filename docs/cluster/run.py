"""Redis, three nodes and nginx on this machine, with the demo's team on one of them: what a deployment of several nodes is like.

    python3 docs/cluster/run.py [--port 8000]

nginx listens on the port, the nodes on the next three, Redis on the one after. A node that ends is started again, so each may be
killed. Ctrl-C ends all. Their files and logs are in target/cluster, which is emptied at the start.
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
NODES = "abc"
# Seconds: for a program to come up, to go down, and between two looks at those that run.
PATIENCE = 60
FAREWELL = 10
PAUSE = 0.2


def program(*names):
    """The first of these programs that is installed."""
    places = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    found = next(filter(None, (shutil.which(name, path=places) for name in names)), None)
    if not found:
        sys.exit(f"{' or '.join(names)} is not installed: apt-get install {names[0]}")
    return found


class Part:
    """A program of the deployment; its words go to a file."""

    def __init__(self, folder, name, command, env=None):
        self.folder, self.log = folder, folder / f"{name}.log"
        self.name, self.command, self.env = name, command, {**os.environ, **(env or {})}
        self.start()

    def start(self):
        with open(self.log, "a") as log:
            # In a session of its own: Ctrl-C ends this program, and then the parts in their order.
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def runs(self):
        return self.process.poll() is None

    def stop(self):
        if self.runs:
            self.process.terminate()
        try:
            self.process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def ready(port):
    """Asks a node, or nginx in front of them, whether it is ready."""
    urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()


def answers(port):
    """Asks Redis whether it takes commands: a node that comes before ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as redis:
        redis.sendall(b"PING\r\n")
        said = redis.recv(100)
    if not said.startswith(b"+PONG"):
        raise OSError(said.decode(errors="replace").strip() or "it says nothing")


def until(asked, part, port):
    """Waits until a part has answered as it should."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return asked(port)
        except OSError as why:
            if not part.runs or time.monotonic() > end:
                sys.exit(f"{part.name} does not come up ({why}): see {part.log}")
        time.sleep(PAUSE)


def node(folder, name, stoa, port, engine):
    env = {
        "STOA_JOURNAL__KIND": "redis",
        "STOA_JOURNAL__URL": f"redis://127.0.0.1:{engine}",
        "STOA_CLUSTER__NODE_ID": name,
        "STOA_SERVER__TRUSTED_PROXIES": "127.0.0.1",
    }
    # Through nginx everybody looks as if they came from here: open to all who reach nginx, which listens on loopback.
    command = [stoa, "serve", "--port", str(port), "--insecure"]
    return Part(folder, f"node-{name}", command + ["--demo"] * (name == NODES[0]), env)


def serve(parts, folder, port, stoa):
    engine = port + len(NODES) + 1
    redis = [program("redis-server", "valkey-server"), "--port", str(engine), "--bind", "127.0.0.1"]
    redis += ["--appendonly", "yes", "--maxmemory-policy", "noeviction", "--save", ""]
    parts.append(Part(folder, "redis", redis))
    until(answers, parts[-1], engine)
    nodes = {name: port + 1 + at for at, name in enumerate(NODES)}
    for name, at in nodes.items():
        parts.append(node(folder, name, stoa, at, engine))
        until(ready, parts[-1], at)
    conf = (ROOT / "docs/cluster/nginx.conf").read_text()
    conf = re.sub(r"127\.0\.0\.1:800(\d)", lambda at: f"127.0.0.1:{port + int(at[1])}", conf)
    (folder / "nginx.conf").write_text(conf)
    parts.append(Part(folder, "nginx", [program("nginx"), "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]))
    until(ready, parts[-1], port)
    print(f"\nThe page, through nginx:  http://localhost:{port}/")
    for name, at in nodes.items():
        of = next(part for part in parts if part.name == f"node-{name}")
        print(f"Node {name}, process {of.process.pid}:  http://localhost:{at}/" + "  (the demo's team)" * (name == NODES[0]))
    print(f"Redis, process {parts[0].process.pid}:  redis://127.0.0.1:{engine}")
    print(f"Logs:  {folder}")
    print("Kill any of them: it is started again, and the page goes on where it was. Ctrl-C ends all.", flush=True)
    while True:
        time.sleep(PAUSE)
        for part in parts:
            if not part.runs:
                part.start()
                print(f"{part.name} ended and is started again, process {part.process.pid}", flush=True)


def main():
    given = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given.add_argument("--port", type=int, default=8000, help="of nginx; the next four are those of the nodes and of Redis")
    given.add_argument("--stoa", default=str(ROOT / "target/release/stoa"), help="the server's program")
    given.add_argument("--folder", type=pathlib.Path, default=ROOT / "target/cluster", help="for files and logs; emptied first")
    given = given.parse_args()
    shutil.rmtree(given.folder, ignore_errors=True)
    given.folder.mkdir(parents=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    parts = []
    try:
        serve(parts, given.folder.resolve(), given.port, given.stoa)
    except KeyboardInterrupt:
        print()
    finally:
        # From outside in: nobody is sent to a node that is gone, and nodes part from an engine that is there.
        for part in reversed(parts):
            part.stop()


if __name__ == "__main__":
    main()
