"""The examples of README.md and the pages below, run as they stand against a server with the demo team."""

import os
import re
import subprocess
import sys
import threading

import pytest
from conftest import BINARY, PATIENCE, ROOT, Stoa

PAGES = ["README.md", "docs/agents.md", "docs/clients.md", "docs/faq.md", "docs/migrating.md"]
NAMED = re.compile(r"^// (\w+\.js)$")
SOURCES = str(ROOT / "clients/python/src")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Examples that build, install or need a machine of their own are not run here.
ELSEWHERE = ["make ", "cargo ", "sudo ", "pip install ./", "pip install opentelemetry", "// in a browser", "flask", "# Flask-SocketIO"]
# Examples that say nothing, which another test uses.
SILENT = ["export OTEL_"]


def blocks():
    for page in PAGES:
        text = (ROOT / page).read_text()
        for found in BLOCK.finditer(text):
            language, code = found.groups()
            line = text[: found.start()].count("\n") + 2
            if language in ("js", "python", "sh", "toml") and not any(word in code for word in ELSEWHERE + SILENT):
                yield pytest.param(language, code, id=f"{page}:{line}")


@pytest.fixture(scope="module")
def stoa():
    # Fast, so that there is something to see at once.
    server = Stoa(args=("--demo",), env={"STOA_DEMO__SPEED": "20"})
    yield server
    server.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A place with the packages that the examples import, and with the files that other examples are."""
    here = tmp_path_factory.mktemp("docs")
    modules = here / "node_modules"
    modules.mkdir()
    for source in ("tests/js/node_modules", "web-demo/node_modules"):
        for package in (ROOT / source).iterdir():
            if not (modules / package.name).exists():
                (modules / package.name).symlink_to(package)
    (here / "package.json").write_text('{"type": "module"}')
    (here / "tests").symlink_to(ROOT / "tests")
    binary = here / "bin"
    binary.mkdir()
    (binary / "stoa").symlink_to(BINARY)
    for page in PAGES:
        for language, code in BLOCK.findall((ROOT / page).read_text()):
            name = NAMED.match(code.split("\n", 1)[0])
            if language == "js" and name:
                (here / name.group(1)).write_text(code)
    return here


def first_line(command, folder, **env):
    """The first words of a program; it is ended then."""
    env = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1", **env}
    # A group of its own, for a pipe has several processes.
    process = subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    said = []
    reader = threading.Thread(target=lambda: said.append(process.stdout.readline()))
    reader.start()
    reader.join(PATIENCE)
    ended = process.poll()
    if ended is None:
        os.killpg(process.pid, 15)
    rest = process.stdout.read()
    process.wait()
    assert said and said[0].strip(), rest
    return said[0] + rest, ended


@pytest.mark.parametrize("language, code", list(blocks()))
def test_the_example_runs(language, code, stoa, folder):
    here = code.replace("localhost:8000", stoa.address).replace("127.0.0.1:8000", stoa.address)
    if language == "toml":
        shipped = (ROOT / "config.toml").read_text()
        (folder / "rule.toml").write_text(f"{shipped}\n{code}")
        done = subprocess.run([BINARY, "check", "--config", "rule.toml"], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return
    if language == "js":
        if name := NAMED.match(code.split("\n", 1)[0]):
            # Other examples import it.
            subprocess.run(["node", "--check", folder / name.group(1)], check=True)
            return
        if "// version 2" in code:
            here = here.replace("'socket.io-client'", "'socket.io-client-2'")
        (folder / "example.mjs").write_text(here)
        said, _ = first_line(["node", "example.mjs"], folder)
        assert "Error" not in said, said
        return
    if language == "python":
        (folder / "example.py").write_text(here)
        said, _ = first_line([sys.executable, "example.py"], folder, PYTHONPATH=SOURCES, STOA_URL=stoa.url)
        assert "Traceback" not in said, said
        return
    here = here.replace("stoa tail", f"stoa tail --url {stoa.url}")
    here = here.replace("stoa check", "env -u STOA_SERVER__PORT stoa check")
    said, ended = first_line(["bash", "-e", "-o", "pipefail", "-c", here], folder)
    assert ended in (None, 0), said


FOLDED = """
import { readFileSync } from 'node:fs';
import { io } from 'socket.io-client';
import { fold } from './fold.js';

const [url, page] = process.argv.slice(2);
const state = { projects: {}, agents: {}, tasks: {}, runs: {} };
const socket = io(url);
await new Promise((resolve) => socket.once('connection_established', resolve));
const last = new Promise((resolve) => socket.onAny((name, update) => {
  fold(state, name, update);
  if (update.source_type === 'docs.end') resolve();
}));
const post = (body) => fetch(`${url}/api/v1/events`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
for (const [, event] of readFileSync(page, 'utf8').matchAll(/ -d '(.*)'$/gm)) await post(event);
await post('{"type": "docs.end"}');
await last;
const whole = await (await fetch(`${url}/api/v1/state`)).json();
const pick = ({ projects, agents, tasks, runs }) => JSON.stringify([
  projects.shop.name, projects.shop.progress, agents.writer.name, agents.writer.role, tasks.t7.name, tasks.t7.message,
  runs['build-7'].completed_nodes, runs['run-12'].name, runs.photos.stage,
]);
console.log(pick(state) === pick(whole) ? 'the same' : `${pick(state)}\\n${pick(whole)}`);
process.exit();
"""


def test_a_folded_state_says_what_the_server_says(folder):
    server = Stoa()
    try:
        (folder / "folded.mjs").write_text(FOLDED)
        command = ["node", "folded.mjs", server.url, str(ROOT / "docs/events.md")]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
        assert done.stdout.strip() == "the same", done.stdout + done.stderr
    finally:
        server.stop()


def test_links_lead_somewhere():
    heading = re.compile(r"^#+ (.*)$", re.MULTILINE)

    def anchor(title):
        return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")

    def places(text):
        return {anchor(title) for title in heading.findall(text)} | set(re.findall(r'<a id="([^"]+)">', text))

    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    missing = []
    for page in pages:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if target.startswith("http"):
                continue
            path, _, place = target.partition("#")
            file = page.parent / path if path else page
            if not file.exists():
                missing.append(f"{page.name}: {target}")
            elif place and place not in places(file.read_text()):
                missing.append(f"{page.name}: {target}")
    assert not missing, missing
