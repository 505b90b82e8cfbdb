"""What /proc and the CPU clocks say about a tree of processes, and about everybody else on the machine."""

import os
import time
from contextlib import suppress
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
KIB = 1024


def table():
    """Every process that is alive: {pid: (parent, start time)}. A pid with its start time is unique."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path("/proc", entry, "stat").read_text(errors="replace")
        except OSError:
            continue
        # The name before it, in parentheses, may hold anything.
        fields = stat[stat.rindex(")") + 2:].split()
        if fields[0] not in "ZX":
            found[int(entry)] = (int(fields[1]), int(fields[19]))
    return found


def tree(roots):
    """The processes `roots` and all that descend from them, as {pid: start time}."""
    alive = table()
    members = {pid: alive[pid][1] for pid in roots if pid in alive}
    grown = True
    while grown:
        more = {pid: start for pid, (parent, start) in alive.items() if parent in members and pid not in members}
        members |= more
        grown = bool(more)
    return members


def threads(pids):
    """The directories /proc/PID/task/TID of all threads of `pids`."""
    found = []
    for pid in pids:
        try:
            found += Path("/proc", str(pid), "task").iterdir()
        except OSError:
            continue
    return found


def cpu_seconds(pids):
    """utime + stime of all threads that `pids` have or had, in nanoseconds' resolution instead of stat's ticks.

    This is clock_getcpuclockid(3): the clock of another process is its pid, inverted, above the three bits that say
    which clock is meant; 2 is the scheduler's sum.
    """
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


def memory_bytes(pids):
    """Sums over `pids` as {"rss": …, "pss": …}; Pss counts a page that n processes share as 1/n in each."""
    sums = {"rss": 0, "pss": 0}
    for pid in pids:
        for line in Path("/proc", str(pid), "smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.lower() in sums:
                sums[name.lower()] += int(value.split()[0]) * KIB
    return sums


def open_files(pids):
    """How many descriptors all of `pids` have open."""
    found = 0
    for pid in pids:
        with suppress(OSError):
            found += len(os.listdir(f"/proc/{pid}/fd"))
    return found


def machine_seconds():
    """CPU seconds of the whole machine since boot: (busy, stolen by the host of a virtual machine)."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq) / TICKS_PER_SECOND, steal / TICKS_PER_SECOND
