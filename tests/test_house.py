"""The house: eight rooms, who may import whom, and the same doors for every chapter."""

import ast
import functools
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import dcviz
from dcviz import labs
from dcviz.chapters import ROOMS as CHAPTERS

PACKAGE = Path(dcviz.__file__).parent
MAY_IMPORT = {
    "ideas": set(),
    "archive": {"ideas"},
    "evidence": set(),
    "nets": {"evidence", "ideas"},
    "pipeline": {"archive", "nets", "evidence", "ideas"},
    "labkit": {"ideas"},
    "chapters": {"labkit", "pipeline", "archive", "nets", "evidence", "ideas"},
    "classroom": {"labkit", "evidence"},
}
"""{room: the other rooms it may import}. The root may import everyone."""
FOR_ALL = {"dcviz", "dcviz.errors", "dcviz.files", "dcviz.without_torch"}
DOORS = ("checks", "figures", "tables", "measure")


def module_name(path):
    """dcviz/labkit/base.py -> dcviz.labkit.base; dcviz/archive/__init__.py -> dcviz.archive."""
    parts = ("dcviz", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@functools.cache
def tree_of(name):
    """The syntax tree of a module."""
    return ast.parse(SOURCES[name].read_text("utf-8"))


def room(name):
    """dcviz.labkit.base -> labkit; "" for a module at the root."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in MAY_IMPORT else ""


def imports(name, tree=None, nodes=ast.walk):
    """All modules that a module imports, at its top or inside functions -> set of absolute dotted names."""
    found = set()
    for node in nodes(tree or tree_of(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = name.split(".")
                here = here[: len(here) - node.level + (name in SOURCES and SOURCES[name].name == "__init__.py")]
                base = ".".join([*here, *filter(None, [base])])
            # "from dcviz.ideas import kmeans" imports a module, "from dcviz import __version__" does not
            children = {f"{base}.{alias.name}" for alias in node.names}
            modules = children & set(SOURCES)
            found |= modules | ({base} if modules != children else set())
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            found |= {argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)}
    return found


def forbidden(name, found):
    """Of the modules that ``name`` imports, those that it may not -> sorted list."""
    home = room(name)
    bad = set()
    for other in {other for other in found if other.partition(".")[0] == "dcviz"} - FOR_ALL:
        there = room(other)
        if home == there == "chapters":
            if name.split(".")[2:3] != other.split(".")[2:3]:
                bad.add(other)
        elif there != home and there not in MAY_IMPORT[home]:
            bad.add(other)
    return sorted(bad)


@pytest.mark.parametrize("name", [name for name in SOURCES if room(name)])
def test_a_room_imports_only_what_it_may(name):
    assert forbidden(name, imports(name)) == []


def test_errors_and_files_import_nothing_of_the_house():
    assert not [other for name in FOR_ALL - {"dcviz"} for other in imports(name) if room(other)]
    assert imports("dcviz") & set(SOURCES) <= {
        "dcviz.errors",
        "dcviz.pipeline",
        "dcviz.pipeline.choosing",
        "dcviz.pipeline.pretrained",
        "dcviz.without_torch",
    }


def test_rooms_and_modules_make_no_circle():
    TopologicalSorter(MAY_IMPORT).prepare()
    tops = {name: imports(name, nodes=ast.iter_child_nodes) & set(SOURCES) - {name} for name in SOURCES}
    TopologicalSorter(tops).prepare()


def test_the_house_stays_small_at_its_door():
    entries = [path for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert {path.name for path in entries if path.is_dir()} == set(MAY_IMPORT)
    assert len([path for path in entries if path.is_file()]) <= 6


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_has_the_same_doors(chapter):
    folder = PACKAGE / "chapters" / chapter
    names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert "checks" in names
    for name in names - set(DOORS):
        assert not name.startswith(DOORS), f"{chapter}/{name}.py: is that a second {name.partition('_')[0]}?"
    widgets = {"ipywidgets", "anywidget", "dcviz.labkit.base"}
    for name in names:
        shows = name.endswith(("_lab", "_view", "_film"))
        assert shows or not imports(f"dcviz.chapters.{chapter}.{name}") & widgets, f"{name} has widgets: call it a lab"


def test_a_chapters_folder_bears_its_notebooks_name():
    notebooks = {f"ch{path.stem}" for path in (PACKAGE.parent / "notebooks" / "source").glob("[0-9][0-9]_*.py")}
    assert set(CHAPTERS) == notebooks - {"ch00_start_here"}


def test_every_lab_stands_in_its_chapters_room():
    for name in labs.ALL:
        home = getattr(labs, name).__module__
        assert room(home) == "chapters"
        assert home.endswith("_lab"), home


@pytest.mark.parametrize("name", [name for name in SOURCES if room(name) == "ideas"])
def test_the_ideas_need_numpy_alone(name):
    outside = {other.partition(".")[0] for other in imports(name)} - {"dcviz"}
    assert outside - set(sys.stdlib_module_names) <= {"numpy"}


def loaded_after(statement):
    """Top-level modules that a fresh Python holds after a statement -> set of names."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_import_dcviz_is_light():
    heavy = {"torch", "ipywidgets", "anywidget", "traitlets", "matplotlib", "numpy", "seaborn"}
    assert not loaded_after("import dcviz") & heavy


def test_the_ideas_load_nothing_heavy():
    statement = "\n".join(f"import {name}" for name in SOURCES if room(name) == "ideas")
    assert not loaded_after(statement) & {"torch", "ipywidgets", "matplotlib", "scipy", "sklearn", "numba"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import dcviz.archive", ["dcviz.archive"]),
        ("from dcviz import archive, errors", ["dcviz.archive"]),
        ("from .. import pipeline", ["dcviz.pipeline"]),
        ("def f():\n    from ..nets.models import build", ["dcviz.nets.models"]),
        ("from dcviz.ideas.kmeans import Lloyd\nfrom dcviz import __version__\nimport numpy", []),
        ("importlib.import_module('dcviz.archive')", ["dcviz.archive"]),
    ],
)
def test_an_upward_import_would_be_found(code, expected):
    name = "dcviz.ideas.pruning"
    assert forbidden(name, imports(name, ast.parse(code))) == expected


def test_a_visit_to_another_chapter_would_be_found():
    name = "dcviz.chapters.ch05_trained_quantization.measure"
    tree = ast.parse("from dcviz.chapters.ch04_weight_sharing import measure\nfrom dcviz.labkit import theme")
    assert forbidden(name, imports(name, tree)) == ["dcviz.chapters.ch04_weight_sharing.measure"]
    own = ast.parse("from dcviz.chapters.ch05_trained_quantization import figures")
    assert forbidden(name, imports(name, own)) == []
