"""What machine this is: numbers that a reader needs to judge a measured time."""

import math
import os
import platform
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def name():
    """Processor, cores and operating system in a few words."""
    return f"{processor()}, {cores_in_words()}, {platform.system()}"


def cores():
    """How many threads this process can run at once: the cores it may use, at most what a container's quota pays for.

    A quota of 1.5 cores counts as 2.
    """
    bound = getattr(os, "sched_getaffinity", None)
    here = len(bound(0)) if bound else os.cpu_count() or 1
    return max(1, math.ceil(min(here, quota())))


def cores_in_words():
    """Such as "4 cores", or "2 of 64 cores" where a container or a binding leaves fewer than the machine has."""
    mine, all_ = cores(), os.cpu_count() or 1
    return f"{mine} cores" if mine == all_ else f"{mine} of {all_} cores"


def quota():
    """Cores that the control group of this process, or one around it, pays for; infinite where there is no limit."""
    try:
        lines = [line.split(":", 2) for line in OWN_CGROUP.read_text("ascii", errors="replace").splitlines()]
    except OSError:
        lines = []
    limits = [math.inf]
    for _, kinds, path in (line for line in lines if len(line) == 3):
        if kinds and "cpu" not in kinds.split(","):
            continue
        root = CGROUPS / "cpu" if kinds else CGROUPS
        own = root / path.lstrip("/")
        for folder in (own, *own.parents):
            limits += _limit(folder) if folder.is_relative_to(root) else []
    return min(limits)


def _limit(folder):
    """[cores] of one control group, version 2 or 1; empty if it has no limit."""
    try:
        if (folder / "cpu.max").is_file():
            most, period = (folder / "cpu.max").read_text("ascii").split()
        else:
            most, period = ((folder / f"cpu.cfs_{what}_us").read_text("ascii") for what in ("quota", "period"))
        return [float(most) / float(period)] if float(most) > 0 and float(period) > 0 else []
    except (OSError, ValueError):  # no such file; "max"
        return []


def processor():
    """The processor as its system calls it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def memory():
    """Bytes of main memory; None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
