"""What Windows needs, as far as another system can check it: encodings, names of files, nothing of POSIX alone.

docs/machines.md lists what cannot be checked here.
"""

import ast
import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from dcviz.files import PACKAGE, ROOT

SOURCES = [*sorted(PACKAGE.rglob("*.py")), ROOT / "setup.py"]
POSIX = "os.fork os.forkpty os.symlink os.link os.mkfifo os.getuid os.geteuid os.kill os.killpg time.tzset"
POSIX = {
    *POSIX.split(),
    *["signal.SIGKILL", "signal.SIGHUP", "signal.SIGUSR1", "signal.alarm", "signal.pause", "socket.AF_UNIX"],
}
RESERVED = {"con", "prn", "aux", "nul", *(f"{device}{n}" for device in ("com", "lpt") for n in range(1, 10))}

LATIN = """
import locale, os, sys, warnings
assert not sys.flags.utf8_mode and locale.getpreferredencoding(False).lower() not in ("utf-8", "utf8")
warnings.filterwarnings("error", category=EncodingWarning, module=r"dcviz(\\..*)?$")
import nbformat, numpy as np
from pathlib import Path
from dcviz import archive
from dcviz.classroom import editions, folder, progress
from dcviz.evidence import machine, recordings
from dcviz.labkit import controls, learner
from dcviz.nets import datasets
from dcviz.pipeline import shipped
from dcviz.__main__ import main
place = Path(sys.argv[1]) / "\\xdcbung \\u7df4\\u7fd2"
try:
    place.mkdir()
except UnicodeEncodeError:  # this locale's names are ASCII; Windows' own are Unicode
    place = Path(sys.argv[1])
assert folder.fill(place) and folder.fill(place) == []
text = (place / "docs" / "glossary.md").read_text("utf-8")
assert text == (editions.ROOT / "docs" / "glossary.md").read_text("utf-8") and not text.isascii()
assert progress.chapters() and controls.css() and recordings.load("shipped_nets").rows and machine.name()
assert learner.record(learner.PREDICTIONS, "\\xfcber", "\\u6a29") == ""
assert learner.recorded(learner.PREDICTIONS) == {"\\xfcber": "\\u6a29"}
layer = archive.Layer("couche \\xe9 \\u6a29", np.ones((2, 3), np.float32))
archive.save(place / "netz.dcz", archive.StoredNet("Gewichte \\xfcnd", (layer,)))
assert archive.load(place / "netz.dcz").layers[0].name == layer.name
(path,) = editions.write("student", place / "out", ["06"], run=False)
assert path.read_bytes().decode("utf-8") and nbformat.read(path, 4).cells
assert main(["inspect", str(place / "netz.dcz")]) == 0
assert main(["export", "html", str(place / "pages"), "--only", "99"]) == 1
assert len(datasets.digits().train) == 4000
"""
WITHOUT_POSIX = """
import os, signal, sys
for name in ("fcntl", "resource", "grp", "termios"):
    sys.modules[name] = None
import tempfile
from pathlib import Path
from dcviz import files
from dcviz.evidence import machine
from dcviz.labkit import learner
for name in ("fork", "symlink", "link", "sched_getaffinity", "sysconf", "mkfifo", "geteuid"):
    delattr(os, name)
assert files.fcntl is None
place = Path(sys.argv[1])
for text in (b"one", b"two"):
    files.atomic_write(place / "file", lambda file, text=text: file.write(text))
assert (place / "file").read_bytes() == b"two" and machine.cores() >= 1 and machine.memory() is None
assert learner.record(learner.PREDICTIONS, "key", 1) == "" and learner.recorded(learner.PREDICTIONS) == {"key": 1}
assert {*os.listdir(place)} - {".progress.json.lock"} == {"file", "progress.json"}, os.listdir(place)
"""


def run(code, folder, **more):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DCVIZ_PROGRESS": str(folder / "progress.json"), **more}
    options = ["-X", "warn_default_encoding"]
    command = [sys.executable, *options, "-c", code, str(folder)]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")


def test_nothing_asks_for_the_systems_encoding(tmp_path):
    """Files as ASCII, which knows fewer letters than Windows' cp1252, the terminal in cp1252; asking is an error."""
    run(LATIN, tmp_path, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", LC_ALL="C", PYTHONIOENCODING="cp1252")


def test_what_windows_lacks_is_not_needed(tmp_path):
    run(WITHOUT_POSIX, tmp_path)


def calls(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_text_files_are_opened_with_their_encoding(path):
    for node, function in calls(path):
        keywords = {word.arg for word in node.keywords}
        if function == "open" or function.endswith("fdopen"):
            mode = next((word.value for word in node.keywords if word.arg == "mode"), [*node.args, None, None][1])
            assert "encoding" in keywords or "b" in ast.unparse(mode or ast.Constant("r")), ast.unparse(node)
        elif function.endswith((".read_text", ".write_text")):
            given = len(node.args) > function.endswith(".write_text")
            assert "encoding" in keywords or given, ast.unparse(node)
        elif function.startswith("subprocess.") and keywords & {"text", "universal_newlines"}:
            assert "encoding" in keywords, ast.unparse(node)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_of_posix_alone_is_called(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        assert not (isinstance(node, ast.Attribute) and ast.unparse(node) in POSIX), ast.unparse(node)


def test_names_of_files_are_fit_for_windows():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    names = [name for name in listed.decode("utf-8").split("\0") if name]
    if not names:
        pytest.skip("no checkout of git")
    for name in names:
        for part in name.split("/"):
            assert not re.search(r'[<>:"|?*\\\x00-\x1f]|[. ]$', part), name
            assert part.split(".")[0].lower() not in RESERVED, name
        assert len(name) < 150, "with a folder before it, Windows' limit is 260"
    assert max(Counter(name.lower() for name in names).values()) == 1, "two names differ in case alone"
    links = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    assert not [line for line in links.splitlines() if line.startswith("120000")], "a symbolic link"
