"""What others did on the machine meanwhile, for commands whose figures are no rounds of a load."""

import os
import resource
import time
from contextlib import contextmanager, suppress

from . import processes
from .figures import OTHERS_SHARE_MAX


@contextmanager
def watched():
    """Gives a dict which, at the end, has the shares of the machine that others used and that the host has stolen."""
    found = {}
    before = counters()
    yield found
    after = counters()
    ours, busy, steal, seconds = (later - earlier for earlier, later in zip(before, after, strict=True))
    machine = seconds * os.cpu_count()
    found |= {"others_share": max(0.0, (busy - ours) / machine), "steal_share": steal / machine}
    print(f"Others used {found['others_share']:.0%} of this machine meanwhile, {found['steal_share']:.0%} was stolen.")
    if found["others_share"] > OTHERS_SHARE_MAX:
        print("That is too much to trust these figures: repeat it on a quiet machine.")


def counters():
    """CPU seconds of ours, of everybody, and stolen; and the time. Ours is whatever descends from this process, which
    includes who has ended and was waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    ours = children.ru_utime + children.ru_stime
    for pid in processes.tree([os.getpid()]):
        # It may have ended just now.
        with suppress(OSError):
            ours += processes.cpu_seconds([pid])
    return ours, *processes.machine_seconds(), time.monotonic()
