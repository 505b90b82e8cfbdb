"""The load: wrk on a scenario for whole seconds, and what the server's processes paid for it."""

import json
import os
import resource
import subprocess
import time
from pathlib import Path

from . import processes
from .error import BenchError

SCRIPT = Path(__file__).resolve().parent.parent / "load.lua"


def measure(server, scenario, chosen):
    """One round of one server. The result has a `problem`, or else the figures."""
    problem, body_bytes = scenario.problem(server)
    if problem:
        return {"problem": problem}

    try:
        before = Moment(server)
        counts = wrk(server, scenario, chosen.concurrency, chosen.seconds)
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
    others = after.busy - before.busy - server_cpu - beside_cpu - (after.load_cpu - before.load_cpu)
    machine = (after.time - before.time) * os.cpu_count()
    return {
        "requests": counts["requests"],
        "cpu_us": server_cpu * 1e6 / counts["requests"],
        "beside_us": beside_cpu * 1e6 / counts["requests"],
        "requests_per_second": counts["requests"] * 1e6 / counts["micros"],
        "p50_us": counts["p50_us"],
        "p99_us": counts["p99_us"],
        "others_share": max(0.0, others / machine),
        "steal_share": (after.steal - before.steal) / machine,
    }


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


def wrk(server, scenario, connections, seconds):
    """Runs wrk; its counts as load.lua prints them."""
    # One thread keeps any of these servers busy on a small machine; a quarter of a large one goes to the load.
    threads = min(connections, max(1, len(os.sched_getaffinity(0)) // 4))
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT)]
    for name, value in scenario.headers.items():
        command += ["-H", f"{name}: {value}"]
    command += [server.url(scenario.path), "--", scenario.method]
    if scenario.content:
        command.append(str(scenario.content_file))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    except FileNotFoundError:
        raise BenchError("wrk is not there; benches/README.md says where from") from None
    except subprocess.TimeoutExpired:
        raise BenchError(f"wrk did not end in time on {scenario.name} of {server.name}") from None
    last_line = done.stdout.strip().rpartition("\n")[2]
    if not last_line.startswith("{"):
        raise BenchError(f"wrk on {scenario.name} of {server.name}: {(done.stdout + done.stderr).strip()}")
    return json.loads(last_line)


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
