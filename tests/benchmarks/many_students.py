"""A class at work on one machine: kernels that run a chapter at the same time; memory, processor and waiting time.

    python tests/benchmarks/many_students.py                    # 1 kernel, then 10, chapter 02
    python tests/benchmarks/many_students.py --kernels 3 --chapter 03

Linux only: memory comes from /proc. PSS counts a page that k processes share as 1/k in each, so PSS adds up to what the
machine needs; USS is what a kernel has for itself. Both are read after the last cell, with all kernels still alive.
"""

import argparse
import datetime
import os
import shutil
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from dcviz.files import ROOT
from dcviz.nets import machine

MIB = 1024  # KiB


def memory(pid):
    """{"rss", "pss", "uss"} of a process in MiB."""
    kib = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, size = line.split(":")
        kib[name] = int(size.split()[0])
    uss = kib["Private_Clean"] + kib["Private_Dirty"]
    return {"rss": kib["Rss"] / MIB, "pss": kib["Pss"] / MIB, "uss": uss / MIB}


def cpu_seconds(pid):
    """Processor time of a process and all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def student(chapter, folder, together, done):
    """Run a chapter in a kernel of its own; measured when all are done -> dict."""
    book = nbformat.read(chapter, 4)
    client = NotebookClient(book, timeout=3600, resources={"metadata": {"path": str(folder)}})
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    together.wait()
    start = time.monotonic()
    with client.setup_kernel(env={**os.environ, **threads, "DCVIZ_PROGRESS": "off"}):
        for number, cell in enumerate(book.cells):
            client.execute_cell(cell, number)
        seconds = time.monotonic() - start
        pid = client.km.provisioner.pid
        done.wait()
        measured = {**memory(pid), "cpu": cpu_seconds(pid), "seconds": seconds}
        done.wait()  # nobody leaves, and unmaps what is shared, before all are measured
    return measured


def class_of(kernels, chapter):
    """A class of so many students, all starting at once -> one dict each."""
    together, done = threading.Barrier(kernels), threading.Barrier(kernels)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(kernels) as pool:
        places = [Path(folder) / str(number) for number in range(kernels)]
        for place in places:
            place.mkdir()
            shutil.copy(chapter, place)
        jobs = [pool.submit(student, chapter, place, together, done) for place in places]
        return [job.result() for job in jobs]


def table(results):
    """Markdown: a line per size of class; per kernel means, and what the whole class needs."""
    lines = [
        "| kernels at once | PSS each (MiB) | USS each | shared | RSS each | PSS of all | CPU s each | done after s |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kernels, measured in results.items():
        mean = {key: statistics.mean(row[key] for row in measured) for key in measured[0]}
        lines.append(
            f"| {kernels} | {mean['pss']:.0f} | {mean['uss']:.0f} | {mean['rss'] - mean['uss']:.0f} | "
            f"{mean['rss']:.0f} | {sum(row['pss'] for row in measured):.0f} | {mean['cpu']:.1f} | "
            f"{max(row['seconds'] for row in measured):.0f} |"
        )
    return "\n".join(lines)


def main(argv=None):
    """Measure one kernel, then many, and print the table with date and machine."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kernels", type=int, default=10)
    parser.add_argument("--chapter", default="02", help="a chapter by the beginning of its name")
    options = parser.parse_args(argv)
    chapter = next((ROOT / "notebooks").glob(f"{options.chapter}*.ipynb"))
    results = {kernels: class_of(kernels, chapter) for kernels in sorted({1, options.kernels})}
    print(f"{chapter.name}, {datetime.date.today()}")
    print("; ".join(f"{what}: {value}" for what, value in machine.facts().items()))
    print(f"load of the machine in the last minute, other work included: {os.getloadavg()[0]:.1f}\n")
    print(table(results))


if __name__ == "__main__":
    main()
