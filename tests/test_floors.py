"""Imports go down only; the ground floor needs NumPy alone.

A new module has to be given a floor in the table below, or this test fails.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import dcviz

PACKAGE = Path(dcviz.__file__).parent
LEAVES = {"errors", "files", "markup", "memories", "paper", "theme"}  # for anyone; import errors only
FLOORS = {
    0: """pruning relative_index kmeans kmeans_optimal rate_distortion huffman bits bitstream ans entropy sketch
          sparse_formats context_coding""",
    1: """machine downloads models models_imagenet batchnorm datasets small_digits cifar training picture_training
          alexnet_trainer alexnet_training retraining trained_quantization sparse_kernels sparse_kernels_""",
    2: "archive archive_ authors",
    3: """pipeline pretrained recipes reference reordering sweeps recordings. tables sensitivity coders
          coding_tables budgets storage_tables frontier frontier_tables bounds nnc
          timing timing_ alexnet_compression alexnet_report energy phones
          alternatives.""",
    4: "plots.",
    5: "labs. checks. api_page editions lecture exports. learner __main__",
}  # a name ending in . stands for a package, one ending in _ for all names that begin so
FLOOR_OF = {name: floor for floor, names in FLOORS.items() for name in names.split()}


def module_name(path):
    """dcviz/labs/base.py -> labs.base; dcviz/labs/__init__.py -> labs; dcviz/__init__.py -> ''."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}


def floor_of(name):
    """Floor of a module -> int, -1 for a leaf; KeyError for one that the table does not know."""
    if name in LEAVES:
        return -1
    top = name.partition(".")[0]
    keys = [name, top, top + ".", *(key for key in FLOOR_OF if key.endswith("_") and name.startswith(key))]
    for key in keys:
        if key in FLOOR_OF:
            return FLOOR_OF[key]
    raise KeyError(f"{name}: not in the table of floors")


def imports(name, tree=None, is_package=None):
    """All modules that a module imports, at its top or inside functions -> set of absolute dotted names."""
    tree = tree or TREES[name]
    is_package = SOURCES[name].name == "__init__.py" if is_package is None else is_package
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = ["dcviz", *filter(None, name.split("."))]
                here = here[: len(here) - node.level + is_package]
                base = ".".join([*here, *filter(None, [base])])
            # "from dcviz import kmeans" imports a module, "from dcviz import __version__" does not
            children = {f"{base}.{alias.name}" for alias in node.names}
            modules = {child for child in children if child.removeprefix("dcviz.") in SOURCES}
            found |= modules | ({base} if modules != children else set())
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            found |= {argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)}
    return found


def inside(names):
    """Of absolute names, the modules of dcviz, without the prefix."""
    return {name.removeprefix("dcviz.") for name in names if name.startswith("dcviz.")}


def upward(name, found):
    """Imports that do not go down (or stay on the floor) -> sorted names."""
    if floor_of(name) == -1:
        return sorted(inside(found) - {"errors"})
    return sorted(other for other in inside(found) if floor_of(other) > floor_of(name))


@pytest.mark.parametrize("name", [name for name in SOURCES if name])
def test_imports_go_down_only(name):
    assert upward(name, imports(name)) == []


def test_the_package_itself_imports_no_module_of_its_own():
    assert inside(imports("")) <= {"errors"}


@pytest.mark.parametrize("name", [name for name in SOURCES if name and floor_of(name) == 0])
def test_the_ground_floor_needs_numpy_alone(name):
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


def test_the_ground_floor_loads_nothing_heavy():
    ground = [name for name in SOURCES if name and floor_of(name) == 0]
    statement = "\n".join(f"import dcviz.{name}" for name in ground)
    assert not loaded_after(statement) & {"torch", "ipywidgets", "matplotlib", "scipy", "sklearn", "numba"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import dcviz.archive", ["archive"]),
        ("from dcviz import archive, errors", ["archive"]),
        ("from . import pipeline", ["pipeline"]),
        ("def f():\n    from .models import build", ["models"]),
        ("from dcviz.kmeans import Lloyd\nfrom dcviz import __version__\nimport numpy", []),
        ("importlib.import_module('dcviz.archive')", ["archive"]),
    ],
)
def test_an_upward_import_would_be_found(code, expected):
    if not set(expected) <= set(SOURCES):
        pytest.skip("module not there")
    assert upward("pruning", imports("pruning", ast.parse(code), is_package=False)) == expected


def test_relative_imports_from_a_package_would_be_found():
    tree = ast.parse("from ..labs import base\nfrom . import common")
    assert imports("plots.x", tree, is_package=False) >= {"dcviz.labs.base", "dcviz.plots"}
    assert upward("plots.x", {"dcviz.labs.base"}) == ["labs.base"]
    assert upward("theme", {"dcviz.errors", "dcviz.kmeans"}) == ["kmeans"]


def test_an_unknown_module_would_be_found():
    with pytest.raises(KeyError, match="table of floors"):
        floor_of("brand_new")
    assert floor_of("archive_reader") == 2
    assert floor_of("labs.base") == floor_of("labs") == 5
