#!/usr/bin/env bash
# python-socketio on uvicorn, with uvloop.
. "$(dirname "$0")/common.sh"
install() { install_python; }
versions() { python_versions python-socketio python-engineio uvicorn uvloop websockets; }
start() { exec "$VENV/bin/python" "$HERE/python/uvicorn_server.py" "$1" >&2; }
peer "$@"
