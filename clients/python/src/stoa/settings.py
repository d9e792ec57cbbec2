"""Keyword arguments of Flask-SocketIO and python-socketio that belong to Stoa now."""

from __future__ import annotations

import logging
import os
from typing import Any

from .emitter import DEFAULT_URL
from .endpoint import MAX_BODY
from .exceptions import NotOnStoaError

log = logging.getLogger("stoa")

#: Arguments that have a key in Stoa's config.toml.
KEYS = {
    "cors_allowed_origins": "[server] cors_allowed_origins",
    "ping_timeout": "[server] ping_timeout",
    "ping_interval": "[server] ping_interval",
    "max_http_buffer_size": "[server] max_http_buffer_size",
    "http_compression": "[performance] compression",
}
#: Arguments that change nothing on Stoa, with the reason.
NEEDLESS = {
    "async_mode": "handlers run in your own WSGI or ASGI workers",
    "async_handlers": "Stoa calls the handlers of one client one after the other, and those of different clients side by side",
    "always_connect": "a client is connected when its connect handler has said yes",
    "compression_threshold": "Stoa decides by itself which messages are worth compressing",
    "cors_credentials": "allowed origins may send credentials",
    "monitor_clients": "Stoa always watches its clients",
    "allow_upgrades": "Stoa serves long polling, WebSocket and the upgrade",
    "transports": "Stoa serves long polling and WebSocket; a client chooses by its own `transports`",
    "upgrade_timeout": "Stoa serves long polling, WebSocket and the upgrade",
    "cookie": "Stoa sets no cookie; for sticky sessions let the proxy set one",
    "engineio_logger": "the connections are logged by Stoa: [log] level",
    "channel": "processes reach clients by Stoa's address; [bus] listens to emitters on Redis",
    "manage_ack": "acknowledgements are Stoa's",
}


class Settings:
    """Address and secret of Stoa, taken out of a server's keyword arguments."""

    def __init__(self, options: dict[str, Any]) -> None:
        queue = options.pop("message_queue", None)
        is_address = isinstance(queue, str) and queue.startswith(("http://", "https://"))
        url = options.pop("stoa_url", None) or (queue if is_address else None) or os.environ.get("STOA_URL")
        #: Whether the address was chosen by somebody.
        self.is_url_given = bool(url)
        self.url: str = url or DEFAULT_URL
        self.secret: str | None = options.pop("secret", None) or os.environ.get("STOA_SECRET") or None
        self.path: str = "/" + str(options.pop("stoa_path", None) or "stoa").strip("/")
        self.send_ahead_ms: float = float(options.pop("send_ahead_ms", 50))
        #: Bytes of one call that are read.
        self.max_call_bytes: int = int(options.pop("max_call_bytes", MAX_BODY))
        self.json: Any = options.pop("json", None)
        self.namespaces: Any = options.pop("namespaces", None) or ["/"]
        self.logger: Any = options.pop("logger", None)
        #: Whether the log named a client that came here instead of to Stoa.
        self.told_elsewhere = False
        #: Arguments that a Stoa which this process starts is given.
        self.of_server = {key: options.pop(key) for key in KEYS if key in options}
        if queue and not is_address:
            log.info("message_queue is not needed on Stoa: processes emit to its address, here %s (stoa_url or STOA_URL)", self.url)
        self._refuse(options)
        for key in list(options):
            if key not in NEEDLESS:
                raise TypeError(f"{key!r} is no argument of this server")
            del options[key]
            log.info("%s is not needed on Stoa: %s", key, NEEDLESS[key])

    def tell(self) -> None:
        """Says once which arguments Stoa's own configuration has to have."""
        of_server, self.of_server = self.of_server, {}
        for key, value in of_server.items():
            log.warning("%s=%r is for Stoa to know: set %s in its config.toml", key, value, KEYS[key])

    @staticmethod
    def _refuse(options: dict[str, Any]) -> None:
        """Raises for arguments that ask for something else than Stoa does."""
        place = options.pop("path", None) or options.pop("resource", None) or options.pop("socketio_path", None)
        if place and str(place).strip("/") != "socket.io":
            raise NotOnStoaError(
                f"Stoa serves clients at /socket.io/, not at {place!r}: let the proxy in front of it rewrite the path"
            )
        if options.pop("serializer", "default") not in ("default", None):
            raise NotOnStoaError("Stoa chooses the parser by what each client speaks: leave serializer out")
        if options.pop("client_manager", None) is not None:
            raise NotOnStoaError(
                "Stoa manages the clients, so a client_manager has nothing to do: leave it out; other processes emit "
                "with SocketIO(message_queue='http://stoa:8000'), with stoa.Emitter, or by [bus] from Redis"
            )
