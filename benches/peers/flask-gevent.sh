#!/usr/bin/env bash
# Flask-SocketIO on gevent.
. "$(dirname "$0")/common.sh"
install() { install_python; }
versions() { python_versions flask-socketio python-socketio python-engineio gevent gevent-websocket; }
start() { exec "$VENV/bin/python" "$HERE/python/flask_server.py" gevent "$1" >&2; }
peer "$@"
