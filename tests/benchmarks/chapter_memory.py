"""How much memory does a chapter need? Runs each once, as a learner would, and notes the peak of its kernel.

    python tests/benchmarks/chapter_memory.py [CHAPTER ...]

The student edition, from top to bottom; chapters by the beginning of their names. docs/machines.md keeps the table.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from dcviz.classroom import editions

PEAK = """
import os, resource
try:
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print("peak", int(line.split()[1]) * 1024)
except (OSError, StopIteration):
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def peak(source):
    """(bytes of memory at most, seconds) that the kernel of a chapter took."""
    import time

    import nbformat.v4
    from nbclient import NotebookClient

    book = editions.notebook(source)
    book.cells.append(nbformat.v4.new_code_cell(PEAK))
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(book, timeout=900, allow_errors=True, resources={"metadata": {"path": folder}}).execute()
    said = "".join(output.get("text", "") for output in book.cells[-1].outputs)
    return int(said.split()[-1]), time.perf_counter() - start


def main():
    wanted = tuple(sys.argv[1:]) or ("",)
    print("| chapter | peak of the kernel | time |\n|---|---|---|")
    for source in sorted(editions.SOURCES.glob("[0-9][0-9]_*.py")):
        if source.stem.startswith(wanted):
            most, seconds = peak(source)
            print(f"| {source.stem} | {most / 2**20:,.0f} MB | {seconds:.0f} s |", flush=True)


if __name__ == "__main__":
    main()
