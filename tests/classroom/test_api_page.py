"""The page of everything public has every module and name, without running any of them."""

import ast
import inspect

from dcviz import __main__
from dcviz.classroom import api_page
from dcviz.ideas import huffman
from dcviz.labkit import learner


def test_every_public_name_of_a_module_is_on_the_page():
    page = api_page.page()
    for module in (huffman, learner):
        part = page.split(f"\n## {module.__name__}\n")[1].split("\n## ")[0]
        assert inspect.getdoc(module).split("\n")[0][:40] in part
        for name, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_"):
                assert f"- `{name}(" in part
    assert "_load" not in page


def test_signatures_and_first_sentences_are_the_sources():
    source = '''"""Doc. More."""
class A(B):
    """A thing. And more."""
    def __init__(self, x=1, *, y): ...
    @property
    def z(self):
        """The z."""
    def _hidden(self): ...
def f(a, b: int = 2) -> int:
    """Adds ``a``
    and b.

    Long.
    """
'''
    assert api_page._module(ast.parse(source)) == [
        "Doc.",
        "",
        "- `class A(x=1, *, y)`: A thing.",
        "  - `z`: The z.",
        "- `f(a, b: int=2)`: Adds `a` and b.",
    ]


def test_links_on_the_page_lead_to_its_headings():
    page = api_page.page()
    for line in page.splitlines():
        if line.startswith("## "):
            assert f"[{line[3:]}](#{line[3:].replace('.', '').lower()})" in page


def test_the_command_writes_it(tmp_path, capsys):
    assert __main__.main(["api", str(tmp_path / "api.md")]) == 0
    assert (tmp_path / "api.md").read_text("utf-8") == api_page.page()
