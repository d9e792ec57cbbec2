"""Flask's own server on a socket that is open already: serve.py MODULE:APP FD."""

import importlib
import logging
import sys

from werkzeug.serving import make_server

module, _, name = sys.argv[1].partition(":")
logging.getLogger("werkzeug").setLevel(logging.ERROR)
app = getattr(importlib.import_module(module), name or "app")
make_server("127.0.0.1", 0, app, threaded=True, fd=int(sys.argv[2])).serve_forever()
