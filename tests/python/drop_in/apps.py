"""The applications of tests/apps: as they stand, and as they are on Stoa."""

import json
import pathlib
import shutil
import sys
import tempfile

from conftest import ROOT

from .servers import HERE, SOURCES, OnStoa, Original, get

APPS = ROOT / "tests/apps"
#: The lines that a move to Stoa changes, in every file of a server.
IMPORTS = {
    "from flask_socketio import": "from stoa.flask_socketio import",
    "import socketio\n": "from stoa import socketio\n",
}
URL = "const URL_OF_SERVER = window.location.origin;"


def copied(name, folder):
    """A copy of an application, with the client's library where its page has it."""
    there = folder / name
    shutil.copytree(APPS / name, there, ignore=shutil.ignore_patterns("__pycache__"))
    library = ROOT / "tests/browser/node_modules/socket.io-client/dist/socket.io.min.js"
    if library.exists():
        shutil.copy(library, there / "static")
    return there


def moved(name, folder):
    """A copy whose imports name Stoa's package."""
    there = copied(name, folder)
    changed = 0
    for file in there.rglob("*.py"):
        text = file.read_text()
        for before, after in IMPORTS.items():
            changed += text.count(before)
            text = text.replace(before, after)
        file.write_text(text)
    assert changed == len(list(there.rglob("*.py"))), "one line of each file of the server"
    return there


def point_to(there, url):
    """Has the page of a copy connect to Stoa's address."""
    (script,) = (script for script in there.glob("static/*.js") if not script.name.endswith(".min.js"))
    text = script.read_text()
    assert text.count(URL) == 1
    script.write_text(text.replace(URL, f'const URL_OF_SERVER = "{url}";'))


def uvicorn():
    return [sys.executable, "-m", "uvicorn", "--fd", "{fd}", "--log-level", "warning", "app:app"]


def flask():
    return [sys.executable, f"{HERE}/serve.py", "app:app", "{fd}"]


def original(name, command, folder, env=None):
    """An application on the package that it was written for."""
    there = copied(name, folder)
    return Original(command=command, env={**(env or {}), "PYTHONPATH": str(there)}, cwd=there)


def on_stoa(name, command, folder, env=None, **options):
    """The same application on Stoa."""
    there = moved(name, folder)
    env = {**(env or {}), "PYTHONPATH": f"{there}:{SOURCES}"}
    return OnStoa(command=command, env=env, cwd=there, prepare=lambda url: point_to(there, url), **options)


def serve(name, kind, folder):
    """Serves an application until the standard input ends, and says where."""
    command = uvicorn() if name == "votes" else flask()
    options = {"namespaces": ["/voters", "/screen"]} if name == "votes" and kind == "stoa" else {}
    server = (on_stoa if kind == "stoa" else original)(name, command, folder, **options)
    try:
        get(server.pages)
        print(json.dumps({"pages": server.pages, "url": server.url}), flush=True)
        sys.stdin.read()
    finally:
        server.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        serve(sys.argv[1], sys.argv[2], pathlib.Path(folder))
