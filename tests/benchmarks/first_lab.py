"""How long from `jupyter lab` to the picture of the first lab: server, page, kernel, imports, lab.

    python tests/benchmarks/first_lab.py [--run-all] [01_why_compress] [02_pruning] ...

Each chapter gets a server and a Chromium of its own, and its cells are run as a learner runs them: from the top, one
after the other (Shift+Enter), up to the one that shows the first lab; all chapters with a lab, if none is named. With
`--run-all` all of them, with JupyterLab's command: its page then shows what stands last, and every later cell's work
shares the machine. Reports seconds since the server was called for, and, in brackets, since it answers; the machine's
load; the processor time of the same cells alone, from the start of a Python of its own until the lab's picture is made,
and whether they imported torch. First comes a notebook of one empty cell: what JupyterLab needs without us. Cells that
are out of sight are not drawn, as a learner's JupyterLab has it (other tests draw them all).
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "browser")]

from lab_browser import SETTINGS, NotebookPage, Server, chromium, write_notebook  # noqa: E402

EMPTY = "empty"
LEARNERS = {plugin: values for plugin, values in SETTINGS.items() if "windowingMode" not in values}

ALONE = """
import os, sys, time
sys.path.insert(0, "tests")
from pathlib import Path
from notebook_shell import notebook_shell
from dcviz.classroom import editions
from dcviz.labkit.base import Lab
with notebook_shell() as shell:
    for kind, text, _ in editions.cells_of(Path("notebooks/source", sys.argv[1] + ".py").read_text("utf-8"), "student"):
        done = shell.run_cell(text) if kind == "code" else None
        if done is not None and isinstance(done.raise_error() or done.result, Lab):
            os.write(2, f"\\n{time.process_time()} {'torch' in sys.modules}".encode())
            os._exit(0)  # the end of a Python with torch takes a while
sys.exit("no lab")
"""
"""Says processor seconds, and whether torch was imported."""


def measure(stem, folder, run_all=False):
    """{what: seconds since the start of the server}."""
    if stem == EMPTY:
        write_notebook(folder / f"{stem}.ipynb", "")
    else:
        shutil.copy(ROOT / "notebooks" / f"{stem}.ipynb", folder)
    found = {}

    def note(what):
        found[what] = time.monotonic() - start

    with chromium() as browser:
        start = time.monotonic()
        server = Server(folder, folder / "private", settings=LEARNERS)
        try:
            note("server answers")
            page = NotebookPage(browser.new_context(viewport={"width": 1400, "height": 1000}), server, f"{stem}.ipynb")
            note("notebook and kernel are ready")
            if stem == EMPTY:
                page.close()
                return found
            lab = page.page.locator(".dcviz-lab").first
            page.command("notebook:run-all-cells" if run_all else "notebook:run-cell-and-select-next")
            while not run_all and not lab.count():
                page.wait_idle()
                page.command("notebook:run-cell-and-select-next")
            lab.locator("canvas, svg, img, [data-cluster]").first.wait_for()  # or Fig. 3 in tables
            note("first lab is on the page")
            page.close()
        finally:
            server.stop()
    return found


def alone(stem):
    """(Processor seconds of a new Python that runs a chapter up to its first lab, whether it imported torch)."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", ALONE, stem], cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{stem}: {done.stderr}")
    seconds, torch = done.stderr.split()[-2:]
    return float(seconds), torch == "True"


def main(arguments):
    """Print some lines for each chapter."""
    run_all, stems = "--run-all" in arguments, [one for one in arguments if one != "--run-all"]
    for stem in [EMPTY, *(stems or sorted(path.stem for path in (ROOT / "notebooks" / "source").glob("*.py")))]:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(stem, Path(folder), run_all)
        since = min(found.values())
        print(stem, *(f"{what}: {at:.1f} s ({at - since:.1f})" for what, at in found.items()), sep="\n  ", flush=True)
        if stem == EMPTY:
            continue
        seconds, torch = alone(stem)
        print(f"  its cells alone: {seconds:.1f} s of processor time,", "with torch" if torch else "without torch")
        print(f"  load: {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
