"""One request for JSON, on a connection of its own, since it may wait for minutes."""

from __future__ import annotations

from typing import Sequence
from urllib.parse import quote, urlencode

from .options import Options
from .post import ANSWER, MAX_ANSWER, Answer, address, connect, headers, read_json, seconds_of


def get(options: Options, path: Sequence[str], query: dict[str, str], wait: float) -> Answer:
    """The answer of Stoa, at the latest after these seconds.

    Raises ``ValueError`` for what is no address, and ``OSError`` or ``HTTPException`` when no answer comes.
    """
    to = address(options.url)
    connection = connect(to, wait + ANSWER)
    try:
        where = "/".join(quote(part, safe="") for part in path)
        said = headers(options.token, {"Accept": "application/json", "Connection": "close"})
        connection.request("GET", f"{to.base}/{where}?{urlencode(query)}", headers=said)
        answer = connection.getresponse()
        return Answer(answer.status, read_json(answer.read(MAX_ANSWER)), seconds_of(answer.getheader("Retry-After")))
    finally:
        connection.close()
