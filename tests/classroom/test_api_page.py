"""pdoc's pages have every module and every public name."""

import inspect
import sys
from pathlib import Path

import dcviz
from dcviz import __main__
from dcviz.classroom import api_page
from dcviz.ideas import huffman
from dcviz.labkit import learner


def test_every_module_has_a_page():
    root = Path(dcviz.__file__).parent
    files = {path.relative_to(root.parent).with_suffix("").parts for path in root.rglob("*.py")}
    names = {".".join(parts[:-1] if parts[-1] == "__init__" else parts) for parts in files}
    assert set(api_page.modules()) == names - {"dcviz", "dcviz.__main__", "dcviz.labs"}


def test_every_public_name_of_a_module_is_on_its_page(tmp_path):
    api_page.write(tmp_path, [huffman.__name__, learner.__name__])
    for module in (huffman, learner):
        page = (tmp_path / f"{module.__name__.replace('.', '/')}.html").read_text("utf-8")
        assert inspect.getdoc(module).split("\n")[0].split("`")[0][:40] in page
        for name, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == module.__name__:
                assert (f'id="{name}"' in page) == (not name.startswith("_")), name


def test_the_command_says_where_the_first_page_is(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(api_page, "modules", lambda: [huffman.__name__])
    assert __main__.main(["api", str(tmp_path / "api")]) == 0
    first = tmp_path / "api" / "index.html"
    assert capsys.readouterr().out == f"{first}\n"
    assert "dcviz/ideas/huffman.html" in first.read_text("utf-8")


def test_without_pdoc_it_is_said_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pdoc", None)
    assert __main__.main(["api", str(tmp_path / "api")]) == 1
    assert capsys.readouterr().err == 'dcviz: the pages are made by pdoc: pip install "dcviz[api]"\n'
