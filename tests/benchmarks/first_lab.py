"""How long from `jupyter lab` to the picture of the first lab: server, page, kernel, imports, lab.

    python tests/benchmarks/first_lab.py [01_why_compress] [02_pruning]

Each chapter gets a server and a Chromium of its own, and its cells are run up to the first lab. Reports seconds since
the server's start, the machine's load, and the processor time of the first lab alone in a Python of its own.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from lab_browser import NotebookPage, Server, chromium  # noqa: E402

FIRST = {"01_why_compress": "FitLab", "02_pruning": "PruningLab"}
"""The first lab of a chapter."""


def measure(stem, folder):
    """{what: seconds since the start of the server}."""
    shutil.copy(ROOT / "notebooks" / f"{stem}.ipynb", folder)
    found, start = {}, time.monotonic()

    def note(what):
        found[what] = time.monotonic() - start

    with chromium() as browser:
        note("Chromium is there")
        server = Server(folder, folder / "private")
        try:
            note("server answers")
            page = NotebookPage(browser.new_context(viewport={"width": 1400, "height": 1000}), server, f"{stem}.ipynb")
            note("notebook and kernel are ready")
            page.command("notebook:run-all-cells")
            lab = page.page.locator(f".dcviz-{FIRST[stem]}").first
            lab.locator("canvas, img").first.wait_for()
            note("first lab is on the page")
            page.close()
        finally:
            server.stop()
    return found


def alone(lab):
    """Processor seconds of a new Python that makes a lab and its picture."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = f"from dcviz.labs import {lab}; {lab}()._repr_mimebundle_()"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(stems):
    """Print a line for each chapter."""
    for stem in stems:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(stem, Path(folder))
        print(stem, *(f"{what}: {seconds:.1f} s" for what, seconds in found.items()), sep="\n  ")
        print(f"  {FIRST[stem]} alone: {alone(FIRST[stem]):.1f} s of processor time; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(sys.argv[1:] or list(FIRST))
