"""How long visitors wait who come at a fixed rate, whatever the server is at: below, near and at what it can do.

The rates are shares of what the slowest of the servers manages under the same load without pauses, and the same for all.
`benches/load` makes it, with latencies from when a request was due.
"""

import json
import subprocess
from statistics import median

from . import compare, options, report, scenario, server
from .error import BenchError
from .figures import good_rounds, middle, quietest, rounds_on_time
from .load import Moment

SERVERS = ["ephpm", "nginx-fpm"]
LOAD = report.RESULTS.parent / "load"
TARGET = report.RESULTS.parents[1] / "target/load"
MAXIMUM_ROUNDS = 2


def add_options(command):
    options.add_scenarios(command, default="static-1k,php-hello,php-10k,php-json")
    command.add_argument("--rounds", type=options.positive, default=6, help="best an even number (default: 6)")
    command.add_argument("--seconds", type=options.positive, default=1, help="that a round lasts (default: 1)")
    command.add_argument("--concurrency", type=options.positive, default=16, help="connections (default: 16)")
    command.add_argument("--shares", type=options.positives, default=[30, 60, 90], metavar="N,N",
                         help="of the slower server's maximum, per cent (default: 30,60,90)")


def main(chosen):
    program = built()
    scenarios = scenario.load(chosen.scenarios)
    results = {}
    with server.running(chosen, scenarios, chosen.concurrency + compare.SPARE_CONNECTIONS) as servers:
        facts = {each.name: each.facts for each in servers}
        report.print_servers(facts)
        print(f"{chosen.concurrency} connections, {chosen.workers} PHP workers, {chosen.rounds} interleaved rounds of "
              f"{chosen.seconds} s; medians\n\n{HEAD}")
        for each in scenarios:
            results[each.name] = at_shares(program, servers, each, chosen)
    rounds = {f"{name} {share}": found["rounds"] for name, of in results.items() for share, found in of["shares"].items()}
    compare.print_others(rounds)
    report.save(chosen, {"servers": facts, "rates": results})
    return compare.exit_status(rounds)


def at_shares(program, servers, of, chosen):
    """One scenario at all rates: the servers' maxima, and for each share the rate with everybody's rounds."""
    patience = [MAXIMUM_ROUNDS * len(servers)]
    most = {each.name: median(maximum(program, each, of, chosen, patience) for _ in range(MAXIMUM_ROUNDS))
            for each in servers}
    found = {"maximum": most, "shares": {}}
    for share in chosen.shares:
        rate = min(most.values()) * share / 100
        rounds = {each.name: [] for each in servers}
        patience = [chosen.rounds]
        for number in range(chosen.rounds):
            report.progress(f"{of.name} at {share} %: round {number + 1} of {chosen.rounds}")
            for each in servers if number % 2 == 0 else reversed(servers):
                rounds[each.name].append(quietest(lambda: load(program, each, of, rate, chosen), patience))
        report.progress("")
        found["shares"][str(share)] = {"rate": rate, "rounds": rounds}
        print_share(of.name, share, rate, rounds)
    return found


def maximum(program, server, of, chosen, patience):
    """Requests per second without pauses."""
    found = quietest(lambda: load(program, server, of, 0, chosen), patience)
    if "problem" in found:
        raise BenchError(f"{of.name} of {server.name}: {found['problem']}")
    return found["requests_per_second"]


def load(program, server, of, rate, chosen):
    """One round: the figures that the program prints, or a `problem`."""
    problem, _ = of.problem(server)
    if problem:
        return {"problem": problem}
    command = [program, f"127.0.0.1:{server.port}", of.path, f"{rate:.3f}", str(chosen.seconds), str(chosen.concurrency)]
    before = Moment(server)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10 * chosen.seconds + 30, check=False)
    except subprocess.TimeoutExpired:
        return {"problem": "the load did not end in time"}
    if done.returncode:
        return {"problem": done.stderr.strip()}
    return json.loads(done.stdout) | before.disturbance(Moment(server))


HEAD = (f"{'scenario':<12}{'share':>6}{'requests/s':>12}  {'server':<20}{'p50 ms':>9}{'p99 ms':>9}  {'(of rounds)':<15}"
        f"{'p99.9 ms':>9}{'load late ms':>13}")


def print_share(name, share, rate, rounds):
    """A line for each server."""
    front = f"{name:<12}{share:>4} %{rate:>12,.0f}  "
    for server_name, own in rounds.items():
        if good := good_rounds(own):
            p99 = [one["p99_us"] / 1e3 for one in good]
            late = middle(good, "own_delay_p99_us")
            print(f"{front}{server_name:<20}{middle(good, 'p50_us') / 1e3:>9.2f}{median(p99):>9.2f}  "
                  f"{f'{min(p99):.2f}–{max(p99):.2f}':<15}{middle(good, 'p999_us') / 1e3:>9.2f}{late / 1e3:>13.2f}"
                  f"{late_of(own)}", flush=True)
            front = " " * len(front)
        for one in own:
            if "problem" in one:
                print(f"{front}{server_name:<20}{one['problem']}", flush=True)


def late_of(rounds):
    """In how many rounds the load was late.

    >>> late_of([{"own_delay_p99_us": 50}, {"own_delay_p99_us": 900}])
    '  ! in 1'
    """
    late = len(good_rounds(rounds)) - len(rounds_on_time(rounds))
    return f"  ! in {late}" if late else ""


def built():
    """The program that makes the load, built if it is not."""
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", str(TARGET)]
    if subprocess.run(command, cwd=LOAD, check=False).returncode:
        raise BenchError("the load could not be built")
    return TARGET / "release/ephpm-load"
