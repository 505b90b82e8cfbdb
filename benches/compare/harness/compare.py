"""CPU time per request of several servers, in interleaved rounds."""

import http.client
import sys
import time
from statistics import median

from . import chart, load, options, report, scenario, server
from .figures import OTHERS_SHARE_MAX, good_rounds, middle, quietest, ratios

SERVERS = ["ephpm", "nginx-fpm", "apache-mod-php"]
# Connections beside the load's: our own checks, and one that is still closing.
SPARE_CONNECTIONS = 4


def add_options(command, scenarios="*", concurrency=16):
    options.add_scenarios(command, default=scenarios)
    add_rounds(command)
    command.add_argument("--concurrency", type=options.positive, default=concurrency,
                         help=f"of the load (default: {concurrency})")


def add_rounds(command):
    command.add_argument("--rounds", type=options.positive, default=6, help="best an even number (default: 6)")
    command.add_argument("--seconds", type=options.positive, default=1, help="that a round lasts (default: 1)")


def main(chosen):
    began = time.monotonic()
    scenarios = scenario.load(chosen.scenarios)
    results, bytes_each = {}, {}
    with server.running(chosen, scenarios, chosen.concurrency + SPARE_CONNECTIONS) as servers:
        facts = {each.name: each.facts for each in servers}
        report.print_servers(facts)
        print(f"{chosen.concurrency} connections, {chosen.workers} PHP workers, {chosen.rounds} interleaved rounds "
              f"of {chosen.seconds} s; medians\n")
        print(HEAD)
        for each in scenarios:
            results[each.name] = rounds(servers, each, chosen)
            bytes_each[each.name] = {one.name: response_bytes(one, each) for one in servers}
            print_scenario(each.name, results[each.name])
    print_disturbance(results)
    file = report.save(chosen, {"servers": facts, "rounds": results, "response_bytes": bytes_each})
    picture = file.with_suffix(".svg")
    picture.write_text(chart.draw(results, facts))
    print(f"as a picture: {report.shortened(picture)}")
    print(f"{time.monotonic() - began:.0f} s")
    return exit_status(results)


def response_bytes(of, what):
    """How many bytes a server's whole answer has on its connection, or None if there is none."""
    try:
        return len(of.response(what))
    except (OSError, http.client.HTTPException):
        return None


def exit_status(results):
    """1 if a round has failed, which is said."""
    problems = [one["problem"] for of in results.values() for each in of.values() for one in each if "problem" in one]
    if problems:
        print(f"{len(problems)} rounds failed and count for nothing", file=sys.stderr)
    return 1 if problems else 0


def rounds(servers, of, chosen, generator=load.wrk):
    """The rounds of one scenario: A B C, C B A, … so that what changes slowly hits all alike. As many as there are may be
    repeated for others who disturb them."""
    found = {each.name: [] for each in servers}
    patience = [chosen.rounds]
    for each in servers:
        each.refuse_too_many(chosen.concurrency)
        if of.problem(each)[0] is None:
            generator(each, of, chosen.concurrency, 1)
    for number in range(chosen.rounds):
        report.progress(f"{of.name}: round {number + 1} of {chosen.rounds}")
        for each in servers if number % 2 == 0 else reversed(servers):
            found[each.name].append(quietest(lambda: load.measure(each, of, chosen, generator), patience))
    report.progress("")
    return found


HEAD = (f"{'scenario':<15}{'server':<20}{'CPU µs/request':>14}{'ratio':>8}  {'(of rounds)':<13}"
        f"{'requests/s':>11}{'p99 ms':>9}")


def print_scenario(name, found):
    """A line for each server. The ratio is the first server's CPU time to this one's, round by round."""
    first = next(iter(found.values()))
    for server_name, own in found.items():
        good, compared = good_rounds(own), ratios(first, own)
        if good:
            ratio = f"{median(compared):>8.2f}  {f'{min(compared):.2f}–{max(compared):.2f}':<13}" if compared else " " * 23
            print(f"{name:<15}{server_name:<20}{middle(good, 'cpu_us'):>14.1f}{ratio}"
                  f"{middle(good, 'requests_per_second'):>11,.0f}{middle(good, 'p99_us') / 1000:>9.2f}", flush=True)
            name = ""
        name = print_failures(name, "" if good else server_name, own)


def print_failures(name, server_name, own):
    """A line on the rounds that failed, if any. Returns what still is to be printed of `name`: nothing, then."""
    problems = [one["problem"] for one in own if "problem" in one]
    if not problems:
        return name
    print(f"{name:<15}{server_name:<20}{len(problems)} of {len(own)} rounds failed: {problems[0]}", flush=True)
    return ""


def print_disturbance(results):
    """What the ratios mean, and whether they do."""
    print("\nratio: CPU time of the first server to this one's; below 1 the first is better.")
    print_others(results)


def print_others(results):
    """How much of the machine others used in the good rounds."""
    good = [one for of in results.values() for each in of.values() for one in good_rounds(each)]
    if not good:
        return
    others = [one["others_share"] for one in good]
    steal = max(one["steal_share"] for one in good)
    repeats = sum(one.get("repeats", 0) for one in good)
    print(f"Others used {median(others):.0%} of this machine meanwhile (at most {max(others):.0%}; stolen at most "
          f"{steal:.0%}). Rounds repeated for that: {repeats}.")
    if median(others) > OTHERS_SHARE_MAX:
        print("That is too much to trust these figures: repeat it on a quiet machine.")
