"""A program that only emits."""

from __future__ import annotations

import os
from typing import Any

from . import wire
from .exceptions import StoaError
from .http import Http

DEFAULT_URL = "http://127.0.0.1:8000"


class Emitter:
    """Emits to clients of Stoa from any program: a worker, a script, a scheduled job.

    ``secret`` is Stoa's ``[backend] secret`` and may do everything; a ``token`` of a producer may do what its claims
    say. Both may come from the environment: ``STOA_URL``, ``STOA_SECRET``, ``STOA_TOKEN``. May be used by many threads.
    """

    def __init__(self, url: str | None = None, secret: str | None = None, token: str | None = None) -> None:
        if secret is None and token is None:
            secret, token = os.environ.get("STOA_SECRET"), os.environ.get("STOA_TOKEN")
        self._http = Http(url or os.environ.get("STOA_URL") or DEFAULT_URL, secret, token)
        self._by_token = bool(token) and not secret

    def emit(
        self,
        event: str,
        *args: Any,
        to: Any = None,
        skip: Any = None,
        namespace: str = "/",
        keep: bool = False,
        id: str | None = None,  # noqa: A002 - the name on the wire
        volatile: bool = False,
    ) -> None:
        """Emits an event with any number of arguments.

        ``to``: a room, a client's id, or a list of them; everybody without it. ``skip``: rooms or clients that do not
        get it. ``keep``: the event is kept in the journal and sent again to clients that resume. ``id``: repeating it
        does nothing. ``volatile``: only clients that have room in their queue get it.

        Raises :class:`StoaError` if Stoa refuses the event or cannot be reached.
        """
        options: dict[str, Any] = {}
        if keep:
            options["keep"] = True
        if volatile:
            options["volatile"] = True
        operation = wire.emission(event, args, to=to, skip=skip, namespace=namespace, **options)
        if id is not None:
            operation["emit"] = {"id": id, **operation["emit"]}
        if self._by_token:
            answer = self._http.post("/api/v1/emit", wire.text(operation["emit"]).encode())
            for refused in answer.get("rejected") or []:
                raise _error(refused.get("error"))
        else:
            self._operate(operation)

    def disconnect(self, client: str) -> None:
        """Ends a client's connection."""
        self._operate({"disconnect": client})

    def close_room(self, room: Any, namespace: str = "/") -> None:
        """Takes all clients out of a room."""
        self._operate({"close_room": wire.room_name(room), "namespace": namespace})

    def members(self, room: Any, namespace: str = "/") -> list[str]:
        """The ids of the clients in a room."""
        return list(self._operate({"members": wire.room_name(room), "namespace": namespace}).get("members") or [])

    def close(self) -> None:
        """Closes the kept connections."""
        self._http.close()

    def _operate(self, operation: dict[str, Any]) -> dict[str, Any]:
        result = self._http.carry_out([wire.text(operation)])[0]
        if result.get("status") == "error":
            raise _error(result.get("error"))
        return result


def _error(error: Any) -> StoaError:
    error = error if isinstance(error, dict) else {}
    return StoaError(str(error.get("code", "refused")), str(error.get("message", "Stoa gave no reason")))
