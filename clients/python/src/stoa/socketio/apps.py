"""WSGI and ASGI applications that answer Stoa's calls beside the user's own application."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from http import HTTPStatus
from typing import Any, Callable, Iterable

from .. import endpoint, signature
from ..endpoint import Refused
from ..exceptions import NotOnStoaError
from ..operations import Call
from ..static import find
from .async_server import AsyncServer
from .server import Server

log = logging.getLogger("stoa")

_JSON = "application/json"
_CLIENTS = "/socket.io"
#: The words for a client that asks the application instead of Stoa.
_ELSEWHERE = (
    "clients connect to Stoa and not to this application: start it with socketio.run(app), or have the proxy pass "
    "/socket.io/ on to Stoa"
)


class WSGIApp:
    """A WSGI application with the endpoint at the server's ``stoa_path``."""

    def __init__(
        self,
        socketio_app: Server,
        wsgi_app: Any = None,
        static_files: dict[str, Any] | None = None,
        socketio_path: str = "socket.io",
    ) -> None:
        _check_path(socketio_path)
        self.server, self.wsgi_app, self.static_files = socketio_app, wsgi_app, static_files

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path.rstrip("/") == self.server.settings.path:
            return self._endpoint(environ, start_response)
        if found := find(path, self.static_files):
            with open(found[0], "rb") as file:
                body = file.read()
            start_response("200 OK", [("Content-Type", found[1]), ("Content-Length", str(len(body)))])
            return [body]
        if _is_for_clients(path):
            return _respond(start_response, 404, _elsewhere(self.server.settings))
        if self.wsgi_app is not None:
            return self.wsgi_app(environ, start_response)
        return _respond(start_response, 404, b'{"error":{"code":"not_found","message":"there is nothing here"}}')

    def _endpoint(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            if environ["REQUEST_METHOD"] != "POST":
                raise Refused(405, "bad_request", "this address is for Stoa's calls, which are POST requests")
            headers = {
                signature.TIMESTAMP: environ.get("HTTP_STOA_TIMESTAMP", ""),
                signature.SIGNATURE: environ.get("HTTP_STOA_SIGNATURE", ""),
            }
            settings = self.server.settings
            length = endpoint.check_head(
                settings.secret, headers, environ.get("CONTENT_LENGTH"), settings.max_call_bytes
            )
            data = endpoint.read(settings.secret, headers, environ["wsgi.input"].read(length))
        except Refused as refused:
            return _respond(start_response, refused.status, refused.body)
        self.server.settings.tell()
        said, call = self.server.handle(data, environ)
        _start(start_response, 200, said)
        return _Answer(said, call)


class _Answer:
    """The body of an answer; further work of the call begins when the server is done with it."""

    def __init__(self, body: bytes, call: Call) -> None:
        self._parts = [body]
        self._call = call

    def __iter__(self) -> Any:
        return iter(self._parts)

    def __len__(self) -> int:
        return 1

    def close(self) -> None:
        """Called by the WSGI server at the end of the response."""
        for task in self._call.afterwards:
            task()


def _start(start_response: Any, status: int, body: bytes) -> None:
    line = f"{status} {HTTPStatus(status).phrase}"
    start_response(line, [("Content-Type", _JSON), ("Content-Length", str(len(body)))])


def _respond(start_response: Any, status: int, body: bytes) -> list[bytes]:
    _start(start_response, status, body)
    return [body]


class ASGIApp:
    """An ASGI application with the endpoint at the server's ``stoa_path``."""

    def __init__(
        self,
        socketio_server: AsyncServer,
        other_asgi_app: Any = None,
        static_files: dict[str, Any] | None = None,
        socketio_path: str | None = "socket.io",
        on_startup: Callable[[], Any] | None = None,
        on_shutdown: Callable[[], Any] | None = None,
    ) -> None:
        _check_path(socketio_path)
        self.server, self.other_asgi_app, self.static_files = socketio_server, other_asgi_app, static_files
        self.on_startup, self.on_shutdown = on_startup, on_shutdown

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            # The user's own application begins and ends with ours, unless there are functions for that here.
            if self.other_asgi_app is not None and not (self.on_startup or self.on_shutdown):
                await self.other_asgi_app(scope, receive, send)
            else:
                await self._lifespan(receive, send)
            return
        path = scope.get("path", "/")
        if scope["type"] == "http" and path.rstrip("/") == self.server.settings.path:
            await self._endpoint(scope, receive, send)
        elif scope["type"] == "http" and (found := find(path, self.static_files)):
            with open(found[0], "rb") as file:
                body = file.read()
            await _send(send, 200, body, found[1])
        elif scope["type"] == "http" and _is_for_clients(path):
            await _send(send, 404, _elsewhere(self.server.settings))
        elif self.other_asgi_app is not None:
            await self.other_asgi_app(scope, receive, send)
        elif scope["type"] == "http":
            await _send(send, 404, b'{"error":{"code":"not_found","message":"there is nothing here"}}')
        else:
            await send({"type": "websocket.close"})

    async def _endpoint(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = {name.decode("latin-1").title(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            if scope["method"] != "POST":
                raise Refused(405, "bad_request", "this address is for Stoa's calls, which are POST requests")
            settings = self.server.settings
            length = endpoint.check_head(
                settings.secret, headers, headers.get("Content-Length"), settings.max_call_bytes
            )
            try:
                body = await asyncio.wait_for(_body(receive, length), endpoint.MAX_READ)
            except asyncio.TimeoutError:
                raise Refused(408, "timeout", f"the body did not come within {endpoint.MAX_READ:.0f} s") from None
            if body is None:
                return
            data = endpoint.read(settings.secret, headers, body)
        except Refused as refused:
            await _send(send, refused.status, refused.body)
            return
        self.server.settings.tell()
        said, call = await self.server.handle(data, _environ_of_server(scope, headers))
        await _send(send, 200, said)
        for task in call.afterwards:
            task()

    async def _lifespan(self, receive: Any, send: Any) -> None:
        for kind, function in (("startup", self.on_startup), ("shutdown", self.on_shutdown)):
            message = await receive()
            assert message["type"] == f"lifespan.{kind}"
            try:
                result = function() if function else None
                if inspect.isawaitable(result):
                    await result
            except asyncio.CancelledError:
                raise
            except Exception as error:
                await send({"type": f"lifespan.{kind}.failed", "message": str(error)})
                raise
            await send({"type": f"lifespan.{kind}.complete"})


async def _body(receive: Any, length: int) -> bytearray | None:
    """The body of a request, in time that grows with its bytes alone; none if its client is gone."""
    body, more = bytearray(), True
    while more:
        part = await receive()
        if part["type"] == "http.disconnect":
            return None
        body += part.get("body", b"")
        more = part.get("more_body", False) and len(body) <= length
    return body


def _environ_of_server(scope: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    host, port = (scope.get("server") or ("localhost", 80))[:2]
    return {
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 80),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "HTTP_HOST": headers.get("Host", host),
    }


async def _send(send: Any, status: int, body: bytes, kind: str = _JSON) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _is_for_clients(path: str) -> bool:
    """Whether a request is one of a Socket.IO client."""
    return path == _CLIENTS or path.startswith(f"{_CLIENTS}/")


def _elsewhere(settings: Any) -> bytes:
    """The answer to a client that came to the application. The log names the mistake once."""
    if not settings.told_elsewhere:
        settings.told_elsewhere = True
        log.warning("a client asked for %s/ here: %s", _CLIENTS, _ELSEWHERE)
    return json.dumps({"error": {"code": "not_found", "message": _ELSEWHERE}}).encode()


def _check_path(path: str | None) -> None:
    if path is not None and path.strip("/") != "socket.io":
        raise NotOnStoaError(
            f"Stoa serves clients at /socket.io/, not at {path!r}: let the proxy in front of it rewrite the path"
        )
