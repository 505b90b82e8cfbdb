"""Writes the newest results of all commands into docs/performance.md, between its marks, and draws its chart."""

import json
import re
from pathlib import Path

from . import chart, report, tables
from .error import BenchError

SERVERS = []
DOCS = report.RESULTS.parents[1] / "docs"
BLOCKS = {
    "compare": tables.comparison, "keepalive": tables.comparison, "lighttpd": tables.comparison,
    "http2": tables.comparison, "wordpress": tables.comparison, "rates": tables.rates, "waiting": tables.waiting,
    "loops": tables.comparison, "connections": tables.connections, "memory": tables.memory, "start": tables.start,
    "floor": tables.floor, "bare": tables.comparison, "syscalls": tables.syscalls,
}
"""What each command's results become."""
SUMMARIES = {"machine": tables.machine, "targets": tables.goals, "missed": tables.missed, "bytes": tables.response_bytes,
             "losses": tables.losses}
"""What is made of all results together."""


def add_options(command):
    command.add_argument("--results", type=Path, default=report.RESULTS, help="(default: benches/results)")
    command.add_argument("--docs", type=Path, default=DOCS, help="where performance.md is (default: docs)")


def main(chosen):
    results = newest(chosen.results)
    if not results:
        raise BenchError(f"no results in {chosen.results}: `make bench` first")
    page = chosen.docs / "performance.md"
    blocks = {name: make(results) for name, make in SUMMARIES.items()}
    blocks |= {name: make(results[name]) if name in results else "Not measured." for name, make in BLOCKS.items()}
    page.write_text(filled(page.read_text(), blocks))
    print(f"written: {report.shortened(page)}")
    if "compare" in results:
        picture = page.with_suffix(".svg")
        picture.write_text(chart.draw(results["compare"]["rounds"], results["compare"]["servers"]))
        print(f"written: {report.shortened(picture)}")
    return 0


def newest(directory):
    """{command: its newest results}, of the files that `report.save` names."""
    found = {}
    for name in BLOCKS:
        if files := sorted(directory.glob(f"{name}-????????T??????Z.json")):
            found[name] = json.loads(files[-1].read_text())
    return found


def filled(text, blocks):
    """`text` with new content in each block, of which there must be exactly those."""
    marked = re.findall(r"^<!-- (\w+) -->$", text, re.MULTILINE)
    if sorted(marked) != sorted(blocks):
        raise BenchError(f"performance.md has blocks for {sorted(marked)}, wanted: {sorted(blocks)}")
    return re.sub(r"^<!-- (\w+) -->\n.*?^<!-- /\1 -->$",
                  lambda match: f"<!-- {match[1]} -->\n{blocks[match[1]]}\n<!-- /{match[1]} -->", text,
                  flags=re.MULTILINE | re.DOTALL)
