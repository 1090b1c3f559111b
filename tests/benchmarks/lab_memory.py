"""Are labs freed? Makes labs, one after the other, and lets them go; watches memory.

    python tests/benchmarks/lab_memory.py [--count 1000] [--labs PruningLab LloydLab] [--close]

Every kind of lab is made twice before, so that data and caches do not count. Then labs are made in turn and dropped,
with ``--close`` closed; what was added to the process's memory when all are gone, the most that was added on the way,
and how many widgets ipywidgets still holds.
"""

import argparse
import gc
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ipywidgets.widgets.widget import _instances
from slider_memory import memory

from dcviz import labs


def make(name, close):
    """Make a lab and drop it."""
    lab = getattr(labs, name)()
    if close:
        lab.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--labs", nargs="+", default=labs.ALL, choices=labs.ALL)
    parser.add_argument("--close", action="store_true")
    options = parser.parse_args()
    for name in (*options.labs, *options.labs):
        make(name, options.close)
    gc.collect()
    before, held, most, start = memory(), len(_instances), 0, time.perf_counter()
    for number in range(options.count):
        make(options.labs[number % len(options.labs)], options.close)
        most = max(most, memory() - before)
        if (number + 1) % 100 == 0:
            print(f"{number + 1}: {(memory() - before) / 2**20:+.1f} MB", flush=True)
    took = time.perf_counter() - start
    gc.collect()
    print(
        f"{options.count:,} labs {'closed' if options.close else 'dropped'}: {(memory() - before) / 2**20:+.1f} MB, "
        f"at most {most / 2**20:+.1f} MB on the way, {len(_instances) - held:+} widgets held, "
        f"{1000 * took / options.count:.0f} ms a lab"
    )


if __name__ == "__main__":
    main()
