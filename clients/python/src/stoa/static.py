"""Files that ``WSGIApp`` and ``ASGIApp`` serve beside the application."""

from __future__ import annotations

import mimetypes
import os
from typing import Any


def find(path: str, files: dict[str, Any] | None) -> tuple[str, str] | None:
    """The file for a path, with its content type."""
    if not files:
        return None
    rest, extra = path, ""
    if path in files:
        found = files[path]
    else:
        while True:
            rest, _, last = rest.rstrip("/").rpartition("/")
            extra = f"/{last}{extra}"
            key = next((key for key in (f"{rest}/", rest or "/") if key in files), None)
            if key is not None:
                found = files[key]
                break
            if not rest:
                return None
    if any(part == ".." for part in extra.split("/")) or "\0" in extra or "\\" in extra:
        return None
    kind = None
    if isinstance(found, dict):
        kind, found = found.get("content_type"), found["filename"]
    name = found.rstrip("/") + extra if extra else found
    if os.path.isdir(name):
        name = os.path.join(name, "index.html")
    if not os.path.isfile(name):
        return None
    return name, kind or mimetypes.guess_type(name)[0] or "application/octet-stream"
