"""The way out of band: operations over HTTP, on kept connections."""

from __future__ import annotations

import http.client
import json
import logging
import os
import select
import socket
import ssl
import threading
import time
import uuid
from typing import Any, Protocol, Sequence
from urllib.parse import urlsplit

from .exceptions import StoaError
from .signature import sign

log = logging.getLogger("stoa")

#: Connections that are kept for the next request.
MAX_IDLE = 8
#: Seconds for which an unused connection is kept; Stoa closes those that are quiet for longer.
MAX_QUIET = 20.0
#: Seconds for an answer, beside the time that a call to a client may take.
PATIENCE = 10.0
#: Bytes of an answer that are read.
MAX_ANSWER = 64 << 20
_EMIT = '{"emit":{'


class Bus(Protocol):
    """The way of operations to clients."""

    def carry_out(self, operations: Sequence[str], wait: float = 0) -> list[dict[str, Any]]:
        """Carries out operations (JSON texts) in their order, and gives a result for each."""


class Http:
    """Operations by ``POST /api/v1/operations``. May be used by any number of threads."""

    def __init__(self, url: str, secret: str | None = None, token: str | None = None) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of Stoa: write it as http://host:8000")
        self.url = url
        self._secret, self._token = secret, token
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._host, self._port = parts.hostname, parts.port or (443 if self._tls else 80)
        self._prefix = parts.path.rstrip("/")
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []
        self._lock = threading.Lock()
        self._process = os.getpid()

    def carry_out(self, operations: Sequence[str], wait: float = 0) -> list[dict[str, Any]]:
        """Sends operations. A second try cannot emit twice, for each emission has an id."""
        named = [_with_id(operation) for operation in operations]
        body = ('{"operations":[' + ",".join(named) + "]}").encode()
        answer = self.post("/api/v1/operations", body, wait)
        results = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(results, list) or len(results) != len(named):
            raise StoaError("bad_answer", f"{self.url} does not answer as Stoa does: is the address right?")
        return results

    def post(self, path: str, body: bytes, wait: float = 0) -> Any:
        """Posts JSON and gives the answer's JSON."""
        headers = {"Content-Type": "application/json"}
        if self._secret:
            headers.update(sign(self._secret, body))
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        status, said = self._exchange(f"{self._prefix}{path}", body, headers, PATIENCE + wait)
        try:
            answer = json.loads(said)
        except ValueError:
            raise StoaError("bad_answer", f"{self.url} answers {status} and no JSON: is this Stoa?") from None
        # A list of emissions of which none was accepted has answers of its own.
        if status >= 400 and "rejected" not in answer:
            error = answer.get("error") if isinstance(answer, dict) else None
            error = error if isinstance(error, dict) else {}
            raise StoaError(str(error.get("code", f"status_{status}")), str(error.get("message", said[:200])))
        return answer

    def _exchange(self, path: str, body: bytes, headers: dict[str, str], timeout: float) -> tuple[int, bytes]:
        for last in (False, True):
            connection = None if last else self._kept()
            fresh = connection is None
            if connection is None:
                connection = self._open(timeout)
            try:
                if connection.sock is not None:
                    connection.sock.settimeout(timeout)
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                said = answer.read(MAX_ANSWER + 1)
            except socket.timeout as error:
                connection.close()
                raise StoaError("timeout", f"{self.url} gave no answer within {timeout:.0f} s") from error
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                # A kept connection may have been closed meanwhile.
                if fresh:
                    raise self._unreachable(error) from error
                continue
            if answer.will_close or len(said) > MAX_ANSWER:
                connection.close()
            else:
                self._keep(connection)
            if len(said) > MAX_ANSWER:
                raise StoaError("too_large", f"the answer has more than {MAX_ANSWER} bytes")
            return answer.status, said
        raise AssertionError("the second try is the last")

    def _unreachable(self, error: Exception) -> StoaError:
        return StoaError("unreachable", f"Stoa cannot be reached at {self.url} ({error}): set stoa_url or STOA_URL")

    def _open(self, timeout: float) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection
        if self._tls:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=self._tls)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        try:
            connection.connect()
        except OSError as error:
            raise self._unreachable(error) from error
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _kept(self) -> http.client.HTTPConnection | None:
        with self._lock:
            if self._process != os.getpid():
                # The connections belong to the process that this one was forked from.
                self._idle, self._process = [], os.getpid()
            while self._idle:
                since, connection = self._idle.pop()
                if time.monotonic() - since < MAX_QUIET and not _is_readable(connection.sock):
                    return connection
                connection.close()
        return None

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < MAX_IDLE and self._process == os.getpid():
                self._idle.append((time.monotonic(), connection))
                return
        connection.close()

    def close(self) -> None:
        """Closes the kept connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()


def _with_id(operation: str) -> str:
    """An emission with an id, so that Stoa knows it again."""
    if not operation.startswith(_EMIT) or operation.startswith(_EMIT + '"id"'):
        return operation
    return f'{_EMIT}"id":"{uuid.uuid4().hex}",{operation[len(_EMIT):]}'


def _is_readable(sock: Any) -> bool:
    """Whether an unused connection has something to read, which is its end."""
    try:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True
