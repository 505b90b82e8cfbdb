"""The command line: what all commands share, and the types of values."""

import argparse
from pathlib import Path

BINARY = Path(__file__).resolve().parents[3] / "target/release/ephpm"


def parser(description, commands):
    """The parser of `commands`, modules by name, each with its SERVERS and add_options."""
    top = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    choices = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in commands.items():
        about = module.__doc__.splitlines()[0]
        command = choices.add_parser(name, help=about, description=about)
        command.add_argument("--binary", type=Path, default=BINARY,
                             help="the ePHPm to measure (default: target/release/ephpm)")
        command.add_argument("--servers", type=names, default=module.SERVERS, metavar="A,B",
                             help=f"files of servers/ (default: {','.join(module.SERVERS)})")
        command.add_argument("--workers", type=positive, default=4, help="PHP threads or processes (default: 4)")
        command.add_argument("--one-cpu", action="store_true", help="keep servers and load on one CPU")
        command.add_argument("--json", type=Path, metavar="FILE", help="for the results (default: in benches/results/)")
        command.add_argument("--keep", action="store_true", help="keep the directory of configurations and logs")
        module.add_options(command)
    return top


def add_scenarios(command, default):
    command.add_argument("--scenarios", type=names, default=names(default), metavar="GLOB,GLOB",
                         help=f"of scenarios.toml (default: {default})")


def names(text):
    return [name for name in text.split(",") if name]


def positives(text):
    return [positive(number) for number in names(text)]


def positive(text):
    number = int(text)
    if number < 1:
        raise ValueError
    return number
