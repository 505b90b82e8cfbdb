"""What thousands of idle connections cost the requests on others: CPU time per request without and with them, by turns."""

from statistics import median

from . import compare, idle, load, options, report, scenario, server
from .figures import good_rounds, middle, quietest, ratios

SERVERS = ["ephpm", "nginx-fpm"]


def add_options(command):
    options.add_scenarios(command, default="static-1k,php-hello")
    compare.add_rounds(command)
    command.add_argument("--connections", type=options.positive, default=10_000, help="idle at once (default: 10000)")
    command.add_argument("--concurrency", type=options.positive, default=16, help="of the load (default: 16)")


def main(chosen):
    connections = chosen.connections + chosen.concurrency + idle.SPARE_FILES
    idle.raise_open_files(connections)
    scenarios = scenario.load(chosen.scenarios)
    file = scenario.load(["static-1k"])[0]
    results = {}
    with server.running(chosen, [*scenarios, file], connections) as servers:
        facts = {each.name: each.facts for each in servers}
        report.print_servers(facts)
        print(f"{chosen.concurrency} connections at work, {chosen.rounds} rounds of {chosen.seconds} s; medians\n\n{HEAD}")
        for each in servers:
            results[each.name] = by_turns(each, scenarios, file, chosen)
            for name, found in results[each.name].items():
                print_row(each.name, name, found)
    rounds = {f"{server_name} {name}": found for server_name, of in results.items() for name, found in of.items()}
    compare.print_others(rounds)
    report.save(chosen, {"servers": facts, "connections": results})
    return compare.exit_status(rounds)


def by_turns(of, scenarios, file, chosen):
    """{scenario: {"few": rounds, "many": rounds}} of one server: few many, many few, … so that neither is always first."""
    found = {each.name: {"few": [], "many": []} for each in scenarios}
    patience = [chosen.rounds]

    def measure(connections):
        for each in scenarios:
            one = quietest(lambda: load.measure(of, each, chosen, load.wrk), patience)
            found[each.name][connections].append(one)

    for each in scenarios:
        load.wrk(of, each, chosen.concurrency, 1)
    for number in range(chosen.rounds):
        report.progress(f"{of.name}: round {number + 1} of {chosen.rounds}")
        if number % 2 == 0:
            measure("few")
        with idle.opened(of, file, chosen.connections):
            measure("many")
        if number % 2 == 1:
            measure("few")
    report.progress("")
    return found


HEAD = (f"{'server':<16}{'scenario':<12}{'CPU µs/request:':>16}{'alone':>8}{'beside idle ones':>18}{'ratio':>8}"
        "  (of rounds)")


def print_row(server_name, name, found):
    few, many = good_rounds(found["few"]), good_rounds(found["many"])
    compared = ratios(found["many"], found["few"])
    if compared:
        print(f"{server_name:<16}{name:<12}{middle(few, 'cpu_us'):>24.1f}{middle(many, 'cpu_us'):>18.1f}"
              f"{median(compared):>8.2f}  {min(compared):.2f}–{max(compared):.2f}", flush=True)
    for each in found.values():
        compare.print_failures(server_name, name, each)
