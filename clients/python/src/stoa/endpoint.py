"""The address that Stoa calls: requests are checked, and answers written."""

from __future__ import annotations

import json
import logging
from typing import Any, Mapping

from . import signature, wire
from .exceptions import ConnectionRefusedError
from .operations import Call

log = logging.getLogger("stoa")

#: Bytes of one call that are read unless ``max_call_bytes`` says otherwise: a client's largest message by Stoa's default
#: (1 MB), with its attachments in base64 and as escapes, several times over.
MAX_BODY = 8 << 20
#: Seconds for the body of a call, where the package reads it itself.
MAX_READ = 30.0
TYPES = ("connect", "event", "disconnect")
#: The forms of what a call may have; the rest is checked where it is read.
FORMS = {
    "namespace": (str, "text"),
    "rooms": (list, "list"),
    "session": (dict, "object"),
    "headers": (dict, "object"),
    "address": (str, "text"),
}


class Refused(Exception):
    """A request that is not answered as a call, with its status and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    @property
    def body(self) -> bytes:
        """The answer's JSON."""
        return json.dumps({"error": {"code": self.code, "message": self.message}}).encode()


def check_head(secret: str | None, headers: Mapping[str, str], length: str | None, most: int = MAX_BODY) -> int:
    """The number of bytes to read. What the headers show is refused before anything is read."""
    _secret(secret)
    given = (headers.get(signature.TIMESTAMP, ""), headers.get(signature.SIGNATURE, ""))
    if fault := signature.stale(*given):
        _unauthorized(fault)
    if not length or not (length.isascii() and length.isdigit() and len(length) <= 12):
        raise Refused(411, "bad_request", "the request says no Content-Length, or none that is a number of bytes")
    if int(length) > most:
        raise Refused(413, "too_large", f"the request has more than {most} bytes (max_call_bytes)")
    return int(length)


def _secret(secret: str | None) -> str:
    if not secret:
        message = "no secret is set: give SocketIO(secret=…) or STOA_SECRET the value of Stoa's [backend] secret"
        log.error("a call was refused: %s", message)
        raise Refused(503, "no_secret", message)
    return secret


def _unauthorized(fault: str) -> None:
    log.warning("a call was refused: %s", fault)
    raise Refused(401, "unauthorized", fault)


def read(secret: str | None, headers: Mapping[str, str], body: bytes | bytearray) -> dict[str, Any]:
    """The call in a request whose signature is good."""
    given = (headers.get(signature.TIMESTAMP, ""), headers.get(signature.SIGNATURE, ""))
    if fault := signature.fault(_secret(secret), *given, body):
        _unauthorized(fault)
    try:
        return _call(json.loads(body))
    except RecursionError:
        raise Refused(400, "too_deep", "the call is nested too deeply") from None
    except ValueError as error:
        raise Refused(400, "bad_request", f"the body is no JSON: {error}") from None


def _call(data: Any) -> dict[str, Any]:
    """The call, if it has the form of one."""
    if not isinstance(data, dict) or data.get("type") not in TYPES or not isinstance(data.get("client_id"), str):
        raise Refused(400, "bad_request", "the body is no call of Stoa: type and client_id are missing")
    for key, (kind, name) in FORMS.items():
        if data.get(key) is not None and not isinstance(data[key], kind):
            raise Refused(400, "bad_request", f"the body is no call of Stoa: {key} is no {name}")
    if not all(isinstance(room, str) for room in data.get("rooms") or []):
        raise Refused(400, "bad_request", "the body is no call of Stoa: rooms has something else than texts")
    if data["type"] == "event":
        if not isinstance(data.get("event"), str):
            raise Refused(400, "bad_request", "the call names no event")
        try:
            data["args"] = wire.unpack(data.get("args"), data.get("attachments"))
        except ValueError as error:
            raise Refused(400, "bad_request", str(error)) from None
    return data


def result(value: Any, asked: bool, json_module: Any = None) -> dict[str, Any]:
    """The part of an answer that a handler's return value makes."""
    if not asked:
        return {}
    packed, attachments = wire.pack(wire.arguments(value), json_module)
    answer: dict[str, Any] = {"ack": packed}
    if attachments:
        answer["attachments"] = attachments
    return answer


def refusal(error: ConnectionRefusedError, json_module: Any = None) -> dict[str, Any]:
    """The part of an answer that turns a client away."""
    packed, _ = wire.pack([error.error_args], json_module)
    return {"refuse": packed[0]}


def failure(event: str) -> dict[str, Any]:
    """The answer of a handler that raised: the client learns that it failed, and nothing else."""
    return {"refuse": {"message": f"the handler of {event!r} failed; the application's log says why"}}


def answer(call: Call, parts: dict[str, Any]) -> bytes:
    """The whole answer."""
    operations = call.finish()
    if call.session_changed and "refuse" not in parts:
        operations = [*operations, wire.text({"session": call.session})]
    if call.user is not None and "refuse" not in parts:
        parts = {**parts, "user": call.user}
    text = wire.text(parts)
    if not operations:
        return text.encode()
    return (text[:-1] + ("," if parts else "") + '"do":[' + ",".join(operations) + "]}").encode()
