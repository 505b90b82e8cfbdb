"""Which libphp is linked into an ePHPm: how fast PHP itself is depends on whether that was trained (PGO).

The program says when its PHP was compiled, to the second, and so does each libphp.a that php-sys/libphp/build keeps: where
these are the same, that is it. What is told of it is then what its info.txt says, not what somebody meant to measure.
"""

import mmap
import os
import re
import subprocess
from functools import cache
from pathlib import Path

from . import report
from .error import BenchError

BUILD = report.RESULTS.parents[1] / "php-sys/libphp/build"
TRAINED = "-fprofile-use"


@cache
def directory(binary):
    """The directory of the libphp in the program at `binary`, or None if it is none that is kept here."""
    done = subprocess.run([binary, "php", "-i"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    compiled = re.search(r"^Build Date => (.+)$", done.stdout, re.MULTILINE)
    kept = [file for file in chosen_here({}).parent.glob("*/lib/libphp.a") if compiled and holds(file, compiled[1].encode())]
    return kept[0].parents[1] if len(kept) == 1 else None


def facts(binary):
    """What a reader has to know about it, or None."""
    return told(place.name, info_of(place)) if (place := directory(binary)) else None


def told(name, info):
    """
    >>> told("8.4.1-pgo", "version: 8.4.1\\ncflags: -O2 -fprofile-use\\n")
    {'name': '8.4.1-pgo', 'cflags': '-O2 -fprofile-use', 'trained': True}
    >>> told("somebody's", "")
    {'name': "somebody's", 'cflags': None, 'trained': None}
    """
    found = re.search(r"^cflags: (.*)$", info, re.MULTILINE)
    flags = found[1] if found else None
    return {"name": name, "cflags": flags, "trained": None if flags is None else TRAINED in flags.split()}


def environment(binary):
    """With what cargo links the same libphp as is in `binary`: an environment, as like ours as can be."""
    wanted = directory(binary)
    if wanted is None:
        raise BenchError(f"the libphp of {binary} is not known here, so nothing else can be built with it")
    trained = str(int(bool(facts(binary)["trained"])))
    for change in ({}, {"PHP_PGO": trained}):
        if chosen_here(change) == wanted:
            return os.environ | change
    return os.environ | {"LIBPHP_DIR": str(wanted)}


@cache
def built_at(change_items):
    done = subprocess.run([BUILD, "--print-dir"], capture_output=True, text=True, check=False,
                          env=os.environ | dict(change_items))
    if done.returncode:
        raise BenchError(f"{BUILD}: {done.stderr.strip()}")
    return Path(done.stdout.splitlines()[-1])


def chosen_here(change):
    """The directory of the libphp that would be linked now, if the environment were changed so."""
    return built_at(tuple(sorted(change.items())))


def info_of(place):
    info = place / "info.txt"
    return info.read_text() if info.is_file() else ""


def holds(file, text):
    """Whether the bytes `text` are in a file, which may be large."""
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(text) >= 0
