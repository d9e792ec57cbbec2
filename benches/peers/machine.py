"""The machine: what it is, and what else it does while something is measured."""

import os
import platform
from dataclasses import dataclass

TICKS = os.sysconf("SC_CLK_TCK")


def kind():
    """The machine by its kind, in one line."""
    model = "an unnamed processor"
    memory = 0
    with open("/proc/cpuinfo") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = " ".join(line.split(":", 1)[1].split())
                break
    with open("/proc/meminfo") as lines:
        memory = round(int(lines.readline().split()[1]) / 1024**2)
    is_virtual = "hypervisor" in open("/proc/cpuinfo").read()
    kernel = ".".join(platform.release().split(".")[:2])
    virtual = " of a virtual machine" if is_virtual else ""
    return f"{os.cpu_count()} cores{virtual} ({model}), {memory} GiB, Linux {kernel.split('-')[0]}"


@dataclass
class Moment:
    """Processor time of the whole machine so far, in seconds: of programs, and what the host gave to others."""

    busy: float
    stolen: float

    @classmethod
    def now(cls):
        with open("/proc/stat") as lines:
            user, nice, system, _idle, _wait, _irq, _softirq, stolen = map(int, lines.readline().split()[1:9])
        return cls((user + nice + system) / TICKS, stolen / TICKS)


def cpu_seconds(pid):
    """Processor time of a process and its children so far."""
    return sum(_stat(member)[1] for member in _family(pid))


def _stat(pid):
    """The parent of a process, and its processor time."""
    try:
        with open(f"/proc/{pid}/stat") as line:
            fields = line.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0, 0.0
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS


def _family(pid):
    parents = {int(name): _stat(int(name))[0] for name in os.listdir("/proc") if name.isdigit()}
    family, rest = [], [pid]
    while rest:
        member = rest.pop()
        family.append(member)
        rest.extend(child for child, parent in parents.items() if parent == member)
    return family
