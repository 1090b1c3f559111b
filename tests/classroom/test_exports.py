"""Pages without a kernel: formulas, saved labs, and nothing that a browser would fetch."""

import copy
import json
import re
import types

import nbformat
import pytest
from bs4 import BeautifulSoup

from dcviz.classroom import exports
from dcviz.classroom.exports import formulas, pages, snapshots
from dcviz.classroom.exports.snapshots import SAVED

CELLS = [
    "import ipywidgets\nfrom dcviz.labs import Prediction, PruningLab\n"
    "from dcviz.labkit.markup import html\n"
    "import numpy as np\nweights = {'fc1': np.random.default_rng(1).normal(0, 0.1, (30, 40))}",
    "guess = Prediction(html('What share <i>{}</i>?', 'goes & went'), options=['half', '<two> thirds'])\n"
    "lab = PruningLab('mine', weights=weights, threshold=0.05, prediction=guess)\nlab",
    "lab.threshold = 0.1",
    "from IPython.display import Math\nMath('x^2')",
]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    book.cells.append(nbformat.v4.new_markdown_cell("See $|w| \\ge t$ in [02](02_pruning.ipynb), not `$HOME$`."))
    return snapshots.execute(book, tmp_path_factory.mktemp("run"))


def page(book, kind="html"):
    return pages.render(nbformat.from_dict(book), kind, "a chapter")


def test_a_lab_is_saved_as_its_cell_showed_it(executed):
    lab = executed.cells[1].outputs[0].data[SAVED]
    states = lab["models"].values()
    view = next(state for state in states if "counts" in state)
    assert view["threshold"] == 0.05  # not 0.1, which came later
    assert set(view["counts"]) == {"base64"}
    assert not any("two thirds" in str(state.get("value")) for state in states), "the truth is not told yet"
    assert len(lab["bound"]["log_y"]) == 2


def test_the_page_shows_picture_and_caption_and_fetches_nothing(executed):
    text = page(executed)
    assert "data:image/png;base64," in text
    assert re.search(r'<img alt="fc1 \(30×40\) of mine, threshold 0.05', text)
    assert "<figcaption>" in text
    assert "What share <i>goes &amp; went</i>?" in text
    assert "<li>half</li><li>&lt;two&gt; thirds</li>" in text
    outside = re.findall(r'(?:src|href)="(?!data:|assets/|#|\d\d_)([^"]*)"', text)
    assert outside == []
    assert not re.search(r"url\(['\"]?https?:|@import|import\(['\"]http", re.sub(r"base64,[\w+/=]+", "", text))


def test_formulas_become_mathml_and_links_stay_among_the_pages(executed):
    text = page(executed)
    assert text.count("<math") == 2
    assert "$|w|" not in text
    assert "$HOME$" in text
    assert 'href="02_pruning.html"' in text
    assert 'href="02_pruning.slides.html"' in page(executed, "slides")


def test_slides_do_not_repeat_the_question_on_the_labs_slide(executed):
    assert "dcviz-asked" not in re.sub(r"<script.*?</script>", "", page(executed, "slides"), flags=re.S)


def test_scripts_and_styles_are_kept_once(executed):
    text = page(executed)
    assert text.count("A live region that stays in the page") == 1


@pytest.mark.parametrize("tex", [r"\frac{1}{p}", r"|w| \ge t", r"\underbrace{10^9}_{\text{connections}}"])
def test_formulas(tex):
    made = formulas.mathml(tex)
    assert made.startswith("<math")
    assert "\\" not in made


def test_a_dollar_in_code_or_in_prose_is_no_formula():
    markup = "<p><code>$DCVIZ_DATA and $HOME</code> costs 5$ and 6$</p><pre>$a$</pre>"
    assert formulas.in_page(markup) == markup
    assert formulas.in_page("<p>$a &lt; b$</p>").count("<mo>") == 1


def test_the_labs_of_a_page_are_json_whatever_they_are_called(executed):
    book = copy.deepcopy(executed)
    for state in book.cells[1].outputs[0].data[SAVED]["models"].values():
        state["name"] = "a<!--b</script><script>alert(1)</script>\u2028"
    text = page(book)
    held = re.search(r'<script id="dcviz-labs" type="application/json">(.*?)</script>', text, re.S)[1]
    assert "<" not in held
    names = {state["name"] for lab in json.loads(held)["labs"] for state in lab["models"].values()}
    assert names == {"a<!--b</script><script>alert(1)</script>\u2028"}


def test_only_captions_bring_markup(executed):
    book = copy.deepcopy(executed)
    for state in book.cells[1].outputs[0].data[SAVED]["models"].values():
        if "dcviz-caption" in state.get("_dom_classes", ()):
            state["_anywidget_id"] = "somewhere.Else"
            state["value"] = "<b>bold</b>"
    assert "&lt;b&gt;bold&lt;/b&gt;</div>" in page(book)


@pytest.mark.parametrize("kind", ["html", "slides"])
def test_a_page_runs_no_script_of_its_outputs(executed, kind):
    book = copy.deepcopy(executed)
    text = page(book, kind)
    policy = BeautifulSoup(text, "html.parser").find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in rules["script-src"]
    assert not re.search("http|[*]|data:", rules["script-src"])
    assert ("sha256-" in rules["script-src"]) == (kind == "slides")
    assert text.index("Content-Security-Policy") < text.index("<script")
    inline = re.findall(r"<script(?![^>]*(?:src=|application/json))[^>]*>", text)
    assert inline == []


def test_reveal_comes_from_its_package_and_is_complete(tmp_path, monkeypatch):
    exports.lay_assets("slides", tmp_path)
    for name in ("live.js", "slides.css", "reveal/dist/reveal.js", "reveal/plugin/notes/notes.js", "reveal/LICENSE"):
        assert (tmp_path / name).stat().st_size > 500
    theme = (tmp_path / "reveal" / "dist" / "theme" / "white.css").read_text()
    assert "http" not in re.sub(r"/\*.*?\*/", "", theme, flags=re.S)
    monkeypatch.setattr(exports.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(exports.ExportError, match=r"pip install .*classroom"):
        exports.reveal_home()


def test_a_wrong_kind_is_named(tmp_path):
    with pytest.raises(exports.ExportError, match="html, slides, not 'pdf'"):
        exports.write("pdf", tmp_path)
    with pytest.raises(exports.ExportError, match="lecture edition"):
        exports.write("slides", tmp_path, edition="student")


def test_what_a_widget_refers_to_is_found_once():
    states = {"a": {"children": ["IPY_MODEL_b", "IPY_MODEL_a"], "x": {"y": "IPY_MODEL_c"}}, "b": {}, "d": {}}
    client = types.SimpleNamespace(widget_state=states, widget_buffers={"b": {(): {"path": ["v"], "data": "AA=="}}})
    assert snapshots.reachable(client, "a").keys() == {"a", "b"}
    assert snapshots.reachable(client, "a")["b"] == {"v": {"base64": "AA=="}}


@pytest.mark.parametrize("link", ["assets", "assets/reveal", "assets/reveal/dist/theme"])
def test_assets_are_not_written_where_a_link_leads(tmp_path, link):
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    (out / link).parent.mkdir(parents=True)
    (out / link).symlink_to(elsewhere)
    with pytest.raises(exports.ExportError, match="is a symbolic link"):
        exports.write("slides", out, ["00"])
    assert list(elsewhere.iterdir()) == []


def test_a_linked_file_among_the_assets_is_replaced_not_written_through(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    for name in ("live.js", "reveal/dist/reveal.js", "reveal/LICENSE"):
        (tmp_path / "assets" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "assets" / name).symlink_to(mine)
    exports.lay_assets("slides", tmp_path / "assets")
    assert mine.read_text() == "mine"
    assert (tmp_path / "assets" / "live.js").read_bytes() == (exports.HERE / "live.js").read_bytes()
    assert not any(path.is_symlink() for path in (tmp_path / "assets").rglob("*"))
