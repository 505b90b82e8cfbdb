"""Slow clients: what everybody else notices of a thousand of them.

A steady load at a fixed rate runs alone first, then beside each attack. Its percentiles, the server's memory and its open
files are to stay where they were; what the attackers get is their affair.
"""

import re
import subprocess
import tempfile
import time
from contextlib import contextmanager

from . import idle, options, processes, report, scenario, server
from .error import BenchError
from .figures import percentile

SERVERS = ["ephpm", "nginx-fpm"]
# slowhttptest's options for each attack; -l, -c, -r and -u are added.
ATTACKS = {
    "slow heads": ["-H", "-i", "2", "-x", "24"],
    "slow content": ["-B", "-i", "2", "-s", "8192", "-x", "10"],
    "slow reading": ["-X", "-w", "512", "-y", "1024", "-n", "2", "-z", "32", "-k", "3"],
    "slow, of PHP": ["-X", "-w", "512", "-y", "1024", "-n", "2", "-z", "32"],
}
TARGETS = {
    "slow heads": "static-1k",
    "slow content": "php-post-1k",
    "slow reading": "static-100k",
    "slow, of PHP": "php-1m-output",
}
CLIENTS = 8
IDLE_CONNECTIONS = 10_000


def add_options(command):
    command.add_argument("--seconds", type=options.positive, default=20, help="of each phase (default: 20)")
    command.add_argument("--attackers", type=options.positive, default=1000, help="slow connections (default: 1000)")
    command.add_argument("--rate", type=options.positive, default=400, help="requests a second of the load (default: 400)")
    command.add_argument("--scenario", default="php-hello", help="what the load asks for (default: php-hello)")


def main(chosen):
    idle.raise_open_files(IDLE_CONNECTIONS + chosen.attackers + idle.SPARE_FILES)
    normal, *targets = (scenario.load([name])[0] for name in (chosen.scenario, *TARGETS.values()))
    targets = dict(zip(TARGETS, targets, strict=True))
    results = {}
    connections = IDLE_CONNECTIONS + chosen.attackers + idle.SPARE_FILES
    with server.running(chosen, [normal, *targets.values()], connections) as servers:
        facts = {each.name: each.facts for each in servers}
        report.print_servers(facts)
        print(f"\n{'server':<12}{'beside the load':<18}{'requests':>9}{'failed':>7}{'p50 ms':>8}{'p99 ms':>8}"
              f"{'Pss MiB':>9}{'files':>7}{'CPU s':>7}")
        for each in servers:
            results[each.name] = list(phases(each, normal, targets, chosen))
    report.save(chosen, {"servers": facts, "slow": results})
    return 1 if any(phase["failed"] for found in results.values() for phase in found) else 0


def phases(of, normal, targets, chosen):
    """One after another: alone, beside each attack, beside idle connections, and alone again."""
    yield phase(of, "nothing", normal, chosen)
    for name, arguments in ATTACKS.items():
        with attack(of, targets[name], arguments, chosen):
            yield phase(of, name, normal, chosen)
        idle.wait_until_closed(of)
    with idle.opened(of, targets["slow heads"], IDLE_CONNECTIONS):
        yield phase(of, "10,000 idle", normal, chosen)
    yield phase(of, "nothing, again", normal, chosen)


def phase(of, name, normal, chosen):
    """The load for some seconds; prints and returns what it and the server showed."""
    cpu = processes.cpu_seconds(of.pids())
    requests, failed, micros = load(of, normal, chosen)
    found = {
        "phase": name,
        "requests": requests,
        "failed": failed,
        "p50_us": percentile(micros, 50),
        "p99_us": percentile(micros, 99),
        "pss": processes.memory_bytes(of.pids())["pss"],
        "files": processes.open_files(of.pids()),
        "cpu_seconds": processes.cpu_seconds(of.pids()) - cpu,
    }
    print(f"{of.name:<12}{name:<18}{requests:>9}{failed:>7}{found['p50_us'] / 1e3:>8.2f}{found['p99_us'] / 1e3:>8.2f}"
          f"{found['pss'] / 2**20:>9.1f}{found['files']:>7}{found['cpu_seconds']:>7.2f}", flush=True)
    return found


def load(of, normal, chosen):
    """Asks at a fixed rate: (requests, failures, microseconds of each)."""
    with tempfile.NamedTemporaryFile("r", prefix="ephpm-bench-") as log:
        command = ["h2load", "--h1", "-t1", f"-c{CLIENTS}", f"--rps={chosen.rate // CLIENTS}",
                   f"-n{chosen.rate * chosen.seconds}", f"--log-file={log.name}", of.url(normal.path)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=4 * chosen.seconds + 30, check=False)
        except FileNotFoundError:
            raise BenchError("h2load is not there; benches/README.md says where from") from None
        except subprocess.TimeoutExpired:
            raise BenchError(f"the load of {of.name} did not end in time") from None
        counts = re.search(r"requests: (\d+) total, .* (\d+) succeeded,", done.stdout)
        if not counts:
            raise BenchError(f"h2load on {of.name}: {(done.stdout + done.stderr).strip()}")
        total, succeeded = map(int, counts.groups())
        micros = sorted(int(line.split("\t")[2]) for line in log)
    return total, total - succeeded, micros


@contextmanager
def attack(of, target, arguments, chosen):
    """slowhttptest at work, once most of its connections are there."""
    command = ["slowhttptest", *arguments, "-c", str(chosen.attackers), "-r", str(chosen.attackers // 2),
               "-l", str(10 * chosen.seconds), "-p", "10", "-u", of.url(target.path)]
    try:
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        raise BenchError("slowhttptest is not there; benches/README.md says where from") from None
    try:
        # So long it takes to connect; from then on it keeps its connections open, or opens new ones.
        time.sleep(3)
        yield
    finally:
        running.kill()
        running.wait()
