"""Memory per idle keep-alive connection."""

import resource
import socket
import time

from . import options, processes, report, scenario, server
from .error import BenchError

SERVERS = ["ephpm", "nginx-fpm"]
WARM_UP_REQUESTS = 200
# An address has some 28,000 ports to connect from, and a few may be in use.
CONNECTIONS_PER_ADDRESS = 2000
SPARE_FILES = 200
SETTLE_SECONDS = 1


def add_options(command):
    command.add_argument("--connections", type=options.positive, default=10_000, help="idle at once (default: 10000)")


def main(chosen):
    raise_open_files(chosen.connections + SPARE_FILES)
    scenarios = scenario.load(["static-1k", "php-hello"])
    results = {}
    with server.running(chosen, scenarios, chosen.connections + SPARE_FILES) as servers:
        facts = {each.name: each.facts for each in servers}
        report.print_servers(facts)
        print(f"\n{'server':<16}{'processes':>9}{'Pss MiB: before':>17}{'idle':>7}{'after':>7}"
              f"{'bytes/connection: Pss':>23}{'RSS':>9}{'alive':>9}")
        for each in servers:
            found = results[each.name] = fill_up(each, scenarios, chosen.connections)
            print(f"{each.name:<16}{found['processes']:>9}{mib(found['before']):>17.1f}{mib(found['idle']):>7.1f}"
                  f"{mib(found['after']):>7.1f}{found['pss_per_connection']:>23,.0f}{found['rss_per_connection']:>9,.0f}"
                  f"{found['alive']:>9,}", flush=True)
    report.save(chosen, {"servers": facts, "memory": results})
    return 0 if all(found["alive"] == chosen.connections for found in results.values()) else 1


def raise_open_files(wanted):
    """For us, and for the servers that inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, most)))
    except (ValueError, OSError):
        raise BenchError(f"{wanted} open files are needed, ulimit -Hn allows {most}") from None


def fill_up(of, scenarios, connections):
    """Opens the connections, each with one request; then asks on each again, which shows that none was dropped."""
    static, _ = scenarios
    for each in scenarios:
        for _ in range(WARM_UP_REQUESTS):
            if problem := each.problem(of)[0]:
                raise BenchError(f"{each.name} of {of.name}: {problem}")
    before = settled(of)
    clients = []
    try:
        for number in range(connections):
            address = f"127.0.0.{2 + number // CONNECTIONS_PER_ADDRESS}"
            try:
                clients.append(socket.create_connection(("127.0.0.1", of.port), 30, (address, 0)))
            except OSError as error:
                raise BenchError(f"{of.name}: connection {number + 1} failed: {error}") from None
            if not ask(clients[-1], static):
                raise BenchError(f"{of.name} does not answer on connection {number + 1}")
        idle = settled(of)
        alive = sum(ask(client, static) for client in clients)
    finally:
        for client in clients:
            client.close()
    return {
        "processes": len(of.pids()),
        "before": before,
        "idle": idle,
        "after": settled(of),
        "pss_per_connection": (idle["pss"] - before["pss"]) / connections,
        "rss_per_connection": (idle["rss"] - before["rss"]) / connections,
        "alive": alive,
    }


def settled(of):
    time.sleep(SETTLE_SECONDS)
    return processes.memory_bytes(of.pids())


def ask(client, what):
    """One request on an open connection; whether the whole answer came."""
    try:
        client.sendall(f"GET {what.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        received = b""
        while b"\r\n\r\n" not in received:
            piece = client.recv(65536)
            if not piece:
                return False
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        missing = what.file_bytes - len(body)
        while missing > 0:
            missing -= len(client.recv(missing)) or missing + 1
    except OSError:
        return False
    return missing == 0 and head.startswith(b"HTTP/1.1 200 ")


def mib(sums):
    return sums["pss"] / 2**20
