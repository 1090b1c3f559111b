"""The project's own promises: one list of dependencies, the README's commands, a CI that runs just those."""

import re
import tomllib
from types import SimpleNamespace

import pytest
import yaml

from dcviz.files import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def _normal(requirement):
    return re.sub(r"\s", "", requirement)


def test_conda_environment_and_pyproject_ask_for_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    conda = {_normal(item) for item in environment if isinstance(item, str)}
    pip = {_normal(item) for item in next(item for item in environment if isinstance(item, dict))["pip"]}
    wanted = {_normal(item) for item in PYPROJECT["project"]["dependencies"]}
    wanted |= {_normal(item) for item in PYPROJECT["project"]["optional-dependencies"]["classroom"]}
    wanted.add("python" + PYPROJECT["project"]["requires-python"])
    assert (conda | pip) - {"pip", "-e."} == wanted


def test_the_tests_ask_for_what_the_classroom_needs():
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert set(extras["classroom"]) <= set(extras["test"])


def test_prescribed_packages_are_dependencies_and_torchvision_is_not():
    names = {re.match(r"[\w-]+", item)[0] for item in PYPROJECT["project"]["dependencies"]}
    assert {"jupyterlab", "torch", "ipywidgets", "matplotlib", "seaborn", "numpy"} <= names
    groups = [PYPROJECT["project"]["dependencies"], *PYPROJECT["project"]["optional-dependencies"].values()]
    assert not any(item.startswith("torchvision") for group in groups for item in group)


def test_readme_gives_the_two_commands_and_ci_runs_exactly_the_second():
    readme = (ROOT / "README.md").read_text("utf-8")
    venv = "python3 -m venv .venv && .venv/bin/pip install -e"
    open_it = f"{venv} . && .venv/bin/dcviz open"
    test_it = f'{venv} ".[test]" && .venv/bin/pytest'
    assert f"\n{open_it}\n" in readme
    assert f"\n{test_it}\n" in readme
    assert (ROOT / ".ci" / "run").read_text("utf-8").rstrip().endswith(f"\n{test_it}")


def test_the_whole_suite_runs_in_parallel_and_a_part_of_it_at_once(request):
    plugin = request.config.pluginmanager.get_plugin(str(ROOT / "conftest.py"))
    sources = pytest.Config.ArgsSource
    assert "-n auto" in PYPROJECT["tool"]["pytest"]["ini_options"]["addopts"]
    assert plugin.pytest_xdist_auto_num_workers(SimpleNamespace(args_source=sources.TESTPATHS)) >= 2
    assert plugin.pytest_xdist_auto_num_workers(SimpleNamespace(args_source=sources.ARGS)) == 0
    assert plugin.together("notebooks/02_pruning.ipynb::Cell 1") == "notebooks/02_pruning.ipynb"
    for files in (plugin.ALL_LABS, plugin.FRONT_ENDS, [plugin.CHAPTERS], *([file] for file in plugin.NO_SERVER)):
        assert all((ROOT / file).is_file() for file in files)
        assert len({plugin.together(f"{file}::test_it") for file in files}) == 1
    for file in (ROOT / "tests" / "browser").glob("test_*.py"):
        served = re.search(r"\b(server|notebook_server|app|open_notebook|served)\b[,)]", file.read_text("utf-8"))
        place = file.relative_to(ROOT).as_posix()
        assert (served is None) == (place in (*plugin.NO_SERVER, plugin.SLIDES)), f"{place}: with a server, or without"


def test_pictures_and_files_that_the_readme_links_to_exist():
    readme = (ROOT / "README.md").read_text("utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", readme):
        assert (ROOT / target).exists(), target
    assert readme.index("![") < readme.index("python3 -m venv"), "a picture comes first"


def test_data_stays_small_and_every_file_has_its_origin():
    files = [path for path in (ROOT / "data").rglob("*") if path.is_file() and "cache" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 40e6
    origins = (ROOT / "data" / "README.md").read_text("utf-8")
    for path in files:
        relative = path.relative_to(ROOT / "data")
        named = str(relative) in origins or f"{relative.parts[0]}/*{path.suffix}" in origins
        assert named or path.name == "README.md", f"{relative} has no line in data/README.md"


def test_the_moving_picture_moves_and_is_small():
    from PIL import Image

    path = ROOT / "docs" / "pruning-lab.webp"
    assert path.stat().st_size < 1_000_000
    with Image.open(path) as picture:
        assert picture.n_frames >= 12
