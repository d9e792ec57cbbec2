"""The request by which a client connected, as a WSGI environment."""

from __future__ import annotations

import io
import sys
from typing import Any
from urllib.parse import urlencode

#: Parts of the endpoint's own request that belong to the server rather than to the caller.
_OF_SERVER = ("SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "wsgi.url_scheme", "HTTP_HOST", "SCRIPT_NAME")


def request_of(data: dict[str, Any]) -> dict[str, Any]:
    """The part of a ``connect`` that later events need to rebuild the request."""
    return {
        "headers": data.get("headers") or {},
        "query": _query(data.get("query")),
        "address": data.get("address") or "",
    }


def environ(request: dict[str, Any], server: dict[str, Any] | None = None) -> dict[str, Any]:
    """The WSGI environment of a client's request. ``server`` is the environment of the endpoint's own request."""
    address, port = _address(request.get("address") or "")
    built: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/socket.io/",
        "QUERY_STRING": request.get("query") or "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": address,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if port:
        built["REMOTE_PORT"] = port
    built.update({key: server[key] for key in _OF_SERVER if server and key in server})
    for name, value in (request.get("headers") or {}).items():
        key = name.upper().replace("-", "_")
        value = ", ".join(value) if isinstance(value, list) else str(value)
        built[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return built


def _query(query: Any) -> str:
    if isinstance(query, dict):
        return urlencode(query, doseq=True)
    return str(query or "")


def _address(address: str) -> tuple[str, str]:
    """An IP address, and the port behind it if there is one."""
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        return host, port.lstrip(":")
    host, colon, port = address.rpartition(":")
    return (host, port) if colon and ":" not in host else (address, "")
