"""One request for JSON, on a connection of its own, since it may wait for minutes."""

from __future__ import annotations

import http.client
import ssl
from typing import Sequence
from urllib.parse import quote, urlencode, urlsplit

from ..version import __version__
from .options import Options
from .post import ANSWER, CONNECT, MAX_ANSWER, Answer, read_json, seconds_of


def get(options: Options, path: Sequence[str], query: dict[str, str], wait: float) -> Answer:
    """What Stoa answers, at the latest after these seconds. Raises ``OSError`` or ``HTTPException`` when no answer comes."""
    parts = urlsplit(options.url if "://" in options.url else f"http://{options.url}")
    tls = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if tls else 80)
    headers = {"Accept": "application/json", "User-Agent": f"stoa-agents/{__version__}", "Connection": "close"}
    if options.token:
        headers["Authorization"] = f"Bearer {options.token}"
    if tls:
        context = ssl.create_default_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(host, port, timeout=CONNECT, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=CONNECT)
    try:
        connection.connect()
        connection.sock.settimeout(wait + ANSWER)
        where = "/".join(quote(part, safe="") for part in path)
        connection.request("GET", f"{parts.path.rstrip('/')}/{where}?{urlencode(query)}", headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, read_json(answer.read(MAX_ANSWER)), seconds_of(answer.getheader("Retry-After")))
    finally:
        connection.close()
