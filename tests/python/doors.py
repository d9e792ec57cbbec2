"""Clients of the doors over plain WebSockets and server-sent events, each with the library that its users have."""

import contextlib
import json
import socket
import threading
import time
import urllib.request
from urllib.parse import quote

import websocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from conftest import PATIENCE


def until(what, holds):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"not in time: {what()}"
        time.sleep(0.02)


class Plain:
    """One connection with `websockets`."""

    def __init__(self, server, path):
        self.stack = contextlib.ExitStack()
        self.socket = self.stack.enter_context(connect(f"ws://{server.address}{path}", open_timeout=PATIENCE))

    def send(self, **message):
        self.socket.send(json.dumps(message))

    def next(self):
        return json.loads(self.socket.recv(timeout=PATIENCE))

    def until(self, kind):
        while (message := self.next())["type"] != kind:
            pass
        return message

    def close(self):
        self.stack.close()


class Watcher:
    """The updates that one client saw over all its connections: it comes again, from its last cursor, until it is closed."""

    def __init__(self, server, path):
        self.server, self.path = server, path
        self.seen, self.hellos, self.resumed, self.cursor = [], 0, [], None
        self.closed = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.closed.is_set():
            try:
                self.watch()
            except (OSError, ConnectionClosed, websocket.WebSocketException, TimeoutError, EOFError):
                time.sleep(0.05)

    def url(self, scheme):
        query = f"cursor={quote(self.cursor)}" if self.cursor else ""
        path = self.path + ("&" if "?" in self.path else "?") + query
        return f"{scheme}://{self.server.address}{path}"

    def take(self, text):
        message = json.loads(text)
        self.cursor = message.get("cursor") or self.cursor
        kind = message.get("type")
        if message.get("status") == "error":
            # The visualization has no greeting; the answer to a question shows that the client is in.
            self.hellos += 1
        elif kind == "resumed":
            self.resumed.append(message)
        elif kind in ("connection", "connection_established", "connected"):
            self.hellos += 1
        else:
            self.seen.append(message)

    def close(self):
        self.closed.set()
        self.end()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


class ByWebsockets(Watcher):
    """With the library `websockets`. The first messages are sent anew on each connection."""

    def __init__(self, server, path, first=()):
        self.first, self.socket = first, None
        super().__init__(server, path)

    def watch(self):
        with connect(self.url("ws"), open_timeout=10, max_size=None) as self.socket:
            for message in self.first:
                self.socket.send(json.dumps(message))
            while not self.closed.is_set():
                self.take(self.socket.recv())

    def end(self):
        if self.socket:
            self.socket.close()


class ByWebsocketClient(ByWebsockets):
    """With the library `websocket-client`."""

    def watch(self):
        self.socket = websocket.create_connection(self.url("ws"), timeout=10)
        self.socket.settimeout(None)
        for message in self.first:
            self.socket.send(json.dumps(message))
        while not self.closed.is_set():
            text = self.socket.recv()
            if not text:
                raise EOFError
            self.take(text)

    def end(self):
        if self.socket and self.socket.sock:
            self.socket.sock.shutdown(socket.SHUT_RDWR)


class ByEvents(Watcher):
    """Server-sent events; the cursor goes back as `Last-Event-ID`."""

    def __init__(self, server, path):
        self.response, self.last_id = None, None
        super().__init__(server, path)

    def watch(self):
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": self.last_id} if self.last_id else {})}
        request = urllib.request.Request(f"http://{self.server.address}{self.path}", headers=headers)
        with urllib.request.urlopen(request, timeout=PATIENCE) as self.response:
            while line := self.response.readline().decode():
                if line.startswith("id: "):
                    self.last_id = line[4:].strip()
                elif line.startswith("data: "):
                    self.take(line[6:])
                if self.closed.is_set():
                    return
        raise EOFError

    def end(self):
        # The next heartbeat or event would wake it; its socket is shut so that nothing has to come.
        response = self.response
        if response and response.fp and not response.closed:
            try:
                response.fp.raw._sock.shutdown(socket.SHUT_RDWR)
            except (AttributeError, OSError):
                pass
