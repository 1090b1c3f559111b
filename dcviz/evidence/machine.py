"""What machine this is: numbers that a reader needs to judge a measured time."""

import os
import platform


def name():
    """Processor, cores and operating system in a few words."""
    return f"{processor()}, {os.cpu_count()} cores, {platform.system()}"


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
