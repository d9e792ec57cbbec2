#!/usr/bin/env bash
# Flask-SocketIO with a thread for each client, as it runs where nothing else is installed.
. "$(dirname "$0")/common.sh"
install() { install_python; }
versions() { python_versions flask-socketio python-socketio python-engineio simple-websocket werkzeug; }
start() { exec "$VENV/bin/python" "$HERE/python/flask_server.py" threading "$1" >&2; }
peer "$@"
