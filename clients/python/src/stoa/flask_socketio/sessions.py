"""The session of a client: a fork of Flask's, kept at Stoa, so that any worker has it."""

from __future__ import annotations

from typing import Any

from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SessionMixin

# The serializer keeps tuples, bytes, dates and the like, as Flask's own cookies do.
_serializer = TaggedJSONSerializer()


class ClientSession(dict, SessionMixin):  # type: ignore[misc,type-arg]
    """The session that handlers see as ``flask.session``."""

    # An empty session need not be kept.
    _before = "{}"

    @classmethod
    def of(cls, stored: dict[str, Any], flask_session: Any) -> ClientSession:
        """The session in the stored data, or a fork of Flask's for a client that has none yet."""
        text = stored.get("flask")
        session = cls(_serializer.loads(text) if isinstance(text, str) else dict(flask_session or {}))
        session._before = text if isinstance(text, str) else "{}"
        return session

    def keep(self, server: Any, sid: str) -> None:
        """Keeps what was changed."""
        text = _serializer.dumps(dict(self))
        if text != self._before:
            self._before = text
            server._store(sid, {**server._stored(sid), "flask": text})


def install(context: Any, session: ClientSession) -> None:
    """Puts a session into a request's context. The attribute's name is another one from Flask 3.1.3 on."""
    setattr(context, "_session" if hasattr(context, "_session") else "session", session)
