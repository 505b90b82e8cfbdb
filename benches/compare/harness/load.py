"""The load: wrk or h2load on a scenario for whole seconds, and what the server's processes paid for it."""

import json
import os
import re
import resource
import subprocess
import tempfile
import time
from pathlib import Path

from . import processes
from .error import BenchError
from .figures import percentile

SCRIPT = Path(__file__).resolve().parent.parent / "load.lua"


def measure(server, scenario, chosen, generator):
    """One round of one server. The result has a `problem`, or else the figures."""
    problem, body_bytes = scenario.problem(server)
    if problem:
        return {"problem": problem}

    try:
        before = Moment(server)
        counts = generator(server, scenario, chosen.concurrency, chosen.seconds)
        after = Moment(server)
    except OSError:
        return {"problem": "a process of the server ended"}

    problem = flaw(counts, body_bytes, chosen.concurrency) or scenario.problem(server)[0]
    if before.pids != after.pids:
        problem = "a process of the server came or went"
    if problem:
        return {"problem": problem}
    server_cpu = after.server_cpu - before.server_cpu
    beside_cpu = after.beside_cpu - before.beside_cpu
    return {
        "requests": counts["requests"],
        "cpu_us": server_cpu * 1e6 / counts["requests"],
        "beside_us": beside_cpu * 1e6 / counts["requests"],
        "requests_per_second": counts["requests"] * 1e6 / counts["micros"],
        "p50_us": counts["p50_us"],
        "p99_us": counts["p99_us"],
    } | before.disturbance(after)


class Moment:
    """All counters at one time."""

    def __init__(self, server):
        self.pids = server.pids()
        self.server_cpu = processes.cpu_seconds(self.pids)
        self.beside_cpu = processes.cpu_seconds(server.beside)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.load_cpu = children.ru_utime + children.ru_stime
        self.busy, self.steal = processes.machine_seconds()
        self.time = time.monotonic()

    def disturbance(self, later):
        """What part of the machine others used, and had stolen, from this moment to a later one."""
        ours = sum(getattr(later, part) - getattr(self, part) for part in ("server_cpu", "beside_cpu", "load_cpu"))
        machine = (later.time - self.time) * os.cpu_count()
        return {"others_share": max(0.0, (later.busy - self.busy - ours) / machine),
                "steal_share": (later.steal - self.steal) / machine}


def wrk(server, scenario, connections, seconds):
    """HTTP/1.1, a request at a time on each connection; the counts as load.lua prints them."""
    # One thread keeps any of these servers busy on a small machine; a quarter of a large one goes to the load.
    threads = min(connections, max(1, len(os.sched_getaffinity(0)) // 4))
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT)]
    for name, value in scenario.headers.items():
        command += ["-H", f"{name}: {value}"]
    command += [server.url(scenario.path), "--", scenario.method]
    with tempfile.NamedTemporaryFile(prefix="ephpm-bench-") as content:
        if sent := scenario.sent:
            content.write(sent)
            content.flush()
            command.append(content.name)
        output = printed(command, seconds, f"{scenario.name} of {server.name}")
    last_line = output.strip().rpartition("\n")[2]
    if not last_line.startswith("{"):
        raise BenchError(f"wrk on {scenario.name} of {server.name}: {output.strip()}")
    return json.loads(last_line)


def h2load(streams):
    """A generator as `wrk` is one, of HTTP/2 in clear text with so many requests at a time on each connection."""
    def run(server, scenario, connections, seconds):
        with tempfile.NamedTemporaryFile("r", prefix="ephpm-bench-") as log:
            command = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{seconds}", f"--log-file={log.name}",
                       server.url(scenario.path, server.h2_port)]
            output = printed(command, seconds, f"{scenario.name} of {server.name}")
            return h2load_counts(output, log, seconds)
    return run


def h2load_counts(output, log, seconds):
    """What h2load prints, in the words of load.lua; `log` has a line for each request, its microseconds in the third column."""
    requests = re.search(r"^requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output,
                         re.MULTILINE)
    codes = re.search(r"^status codes: .* (\d+) 4xx, (\d+) 5xx$", output, re.MULTILINE)
    content = re.search(r"^traffic: .* \((\d+)\) data", output, re.MULTILINE)
    if not (requests and codes and content):
        raise BenchError(f"h2load: {output.strip()}")
    succeeded, failed, errored, timeout = map(int, requests.groups())
    micros = sorted(int(line.split("\t")[2]) for line in log)
    return {
        "requests": succeeded,
        "micros": seconds * 1e6,
        "bytes": int(content[1]),
        "p50_us": percentile(micros, 50),
        "p99_us": percentile(micros, 99),
        "errors": {"failed": failed, "errored": errored, "timeout": timeout, "status": sum(map(int, codes.groups()))},
    }


def printed(command, seconds, what):
    """What a generator of load prints in so many seconds."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    except FileNotFoundError:
        raise BenchError(f"{command[0]} is not there; benches/README.md says where from") from None
    except subprocess.TimeoutExpired:
        raise BenchError(f"{command[0]} did not end in time on {what}") from None
    return done.stdout + done.stderr


def flaw(counts, body_bytes, connections):
    """What wrk's counts say is wrong with a round, or None."""
    errors = {kind: number for kind, number in counts["errors"].items() if number}
    if errors:
        return f"errors: {errors}"
    if not counts["requests"]:
        return "no request was completed"
    # wrk does not look into bodies, but it counts bytes: each request brings one body and a head (or, in 64 KiB pieces
    # or smaller ones, the framing of chunks), and at the end each connection may be in the midst of one more.
    least = counts["requests"] * body_bytes
    most = (counts["requests"] + connections) * (body_bytes * 1.02 + 1024)
    if not least <= counts["bytes"] <= most:
        return f"{counts['bytes']} bytes came for {counts['requests']} bodies of {body_bytes} bytes"
    return None
