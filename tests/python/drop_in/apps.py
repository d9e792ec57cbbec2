"""The applications of tests/apps: as they stand, and as they are on Stoa."""

import shutil
import sys

from conftest import ROOT

from .servers import HERE, OnStoa, Original

APPS = ROOT / "tests/apps"
#: The lines that a move to Stoa changes, in every file of a server.
IMPORTS = {
    "from flask_socketio import": "from stoa.flask_socketio import",
    "import socketio\n": "from stoa import socketio\n",
}
URL = "const URL_OF_SERVER = window.location.origin;"


def moved(name, folder, url=None):
    """A copy of an application whose imports name Stoa's package, and whose page the address of Stoa."""
    there = folder / name
    shutil.copytree(APPS / name, there, ignore=shutil.ignore_patterns("__pycache__"))
    changed = 0
    for file in there.rglob("*.py"):
        text = file.read_text()
        for before, after in IMPORTS.items():
            changed += text.count(before)
            text = text.replace(before, after)
        file.write_text(text)
    assert changed == len(list(there.rglob("*.py"))), "one line of each file of the server"
    if url:
        (script,) = there.glob("static/*.js")
        text = script.read_text()
        assert text.count(URL) == 1
        script.write_text(text.replace(URL, f'const URL_OF_SERVER = "{url}";'))
    return there


def uvicorn():
    return [sys.executable, "-m", "uvicorn", "--fd", "{fd}", "--log-level", "warning", "app:app"]


def flask():
    return [sys.executable, f"{HERE}/serve.py", "app:app", "{fd}"]


def original(name, command, env=None):
    """An application on the package that it was written for."""
    return Original(command=command, env={**(env or {}), "PYTHONPATH": str(APPS / name)}, cwd=APPS / name)


def on_stoa(name, command, folder, env=None, **options):
    """The same application on Stoa."""
    there = moved(name, folder)
    return OnStoa(command=command, env=env, cwd=there, **options)
