"""``socketio.run``: Flask's development server, with a Stoa of its own behind the same port."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import http.client
import json
import logging
import os
import re
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
from urllib.parse import quote

from .http import Http
from .names import events as names_of_events

log = logging.getLogger("stoa")

#: Seconds until a Stoa that was started has to listen.
START = 30.0
#: Seconds for a Stoa that is asked to end.
END = 10.0
#: Seconds for the answer to a poll; Stoa answers each within its ping interval.
POLL = 120.0
#: Bytes of one request that are passed on.
MAX_BODY = 16 << 20
#: Bytes of the head of Stoa's answer to a WebSocket.
MAX_HEAD = 64 << 10
_PATH = "/socket.io/"
_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "proxy-connection"}
# A client's own word on its address is not passed on.
_DROPPED = {*_HOP, "content-length", "expect", "x-forwarded-for", "forwarded", "x-real-ip"}
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_IN_PATH = "/:@!$&'()*+,;=~"
_IN_QUERY = "%/:@!$&'()*+,;=~?[]|^`{}\"<>\\"


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
        socketio.server.override = ["*"]
        log.warning("other programs that emit to its clients begin with: STOA_URL=%s STOA_SECRET=%s", child.url, settings.secret)
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
    events = {event for _, event in names_of_events(server.handlers)}
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
            # Clients come by this process, which says from where; they may do what this application lets them do.
            "STOA_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]',
            "STOA_SERVER__ALLOW_INSECURE": "true",
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
            return self._tunnel(environ["werkzeug.socket"], environ, start_response)
        return self._pass(environ, start_response)

    def _target(self, environ: dict[str, Any]) -> str:
        """The target of the request, written anew: what was decoded may hold line breaks."""
        query = environ.get("QUERY_STRING", "")
        path = quote(environ["PATH_INFO"].encode("latin-1"), safe=_IN_PATH)
        return path + (f"?{_quoted(query)}" if query else "")

    @staticmethod
    def _headers(environ: dict[str, Any]) -> dict[str, str]:
        """The headers to pass on, with the client's own address. Raises ``ValueError`` if one holds a line break."""
        named = {key[5:].replace("_", "-").title(): value for key, value in environ.items() if key.startswith("HTTP_")}
        if environ.get("CONTENT_TYPE"):
            named["Content-Type"] = environ["CONTENT_TYPE"]
        kept = {name: value for name, value in named.items() if name.lower() not in _DROPPED}
        for name, value in kept.items():
            if _CONTROL.search(name + value):
                raise ValueError(f"the header {name[:40]!r} holds control characters")
        # Stoa must not take a client for a program of this machine only because this process is one.
        kept["X-Forwarded-For"] = environ.get("REMOTE_ADDR") or "0.0.0.0"
        return kept

    def _pass(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or "0"
        if not (length.isascii() and length.isdigit() and len(length) < 12):
            return _refused(start_response, "400 Bad Request", "Content-Length is no number")
        if int(length) > MAX_BODY:
            return _refused(start_response, "413 Request Entity Too Large", f"more than {MAX_BODY} bytes")
        body = environ["wsgi.input"].read(int(length)) if int(length) else b""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=POLL)
        try:
            connection.request(environ["REQUEST_METHOD"], self._target(environ), body or None, self._headers(environ))
            answer = connection.getresponse()
            said = answer.read()
        except ValueError as error:
            return _refused(start_response, "400 Bad Request", str(error))
        except (OSError, http.client.HTTPException) as error:
            log.error("Stoa does not answer: %s", error)
            return _refused(start_response, "502 Bad Gateway", "Stoa does not answer")
        finally:
            connection.close()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP]
        start_response(f"{answer.status} {answer.reason}", kept)
        return [said]

    def _tunnel(self, client: socket.socket, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Carries bytes both ways until one side is done, once Stoa has made a WebSocket of the connection."""
        try:
            headers = {**self._headers(environ), "Connection": "Upgrade", "Upgrade": "websocket"}
        except ValueError as error:
            return _refused(start_response, "400 Bad Request", str(error))
        lines = [f"GET {self._target(environ)} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=10) as stoa:
            stoa.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stoa.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
            said = _head(stoa)
            if said.split(b" ", 2)[1:2] != [b"101"]:
                # Anything that the client sent now would be a request of this process to Stoa.
                status = said.split(b"\r\n", 1)[0].partition(b" ")[2].decode("latin-1")
                known = status[:3].isascii() and status[:3].isdigit()
                return _refused(start_response, status if known else "502 Bad Gateway", "Stoa opens no WebSocket for this")
            stoa.settimeout(None)
            client.settimeout(None)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(said)
            back = threading.Thread(target=_pump, args=(stoa, client), daemon=True)
            back.start()
            _pump(client, stoa)
            back.join()
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        # The server finds a closed socket, and leaves it.
        start_response("200 OK", [])
        return []


def _quoted(query: str) -> str:
    """A query without characters that could end the line which it stands in."""
    return quote(query.encode("latin-1", "replace"), safe=_IN_QUERY)


def _refused(start_response: Any, status: str, sentence: str) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain"), ("Connection", "close")])
    return [sentence.encode()]


def _head(stoa: socket.socket) -> bytes:
    """An answer up to the end of its head, with what came behind that."""
    said = b""
    while b"\r\n\r\n" not in said:
        part = stoa.recv(65536)
        if not part or len(said) > MAX_HEAD:
            raise OSError("Stoa's answer has no end")
        said += part
    return said


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
