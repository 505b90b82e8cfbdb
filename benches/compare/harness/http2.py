"""CPU time per request over HTTP/2 in clear text, one connection with some requests at a time."""

import dataclasses

from . import compare, load, options, report, scenario, server

SERVERS = ["ephpm", "nginx-fpm", "lighttpd-fpm"]


def add_options(command):
    options.add_scenarios(command, default="static-1k,php-hello")
    compare.add_rounds(command)
    command.add_argument("--streams", type=options.positives, default=[1, 32, 100], metavar="N,N",
                         help="requests at a time on each connection (default: 1,32,100)")
    command.add_argument("--concurrency", type=options.positive, default=1, help="connections (default: 1)")


def main(chosen):
    scenarios = scenario.load(chosen.scenarios)
    results = {}
    connections = chosen.concurrency + compare.SPARE_CONNECTIONS
    with server.running(chosen, scenarios, connections) as servers:
        facts = {each.name: each.facts for each in servers}
        report.print_servers(facts)
        print(f"HTTP/2 on {chosen.concurrency} connections, {chosen.workers} PHP workers, {chosen.rounds} interleaved "
              f"rounds of {chosen.seconds} s; medians\n\n{compare.HEAD}")
        for each in scenarios:
            for streams in chosen.streams:
                named = dataclasses.replace(each, name=f"{each.name} ×{streams}")
                results[named.name] = compare.rounds(servers, named, chosen, load.h2load(streams))
                compare.print_scenario(named.name, results[named.name])
    compare.print_disturbance(results)
    report.save(chosen, {"servers": facts, "rounds": results})
    return compare.exit_status(results)
