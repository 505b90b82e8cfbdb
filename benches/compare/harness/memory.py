"""Memory per idle keep-alive connection, over HTTP/1.1 and over HTTP/2, each in a server that is new."""

import time

from . import idle, meantime, options, processes, report, scenario, server
from .error import BenchError

SERVERS = ["ephpm", "nginx-fpm"]
WARM_UP_REQUESTS = 200
SETTLE_SECONDS = 1


def add_options(command):
    command.add_argument("--connections", type=options.positive, default=10_000, help="idle at once (default: 10000)")


def main(chosen):
    idle.raise_open_files(chosen.connections + idle.SPARE_FILES)
    scenarios = scenario.load(["static-1k", "php-hello"])
    results = {}
    print(f"{'server':<16}{'protocol':<9}{'processes':>9}{'Pss MiB: before':>17}{'idle':>7}{'after':>7}"
          f"{'bytes/connection: Pss':>23}{'RSS':>9}{'alive':>9}")
    with meantime.watched() as others:
        for protocol in idle.PROTOCOLS:
            with server.running(chosen, scenarios, chosen.connections + idle.SPARE_FILES) as servers:
                facts = {each.name: each.facts for each in servers}
                for each in servers:
                    found = fill_up(each, scenarios, chosen.connections, protocol)
                    results.setdefault(each.name, {})[protocol] = found
                    print_row(each.name, protocol, found)
    report.print_servers(facts)
    report.save(chosen, {"servers": facts, "memory": results, "meantime": others})
    return 0 if all(found["alive"] == chosen.connections for of in results.values() for found in of.values()) else 1


def print_row(name, protocol, found):
    print(f"{name:<16}{protocol:<9}{found['processes']:>9}{mib(found['before']):>17.1f}{mib(found['idle']):>7.1f}"
          f"{mib(found['after']):>7.1f}{found['pss_per_connection']:>23,.0f}{found['rss_per_connection']:>9,.0f}"
          f"{found['alive']:>9,}", flush=True)


def fill_up(of, scenarios, connections, protocol):
    """Opens the connections, each with one request; then asks on each again, which shows that none was dropped."""
    static, _ = scenarios
    for each in scenarios:
        for _ in range(WARM_UP_REQUESTS):
            if problem := each.problem(of)[0]:
                raise BenchError(f"{each.name} of {of.name}: {problem}")
    before = settled(of)
    with idle.opened(of, static, connections, protocol) as clients:
        waiting = settled(of)
        alive = sum(client.ask(static) for client in clients)
    return {
        "processes": len(of.pids()),
        "before": before,
        "idle": waiting,
        "after": settled(of),
        "pss_per_connection": (waiting["pss"] - before["pss"]) / connections,
        "rss_per_connection": (waiting["rss"] - before["rss"]) / connections,
        "alive": alive,
    }


def settled(of):
    time.sleep(SETTLE_SECONDS)
    return processes.memory_bytes(of.pids())


def mib(sums):
    return sums["pss"] / 2**20
