"""The wheel is whole: built, installed beside nothing of ours, used from another folder."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from types import SimpleNamespace

import nbformat
import pytest

from dcviz.files import ROOT

TRAVELLED = """
import json, pathlib
import dcviz
from dcviz import files, labs
from dcviz.evidence import recordings
from dcviz.nets import datasets
from dcviz.pipeline import shipped
assert files.INSTALLED
for name in {*recordings.RECORDINGS, *recordings.PROGRAMS}:
    assert recordings.load(name).rows
for name in shipped.REFERENCES:
    assert shipped.compressed_path(name).is_file()
for name in labs.ALL:
    getattr(labs, name)
assert len(datasets.digits().train) == 4000
lost = str(recordings.path("layer_times")), files.made_by("a command")
print(json.dumps([dcviz.__file__, str(files.cache_dir()), *lost]))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A fresh environment with the wheel; all other packages are this environment's own, so nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns(".*", "build", "cache", "*.egg-info", "tests", "__pycache__", "*.part")
    shutil.copytree(ROOT, folder / "source", ignore=ignored)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "--no-input", "-q"]
    plain = {name: text for name, text in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "DCVIZ_"))}
    plain["PIP_CONFIG_FILE"] = os.devnull
    build = [
        *pip,
        "wheel",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(folder / "source"),
    ]
    subprocess.run(build, check=True, env=plain, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    bin_ = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = bin_ / "python"
    asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    with open(os.path.join(site, "others.pth"), "w", encoding="utf-8") as others:
        others.write(sysconfig.get_path("purelib") + "\n")
    install = [*pip, "--python", str(python), "install", "--no-deps", "--no-index", "--ignore-installed", str(wheel)]
    subprocess.run(install, check=True, env=plain, capture_output=True)
    away = folder / "anderswo 別"
    away.mkdir()
    env = plain | {"DCVIZ_PROGRESS": "off", "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(folder / "caches")}
    env |= {name: str(folder / name) for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")}
    env["JUPYTER_PATH"] = os.path.join(sys.prefix, "share", "jupyter")  # nbconvert's templates are others' files, too

    def run(*command, status=0):
        done = subprocess.run(command, cwd=away, env=env, capture_output=True, text=True, encoding="utf-8")
        assert done.returncode == status, done.stderr
        return done

    return SimpleNamespace(
        wheel=wheel, site=site, python=python, dcviz=bin_ / "dcviz", run=run, away=away, folder=folder
    )


def test_the_wheel_is_small_and_has_everything(installed):
    assert installed.wheel.stat().st_size < 25e6
    home = os.path.join(installed.site, "dcviz", "workbook")
    for part, kinds in (("data", "*"), ("notebooks", "[0-9]*.*"), ("docs", "*.md")):
        for path in (ROOT / part).rglob(kinds):
            if path.is_file() and "cache" not in path.parts and ".ipynb_checkpoints" not in path.parts:
                with open(os.path.join(home, path.relative_to(ROOT)), "rb") as travelled:
                    assert travelled.read() == path.read_bytes(), path
    file, cache, kept, mended = json.loads(installed.run(installed.python, "-c", TRAVELLED).stdout)
    assert file.startswith(installed.site)
    assert cache.startswith(str(installed.folder / "caches"))
    assert kept.startswith(cache), "a new recording does not replace what ships"
    assert mended == "install dcviz again"
    assert not os.path.exists(os.path.join(home, "data", "cache"))


def test_the_command_works_from_any_folder(installed):
    table = installed.run(installed.dcviz, "table1").stdout
    assert "1070 KB" in table
    assert "5,000 bundled digits" in table
    assert installed.run(installed.dcviz, "--help").stdout.startswith("usage: dcviz ")
    refused = installed.run(installed.dcviz, "edition", "student", "out", "--only", "99", status=1)
    assert refused.stderr.startswith("dcviz: no chapter begins with '99'")


def test_three_chapters_run_from_the_wheel(installed):
    made = installed.run(installed.dcviz, "edition", "student", "mine", "--only", "00", "03").stdout.split()
    assert [os.path.basename(path) for path in made] == ["00_start_here.ipynb", "03_sparse_storage.ipynb"]
    for path in made:
        cells = nbformat.read(installed.away / path, 4).cells
        assert all(cell.execution_count for cell in cells if cell.cell_type == "code")
    (page,) = installed.run(installed.dcviz, "export", "html", "pages", "--only", "01").stdout.split()
    assert "dcviz-lab" in (installed.away / page).read_text("utf-8")
    filled = "from dcviz.classroom import folder\nprint(folder.place(), folder.fill(folder.place()))"
    assert "files put into dcviz-workbook" in installed.run(installed.python, "-c", filled).stdout
    assert (installed.away / "dcviz-workbook" / "notebooks" / "00_start_here.ipynb").is_file()
    assert not list((installed.folder / "source").glob("dcviz-workbook*"))
