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
        php = of["php"]
        print(f"{name}: {of['version']}; PHP {php['version']} ({php['sapi']}, {'ZTS' if php['zts'] else 'NTS'}, "
              f"{php['extensions']} extensions)")


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
