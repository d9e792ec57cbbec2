"""``socketio.run``: Flask's development server, with a Stoa of its own behind the same port."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import http.client
import json
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from typing import Any, Iterable

from .http import Http

log = logging.getLogger("stoa")

#: Seconds until a Stoa that was started has to listen.
START = 30.0
#: Seconds for a Stoa that is asked to end.
END = 10.0
#: Seconds for the answer to a poll; Stoa answers each within its ping interval.
POLL = 120.0
#: Bytes of one request that are passed on.
MAX_BODY = 16 << 20
_PATH = "/socket.io/"
_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "proxy-connection"}


def serve(socketio: Any, app: Any, host: str, port: int, options: dict[str, Any]) -> None:
    """Serves until the process is ended, or ``socketio.stop()``."""
    settings = socketio.server.settings
    program = find_program()
    # With the reloader this runs in two processes; the first one only watches files.
    watches = options.get("use_reloader") and os.environ.get("WERKZEUG_RUN_MAIN") != "true"
    if settings.is_url_given:
        log.warning("clients connect to Stoa at %s; pages are at http://%s:%d", settings.url, host, port)
    elif not program:
        log.warning(
            "no stoa program beside this Python (pip install stoa-server), on PATH or in STOA_BINARY: pages are at "
            "http://%s:%d, and clients connect to a Stoa that you start, with STOA_BACKEND__URL=http://%s:%d%s",
            host,
            port,
            host,
            port,
            settings.path,
        )
    elif not watches:
        if not port:
            port = free_port(host)
        child = Child(program, settings, f"http://{_here(host)}:{port}{settings.path}", names(socketio.server))
        atexit.register(child.stop)
        socketio.server.operations.bus = Http(child.url, settings.secret)
        app.wsgi_app = Front(app.wsgi_app, child.port)
        threading.Thread(target=child.watch, daemon=True).start()
    _end_in_order()
    if options.get("use_reloader") or options.get("use_debugger") or app.debug:
        app.run(host=host, port=port, threaded=True, **options)
        return
    _serve(socketio, app, host, port, options)


def find_program() -> str | None:
    """The program: the one that the environment names, that of this Python's own packages, or the first on PATH."""
    named = os.environ.get("STOA_BINARY")
    # A virtual environment needn't be activated, so its commands needn't be on PATH.
    return named or shutil.which("stoa", path=sysconfig.get_path("scripts")) or shutil.which("stoa")


def _end_in_order() -> None:
    """Has SIGTERM end the process as Ctrl-C does, so that Stoa is ended too."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def _serve(socketio: Any, app: Any, host: str, port: int, options: dict[str, Any]) -> None:
    from werkzeug.serving import make_server

    known = {key: options[key] for key in ("ssl_context", "request_handler", "passthrough_errors") if key in options}
    server = make_server(host, port, app, threaded=True, **known)
    server.log_startup()
    # A handler runs in a thread of the server, which must not wait for itself.
    socketio._stop = lambda: threading.Thread(target=server.shutdown, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


def names(server: Any) -> tuple[list[str], list[str]]:
    """The namespaces and the events that an application has handlers for."""
    known = {**server.handlers.functions, **server.handlers.classes}
    given = server.settings.namespaces
    given = [] if given == "*" else given
    places = sorted({name for name in (*known, *given) if name not in ("/", "*")})
    events = set(server.handlers.functions.get("/", {}))
    if "/" in server.handlers.classes:
        events |= {name[3:] for name in dir(server.handlers.classes["/"]) if name.startswith("on_")}
    return places, sorted(events - {"connect", "disconnect", "*"})


class Child:
    """A Stoa that lives as long as this process."""

    def __init__(self, program: str, settings: Any, backend: str, known: tuple[list[str], list[str]]) -> None:
        settings.secret = settings.secret or secrets.token_urlsafe(48)
        self.port = free_port("127.0.0.1")
        self.url = f"http://127.0.0.1:{self.port}"
        places, events = known
        env = {
            "STOA_BACKEND__URL": backend,
            "STOA_BACKEND__SECRET": settings.secret,
            "STOA_NAMESPACES__DECLARED": json.dumps(places),
            "STOA_BACKEND__OVERRIDE": json.dumps(events or ["join", "leave"]),
            # Long handlers are no fault while one tries things out.
            "STOA_BACKEND__TIMEOUT": "60",
            "STOA_JOURNAL__KIND": "memory",
            **_own_settings(settings.of_server),
        }
        settings.of_server = {}
        self._ended = False
        log.warning("starting %s for this application; in production run Stoa by itself", program)
        self.process = subprocess.Popen(
            [program, "serve", "--host", "127.0.0.1", "--port", str(self.port)],
            # Settings of the user's own come first.
            env={**env, **os.environ},
            stdout=sys.stderr,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + START
        while self.process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(
            "Stoa did not start; its own lines above say why. To use one that runs already, set stoa_url or STOA_URL"
        )

    def watch(self) -> None:
        """Says when Stoa ends by itself."""
        code = self.process.wait()
        if not self._ended:
            log.error("Stoa ended with %s: its own lines above say why; clients cannot connect any more", code)

    def stop(self) -> None:
        """Ends Stoa, in order if it can."""
        self._ended = True
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(END)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def _own_settings(given: dict[str, Any]) -> dict[str, str]:
    """The settings of Stoa that an application gave as arguments."""
    env: dict[str, str] = {}
    if (origins := given.get("cors_allowed_origins")) is not None:
        env["STOA_SERVER__CORS_ALLOWED_ORIGINS"] = json.dumps([origins] if isinstance(origins, str) else list(origins))
    for key in ("ping_timeout", "ping_interval", "max_http_buffer_size"):
        if given.get(key) is not None:
            value = given[key]
            env[f"STOA_SERVER__{key.upper()}"] = str(value[0] if isinstance(value, (list, tuple)) else value)
    if given.get("http_compression") is not None:
        env["STOA_PERFORMANCE__COMPRESSION"] = "true" if given["http_compression"] else "false"
    return env


def _end_with_parent() -> None:
    """Asks Linux to end the child when the process that started it is gone, however it went."""
    with contextlib.suppress(Exception):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def free_port(host: str) -> int:
    """A port that nobody listens on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock:
        sock.bind((host, 0))
        return sock.getsockname()[1]


def _here(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "", "localhost") else f"[{'::1' if host == '::' else host}]" if ":" in host else host


class Front:
    """Passes the requests of clients on to Stoa, so that pages and clients have one address.

    It is for development: each client costs two threads here. In production the proxy passes ``/socket.io/`` on.
    """

    def __init__(self, app: Any, port: int) -> None:
        self.app, self.port = app, port

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith(_PATH):
            return self.app(environ, start_response)
        if "websocket" in environ.get("HTTP_UPGRADE", "").lower() and "werkzeug.socket" in environ:
            self._tunnel(environ["werkzeug.socket"], environ)
            # The server finds a closed socket, and leaves it.
            start_response("200 OK", [])
            return []
        return self._pass(environ, start_response)

    def _target(self, environ: dict[str, Any]) -> str:
        query = environ.get("QUERY_STRING", "")
        return environ["PATH_INFO"] + (f"?{query}" if query else "")

    @staticmethod
    def _headers(environ: dict[str, Any]) -> dict[str, str]:
        named = {key[5:].replace("_", "-").title(): value for key, value in environ.items() if key.startswith("HTTP_")}
        if environ.get("CONTENT_TYPE"):
            named["Content-Type"] = environ["CONTENT_TYPE"]
        return named

    def _pass(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > MAX_BODY:
            start_response("413 Request Entity Too Large", [])
            return []
        body = environ["wsgi.input"].read(length) if length else b""
        headers = {name: value for name, value in self._headers(environ).items() if name.lower() not in _HOP}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=POLL)
        try:
            connection.request(environ["REQUEST_METHOD"], self._target(environ), body or None, headers)
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            log.error("Stoa does not answer: %s", error)
            start_response("502 Bad Gateway", [("Content-Type", "text/plain")])
            return [b"Stoa does not answer"]
        finally:
            connection.close()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP]
        start_response(f"{answer.status} {answer.reason}", kept)
        return [said]

    def _tunnel(self, client: socket.socket, environ: dict[str, Any]) -> None:
        """Carries bytes both ways until one side is done."""
        lines = [f"{environ['REQUEST_METHOD']} {self._target(environ)} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self._headers(environ).items()]
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=10) as stoa:
            stoa.settimeout(None)
            client.settimeout(None)
            stoa.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stoa.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
            back = threading.Thread(target=_pump, args=(stoa, client), daemon=True)
            back.start()
            _pump(client, stoa)
            back.join()
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
