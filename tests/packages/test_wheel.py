"""The wheels: `pip install stoa-server` gives the command `stoa`, beside the package `stoa-agents`, whose import is `stoa`."""

import os
import socket
import subprocess
import sys
import time
import zipfile

import pytest
from conftest import PROFILE, ROOT, TOOLS, VERSION, get, run, works

APP = """
from flask import Flask
from stoa.flask_socketio import SocketIO

app = Flask(__name__)
socketio = SocketIO(app)


@app.route("/")
def page():
    return "the application's own page"
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Both wheels, in one folder."""
    folder = tmp_path_factory.mktemp("wheels")
    fast = ["--compression-method", "stored"] if PROFILE == "dev" else []
    run(TOOLS / "maturin", "build", "--profile", PROFILE, "--out", folder, *fast, cwd=ROOT / "clients/wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT / "clients/python")
    return folder


@pytest.fixture
def venv(tmp_path):
    """A fresh virtual environment."""
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    return tmp_path / "venv/bin"


def pip(venv, *words):
    return run(venv / "python", "-m", "pip", "--disable-pip-version-check", *words)


def contents(wheels, name):
    """The files of a wheel, and its metadata."""
    (wheel,) = wheels.glob(f"{name}-*.whl")
    with zipfile.ZipFile(wheel) as file:
        return wheel, file.namelist(), file.read(f"{name}-{VERSION}.dist-info/METADATA").decode()


def test_pip_install_gives_a_program_that_works(wheels, venv, tmp_path):
    wheel, names, about = contents(wheels, "stoa_server")
    assert wheel.name.startswith(f"stoa_server-{VERSION}-py3-none-"), wheel
    assert f"stoa_server-{VERSION}.data/scripts/stoa" in names
    for licence in ("LICENSE", "THIRD-PARTY.txt"):
        assert f"stoa_server-{VERSION}.dist-info/licenses/{licence}" in names
    assert "License-Expression: MIT" in about and "pip install stoa-server" in about, about
    # The program and what pip needs, and nothing of the checkout.
    assert all(name.startswith(f"stoa_server-{VERSION}.") for name in names), names

    pip(venv, "install", "--quiet", "--no-index", wheel)
    works(venv / "stoa", tmp_path)
    pip(venv, "uninstall", "--quiet", "--yes", "stoa-server")
    assert not (venv / "stoa").exists()


def test_the_program_and_the_package_go_together(wheels, venv, tmp_path):
    package, names, about = contents(wheels, "stoa_agents")
    assert f"stoa_agents-{VERSION}.dist-info/licenses/LICENSE" in names
    assert "License-Expression: MIT" in about, about
    program, others, _ = contents(wheels, "stoa_server")
    assert not set(names) & set(others)

    pip(venv, "install", "--quiet", "--no-index", program)
    # The extra asks for the program, which is there already.
    pip(venv, "install", "--quiet", f"{package}[flask,server]")
    pip(venv, "check")
    (tmp_path / "app.py").write_text(APP)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    # The environment is not activated, and nothing else knows the program.
    env = {key: value for key, value in os.environ.items() if not key.startswith("STOA_")}
    script = f"import app; app.socketio.run(app.app, port={port}, allow_unsafe_werkzeug=True)"
    with (tmp_path / "log").open("w") as log:
        command = [str(venv / "python"), "-c", script]
        process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        said = (tmp_path / "log").read_text
        until = time.monotonic() + 120
        while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
            assert process.poll() is None and time.monotonic() < until, said()
            time.sleep(0.05)
        assert get(f"http://127.0.0.1:{port}/") == "the application's own page"
        assert get(f"http://127.0.0.1:{port}/socket.io/?EIO=4&transport=polling").startswith('0{"sid":'), said()
    finally:
        process.terminate()
        process.wait(60)

    pip(venv, "uninstall", "--quiet", "--yes", "stoa-agents")
    run(venv / "stoa", "--version")
    assert subprocess.run([venv / "python", "-c", "import stoa"], capture_output=True).returncode, "no module of this name"
