"""The address of Stoa, one kept connection to it, and what its answers mean."""

from __future__ import annotations

import email.utils
import http.client
import json
import socket
import ssl
import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..version import __version__

# Looked up now and not by the first connection: a child that is forked in the middle of that would never find it.
"localhost".encode("idna")

#: The path that takes events.
EVENTS = "/api/v1/events"
#: Seconds for a connection to be made, and for an answer.
CONNECT = 2.0
ANSWER = 5.0
#: Bytes of an answer that are read.
MAX_ANSWER = 4 << 20
#: Seconds that a server may ask for before the next try.
MAX_RETRY_AFTER = 60.0


class Address(NamedTuple):
    """The parts of Stoa's address: where to connect, and the path in front of its own."""

    host: str
    port: int
    is_tls: bool
    base: str


def address(url: str) -> Address:
    """Reads an address. The path that takes events may be part of it, as it is of the lines for curl. Raises ``ValueError``."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError(f"{url!r} is no address of Stoa: write STOA_URL as http://host:8000")
    is_tls = parts.scheme == "https"
    return Address(host, port or (443 if is_tls else 80), is_tls, parts.path.rstrip("/").removesuffix(EVENTS).rstrip("/"))


def connect(to: Address, answer: float) -> http.client.HTTPConnection:
    """A connection on which each answer comes within these seconds. Raises ``OSError``."""
    if to.is_tls:
        context = ssl.create_default_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(to.host, to.port, timeout=CONNECT, context=context)
    else:
        connection = http.client.HTTPConnection(to.host, to.port, timeout=CONNECT)
    try:
        connection.connect()
        connection.sock.settimeout(answer)
    except BaseException:
        connection.close()
        raise
    return connection


def headers(token: str | None, more: dict[str, str]) -> dict[str, str]:
    """The headers of a request: what all have, and more."""
    said = {"User-Agent": f"stoa-agents/{__version__}", **more}
    if token:
        said["Authorization"] = f"Bearer {token}"
    return said


class Answer:
    """An answer of Stoa to a batch: its status, its JSON, and the seconds that it asks to wait."""

    def __init__(self, status: int, body: dict[str, Any], retry_after: float | None) -> None:
        self.status, self.body, self.retry_after = status, body, retry_after

    @property
    def error(self) -> str:
        """The server's own sentence."""
        error = self.body.get("error")
        said = error.get("message") if isinstance(error, dict) else None
        return f"{self.status}: {said}" if said else f"{self.status}"

    @property
    def rejected(self) -> dict[int, tuple[str, str]] | None:
        """The code and the sentence of each line that was refused; ``None`` if this is no answer to lines."""
        found = self.body.get("rejected")
        if not isinstance(found, list):
            return None
        refused = {}
        for each in found:
            error = each.get("error") if isinstance(each, dict) else None
            if isinstance(error, dict) and isinstance(each.get("index"), int):
                refused[each["index"]] = (str(error.get("code")), str(error.get("message")))
        return refused


class Post:
    """Posts bodies of lines. One thread uses it."""

    def __init__(self, url: str, token: str | None) -> None:
        self._address = address(url)
        self._headers = headers(token, {"Content-Type": "application/x-ndjson"})
        self._connection: http.client.HTTPConnection | None = None

    def lines(self, body: bytes, path: str = "") -> Answer:
        """Posts lines of events, or of what the door at another path takes. Raises ``OSError`` or ``HTTPException`` when no answer comes."""
        for kept in (True, False):
            if not kept or self._connection is None:
                self._open()
                kept = False
            connection = self._connection
            assert connection is not None
            try:
                connection.request("POST", self._address.base + (path or EVENTS), body, self._headers)
                answer = connection.getresponse()
                said = answer.read(MAX_ANSWER)
            except socket.timeout:
                self.close()
                raise
            except (OSError, http.client.HTTPException):
                self.close()
                # A kept connection may have been closed meanwhile; the lines have ids, so a second time is none.
                if kept:
                    continue
                raise
            if answer.will_close or not answer.isclosed():
                self.close()
            return Answer(answer.status, read_json(said), seconds_of(answer.getheader("Retry-After")))
        raise AssertionError("the second try is the last")

    def _open(self) -> None:
        self.close()
        self._connection = connect(self._address, ANSWER)
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Closes the kept connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def read_json(said: bytes) -> dict[str, Any]:
    """An object of JSON; an empty one for anything else."""
    try:
        body = json.loads(said)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def seconds_of(header: str | None) -> float | None:
    """The seconds of a ``Retry-After``, which may be a date."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER) if seconds == seconds else None
