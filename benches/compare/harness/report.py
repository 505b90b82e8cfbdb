"""What all commands print and keep."""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[2] / "results"


def print_servers(facts):
    for name, of in facts.items():
        print(described(name, of))


def described(name, of):
    """What a server is, in a line.

    >>> php = {"version": "8.4.1", "zts": True, "extensions": 3}
    >>> described("ephpm", {"version": "ePHPm 1", "php": php, "libphp": {"name": "x-pgo", "trained": True}})
    'ephpm: ePHPm 1; PHP 8.4.1 (ZTS, 3 extensions; libphp x-pgo, trained (PGO))'
    >>> described("nginx-fpm", {"version": "nginx 1", "php": php}), described("bare", {"version": "bare", "php": None})
    ('nginx-fpm: nginx 1; PHP 8.4.1 (ZTS, 3 extensions)', 'bare: bare')
    """
    if not of["php"]:
        return f"{name}: {of['version']}"
    linked = f"; libphp {libphp(of['libphp'])}" if "libphp" in of else ""
    return (f"{name}: {of['version']}; PHP {of['php']['version']} ({'ZTS' if of['php']['zts'] else 'NTS'}, "
            f"{of['php']['extensions']} extensions{linked})")


def libphp(told):
    """
    >>> libphp(None), libphp({"name": "y", "trained": False}), libphp({"name": "z", "trained": None})
    ('of which nothing is known', 'y, not trained', 'z, of which it is not known whether it is trained')
    """
    if told is None:
        return "of which nothing is known"
    trained = {True: "trained (PGO)", False: "not trained", None: "of which it is not known whether it is trained"}
    return f"{told['name']}, {trained[told['trained']]}"


def progress(text):
    """Replaces the last line of a terminal; says nothing elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def save(chosen, results):
    """Writes everything that was measured, with what one has to know about the machine; returns the file."""
    now = datetime.now(UTC)
    file = chosen.json or RESULTS / f"{chosen.command}-{now:%Y%m%dT%H%M%SZ}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    everything = {
        "time": now.isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "options": {name: value for name, value in vars(chosen).items() if name not in ("binary", "json", "keep")},
        **results,
    }
    file.write_text(json.dumps(everything, indent=1) + "\n")
    print(f"everything measured: {shortened(file)}")
    return file


def shortened(file):
    """As one would type it here."""
    file = file.resolve()
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


def machine():
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    load = [round(average, 2) for average in os.getloadavg()]
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(), "load": load}


def commit():
    try:
        done = subprocess.run(["git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty"],
                              capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None
