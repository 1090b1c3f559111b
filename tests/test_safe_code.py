"""Nothing runs code out of data, nothing goes through a shell, and only known addresses are fetched.

Held over the syntax trees of the package, the chapters, the tests and the benchmarks.
"""

import ast
import json
import re
from pathlib import Path

import pytest

import dcviz
from dcviz import without_torch
from dcviz.classroom import editions
from dcviz.nets import cifar, datasets
from dcviz.pipeline import pretrained

ROOT = Path(dcviz.__file__).parents[1]
PACKAGE = sorted((ROOT / "dcviz").rglob("*.py"))
SCRIPTS = sorted([*(ROOT / "dcviz").rglob("*.js"), *(ROOT / "dcviz").rglob("*.j2"), *(ROOT / "dcviz").rglob("*.css")])

IMPORTS = ("pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "commands", "pty")
CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "asyncio.create_subprocess_shell",
    "yaml.load",
    "yaml.load_all",
    "yaml.unsafe_load",
    "yaml.full_load",
    "pandas.read_pickle",
    "pandas.eval",
    "numpy.lib.format.read_array",
    "numpy.fromregex",
    "shutil.unpack_archive",
    "sys.settrace",
    "sys.setprofile",
}
PREFIXES = ("os.exec", "os.spawn", "os.posix_spawn")
METHODS = {"extractall": "writes wherever an archive says", "to_pickle": "pickle", "query": "evaluates text"}
FETCHERS = {"urllib.request", "urllib3", "http.client", "requests", "httpx", "aiohttp", "ftplib", "socket"}
FETCHING_MODULES = {"downloads.py"}

DOWNLOADS = {
    datasets.MNIST_URL: "SHA-256 of each unpacked file in datasets.MNIST_FILES",
    cifar.URL: "cifar.SHA256",
    pretrained.PUBLISHED: "first eight digits of the SHA-256 in each file's name, as torchvision publishes them",
}
NAMES = {"http://www.w3.org/2000/svg", without_torch.HOW.split()[-1]}
"""Never fetched: the name of the SVG language, and where a person is told to install torch from."""


def full_names(tree):
    """{name in this file: dotted name it stands for}: import numpy as np -> {'np': 'numpy'}."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {
                a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0]
                for a in node.names
            }
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def unsafe(tree):
    """Ways of running code out of data or through a shell -> list of 'line: what'."""
    found, names = [], full_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [(node.lineno, name) for name in modules if name.partition(".")[0] in IMPORTS]
            found += [(node.lineno, name) for name in full_names(node).values() if name in CALLS]
        if isinstance(node, ast.Name | ast.Attribute):  # also when it is passed on without being called
            start, dot, rest = ast.unparse(node).partition(".")
            name = (names.get(start, start) + dot + rest).removeprefix("builtins.")
            if name in CALLS or name.startswith(PREFIXES):
                found.append((node.lineno, name))
        if isinstance(node, ast.Call):
            start, dot, rest = ast.unparse(node.func).partition(".")
            called = names.get(start, start) + dot + rest
            options = {k.arg: ast.unparse(k.value) for k in node.keywords}
            method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if method in METHODS:
                found.append((node.lineno, f"{method}: {METHODS[method]}"))
            if method == "eval" and (node.args or node.keywords):  # a net's eval() has none
                found.append((node.lineno, "eval"))
            for option in ("shell", "allow_pickle", "trust_remote_code"):
                if options.get(option, "False") != "False":
                    found.append((node.lineno, option))
            if called == "torch.load" and options.get("weights_only") != "True":
                found.append((node.lineno, "torch.load without weights_only=True"))
    return [f"{line}: {what}" for line, what in found]


def addresses(text):
    """The addresses in a text -> set."""
    return set(re.findall(r"\b(?:https?|ftp)://[^\s\"'`<>)\\]+", text))


def texts(tree):
    """All string constants of a file, docstrings and pieces of f-strings too, one below the other."""
    return "\n".join(n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_in_the_package_runs_code_out_of_data(path):
    assert unsafe(tree_of(path)) == []


def test_nothing_in_a_chapter_does():
    for path in sorted(editions.SOURCES.glob("[0-9][0-9]_*.py")):
        for edition in editions.EDITIONS:
            for kind, code, _ in editions.cells_of(path.read_text("utf-8"), edition):
                assert kind == "markdown" or unsafe(ast.parse(code)) == [], path.name
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                assert unsafe(ast.parse("".join(cell["source"]))) == [], path.name


def test_nothing_in_the_tests_and_benchmarks_does():
    allowed = {
        ("kill_writers.py", "sys.settrace"),  # counts lines, to die before one of them
        ("test_running.py", "pickle"),  # how a user's net goes to a process of its own
    }
    for path in sorted((ROOT / "tests").rglob("*.py")):
        found = {(path.name, what.partition(": ")[2]) for what in unsafe(tree_of(path))}
        assert found <= allowed


def test_nothing_in_the_browser_does():
    for path in SCRIPTS:
        assert not re.search(
            r"\beval\s*\(|\bnew Function\b|\bdocument\.write\b|setTimeout\(\s*[\"'`]", path.read_text("utf-8")
        ), path.name


@pytest.mark.parametrize("path", [*PACKAGE, *SCRIPTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_address_is_on_the_list(path):
    text = texts(tree_of(path)) if path.suffix == ".py" else path.read_text("utf-8")
    unknown = {url for url in addresses(text) - NAMES if url not in DOWNLOADS}
    assert unknown == set()


def test_the_list_is_https_alone_and_every_file_on_it_has_a_checksum():
    assert all(url.startswith("https://") for url in DOWNLOADS)
    assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256, _ in datasets.MNIST_FILES.values())
    assert re.fullmatch("[0-9a-f]{64}", cifar.SHA256)
    for _, file in pretrained.IMAGENET.values():
        assert re.fullmatch(r"[\w-]+-[0-9a-f]{8}\.pth", file)


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_network_is_asked_in_one_module_alone(path):
    used = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            used |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            used |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    used = {fetcher for fetcher in FETCHERS for name in used if name and (name + ".").startswith(fetcher + ".")}
    assert path.name in FETCHING_MODULES or used == set()


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "eval('1')",
        "import builtins\nbuiltins.exec('1')",
        "run = exec",
        "compile('1', '', 'eval')",
        "__import__('os')",
        "frame.eval('a + b')",
        "import os\nos.system('ls')",
        "from os import system",
        "from os import popen as p\np('ls')",
        "import os\nos.execv('/bin/ls', [])",
        "subprocess.run('ls', shell=True)",
        "import subprocess as s\ns.getoutput('ls')",
        "np.load(f, allow_pickle=True)",
        "torch.load(f)",
        "from torch import load\nload(f)",
        "torch.load(f, weights_only=False)",
        "import yaml\nyaml.load(text)",
        "tar.extractall(folder)",
    ],
)
def test_unsafe_code_would_be_found(code):
    assert unsafe(ast.parse(code))


def test_safe_code_is_left_alone():
    code = "net.eval()\nast.literal_eval(s)\ntorch.load(f, weights_only=True)\nre.compile('a')\nyaml.safe_load(t)"
    assert not unsafe(ast.parse(code))
    assert not unsafe(ast.parse("import numpy as np\nnp.load(f, allow_pickle=False)\nsubprocess.run(['ls'])"))


def test_an_address_would_be_found():
    assert addresses(texts(ast.parse("x = f'see http://a.b/{c} now'"))) == {"http://a.b/"}
    assert addresses("fetch('https://x.y/z')") == {"https://x.y/z"}
