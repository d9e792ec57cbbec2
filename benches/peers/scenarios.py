"""The servers that are measured, and what is measured of them."""

from dataclasses import dataclass, field

# The packet of Stoa's producer: a small decision, which is never coalesced with another.
DECISION = '["publish",{"type":"decision.made","data":{"decision":"Use PostgreSQL","seq":{seq}}}]'
# The packet of the others' producer; they send it on, with padding that makes it as long as Stoa's update.
ECHOED = '["publish",{"seq":{seq},"pad":"{pad}"}]'


@dataclass(frozen=True)
class Peer:
    """A server: the script `key.sh` starts it."""

    key: str
    name: str
    script: str = ""
    # Options of the load.
    load: tuple = ("--packet", ECHOED, "--event", "update")
    # Whether its updates are padded to the size of Stoa's.
    is_padded: bool = True
    # A bound, which is no server that one would run.
    is_bound: bool = False


STOA = ("--packet", DECISION, "--event", "decision_event")
PEERS = [
    Peer("stoa", "Stoa", load=STOA, is_padded=False),
    Peer(
        "stoa-lean",
        "Stoa, lean updates",
        script="stoa",
        load=(*STOA, "--auth", '{"shape":"lean"}'),
        is_padded=False,
    ),
    Peer("plain", "socketioxide"),
    Peer("plain-single", "socketioxide, one thread"),
    Peer("node", "Socket.IO on Node.js"),
    Peer("python-socketio", "python-socketio on uvicorn"),
    Peer("flask-gevent", "Flask-SocketIO, gevent"),
    Peer("flask-threading", "Flask-SocketIO, threads"),
    Peer("raw", "raw bound, a write for each", is_bound=True),
    Peer("raw-coalescing", "raw bound, coalescing", is_bound=True),
]


@dataclass(frozen=True)
class Scenario:
    """A measurement of each server."""

    key: str
    observers: int
    seconds: int
    options: tuple = ()
    command: str = "fanout"
    warmup: int = 1
    # Deliveries a second that are asked for, where the load doesn't wait for the server.
    offered: int = 0
    # Servers that are left out.
    without: frozenset = field(default_factory=frozenset)


def pipelined(observers, seconds, without=frozenset()):
    return Scenario(f"pipelined-{observers}", observers, seconds, ("--in-flight", "64"), without=without)


def at_rate(rate, seconds, observers=1000):
    return Scenario(f"rate-{rate}", observers, seconds, ("--rate", str(rate)), offered=rate * observers)


# 192,000 deliveries on their way take these longer than all others together.
TOO_SLOW = frozenset({"python-socketio", "flask-threading"})
# Lean updates make no other connections.
IDLE = Scenario("idle-2000", 2000, 1, command="connect", without=frozenset({"stoa-lean"}))
# The one whose result says what a server can take at all comes first.
FULL = [
    pipelined(1000, 2),
    pipelined(100, 2),
    pipelined(10, 2),
    pipelined(3000, 2, TOO_SLOW),
    Scenario("lockstep-1000", 1000, 2, ("--in-flight", "1")),
    at_rate(20, 3),
    at_rate(5, 2),
    at_rate(50, 2),
    at_rate(100, 2),
    IDLE,
]
QUICK = [
    pipelined(1000, 1),
    pipelined(100, 1),
    Scenario("lockstep-1000", 1000, 1, ("--in-flight", "1")),
    at_rate(20, 1),
    IDLE,
]
