"""CPU time per page of WordPress, on a MariaDB of its own, in interleaved rounds.

All servers serve the same directory and ask the same database, which is new for the run. What MariaDB takes stands beside
what the server takes and belongs to neither.
"""

import os
import re
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from . import compare, options, processes, report, server
from .error import BenchError
from .scenario import Scenario, matching

SERVERS = ["ephpm", "nginx-fpm"]
ROOT = report.RESULTS.parents[1]
OURS = server.HERE / "wordpress"
HOST = "example.org"
"""One for all servers, whatever their ports, since WordPress writes its address into pages."""
NGINX_SITE = f"server_name {HOST}; index index.php; location / {{ try_files $uri $uri/ /index.php?$args; }}"
"""ePHPm does so by itself."""
PATHS = {"front-page": ("/", "Bread, part 20"), "post": ("/bread-7/", "Bread, part 7")}
"""Pages with what must be in them."""
DATABASE_SECONDS_MAX = 60
CHANGING = re.compile(rb'(_wpnonce=|nonce"(?: value=|: ?)")[0-9a-f]{10}')
"""Tokens against forged requests: they follow the clock."""


BAR = 'id="wpadminbar"'
"""Who is logged in sees it."""


@dataclass
class Page(Scenario):
    """A page whose right content nobody knows beforehand: all servers must send the same."""

    marks: tuple = ()
    """What must be in it."""

    def digest(self, body):
        return super().digest(CHANGING.sub(rb"\1", body))

    def settle(self, of):
        """Takes over what the server `of` sends as right, if it is a page such as this one is meant to be."""
        status, body = of.get(self.method, self.path, self.headers)
        missing = [mark for mark in self.marks if mark.encode() not in body]
        if status != 200 or missing:
            raise BenchError(f"{self.name} of {of.name}: status {status}, {len(body)} bytes, without {missing}")
        self.sha256 = self.digest(body)


def add_options(command):
    command.add_argument("--pages", type=options.names, default=["*"], metavar="GLOB,GLOB",
                         help="front-page, post, front-page-in, post-in: -in is logged in (default: *)")
    command.add_argument("--rounds", type=options.positive, default=6, help="best an even number (default: 6)")
    command.add_argument("--seconds", type=options.positive, default=5, help="that a round lasts (default: 5)")
    command.add_argument("--concurrency", type=options.positive, default=4, help="of the load (default: 4)")


def main(chosen):
    results = {}
    with server.directory(chosen) as place, database(place) as mariadb:
        document_root, cookie = lay_out(place, chosen.binary.resolve())
        connections = chosen.concurrency + compare.SPARE_CONNECTIONS
        with server.started(chosen, place, document_root, connections, NGINX_SITE, mariadb) as servers:
            facts = {each.name: each.facts for each in servers}
            report.print_servers(facts)
            print(f"{chosen.concurrency} connections, {chosen.workers} PHP workers, {chosen.rounds} interleaved rounds "
                  f"of {chosen.seconds} s; medians\n\n{HEAD}")
            for page in pages(chosen.pages, cookie):
                page.settle(servers[0])
                results[page.name] = compare.rounds(servers, page, chosen)
                print_page(page.name, results[page.name])
    compare.print_disturbance(results)
    report.save(chosen, {"servers": facts, "rounds": results})
    return compare.exit_status(results)


def pages(patterns, cookie):
    """The pages that match, for a visitor and for the site's owner."""
    found = []
    for name, (path, mark) in PATHS.items():
        found.append(Page(name, path, "", headers={"Host": HOST}, marks=(mark,)))
        found.append(Page(f"{name}-in", path, "", headers={"Host": HOST, "Cookie": cookie}, marks=(mark, BAR)))
    return matching(found, patterns)


HEAD = (f"{'page':<15}{'server':<16}{'CPU ms/page':>12}{'ratio':>7}  {'(of rounds)':<11}{'pages/CPU s':>12}"
        f"{'MariaDB ms':>11}{'pages/s':>9}{'p50 ms':>9}{'p99 ms':>9}")


def print_page(name, found):
    """A line for each server. The ratio is as `compare` has it: CPU time of the first server to this one's."""
    first = next(iter(found.values()))
    for server_name, own in found.items():
        good, ratios = compare.good_rounds(own), compare.ratios(first, own)
        if good:
            ratio = f"{median(ratios):>7.2f}  {f'{min(ratios):.2f}–{max(ratios):.2f}':<11}" if ratios else " " * 20
            cpu = compare.middle(good, "cpu_us")
            print(f"{name:<15}{server_name:<16}{cpu / 1e3:>12.1f}{ratio}{1e6 / cpu:>12.1f}"
                  f"{compare.middle(good, 'beside_us') / 1e3:>11.1f}{compare.middle(good, 'requests_per_second'):>9.1f}"
                  f"{compare.middle(good, 'p50_us') / 1e3:>9.1f}{compare.middle(good, 'p99_us') / 1e3:>9.1f}", flush=True)
            name = ""
        name = compare.print_failures(name, "" if good else server_name, own)


@contextmanager
def database(place):
    """A MariaDB in `place` with the database of tests/wordpress/mariadb; its processes."""
    directory = place / "mariadb"
    log_file = place / "mariadb.log"
    with log_file.open("wb") as log:
        child = server.in_background([str(ROOT / "tests/wordpress/mariadb"), str(directory)], place, log)
    try:
        deadline = time.monotonic() + DATABASE_SECONDS_MAX
        while b"ready for connections" not in (text := log_file.read_bytes()):
            if child.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"MariaDB did not start:\n{text.decode(errors='replace')}")
            time.sleep(0.05)
        yield sorted(processes.tree([child.pid]))
    finally:
        child.terminate()
        try:
            child.wait(server.STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def lay_out(place, binary):
    """Installs WordPress in `place`: its document root, and the cookie of its owner."""
    site = place / "site"
    run([ROOT / "tests/wordpress/site", site], WP_DATABASE="mysql", WP_OFFLINE="1")
    files = run([ROOT / "tests/wordpress/fetch"]).strip()
    command_line = [binary, "php", f"{files}/wp-cli/wp-cli.phar", "--allow-root", f"--path={site}/public", "--quiet"]
    run([*command_line, "config", "create", "--dbname=wordpress", "--dbuser=wordpress", "--dbpass=wordpress",
         f"--dbhost=localhost:{place}/mariadb/mariadb.sock", "--skip-check", "--extra-php"],
        content="define('DISABLE_WP_CRON', true);\n")
    run([*command_line, "core", "install", f"--url=http://{HOST}", "--title=A site", "--admin_user=owner",
         "--admin_password=only for this run", f"--admin_email=owner@{HOST}", "--skip-email"])
    run([*command_line, "rewrite", "structure", "/%postname%/"])
    cookie = run([*command_line, "eval-file", OURS / "content.php"]).strip()
    document_root = site / "public"
    (document_root / "facts.php").write_bytes((server.HERE / "www/facts.php").read_bytes())
    server.make_readable(document_root)
    return document_root, cookie


def run(command, content="", **environment):
    """What a command prints; if it fails, that is why there is no result."""
    done = subprocess.run(command, input=content, capture_output=True, text=True, check=False,
                          env=os.environ | environment)
    if done.returncode:
        raise BenchError(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout
