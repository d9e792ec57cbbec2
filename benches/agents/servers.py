"""Servers that an agent may find: none, one that hangs, and one that answers with a status. Each has an address of its own."""

import atexit
import pathlib
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "clients/python/src"))

#: A server of its own process, so that it does not share the interpreter with what is measured.
ANSWERS = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(int(sys.argv[1]))
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
_open = []


def none():
    """An address at which nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


def hanging():
    """A server that lets in and never answers."""
    here = socket.socket()
    here.bind(("127.0.0.1", 0))
    here.listen()
    _open.append(here)
    return f"http://127.0.0.1:{here.getsockname()[1]}"


def answering(status):
    """A server that answers each post with this status."""
    child = subprocess.Popen([sys.executable, "-c", ANSWERS, str(status)], stdout=subprocess.PIPE, text=True)
    atexit.register(child.kill)
    return f"http://127.0.0.1:{int(child.stdout.readline())}"


def unavailable():
    """A server that has no time now."""
    return answering(503)
