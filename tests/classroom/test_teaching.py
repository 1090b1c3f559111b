"""The instructor's pages: one for each chapter, all parts in it, and every lab state in them can be shown."""

import re

import pytest

from dcviz import labs
from dcviz.classroom import editions
from dcviz.labkit.base import parse

PAGES = sorted(editions.NOTES.glob("[0-9][0-9]_*.md"))
PARTS = ["In 15 minutes", "In 45 minutes", "Predictions that go wrong", "Demonstration", "To discuss", "On the board"]
SHOWN = re.compile(r"^- `(\w+Lab\(.*\))`: \S", re.M)
STATES = [(page.stem, text) for page in PAGES for text in SHOWN.findall(page.read_text("utf-8"))]


def test_every_chapter_has_its_page():
    assert {page.stem for page in PAGES} == {source.stem for source in editions.sources()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_all_its_parts_and_stays_a_page(page):
    text = page.read_text("utf-8")
    assert text.startswith(f"# Teaching {page.stem[:2]} · ")
    assert re.findall(r"^## (.+)$", text, re.M) == PARTS
    assert len(text.splitlines()) <= 60
    demonstration = text.split("## Demonstration")[1].split("\n## ")[0]
    assert len(SHOWN.findall(demonstration)) == demonstration.count("\n- ") >= 2, "a line names no lab state"


@pytest.mark.parametrize(("page", "text"), STATES)
def test_every_state_to_show_can_be_made_and_is_what_the_page_says(page, text):
    name, asked = parse(text)
    lab = labs.recreate(text)
    assert type(lab).__name__ == name
    state = lab.state()
    assert {key: state[key] for key in asked} == asked
    assert lab.error == ""
