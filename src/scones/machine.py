"""What this machine lends us."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["available_cores", "stay_on_core"]


def available_cores(limits: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """The cores that this process may use: a container may have fewer than its machine, or only a part of their time.

    Args:
        limits: where Linux tells a container's part (cgroup v2): microseconds of work in so many, or ``max``.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError, ZeroDivisionError):  # no Linux, no container, or no limit
        work, span = limits.read_text(encoding="ascii").split()
        cores = min(cores, max(1, math.ceil(int(work) / int(span))))
    return cores


def stay_on_core(number: int, of: int) -> None:
    """Keep this process, one of several that share all the work, on a core of its own, if there are as many of them.

    Where there are not, the system shares out the cores better than anybody could beforehand.
    """
    if of > 1 and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if of == len(cores) == available_cores():
            with suppress(OSError):  # it is not allowed here
                os.sched_setaffinity(0, {cores[number]})
