"""One core, no GPU, nothing writable, no home, names that are not ASCII, no network: all at once, and one by one.

docs/machines.md says what was tried where.
"""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dcviz

ROOT = Path(dcviz.__file__).parents[1]
FOLDER = "Gewichte ünd 権重"

WITHOUT_PRIVILEGES = """
import ctypes, os
def obey_permissions():
    "A superuser without capabilities: for it, too, a read-only folder is read-only."
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    assert ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()) == 0
if os.geteuid() == 0:
    obey_permissions()
"""
NO_NETWORK = """
import socket
def refuse(*_, **__):
    raise OSError("network is unreachable")
socket.create_connection = socket.getaddrinfo = socket.socket.connect = refuse
"""
WORK = """
import pathlib, sys
import numpy as np
import dcviz
from dcviz import archive, files
from dcviz.nets import cifar, datasets, training
from dcviz.labkit import learner
from dcviz.nets import machine
from dcviz.pipeline import shipped as reference
from dcviz.errors import DataError

install, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
assert pathlib.Path(dcviz.__file__).is_relative_to(install), dcviz.__file__
try:
    (install / "dcviz" / "new").write_text("")
    raise SystemExit("the install is writable")
except OSError:
    pass
assert "cannot be written" in learner.record(learner.PREDICTIONS, "key", 1)

digits = datasets.digits()
assert len(digits.train) == 4000
for unreachable in (datasets.mnist, cifar.cifar10):
    try:
        unreachable()
        raise SystemExit("where did it come from?")
    except DataError as error:
        assert "DCVIZ_DATA" in str(error), error

stored = reference.compressed("lenet-300-100")
size = archive.save(out / "netz 網.dcz", stored)
assert size == (out / "netz 網.dcz").stat().st_size == reference.compressed_path("lenet-300-100").stat().st_size
try:
    archive.load(out / "gibt es nicht 無.dcz")
    raise SystemExit("read from nowhere")
except archive.ArchiveError as error:
    assert "無" in str(error)

net = reference.dense("lenet-300-100")
from dcviz.nets.schedules import Schedule
training.fit(net, digits.train, Schedule(epochs=0.1))
assert training.error_percent(net, digits.test) < 20

from dcviz.labs import PruningLab
lab = PruningLab(net="lenet-300-100", threshold=0.05)
assert lab.png().startswith(b"\\x89PNG") and lab.error == ""
assert "none" in machine.facts()["GPU"]
print("done", len(__import__("os").sched_getaffinity(0)) if sys.platform == "linux" else 1)
"""


@pytest.fixture(scope="module")
def install(tmp_path_factory):
    """A copy of the package and what ships with it, in a folder with a name of its own, unwritable."""
    folder = tmp_path_factory.mktemp("odd") / FOLDER
    ignored = shutil.ignore_patterns("__pycache__", "cache", "*.part")
    for name in ("dcviz", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    yield folder
    for path in folders:
        path.chmod(0o755)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="takes privileges away the Linux way")
def test_the_worst_machine_of_all(install, tmp_path):
    out = tmp_path / FOLDER
    out.mkdir()
    nowhere = str(tmp_path / "no home")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": nowhere,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(install),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "DCVIZ_DATA": str(tmp_path / "nichts 無"),
        "TMPDIR": str(out),
        "DCVIZ_PROGRESS": f"{nowhere}/x/progress.json",
    }
    (tmp_path / "no home").write_text("a file where a folder should be")
    code = WITHOUT_PRIVILEGES + NO_NETWORK + WORK
    done = subprocess.run(
        [sys.executable, "-c", code, str(install), str(out)],
        cwd=install,
        env=env,
        capture_output=True,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1]),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-2:] == ["done", "1"]
    assert "Traceback" not in done.stderr
    assert sorted(os.listdir(tmp_path)) == sorted([FOLDER, "no home"]), "nothing was written elsewhere"


def test_importing_asks_no_home_and_no_network(tmp_path):
    code = NO_NETWORK + "import dcviz, dcviz.archive, dcviz.nets.datasets, dcviz.labs\nprint('fine')"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}  # no HOME at all
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr


def test_every_source_is_python_of_the_oldest_version():
    """Python 3.11; the newer ones were tried by hand, see docs/machines.md."""
    for path in [*(ROOT / "dcviz").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 11))
