"""What the kernel alone costs: files beside an epoll loop that sends the same bytes without looking at the request.

The ratio is the loop's CPU time to a server's: within a per cent or two what one can reach beside it that answers with these
system calls, edge-triggered.
"""

import subprocess

from . import compare, options, report, scenario, server
from .error import BenchError

SERVERS = ["ephpm", "nginx-fpm"]
BARE = "bare"
SOURCE = server.HERE / "bare.c"
PROGRAM = report.RESULTS.parents[1] / "target/bare"
FLAGS = ["-O2", "-Wall", "-Wextra", "-Werror"]


def add_options(command):
    options.add_scenarios(command, default="static-1k,static-304")
    compare.add_rounds(command)
    command.add_argument("--concurrency", type=options.positive, default=16, help="of the load (default: 16)")


def main(chosen):
    build()
    scenarios = scenario.load(chosen.scenarios)
    results = {}
    with server.directory(chosen) as place:
        document_root = server.fill(place, scenarios)
        connections = chosen.concurrency + compare.SPARE_CONNECTIONS
        with server.started(chosen, place, document_root, connections) as servers:
            facts = {BARE: {"version": "an epoll loop", "php": None}} | {each.name: each.facts for each in servers}
            report.print_servers(facts)
            print(f"{chosen.concurrency} connections, {chosen.rounds} interleaved rounds of {chosen.seconds} s; medians\n\n"
                  f"{compare.HEAD}")
            for each in scenarios:
                results[each.name] = beside_the_loop(place, servers, each, chosen)
                compare.print_scenario(each.name, results[each.name])
    compare.print_disturbance(results)
    report.save(chosen, {"servers": facts, "rounds": results})
    return compare.exit_status(results)


def beside_the_loop(place, servers, of, chosen):
    """The rounds of one scenario, with a loop that has what the first server answers."""
    response = place / f"{of.name}.response"
    response.write_bytes(servers[0].response(of))
    loop = server.Server(BARE, place / f"{BARE}-{of.name}", {"bare": PROGRAM, "response": response})
    try:
        loop.start()
        return compare.rounds([loop, *servers], of, chosen)
    finally:
        loop.stop()


def build(program=PROGRAM):
    """The loop; a second's work."""
    program.parent.mkdir(exist_ok=True)
    done = subprocess.run(["cc", *FLAGS, "-o", program, SOURCE], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{SOURCE.name} does not compile:\n{done.stderr.rstrip()}")
