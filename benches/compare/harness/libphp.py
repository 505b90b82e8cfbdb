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
    try:
        done = subprocess.run([binary, "php", "-i"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BenchError(f"{binary} cannot be run: {error.strerror}") from None
    compiled = re.search(r"^Build Date => (.+)$", done.stdout, re.MULTILINE)
    if not compiled:
        return None
    kept = chosen_by(os.environ).parent.glob("*/lib/libphp.a")
    found = [file.parents[1] for file in kept if holds(file, compiled[1].encode())]
    return found[0] if len(found) == 1 else None


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
    """With what cargo links the same libphp as is in `binary`: an environment, as like ours as can be, since cargo builds
    anew what was built in another."""
    wanted = directory(binary)
    if wanted is None:
        raise BenchError(f"the libphp of {binary} is not known here, so nothing else can be built with it")
    ours = dict(os.environ)
    like_make = {name: value for name, value in ours.items() if name != "PHP_PGO"}
    like_make |= {"PHP_PGO": "1"} if facts(binary)["trained"] else {}
    for each in (ours, like_make):
        if chosen_by(each) == wanted:
            return each
    return ours | {"LIBPHP_DIR": str(wanted)}


def chosen_by(variables):
    """The directory of the libphp that would be linked in such an environment."""
    done = subprocess.run([BUILD, "--print-dir"], capture_output=True, text=True, check=False, env=variables)
    if done.returncode:
        raise BenchError(f"{BUILD}: {done.stderr.strip()}")
    return Path(done.stdout.splitlines()[-1])


def info_of(place):
    info = place / "info.txt"
    return info.read_text() if info.is_file() else ""


def holds(file, text):
    """Whether the bytes `text` are in a file, which may be large."""
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(text) >= 0
