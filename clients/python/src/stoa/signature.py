"""The signature by which Stoa and the application know each other's requests."""

from __future__ import annotations

import hashlib
import hmac
import time

TIMESTAMP = "Stoa-Timestamp"
SIGNATURE = "Stoa-Signature"
#: Seconds that a signed request may be old, or ahead of this machine's clock.
MAX_AGE = 300


def sign(secret: str, body: bytes, now: float | None = None) -> dict[str, str]:
    """The headers that sign a body."""
    timestamp = str(int(time.time() if now is None else now))
    return {TIMESTAMP: timestamp, SIGNATURE: f"v1={_digest(secret, timestamp, body)}"}


def stale(timestamp: str, signature: str, max_age: float = MAX_AGE) -> str | None:
    """The reason why no body could make these headers good; none if one could."""
    if not timestamp or not signature:
        return f"the headers {TIMESTAMP} and {SIGNATURE} are missing: only Stoa may call this address"
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return f"{TIMESTAMP} must be seconds since 1970"
    age = time.time() - int(timestamp)
    if abs(age) > max_age:
        return f"the request is {age:.0f} s old, more than {max_age:.0f}: set the clocks of both machines"
    return None


def fault(
    secret: str, timestamp: str, signature: str, body: bytes | bytearray, max_age: float = MAX_AGE
) -> str | None:
    """The reason why a signature is not good, in a sentence; none if it is good."""
    if late := stale(timestamp, signature, max_age):
        return late
    # Several signatures may stand beside each other while a secret is changed.
    given = [part.strip()[3:] for part in signature.split(",") if part.strip().startswith("v1=")]
    right = _digest(secret, timestamp, body)
    if not any(hmac.compare_digest(right.encode(), one.encode()) for one in given):
        return f"{SIGNATURE} does not fit: [backend] secret of Stoa and STOA_SECRET of the application must be the same"
    return None


def _digest(secret: str, timestamp: str, body: bytes | bytearray) -> str:
    digest = hmac.new(secret.encode(), timestamp.encode() + b".", hashlib.sha256)
    digest.update(body)
    return digest.hexdigest()
