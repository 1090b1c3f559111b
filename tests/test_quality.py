"""Spelling, links, docstrings, style and types of the whole project; no network."""

import ast
import io
import itertools
import json
import re
import subprocess
import sys
import tokenize
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

from dcviz.files import ROOT

PAGES = sorted(
    page
    for folder, pattern in ((".", "*.md"), ("docs", "**/*.md"), ("data", "README.md"), ("notebooks", "*.ipynb"))
    for page in (ROOT / folder).glob(pattern)
)
LINK = re.compile(r"(?<!`)\[[^\]\n]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
CODE = re.compile(r"^```python\n(.*?)^```", re.S | re.M)


def tool(*command):
    """Run a tool of this environment on the project; returns what it says, "" if it has nothing to say."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    return "" if done.returncode == 0 else f"exit status {done.returncode}\n{done.stdout}{done.stderr}"


def tracked(*suffixes):
    """Files of the project by suffix, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.splitlines() if name.endswith(suffixes) and (ROOT / name).is_file()]


def test_spelling():
    files = tracked(".py", ".md", ".toml", ".yml", ".cff", ".js", ".css")
    assert "README.md" in files
    assert tool("codespell_lib", *files) == ""


def test_a_misspelling_would_be_found(tmp_path):
    (tmp_path / "page.md").write_text("We recie" + "ve it.")
    assert "receive" in tool("codespell_lib", str(tmp_path / "page.md"))


GAP = re.compile(r"(?<=[0-9}]) %(?![a-z(%])")
PROSE = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def apart(text, suffix):
    """Where a space stands before a percent sign: `markup.percent` writes none. Of Python strings and comments only."""
    if suffix != ".py":
        return [text[max(0, found.start() - 30) : found.end()] for found in GAP.finditer(text)]
    lines = text.splitlines(keepends=True)
    starts = list(itertools.accumulate(map(len, lines), initial=0))
    spans = [
        (starts[token.start[0] - 1] + token.start[1], starts[token.end[0] - 1] + token.end[1])
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type in PROSE
    ]
    return [text[max(0, a - 1) : b] for a, b in spans if GAP.search(text[max(0, a - 1) : b])]


def test_percent_is_written_in_one_way():
    found = {}
    for name in tracked(".py", ".md", ".ipynb"):
        text, suffix = (ROOT / name).read_text("utf-8"), Path(name).suffix
        if suffix == ".ipynb":  # its code is in its source
            cells = json.loads(text)["cells"]
            prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
            text = "\n".join(
                [*prose, *(words for cell in cells for out in cell.get("outputs", []) for words in words_of(out))]
            )
        if places := apart(text, suffix):
            found[name] = places
    assert found == {}


def words_of(output):
    """The texts of a stored output."""
    data = [value for kind, value in output.get("data", {}).items() if kind.startswith("text/")]
    return ["".join(value) for value in (*data, output.get("text", ""))]


def test_a_percent_that_stands_apart_would_be_found():
    comment, string, code = "x = 5 # 5" + " %", "f'{x}" + " % of it'", "7" + " % 3"
    assert apart("5" + " % of it", ".md")
    assert apart(comment, ".py")
    assert apart(string, ".py")
    assert not apart(code, ".py")


def test_style():
    assert tool("ruff", "check", "--no-cache", ".") == ""


def test_layout():
    assert tool("ruff", "format", "--no-cache", "--check", ".") == ""


def test_public_names_have_docstrings():
    assert tool("interrogate", "-v", "-c", "pyproject.toml", "dcviz") == ""


def test_a_missing_docstring_would_be_found(tmp_path):
    (tmp_path / "module.py").write_text('"""Doc."""\n\n\ndef bare():\n    return 1\n')
    assert "50.0%" in tool("interrogate", "-v", "-c", "pyproject.toml", str(tmp_path / "module.py"))


def test_types():
    assert tool("mypy") == ""


def prose(path):
    """Markdown of a page, or of a notebook's text cells, without code."""
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        cells = nbformat.reads(text, 4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.sub(r"```.*?```", "", text, flags=re.S)


def anchors(path):
    """Anchors of a page's headings, as GitHub and Jupyter make them."""
    headings = re.findall(r"^#{1,6} +(.+?) *#*$", prose(path), re.M)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", heading) for heading in headings]
    github = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}
    return github | {heading.replace(" ", "-") for heading in plain}


def broken(path, text=None):
    """Relative links of a page that lead nowhere."""
    found = []
    for target in LINK.findall(prose(path) if text is None else text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        other = (path.parent / name) if name else path
        lost = anchor and other.suffix in (".md", ".ipynb") and other.exists() and anchor not in anchors(other)
        if lost or not other.exists():
            found.append(target)
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    assert broken(path) == []


def test_a_broken_link_would_be_found():
    readme = ROOT / "README.md"
    text = "[a](nowhere.md) [b](docs/format.md) [c](#no-such-heading) [d](#cite) [e](https://example.org)"
    assert broken(readme, text) == ["nowhere.md", "#no-such-heading"]


def test_web_addresses_are_whole():
    for path in PAGES:
        for target in LINK.findall(prose(path)):
            if re.match(r"[a-z]+:", target):
                assert re.fullmatch(r"https://[\w.-]+\.[a-z]+(/\S*)?|mailto:\S+@\S+", target), f"{path.name}: {target}"


def test_python_in_the_pages_compiles():
    pages = [path for path in PAGES if path.suffix == ".md"]
    blocks = [(path.name, block) for path in pages for block in CODE.findall(path.read_text("utf-8"))]
    assert len(blocks) >= 2
    for name, block in blocks:
        ast.parse(block, name)
