"""The way of `stoa.emit` at all ends of a process."""

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request

import pytest

from conftest import PATIENCE
from sending_kit import SOURCES, events, server  # noqa: F401 - a fixture among them


ENDS = {
    "plain": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "exception": ("raise ValueError('x')", 1),
    "fork": (
        "pid = os.fork()\nif not pid:\n    [stoa.emit(kind, {'child': n}) for n in range(100)]\n    sys.exit(0)\nos.waitpid(pid, 0)",
        0,
    ),
    "multiprocessing fork": ("start('fork')", 0),
    "multiprocessing spawn": ("start('spawn')", 0),
    # Its workers are ended by SIGTERM.
    "pool of workers": ("with multiprocessing.Pool(2) as pool:\n    pool.map(one, range(100))", 0),
    "asyncio cancelled": (
        "async def main():\n    asyncio.current_task().cancel()\n    await asyncio.sleep(60)\n"
        "try:\n    asyncio.run(main())\nexcept asyncio.CancelledError:\n    sys.exit(4)",
        4,
    ),
    "os._exit after a flush": ("assert stoa.flush(45)\nos._exit(5)", 5),
    "a thread that emits": (
        "t = threading.Thread(target=lambda: [stoa.emit(kind, {'child': n}) for n in range(100)]); t.start(); t.join()",
        0,
    ),
}
PROGRAM = """
import asyncio, multiprocessing, os, signal, sys, threading
# A shell's background job ignores it from birth.
signal.signal(signal.SIGINT, signal.default_int_handler)
import stoa
kind = os.environ["KIND"]

def work():
    for n in range(100):
        stoa.emit(kind, {"child": n})

def one(n):
    stoa.emit(kind, {"child": n})

def start(method):
    child = multiprocessing.get_context(method).Process(target=work)
    child.start()
    child.join()

if __name__ == "__main__":
    for n in range(1000):
        stoa.emit(kind, {"n": n})
    #END
"""


def program(path, url, kind, end):
    path.write_text(PROGRAM.replace("#END", end.replace("\n", "\n    ")))
    env = {**os.environ, "PYTHONPATH": SOURCES, "STOA_URL": url, "KIND": kind, "STOA_EXIT_TIMEOUT": str(PATIENCE)}
    return subprocess.Popen(
        [sys.executable, str(path)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("name", ENDS)
def test_all_is_kept_at_the_end_of_a_process(server, tmp_path, name):
    end, code = ENDS[name]
    kind = "end." + name.replace(" ", "_")
    ended = program(tmp_path / "program.py", server.url, kind, end)
    _, said = ended.communicate(timeout=PATIENCE)
    assert ended.returncode == code and "not sent" not in said, said
    children = 100 if "child" in end or "start(" in end or "pool" in end else 0
    kept = events(server.url, type=kind)
    assert len(kept) == len({event["id"] for event in kept}) == 1_000 + children


@pytest.mark.parametrize("word, code", [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, -signal.SIGINT)])
def test_all_is_kept_when_a_signal_ends_it(server, tmp_path, word, code):
    kind = f"end.signal_{int(word)}"
    end = "print('ready', flush=True)\nwhile True: threading.Event().wait(1)"
    ended = program(tmp_path / "program.py", server.url, kind, end)
    assert ended.stdout.readline() == "ready\n"
    ended.send_signal(word)
    ended.communicate(timeout=PATIENCE)
    assert ended.returncode == code
    assert len(events(server.url, type=kind)) == 1_000


def test_a_handler_of_the_programs_own_stays(server, tmp_path):
    end = (
        "import signal\nprint(signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL, flush=True)\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\nstoa.emit(kind, {})\nprint('ready', flush=True)\n"
        "while True: threading.Event().wait(1)"
    )
    ended = program(tmp_path / "program.py", server.url, "end.own", end)
    assert [ended.stdout.readline(), ended.stdout.readline()] == ["True\n", "ready\n"]
    ended.terminate()
    ended.communicate(timeout=PATIENCE)
    assert ended.returncode == 9
    assert len(events(server.url, type="end.own")) == 1_001


def test_workers_of_a_server_that_forks_them_tell_all(server, tmp_path):
    # The application is imported before the fork, and has a thread of its own by then.
    (tmp_path / "shop.py").write_text(
        "import stoa\nstoa.emit('end.prefork', {})\nstoa.flush(45)\n"
        "def app(environ, start):\n    stoa.emit('end.prefork', {})\n    start('200 OK', [])\n    return [b'']\n"
    )
    env = {**os.environ, "PYTHONPATH": SOURCES, "STOA_URL": server.url, "STOA_EXIT_TIMEOUT": str(PATIENCE)}
    command = [sys.executable, "-m", "gunicorn", "--preload", "-w", "2", "-b", "127.0.0.1:0", "--chdir", str(tmp_path), "shop:app"]
    ended = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        address = next(line for line in ended.stderr if "Listening at" in line).split()[-2]
        threading.Thread(target=ended.stderr.read, daemon=True).start()
        for _ in range(20):
            urllib.request.urlopen(address, timeout=PATIENCE).close()
    finally:
        ended.terminate()
    assert ended.wait(timeout=PATIENCE) == 0
    assert len(events(server.url, type="end.prefork")) == 21


def test_a_process_ends_though_the_server_hangs(tmp_path):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        path = tmp_path / "program.py"
        path.write_text("import stoa\nstoa.emit('last.word')\n")
        env = {**os.environ, "PYTHONPATH": SOURCES, "STOA_EXIT_TIMEOUT": "0.3"}
        env["STOA_URL"] = f"http://127.0.0.1:{sock.getsockname()[1]}"
        ended = subprocess.run([sys.executable, str(path)], env=env, timeout=PATIENCE, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr.splitlines()[-1] == "1 event was not sent before the process ended (STOA_EXIT_TIMEOUT)"
        assert ended.stderr.count("not sent") == 1


def test_what_a_fork_may_find_half_done_is_there_before(tmp_path):
    # The parent's thread is the first to look a name up; a child that is forked in the middle of that would never send.
    program = "import sys, stoa\nassert 'encodings.idna' in sys.modules and 'stringprep' in sys.modules\n"
    env = {**os.environ, "PYTHONPATH": SOURCES}
    done = subprocess.run([sys.executable, "-c", program], env=env, timeout=PATIENCE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
