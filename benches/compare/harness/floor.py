"""What the server adds to PHP: a hello page beside PHP alone and beside a file, in interleaved rounds.

PHP alone is `php-sys/benches/floor.rs`: request startup, script, request shutdown, on the same libphp, without a server.
"""

import json
import re
import subprocess
from statistics import median

from . import load, options, report, scenario, server
from .error import BenchError

SERVERS = ["ephpm"]
SCENARIOS = ["static-1k", "php-hello"]
FLOOR_REQUESTS = 50_000
ROOT = report.RESULTS.parents[1]


def add_options(command):
    command.add_argument("--rounds", type=options.positive, default=6, help="(default: 6)")
    command.add_argument("--seconds", type=options.positive, default=1, help="that a round lasts (default: 1)")
    command.add_argument("--concurrency", type=options.positive, default=16, help="of the load (default: 16)")


def main(chosen):
    php_alone = built()
    static, hello = (scenario.load([name])[0] for name in SCENARIOS)
    rounds = []
    with server.running(chosen, [static, hello], chosen.concurrency + 4) as servers:
        for each in servers:
            report.print_servers({each.name: each.facts})
            for _ in range(chosen.rounds):
                rounds.append({"server": each.name, "floor": floor(php_alone)}
                              | {of.name: figure(each, of, chosen) for of in (static, hello)})
            print_rounds(each.name, [one for one in rounds if one["server"] == each.name])
        facts = {each.name: each.facts for each in servers}
    report.save(chosen, {"servers": facts, "rounds": rounds})
    return 0


def print_rounds(name, rounds):
    middle = {key: median(one[key] for one in rounds) for key in ("floor", *SCENARIOS)}
    ratios = [one["php-hello"] / (one["floor"] + one["static-1k"]) for one in rounds]
    print(f"{name}: CPU µs per request: PHP alone {middle['floor']:.1f}, static-1k {middle['static-1k']:.1f}, php-hello "
          f"{middle['php-hello']:.1f}: {median(ratios):.2f} times the sum of both ({min(ratios):.2f}–{max(ratios):.2f})")


def figure(of, what, chosen):
    found = load.measure(of, what, chosen, load.wrk)
    if "problem" in found:
        raise BenchError(f"{what.name} of {of.name}: {found['problem']}")
    return found["cpu_us"]


def built():
    """The program of the floor, built if it is not."""
    command = ["cargo", "bench", "--locked", "--no-run", "--message-format=json", "-p", "php-sys", "--bench", "floor"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    found = [message["executable"] for line in done.stdout.splitlines() if (message := json.loads(line)).get("executable")]
    if done.returncode or not found:
        raise BenchError("the floor could not be built")
    return found[-1]


def floor(program):
    """CPU microseconds of a request of PHP alone."""
    done = subprocess.run([program, str(FLOOR_REQUESTS)], capture_output=True, text=True, check=False)
    found = re.search(r"^hello, with \$_SERVER: ([\d.]+) us", done.stdout, re.MULTILINE)
    if not found:
        raise BenchError(f"the floor: {(done.stdout + done.stderr).strip()}")
    return float(found[1])
