"""Packages are made, installed and started as their users do it. PROFILE=dev takes the program that the tests have."""

import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "target/tools/bin"
PROFILE = os.environ.get("PROFILE", "release")
VERSION = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.M).group(1)


def run(*command, **options):
    """Runs a command; all that it said is in the failure."""
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True, **{"cwd": ROOT, **options})
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def not_checked(why):
    """Says past what pytest swallows that a test can't run on this machine."""
    assert "CI" not in os.environ, f"not checked: {why}"
    print(f"NOT CHECKED: {why}", file=sys.__stderr__)
    pytest.skip(why)


def get(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
        return answer.read().decode()


class Running:
    """A program that serves; ended by its own process id."""

    def __init__(self, command, env, folder):
        self.process = subprocess.Popen(
            [str(word) for word in command],
            env={"PATH": os.environ["PATH"], "STOA_LOG__FORMAT": "json", **env},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if found := re.search(r'"address":"([^"]+)"', line):
                self.url = f"http://{found.group(1)}"
                # The pipe must not fill up.
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return
        raise AssertionError("it ended before it listened:\n" + "".join(lines))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(30) == 0


def is_stripped(program):
    """Whether a program has neither symbols nor debugging information. Only release builds are stripped."""
    sections = run("readelf", "--sections", "--wide", program)
    assert PROFILE != "release" or not re.search(r"\.(symtab|debug_(info|line))\b", sections), sections


def has_page(url):
    """Whether the page is there, with its script."""
    page = get(url, Accept="text/html")
    assert "<title>" in page and "<script" in page, page
    script = re.search(r'src="\.?/?([^"]+\.js)"', page).group(1)
    assert len(get(f"{url}/{script}")) > 10_000, "the page is inside"


def works(stoa, folder):
    """Whether an installed program is this version, serves its page, and keeps what is published in the folder."""
    assert run(stoa, "--version", cwd=folder).split() == ["stoa", VERSION]
    is_stripped(stoa)
    with Running([stoa, "serve", "--port", "0"], {}, folder) as server:
        get(f"{server.url}/healthz")
        get(f"{server.url}/readyz")
        has_page(server.url)
        event = json.dumps({"type": "package.works", "id": "p1"}).encode()
        posted = urllib.request.Request(f"{server.url}/api/v1/events", event, {"Content-Type": "application/json"})
        with urllib.request.urlopen(posted, timeout=30) as answer:
            assert answer.status == 202
        assert "package.works" in get(f"{server.url}/api/v1/events")
    assert (folder / "stoa.db").exists()
