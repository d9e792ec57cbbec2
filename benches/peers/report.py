"""Makes the tables, the pictures and the README's sentence of results.json; nothing in them is typed in.

`report.py` writes them, `report.py --check` only says whether they agree with it.
"""

import json
import re
import sys
from pathlib import Path
from statistics import median

import bounds
from picture import Line, chart
from scenarios import DECISION, ECHOED, PEERS

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RESULTS = HERE / "results.json"
BENCHMARKS = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"
IMAGES = ROOT / "docs" / "images"
BEGIN, END = "<!-- peers: begin, written by make bench-peers -->", "<!-- peers: end -->"
# A load that a server follows to so much of it is one that it takes.
FOLLOWS = 0.9
FLASK = ("flask-gevent", "flask-threading")


class Results:
    """The findings, by scenario and server."""

    def __init__(self, results):
        self.all = results
        self.peers = [peer for peer in PEERS if peer.key in results["peers"]]

    def lines(self, scenario, peer):
        return [line for line in self.all["found"] if line["scenario"] == scenario and line["peer"] == peer]

    def median(self, scenario, peer, figure):
        """The median of the rounds; `None` where there is none."""
        values = [line[figure] for line in self.lines(scenario, peer) if line.get(figure) is not None]
        return median(values) if values else None

    def better(self, scenario, peers, figure, best=max):
        """The best of these servers."""
        values = [value for peer in peers if (value := self.median(scenario, peer, figure)) is not None]
        return best(values) if values else None

    def follows(self, scenario, peer):
        """Whether a server takes what it is offered."""
        rate, observers = int(scenario.split("-")[1]), self.all["scenarios"][scenario]["observers"]
        taken = self.median(scenario, peer, "deliveries_per_second")
        return taken is not None and taken >= FOLLOWS * rate * observers

    def name(self, key):
        return next(peer.name for peer in PEERS if peer.key == key)

    def of(self, scenario):
        """The servers of this scenario."""
        return [peer for peer in self.peers if self.lines(scenario, peer.key)]

    def has(self, scenario):
        return scenario in self.all["scenarios"]

    def of_kind(self, kind):
        """The scenarios of this kind with their numbers, by number."""
        found = [key for key in self.all["scenarios"] if key.startswith(kind + "-")]
        return sorted((int(key.split("-")[1]), key) for key in found)


def number(value, digits=3):
    """A number with as many digits as say something."""
    if value is None:
        return "–"
    for unit, letter in ((1e6, " M"), (1e3, " k")):
        if abs(value) >= unit:
            return f"{value / unit:.{max(0, digits - len(str(int(value / unit))))}f}{letter}"
    return f"{value:.{max(0, digits - len(str(int(value))))}f}"


def ratio(value, other):
    return "–" if not value or not other else f"{value / other:.2f}" if value / other < 10 else f"{value / other:.0f}"


def table(head, rows, ends="--:|"):
    """A table of numbers; `ends` says how the last column stands."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 2) + ends]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def fast(found):
    sizes = found.of_kind("pipelined")
    rows = []
    for peer in found.peers:
        row = [peer.name]
        for _, key in sizes:
            value = found.median(key, peer.key, "deliveries_per_second")
            row += [number(value), ratio(found.median(key, "stoa", "deliveries_per_second"), value)]
        rows.append(row)
    head = [""] + [cell for count, _ in sizes for cell in (f"{count:,} observers", "Stoa is ×")]
    return "### As fast as it goes, 64 updates on their way\n\nDeliveries/s.\n\n" + table(head, rows)


def lockstep(found):
    key = found.of_kind("lockstep")[0][1]
    own = found.median(key, "stoa", "deliveries_per_second")
    rows = []
    for peer in found.of(key):
        of = lambda figure: found.median(key, peer.key, figure)  # noqa: B023, E731
        taken = of("deliveries_per_second")
        rows.append([peer.name, number(taken), ratio(own, taken), number(of("p50")), number(of("p99"))])
    observers = found.all["scenarios"][key]["observers"]
    title = f"### Lockstep: the next update when all {observers:,} have the last one"
    return title + "\n\n" + table(["", "deliveries/s", "Stoa is ×", "p50, ms", "p99, ms"], rows)


def everyday(found):
    key = "rate-20"
    rows = []
    for peer in found.of(key):
        of = lambda figure: found.median(key, peer.key, figure)  # noqa: B023, E731
        if found.follows(key, peer.key):
            own, cpu = found.median(key, "stoa", "cpu_us"), of("cpu_us")
            rows.append([peer.name, number(cpu), ratio(own, cpu), *(number(of(figure)) for figure in ("p50", "p99", "rss_mib"))])
        else:
            taken = found.median("pipelined-1000", peer.key, "deliveries_per_second")
            rows.append([peer.name, f"takes {number(taken)}/s", "–", "–", "–", "–"])
    head = ["", "processor time of a delivery, µs", "Stoa's / its", "p50, ms", "p99, ms", "memory, MiB"]
    return "### 20 updates/s to 1,000 observers, 20,000 deliveries/s\n\n" + table(head, rows)


def against_load(found):
    rates = found.of_kind("rate")
    rows = []
    for peer in found.peers:
        row = [peer.name]
        for _, key in rates:
            of = lambda figure: found.median(key, peer.key, figure)  # noqa: B023, E731
            row.append(f"{number(of('p50'))} / {number(of('p99'))}" if found.follows(key, peer.key) else "behind")
        rows.append(row)
    head = [""] + [f"{number(rate * 1000, 2)}" for rate, _ in rates]
    said = "p50 / p99 in ms by deliveries/s, to 1,000 observers; *behind*: the server does not follow."
    return f"### Latency against load\n\n{said}\n\n" + table(head, rows)


def idle(found):
    key = "idle-2000"
    own = found.median(key, "stoa", "bytes_per_connection")
    connects = found.median(key, "stoa", "connects_per_second")
    rows = []
    for peer in found.of(key):
        of = lambda figure: found.median(key, peer.key, figure)  # noqa: B023, E731
        memory, each = of("bytes_per_connection"), of("connects_per_second")
        kib = None if memory is None else memory / 1024
        rows.append([peer.name, number(kib), ratio(own, memory), number(each), ratio(connects, each)])
    head = ["", "memory of a connection, KiB", "Stoa's / its", "connects/s", "Stoa is ×"]
    return "### 2,000 idle connections\n\n" + table(head, rows)


def is_loads_limit(line):
    """Whether the load was at its limit, and the server not."""
    return (line.get("load_share") or 0) > 0.95 and line["server_share"] < line["load_share"] - 0.05


def faults(found):
    """A sentence on updates that were lost, doubled or out of order, on failures, and on disturbances."""
    said = []
    for peer in found.peers:
        mine = [line for line in found.all["found"] if line["peer"] == peer.key]
        for figure, words in (("lost", "lost"), ("doubled", "twice"), ("out_of_order", "out of order"), ("disconnected", "cut off")):
            count = sum(line.get(figure) or 0 for line in mine)
            if count:
                said.append(f"{peer.name}: {count:,} {words}")
        failures = {line["failed"] for line in mine if "failed" in line}
        said += [f"{peer.name}: {why}" for why in sorted(failures)]
    limits = sorted({line["scenario"] + " of " + found.name(line["peer"]) for line in found.all["found"] if is_loads_limit(line)})
    disturbed = sum(line.get("is_disturbed", False) for line in found.all["found"])
    measured = sum("is_disturbed" in line for line in found.all["found"])
    ending = f" {disturbed} of {measured} measurements were disturbed by other programs each time that they were made."
    if limits:
        ending += " The load's core was busier than the server's, and may be what was measured, in: " + ", ".join(limits) + "."
    if not said:
        return "Nothing was lost, doubled or out of order, with any server." + ending
    return "In all rounds together: " + "; ".join(said) + ". With the others nothing was lost, doubled or out of order." + ending


def commands(found):
    size = found.all["size"]
    return "\n".join(
        [
            "Stoa is the program with its default settings, with everything on and the journal in a file. All servers send"
            f" updates of {size} bytes; those of the others are padded. Each row's server is started by a script of its own in"
            " `benches/peers`, on core 0, and the load is on core 1:",
            "",
            "```sh",
            "make bench-peers                                   # all of it; PEERS=\"stoa node\" ROUNDS=1 for less",
            "benches/peers/node.sh 8001                         # one server by itself",
            f"stoa bench fanout http://127.0.0.1:8001 --observers 1000 --in-flight 64 --size {size} \\",
            f"  --event update --packet '{ECHOED}'",
            "stoa bench fanout http://127.0.0.1:8000 --observers 1000 --in-flight 64 --event decision_event \\",
            f"  --packet '{DECISION}'",
            "```",
            "",
            "`--in-flight 1` is lockstep, `--rate 20` twenty updates a second (their latency counts from when they were due), and"
            " `stoa bench connect --observers 2000` the idle connections. Centrifugo is not among them: its program is in none of"
            " the registries that the scripts install from.",
        ]
    )


def tables(results):
    """The chapter of docs/benchmarks.md."""
    found = Results(results)
    rounds = results["rounds"]
    parts = [
        f"Measured on {results['date']} on {results['machine']}; one core for the server, one for the load; "
        + (f"medians of {rounds} rounds in which all take turns." if rounds > 1 else "one round."),
        commands(found),
    ]
    parts += [make(found) for key, make in SECTIONS if found.has(key)]
    parts.append(faults(found))
    judged = bounds.judged(found)
    if judged:
        head = ["aim", "bound", "measured", ""]
        parts.append("### The aims\n\n" + table(head, judged, "---|"))
    parts.append("### The servers\n\n" + table(["", "made of"], [[p.name, results["peers"][p.key]] for p in found.peers], "---|"))
    return "\n\n".join(parts)


SECTIONS = [
    ("pipelined-1000", fast),
    ("lockstep-1000", lockstep),
    ("rate-20", everyday),
    ("rate-100", against_load),
    ("idle-2000", idle),
]


def drawn(found):
    """The servers of the pictures, with their colours; of plain socketioxide the better one."""
    plain = found.better("pipelined-1000", ("plain", "plain-single"), "deliveries_per_second")
    shown = []
    for peer in found.peers:
        if peer.key.startswith("plain") and found.median("pipelined-1000", peer.key, "deliveries_per_second") != plain:
            continue
        shown.append(peer)
    colours = {"stoa": 0, "stoa-lean": 8, "plain": 2, "plain-single": 2, "node": 3, "python-socketio": 4}
    colours |= {"flask-gevent": 5, "flask-threading": 6, "raw": 7, "raw-coalescing": 7}
    return [(peer, colours[peer.key]) for peer in shown]


def pictures(results):
    """The names of the pictures, with their text."""
    found = Results(results)
    sizes, rates = found.of_kind("pipelined"), found.of_kind("rate")
    fast_lines, late_lines = [], []
    for peer, colour in drawn(found):
        style = {"color": colour, "is_main": peer.key == "stoa", "is_bound": peer.is_bound}
        points = [(count, found.median(key, peer.key, "deliveries_per_second")) for count, key in sizes]
        fast_lines.append(Line(peer.name, [point for point in points if point[1]], **style))
        points = [(rate * 1000, found.median(key, peer.key, "p99")) for rate, key in rates if found.follows(key, peer.key)]
        late_lines.append(Line(peer.name, [point for point in points if point[1]], **style))
    note = f"One core for the server, updates of {results['size']} bytes, 64 on their way; more is better"
    late = "1,000 observers, one core for the server; less is better; a line ends where the server does not follow"
    yield "deliveries.svg", chart("Deliveries a second", note, "observers", "deliveries/s", [n for n, _ in sizes], fast_lines)
    yield "latency.svg", chart("Latency, p99", late, "deliveries/s", "ms", [n * 1000 for n, _ in rates], late_lines)


def first_page(results):
    """The README's picture, and three numbers for those who have Flask-SocketIO."""
    found = Results(results)
    size, rows = results["size"], []
    taken = found.better("pipelined-1000", FLASK, "deliveries_per_second")
    own = found.median("pipelined-1000", "stoa", "deliveries_per_second")
    rows.append(["deliveries/s, as fast as it goes", number(own), number(taken), f"{number(own / taken, 2)} times as many"])
    # The greatest load that Flask follows too.
    both = [(rate, key) for rate, key in found.of_kind("rate") if any(found.follows(key, peer) for peer in FLASK)]
    if both:
        rate, key = both[-1]
        theirs = min(found.median(key, peer, "p99") for peer in FLASK if found.follows(key, peer))
        own = found.median(key, "stoa", "p99")
        name = f"latency p99 at {rate * 1000:,} deliveries/s, ms"
        rows.append([name, number(own), number(theirs), f"{ratio(own, theirs)} of it"])
    theirs = found.better("idle-2000", FLASK, "bytes_per_connection", min)
    own = found.median("idle-2000", "stoa", "bytes_per_connection")
    if own and theirs:
        rows.append(["memory of an idle connection, KiB", number(own / 1024), number(theirs / 1024), f"{ratio(own, theirs)} of it"])
    text = table(["1,000 observers, one core", "Stoa", "Flask-SocketIO", ""], rows)
    return (
        "![Deliveries a second against observers, for Stoa and other servers](docs/images/deliveries.svg)\n\n"
        f"{text}\n\nThe better of Flask-SocketIO's two ways to run (gevent, threads), the same {size} bytes, {results['date']}: `make bench-peers` "
        "measures it on your machine, [docs/benchmarks.md](docs/benchmarks.md#stoa-beside-other-servers) has the rest."
    )


def between(path, text):
    """The file with this text between its two marks."""
    whole = path.read_text()
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if len(pattern.findall(whole)) != 1:
        raise SystemExit(f"{path.name}: the marks `{BEGIN}` and `{END}` must stand in it once")
    return pattern.sub(lambda _: f"{BEGIN}\n{text}\n{END}", whole)


def files(results):
    """All that is made of the results: the path and the text of each file."""
    yield RESULTS, dumped(results)
    chapter = "\n\n".join(
        [
            "![Deliveries a second against observers](images/deliveries.svg)",
            "![Latency against load](images/latency.svg)",
            tables(results),
        ]
    )
    yield BENCHMARKS, between(BENCHMARKS, chapter)
    yield README, between(README, first_page(results))
    for name, text in pictures(results):
        yield IMAGES / name, text


def dumped(results):
    """The results with a line for each measurement."""
    lines = ",\n".join("  " + json.dumps(line, ensure_ascii=False) for line in results["found"])
    head = json.dumps({**results, "found": []}, indent=1, ensure_ascii=False)
    return head.replace('"found": []', f'"found": [\n{lines}\n ]') + "\n"


def write(results):
    for path, text in files(results):
        path.write_text(text)
        print(f"wrote {path.relative_to(ROOT)}")


def check():
    """The files that do not agree with the results."""
    results = json.loads(RESULTS.read_text())
    return [str(path.relative_to(ROOT)) for path, text in files(results) if path.read_text() != text]


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        wrong = check()
        sys.exit(f"not made of results.json (run benches/peers/report.py): {', '.join(wrong)}" if wrong else 0)
    write(json.loads(RESULTS.read_text()))
