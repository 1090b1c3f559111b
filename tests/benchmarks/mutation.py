"""Break `ideas` and the archive on purpose, one small change at a time, and see whether a test notices.

    pip install mutmut
    python tests/benchmarks/mutation.py FOLDER [--sample 40] [--seed 0] [--modules ideas/huffman ideas/bits]

For each module, copies the package and the module's own tests into FOLDER, lets mutmut write its mutants there, runs a
random sample of them (the same one for the same seed; 0 runs all) against the tests that reach the changed function,
and prints what survived. A second call with the same FOLDER takes the tests as they are by then and runs again what
survived before. docs/mutation.md keeps the outcome.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = {
    "ideas/relative_index": "ideas/relative_index",
    "ideas/entropy": "ideas/entropy",
    "ideas/rate_distortion": "ideas/rate_distortion",
    "ideas/pruning": "ideas/pruning",
    "ideas/sparse_formats": "ideas/sparse_formats",
    "ideas/ans": "archive/coders",
    "ideas/bits": "ideas/bits ideas/bitstream archive/archive",
    "ideas/huffman": "ideas/huffman ideas/bitstream",
    "ideas/kmeans": "ideas/kmeans ideas/rate_distortion",
    "ideas/kmeans_optimal": "ideas/kmeans",
    "ideas/sketch": "ideas/sketch",
    "ideas/bitstream": "ideas/bitstream",
    "archive/__init__": "archive/archive archive/archive_refusals",
    "archive/types": "archive/archive",
    "archive/streams": "archive/archive archive/archive_refusals archive/fuzz_archive archive/coders",
    "archive/writer": "archive/archive archive/fuzz_archive",
    "archive/reader": "archive/archive archive/archive_refusals archive/fuzz_archive",
}
"""{module: its tests}, both from the top of `dcviz` and of `tests`."""

SURVIVED, UNREACHED = 0, (5, 33)  # exit statuses
PYPROJECT = """
[tool.pytest.ini_options]
addopts = "-q"
[tool.mutmut]
source_paths = ["dcviz"]
only_mutate = ["dcviz/{module}.py"]
also_copy = ["data"]
timeout_multiplier = 6.0
timeout_constant = 3.0
use_git_change_detection = false
track_dependencies = false
use_setproctitle = false
"""
CONFTEST = """
from hypothesis import settings
settings.register_profile("mutation", derandomize=True, database=None, deadline=None)
settings.load_profile("mutation")
"""


def prepare(folder, module):
    """Copy what the tests of a module need into ``folder``; without the rest of the suite mutmut starts at once."""
    for name in ("dcviz", "data"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("cache", "__pycache__"), dirs_exist_ok=True
        )
    (folder / "tests" / "benchmarks").mkdir(parents=True, exist_ok=True)
    tests = [f"tests/{room}/test_{name}.py" for room, name in (entry.split("/") for entry in TESTS[module].split())]
    for name in [*tests, "tests/benchmarks/fuzz_archive.py"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "tests" / "archive" / "golden", folder / "tests" / "archive" / "golden", dirs_exist_ok=True)
    (folder / "tests" / "conftest.py").write_text(CONFTEST)
    (folder / "pyproject.toml").write_text(PYPROJECT.format(module=module))


def mutmut(folder, *arguments):
    """mutmut's output."""
    command = [str(Path(sys.executable).parent / "mutmut"), *arguments]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True).stdout


def mutants(folder, module):
    """{name of a mutant: exit status of its tests, None before they ran}."""
    path = folder / "mutants" / "dcviz" / f"{module}.py.meta"
    return json.loads(path.read_text())["exit_code_by_key"] if path.exists() else {}


def chosen(names, options, module):
    """Names of the mutants to run, the same for the same seed as long as the module does not change."""
    names = sorted(names)
    random.Random(f"{options.seed}/{module}").shuffle(names)
    return names[: options.sample or None]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sample", type=int, default=40, help="mutants per module; 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--modules", nargs="+", default=list(TESTS), choices=TESTS)
    parser.add_argument("--report", action="store_true", help="run nothing, tell what is known")
    options = parser.parse_args()
    total = killed = 0
    for module in options.modules:
        folder = options.folder / module.replace("/", "-")
        if not options.report:
            prepare(folder, module)
            if not mutants(folder, module):
                mutmut(folder, "run", "--max-children", "1", "no.such.mutant*")  # only writes them all
            before = mutants(folder, module)
            names = chosen(before, options, module)
            todo = [name for name in names if before[name] in (None, SURVIVED, *UNREACHED)]
            said = mutmut(folder, "run", "--max-children", "1", *todo) if todo else ""
            if todo and all(status is None for status in mutants(folder, module).values()):
                raise SystemExit(f"{module}: mutmut ran nothing\n{said[-3000:]}")
        after = mutants(folder, module)
        run = [name for name in chosen(after, options, module) if after[name] is not None]
        alive = [name for name in run if after[name] in (SURVIVED, *UNREACHED)]
        total, killed = total + len(run), killed + len(run) - len(alive)
        print(f"{module}: {len(run) - len(alive)} of {len(run)} killed, {len(after)} mutants in all", flush=True)
        for name in alive:
            print(mutmut(folder, "show", name), flush=True)
    print(f"all: {killed} of {total} killed, {100 * killed / max(total, 1):.1f}%")


if __name__ == "__main__":
    main()
