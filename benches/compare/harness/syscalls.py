"""System calls per request of a server, all its processes together, with one request at a time and with many.

One connection is open before anything is counted. Many are wrk's, whose opening and closing counts; tracing slows a server
down, so that more requests are found at once than without, which is to nobody's disadvantage.
"""

import http.client
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from . import load, meantime, options, processes, report, scenario, server
from .error import BenchError

SERVERS = ["ephpm"]
SCENARIOS = "static-1k,php-hello,php-10k,php-post-1k,php-1m-output,close-hello"
WARM_UP_REQUESTS = 50
ATTACH_SECONDS_MAX = 10


def add_options(command):
    options.add_scenarios(command, default=SCENARIOS)
    command.add_argument("--requests", type=options.positive, default=500, help="of each scenario, on one connection (default: 500)")
    command.add_argument("--concurrency", type=options.positives, default=[1, 16], metavar="N,N",
                         help="connections (default: 1,16)")
    command.add_argument("--seconds", type=options.positive, default=2, help="of the load on many (default: 2)")


def main(chosen):
    scenarios = scenario.load(chosen.scenarios)
    results = {}
    connections_max = max(chosen.concurrency) + 8
    with meantime.watched() as others, server.running(chosen, scenarios, connections_max) as servers:
        facts = {each.name: each.facts for each in servers}
        report.print_servers(facts)
        for each in servers:
            results[each.name] = {}
            for connections in chosen.concurrency:
                columns = {of.name: count(each, of, connections, chosen) for of in scenarios}
                results[each.name][str(connections)] = columns
                print_table(f"{each.name}, {connections} connections", columns)
    report.save(chosen, {"servers": facts, "calls_per_request": results, "meantime": others})
    return 0


def count(of, what, connections, chosen):
    """{system call: times per request}."""
    problem, body_bytes = what.problem(of)
    if problem:
        raise BenchError(f"{what.name} of {of.name}: {problem}")
    with tempfile.NamedTemporaryFile("r", prefix="ephpm-bench-") as summary:
        if connections == 1:
            with Client(of, what) as client:
                client.ask(WARM_UP_REQUESTS)
                with attached(of, summary.name):
                    client.ask(chosen.requests)
            requests = chosen.requests
        else:
            with attached(of, summary.name):
                counts = load.wrk(of, what, connections, chosen.seconds)
            if problem := load.flaw(counts, body_bytes, connections):
                raise BenchError(f"{what.name} of {of.name}: {problem}")
            requests = counts["requests"]
        calls = calls_of(Path(summary.name).read_text())
    return {name: times / requests for name, times in calls.items()}


def calls_of(summary):
    """How often each system call was made, of strace's table: two columns below a head and a rule; the last is the total.

    >>> calls_of("    calls syscall\\n--------- ----\\n       12 futex\\n--------- ----\\n       12 total\\n")
    {'futex': 12}
    """
    rows = [line.split() for line in summary.splitlines()]
    return {row[1]: int(row[0]) for row in rows if len(row) == 2 and row[0].isdigit() and row[1] != "total"}


class attached:
    """strace on all threads of a server while the block runs."""

    def __init__(self, of, summary):
        self.of = of
        self.command = ["setpriv", "--pdeathsig", "TERM", "--", "strace", "--follow-forks", "--summary-only",
                        "--summary-columns=calls,name", "--output", summary]

    def __enter__(self):
        pids = self.of.pids()
        command = self.command + [f"--attach={pid}" for pid in pids]
        self.strace = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + ATTACH_SECONDS_MAX
        while not all(is_traced(thread) for thread in processes.threads(pids)):
            if self.strace.poll() is not None or time.monotonic() > deadline:
                self.strace.terminate()
                raise BenchError(f"strace could not attach: {self.strace.communicate()[1].strip()}")
            time.sleep(0.02)

    def __exit__(self, *_):
        # strace lets go of everything and writes its summary.
        self.strace.send_signal(signal.SIGINT)
        self.strace.communicate(timeout=ATTACH_SECONDS_MAX)


def is_traced(thread):
    try:
        return "\nTracerPid:\t0\n" not in (thread / "status").read_text()
    except OSError:
        return True


class Client:
    """Requests one after the other on one connection, or on one each where the scenario closes it."""

    def __init__(self, of, what):
        self.what = what
        self.sent = what.sent
        self.connection = http.client.HTTPConnection("127.0.0.1", of.port, timeout=30)

    def ask(self, times):
        for _ in range(times):
            try:
                self.connection.request(self.what.method, self.what.path, self.sent, self.what.headers)
                response = self.connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException) as error:
                raise BenchError(f"{self.what.name}: no answer: {error!r}") from None
            if response.status != self.what.status:
                raise BenchError(f"{self.what.name}: status {response.status}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()


def print_table(name, columns):
    """A row for each system call, a column for each scenario."""
    print(f"\n{name}: system calls per request")
    width = max(map(len, columns)) + 2
    print(" " * 18 + "".join(f"{of:>{width}}" for of in columns))
    calls = {call for of in columns.values() for call in of}
    for call in sorted(calls, key=lambda call: -sum(of.get(call, 0) for of in columns.values())):
        values = [of.get(call, 0) for of in columns.values()]
        if max(values) >= 0.01:
            print(f"{call:<18}" + "".join(f"{value:>{width}.2f}" if value else " " * width for value in values))
    print(f"{'total':<18}" + "".join(f"{sum(of.values()):>{width}.2f}" for of in columns.values()), flush=True)
