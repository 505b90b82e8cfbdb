"""What a second event loop adds where files are all there is to do."""

import os
from statistics import median

from . import compare, report, scenario, server
from .figures import good_rounds, middle, ratios

SERVERS = ["ephpm", "ephpm-2-loops"]


def add_options(command):
    compare.add_options(command, scenarios="static-1k")


def main(chosen):
    scenarios = scenario.load(chosen.scenarios)
    results = {}
    with server.running(chosen, scenarios, chosen.concurrency + compare.SPARE_CONNECTIONS) as servers:
        facts = {each.name: each.facts for each in servers}
        report.print_servers(facts)
        print(f"{chosen.concurrency} connections, {chosen.rounds} interleaved rounds of {chosen.seconds} s on "
              f"{len(os.sched_getaffinity(0))} CPUs, of which the load takes about one; medians\n\n{compare.HEAD}")
        for each in scenarios:
            found = results[each.name] = compare.rounds(servers, each, chosen)
            compare.print_scenario(each.name, found)
            print_gain(found)
    compare.print_disturbance(results)
    report.save(chosen, {"servers": facts, "rounds": results})
    return compare.exit_status(results)


def print_gain(found):
    """What the last server serves beside the first, and how many CPUs each kept busy."""
    names = list(found)
    one, two = found[names[0]], found[names[-1]]
    if gains := ratios(two, one, "requests_per_second"):
        print(f"{names[-1]}: {median(gains):.2f} ({min(gains):.2f}–{max(gains):.2f}) times the requests/s of {names[0]}, "
              f"with {cpus(two):.2f} CPUs busy beside {cpus(one):.2f}")


def cpus(rounds):
    """How many CPUs a server kept busy."""
    good = good_rounds(rounds)
    return middle(good, "cpu_us") * middle(good, "requests_per_second") / 1e6
