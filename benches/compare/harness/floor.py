"""What the server adds to PHP: a hello page beside PHP alone and beside a file, in interleaved rounds.

PHP alone is `php-sys/benches/floor.rs`: request startup, the same script, request shutdown, without a server; on the same
libphp, whatever the environment says, and with the same php.ini, which PHP itself confirms.
"""

import json
import re
import subprocess
from statistics import median

from . import compare, libphp, load, options, report, scenario, server
from .error import BenchError
from .figures import beside_the_sum, good_rounds, middle, quietest

SERVERS = ["ephpm"]
SCENARIOS = ["static-1k", "php-hello"]
PHP_ALONE = "php-alone"
FLOOR_REQUESTS = 300_000
"""About a second's."""
ROOT = report.RESULTS.parents[1]


def add_options(command):
    compare.add_rounds(command)
    command.add_argument("--concurrency", type=options.positive, default=16, help="of the load (default: 16)")


def main(chosen):
    program = built(chosen.binary.resolve())
    scenarios = [scenario.load([name])[0] for name in SCENARIOS]
    results = {}
    with server.running(chosen, scenarios, chosen.concurrency + compare.SPARE_CONNECTIONS) as servers:
        facts = {each.name: each.facts for each in servers}
        report.print_servers(facts)
        for each in servers:
            refuse_unequal(program, each)
            results[each.name] = rounds(program, each, scenarios, chosen)
            print_rounds(each.name, results[each.name])
    compare.print_others(results)
    report.save(chosen, {"servers": facts, "rounds": results})
    return compare.exit_status(results)


def rounds(program, of, scenarios, chosen):
    """PHP alone, a file, a page; then the other way round."""
    found = {name: [] for name in (PHP_ALONE, *SCENARIOS)}
    patience = [chosen.rounds]
    measures = [(PHP_ALONE, lambda: alone(program, of))]
    measures += [(each.name, lambda each=each: load.measure(of, each, chosen, load.wrk)) for each in scenarios]
    for each in scenarios:
        load.wrk(of, each, chosen.concurrency, 1)
    for number in range(chosen.rounds):
        report.progress(f"{of.name}: round {number + 1} of {chosen.rounds}")
        for name, measure in measures if number % 2 == 0 else reversed(measures):
            found[name].append(quietest(measure, patience))
    report.progress("")
    return found


def alone(program, of):
    """One round of PHP alone, beside the server `of`, which does nothing meanwhile."""
    before = load.Moment(of)
    _, cpu_us = floor(program, FLOOR_REQUESTS)
    return {"requests": FLOOR_REQUESTS, "cpu_us": cpu_us} | before.disturbance(load.Moment(of))


def print_rounds(name, found):
    compared = beside_the_sum(*(found[each] for each in (PHP_ALONE, *SCENARIOS)))
    if compared:
        told = ", ".join(f"{each} {middle(good_rounds(own), 'cpu_us'):.1f}" for each, own in found.items())
        print(f"{name}: CPU µs per request: {told}: {median(compared):.2f} times the sum of the others "
              f"({min(compared):.2f}–{max(compared):.2f})")
    for each, own in found.items():
        compare.print_failures(each, "", own)


def refuse_unequal(program, of):
    """PHP alone must be the server's PHP with the server's settings."""
    php, _ = floor(program, 1)
    wanted = of.facts["php"]
    if php != wanted:
        raise BenchError(f"PHP alone is {php}, that of {of.name} {wanted}")


def built(binary):
    """The program of the floor with the libphp of the server at `binary`, built if it is not."""
    command = ["cargo", "bench", "--locked", "--no-run", "--message-format=json", "-p", "php-sys", "--bench", "floor"]
    done = subprocess.run(command, cwd=ROOT, env=libphp.environment(binary), stdout=subprocess.PIPE, text=True, check=False)
    found = [message["executable"] for line in done.stdout.splitlines() if (message := json.loads(line)).get("executable")]
    if done.returncode or not found:
        raise BenchError("the floor could not be built")
    return found[-1]


def floor(program, requests):
    """What PHP alone says of itself, and CPU microseconds of a request."""
    done = subprocess.run([program, str(requests)], env=server.ENVIRONMENT, capture_output=True, text=True, check=False)
    found = re.fullmatch(r"(\{.*\})\n([\d.]+) us of CPU per request\n", done.stdout)
    if not found:
        raise BenchError(f"the floor: {(done.stdout + done.stderr).strip()}")
    return json.loads(found[1]), float(found[2])
