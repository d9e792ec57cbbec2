"""A client that keeps what it receives."""

import threading
import time

from conftest import PATIENCE, Client
from socketio import packet


class Peer:
    """The real client of python-socketio. Events are kept by namespace, in their order."""

    def __init__(self, url, namespace="/", auth=None, query="", headers=None, connect=True, transports=None, answers=None, ordered=True):
        self.client = Client(reconnection=False, ordered=ordered)
        self.namespace = namespace
        self.received = []
        self.refused = []
        self.gone = threading.Event()
        self._news = threading.Condition()
        self.client.on("*", self._receive, namespace=namespace)
        self.client.on("connect_error", self.refused.append, namespace=namespace)
        self.client.on("disconnect", lambda *_: self.gone.set(), namespace=namespace)
        for event, answer in (answers or {}).items():
            self.client.on(event, answer, namespace=namespace)
        if connect:
            self.connect(url, auth, query, headers, transports)

    def connect(self, url, auth=None, query="", headers=None, transports=None):
        where = f"{url}?{query}" if query else url
        self.client.connect(
            where, auth=auth, headers=headers or {}, namespaces=[self.namespace], transports=transports, wait_timeout=PATIENCE
        )

    @property
    def sid(self):
        return self.client.get_sid(self.namespace)

    def _receive(self, event, *args):
        with self._news:
            self.received.append((event, args))
            self._news.notify_all()

    def next(self, event):
        """The arguments of the next event of this name; those before it stay."""
        until = time.monotonic() + PATIENCE
        with self._news:
            while True:
                for at, (name, args) in enumerate(self.received):
                    if name == event:
                        del self.received[at]
                        return args[0] if len(args) == 1 else args
                left = until - time.monotonic()
                assert left > 0 and self._news.wait(left), f"no {event!r}, but {self.received}"

    def names(self, *of):
        """The names of what was received, of those given."""
        with self._news:
            return [name for name, _ in self.received if name in of]

    def call(self, event, *args):
        """An event with its acknowledgement."""
        data = args if len(args) != 1 else args[0]
        return self.client.call(event, data or None if data == () else data, namespace=self.namespace, timeout=PATIENCE)

    def emit(self, event, *args):
        self.client.emit(event, args if len(args) != 1 else args[0], namespace=self.namespace)

    def say_goodbye(self):
        """Leaves the namespace and keeps the connection, as a browser does that closes one of several sockets."""
        self.client._send_packet(packet.Packet(packet.DISCONNECT, namespace=self.namespace))

    def close(self):
        self.client.disconnect()
