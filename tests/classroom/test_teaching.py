"""The instructor's pages: one for each chapter, all parts in it, and every lab state in them can be shown."""

import ast
import builtins
import re

import pytest

from dcviz import labs
from dcviz.classroom import editions
from dcviz.labkit.base import parse, plain

PAGES = sorted(editions.NOTES.glob("[0-9][0-9]_*.md"))
PARTS = [
    "In 15 minutes",
    "In 45 minutes",
    "Predictions that go wrong",
    "Demonstration",
    "To discuss",
    "On the board",
    "Marking",
]
SHOWN = re.compile(r"^- `(\w+Lab\(.*\))`: \S", re.M)
STATES = [(page.stem, text) for page in PAGES for text in SHOWN.findall(page.read_text("utf-8"))]
COUNTED = re.compile(
    r"\b(most|many|few|nobody|everybody|hardly anyone|almost all) (of them |people )?(say|expect|guess|think)", re.I
)
"""What nobody counted."""


def test_every_chapter_has_its_page():
    assert {page.stem for page in PAGES} == {source.stem for source in editions.sources()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_all_its_parts_and_stays_a_page(page):
    text = page.read_text("utf-8")
    assert text.startswith(f"# Teaching {page.stem[:2]} · ")
    assert re.findall(r"^## (.+)$", text, re.M) == PARTS
    assert len(text.splitlines()) <= 80
    demonstration = text.split("## Demonstration")[1].split("\n## ")[0]
    assert len(SHOWN.findall(demonstration)) == demonstration.count("\n- ") >= 2, "a line names no lab state"
    discussed = text.split("## To discuss")[1].split("\n## ")[0]
    assert discussed.count("\n- ") == discussed.count("\n  Answer: ") >= 2
    assert not COUNTED.search(text)


@pytest.mark.parametrize(("page", "text"), STATES)
def test_every_state_to_show_can_be_made_and_is_what_the_page_says(page, text):
    name, asked = parse(text)
    lab = labs.recreate(text)
    assert type(lab).__name__ == name
    state = lab.state()
    assert {key: state[key] for key in asked} == asked
    assert lab.error == ""
    block = (editions.NOTES / f"{page}.md").read_text("utf-8").split(f"- `{text}`")[1].split("\n- ")[0].split("\n\n")[0]
    expected = re.search(r"Expect: (.*?)(?: After |$)", block.replace("\n  ", " "), re.S)
    numbers = re.findall(r"\d[\d,.]*(?<=\d)", expected[1]) if expected else []
    said = set(re.findall(r"\d[\d,.]*(?<=\d)", plain(lab.caption.value)))
    assert [number for number in numbers if number not in said] == [], "the page promises what the lab does not show"


def test_most_pages_say_what_to_expect():
    assert sum(page.read_text("utf-8").count("\n  Expect: ") for page in PAGES) >= 0.8 * len(STATES)


def test_the_way_through_in_fifteen_minutes_takes_fifteen_and_asks_a_question_in_every_chapter():
    text = (editions.NOTES.parent / "fifteen_minutes.md").read_text("utf-8")
    assert sum(map(int, re.findall(r"^\| (\d+) \|", text, re.M))) == 15
    rows = re.findall(r"^\| \d+ \| \[\d\d\]\(\.\./notebooks/(\w+)\.ipynb\), section (\d) \| `([^`]+)`", text, re.M)
    chapters = [source.stem for source in editions.sources()]
    assert sorted({stem for stem, _, _ in rows}) == chapters[1:]
    assert "JourneyLab(weight=5)" in text
    for stem, section, begins in rows:
        cells = editions.cells_of((editions.SOURCES / f"{stem}.py").read_text("utf-8"))
        (at,) = [place for place, (kind, code, _) in enumerate(cells) if kind == "code" and code.startswith(begins)]
        headings = [re.search(r"^## (\d) · ", one, re.M) for kind, one, _ in cells[:at] if kind == "markdown"]
        assert [match[1] for match in headings if match][-1] == section, (stem, begins)
        first = next(code for kind, code, _ in cells if kind == "code")
        known = named(first, ast.Store) | named(cells[at][1], ast.Store) | set(dir(builtins))
        assert named(cells[at][1], ast.Load) <= known, (stem, "needs more than the first cell")


def named(code, use):
    """Names that a cell stores or loads; imports are stored, arguments too."""
    nodes = list(ast.walk(ast.parse(code)))
    found = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, use)}
    if use is ast.Store:
        found |= {
            alias.asname or alias.name.split(".")[0]
            for node in nodes
            for alias in getattr(node, "names", ())
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        found |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return found


def test_the_index_has_every_figure_and_table_of_the_paper_and_leads_to_sections_that_are_there():
    text = (editions.NOTES.parent / "paper_index.md").read_text("utf-8").split("## Where its numbers")[0]
    for kind, last in (("Figure", 11), ("Table", 9), ("Section", 9)):
        assert re.findall(rf"^\| {kind} (\d+) \|", text, re.M) == [str(n) for n in range(1, last + 1)]
    places = re.findall(r"notebooks/(\w+)\.ipynb\) section (\d)", text)
    assert len(places) > 20
    for stem, section in places:
        source = (editions.SOURCES / f"{stem}.py").read_text("utf-8")
        assert re.search(rf"^# ## {section} · ", source, re.M), f"{stem} has no section {section}"


def test_every_chapter_leads_to_the_glossary_and_it_has_the_words():
    words = re.findall(r"^\| \*\*([^*]+)\*\*", (editions.NOTES.parent / "glossary.md").read_text("utf-8"), re.M)
    assert words == sorted(words, key=str.lower)
    assert {
        "density",
        "sparsity",
        "codebook",
        "centroid",
        "gap",
        "filler",
        "canonical",
        "entropy",
        "roofline",
        "rank",
    } <= {*words}
    for source in editions.sources():
        assert "docs/glossary.md" in source.read_text("utf-8")
