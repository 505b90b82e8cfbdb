"""Whether all PHP threads are at work while scripts wait: requests per second beside what that many could wait for."""

from . import compare, load, options, report, scenario, server
from .figures import good_rounds, middle, per_second_expected

SERVERS = ["ephpm", "nginx-fpm"]
SCENARIO = "php-sleep20ms"
SCRIPT_SECONDS = 0.02
"""That the scenario's script sleeps."""


def add_options(command):
    command.add_argument("--rounds", type=options.positive, default=6, help="best an even number (default: 6)")
    # Whatever is under way at the end counts for nothing, so short rounds would show too few.
    command.add_argument("--seconds", type=options.positive, default=5, help="that a round lasts (default: 5)")
    command.add_argument("--concurrency", type=options.positive, default=16, help="of the load (default: 16)")


def main(chosen):
    sleep = scenario.load([SCENARIO])[0]
    expected = per_second_expected(chosen.workers, SCRIPT_SECONDS)
    with server.running(chosen, [sleep], chosen.concurrency + compare.SPARE_CONNECTIONS) as servers:
        facts = {each.name: each.facts for each in servers}
        report.print_servers(facts)
        print(f"{chosen.workers} PHP workers, {SCRIPT_SECONDS * 1e3:.0f} ms each: {expected:.0f} requests/s at most\n")
        print(f"{'server':<16}{'requests/s':>11}{'of the most':>13}{'p99 ms':>9}")
        found = compare.rounds(servers, sleep, chosen, load.wrk)
    for name, own in found.items():
        if good := good_rounds(own):
            served = middle(good, "requests_per_second")
            print(f"{name:<16}{served:>11.1f}{served / expected:>13.1%}{middle(good, 'p99_us') / 1e3:>9.1f}")
        compare.print_failures(name, "", own)
    report.save(chosen, {"servers": facts, "expected_per_second": expected, "rounds": {sleep.name: found}})
    return compare.exit_status({sleep.name: found})
