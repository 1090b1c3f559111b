"""Does a lab that is played with for hours keep its memory? Moves a slider many times and watches.

    python tests/benchmarks/slider_memory.py [--events 10000] [--labs PruningLab LloydLab]

For each lab: its first number moves up and down; then what was added to the process's memory and to the number of
Python objects since the first tenth of the events, and the time an event takes in Python.
"""

import argparse
import gc
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from dcviz import labs

VIEW_LABS = ("PruningLab", "SharingLab", "LloydLab", "HuffmanLab", "RelativeIndexLab")
MOVED = {"HuffmanLab": ("step",), "LloydLab": ("steps",)}
"""States to choose from where a lab's first number is none that a hand drags."""


def memory():
    """Bytes of this process that are in memory now, or the most there were where Linux's figure is missing."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def mover(lab):
    """A function (number) that moves the lab's first numeric state a little, up and down."""
    for name in MOVED.get(type(lab).__name__, lab.state_names):
        value, trait = getattr(lab, name), lab.traits()[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        low, high = getattr(trait, "min", None), getattr(trait, "max", None)
        if isinstance(value, int):
            low = max(value - 3, -sys.maxsize if low is None else low)
            high = min(value + 3, sys.maxsize if high is None else high)
            return lambda number: setattr(lab, name, low + number % (high - low + 1))
        return lambda number: setattr(lab, name, value * (1 + (number % 7 - 3) / 20))
    raise ValueError(f"{type(lab).__name__} has no number to move")


def play(lab, events):
    """(bytes, Python objects) that the last nine tenths of so many events added, and milliseconds per event."""
    move = mover(lab)
    for number in range(events):
        if number == events // 10:
            gc.collect()
            before, objects, start = memory(), len(gc.get_objects()), time.perf_counter()
        move(number)
        if lab.error:
            raise RuntimeError(f"{lab!r}: {lab.error}")
    took = 1000 * (time.perf_counter() - start) / (events - events // 10)
    gc.collect()
    return memory() - before, len(gc.get_objects()) - objects, took


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--labs", nargs="+", default=VIEW_LABS, choices=labs.ALL)
    options = parser.parse_args()
    for name in options.labs:
        grown, objects, took = play(getattr(labs, name)(), options.events)
        print(
            f"{name}: {options.events:,} events, {grown / 2**20:+.1f} MB, {objects:+,} objects, {took:.1f} ms an event",
            flush=True,
        )


if __name__ == "__main__":
    main()
