"""How long a server takes from its start to its first answer from PHP; all files are in the page cache."""

import http.client
import time
from contextlib import suppress
from statistics import median

from . import meantime, options, report, scenario, server

SERVERS = ["ephpm", "nginx-fpm", "apache-mod-php"]
POLL_SECONDS = 0.0005
CONNECTIONS = 20


def add_options(command):
    command.add_argument("--starts", type=options.positive, default=20, help="of each server (default: 20)")


def main(chosen):
    hello = scenario.load(["php-hello"])[0]
    results = {name: [] for name in chosen.servers}
    with server.directory(chosen) as place:
        document_root = server.fill(place, [hello])
        # The first start of each fills the page cache and counts for nothing.
        with server.started(chosen, place, document_root, CONNECTIONS) as servers, meantime.watched() as others:
            facts = {each.name: each.facts for each in servers}
            report.print_servers(facts)
            for number in range(chosen.starts):
                report.progress(f"start {number + 1} of {chosen.starts}")
                for each in servers if number % 2 == 0 else reversed(servers):
                    each.stop()
                    results[each.name].append(first_answer_ms(each, hello))
            report.progress("")
    print(f"\n{'server':<16}{'ms to the first answer':>23}  (of {chosen.starts} starts)")
    for name, found in results.items():
        print(f"{name:<16}{median(found):>23.1f}  {min(found):.1f}–{max(found):.1f}")
    report.save(chosen, {"servers": facts, "start_ms": results, "meantime": others})
    return 0


def first_answer_ms(of, hello):
    """Launches `of`, asks as soon as it listens, and waits for PHP's answer: the milliseconds of all that."""
    began = time.monotonic()
    of.launch()
    status = None
    while status != hello.status:
        with suppress(OSError, http.client.HTTPException):
            status, _ = of.get(hello.method, hello.path)
            continue
        of.refuse_dead(began + server.START_SECONDS_MAX, "no answer")
        time.sleep(POLL_SECONDS)
    return (time.monotonic() - began) * 1e3
