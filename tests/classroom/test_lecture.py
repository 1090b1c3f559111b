"""The lecture edition: slides with little on them, and nothing told before it is asked."""

import ast

import pytest

from dcviz.classroom import editions, lecture
from dcviz.evidence import prose
from dcviz.files import ROOT

SOURCES = editions.sources()
STARTS = ("slide", "subslide")


def kinds(cells):
    return [(kind, metadata["slideshow"]["slide_type"]) for kind, _, metadata in cells]


def test_headings_start_slides_and_long_prose_is_said():
    text = "## 1 · Bits\n\nFirst shown.\n\nThen said.\n\nWith **bold** shown.\n\n### Below\n\nShown too."
    cells = lecture.slides("markdown", text)
    assert [(text, metadata["slideshow"]["slide_type"]) for _, text, metadata in cells] == [
        ("## 1 · Bits\n\nFirst shown.\n\nWith **bold** shown.", "slide"),
        ("Then said.", "notes"),
        ("### Below\n\nShown too.", "subslide"),
    ]


def test_what_is_too_much_goes_on_below():
    items = "\n".join(f"* item {i}: " + "words " * 20 for i in range(12))
    cells = lecture.slides("markdown", f"## Many\n\n{items}")
    assert kinds(cells)[0] == ("markdown", "slide")
    assert {slide for _, slide in kinds(cells)[1:]} == {"subslide"}
    assert "\n".join(text for _, text, _ in cells).count("* item") == 12
    for _, text, _ in cells:
        assert sum(map(lecture.lines, lecture.blocks(text))) <= lecture.LINES + 2


def test_a_question_comes_before_its_lab_and_the_truth_last():
    code = 'guess = Prediction(\n    "How many?", truth=3\n)\nPruningLab(\n    layer="fc1", prediction=guess\n)'
    cells = lecture.join(lecture.slides("code", code))
    (_, question, _), (_, lab, shown), (_, told, last) = cells
    assert ast.parse(question)
    assert question.endswith("guess")
    assert "PruningLab" not in question
    assert lab == 'shown = PruningLab(\n    layer="fc1", prediction=guess\n)\nshown'
    assert told == "guess.tell(shown)"
    assert kinds(cells) == [("code", "subslide"), ("code", "subslide"), ("code", "fragment")]
    assert shown["jupyter"] == last["jupyter"] == {"source_hidden": True, "outputs_hidden": True}


def test_all_outputs_wait_until_the_next_heading():
    cells = [
        *lecture.slides("code", 'Prediction("How many?")'),
        *lecture.slides("code", "answer()"),
        *lecture.slides("markdown", "## Next"),
        *lecture.slides("code", "other()"),
    ]
    hidden = [metadata.get("jupyter", {}).get("outputs_hidden", False) for _, _, metadata in lecture.join(cells)]
    assert hidden == [False, True, False, False]


def test_a_lead_in_stands_on_the_slide_of_its_output():
    cells = [*lecture.slides("markdown", "**First.**\n\nIn numbers:"), *lecture.slides("code", "table()")]
    assert kinds(lecture.join(cells)) == [("markdown", "subslide"), ("markdown", "subslide"), ("code", "-")]


def test_cells_without_an_output_are_skipped_and_exercises_show_their_solution():
    assert kinds(lecture.slides("code", "import numpy")) == [("code", "skip")]
    assert "jupyter" not in lecture.slides("code", "def f(): ...\n\n\ncheck.f(f)", exercise=True)[0][2]


def test_a_tag_overrules():
    assert kinds(lecture.slides("markdown", "## Title", ["skip"])) == [("markdown", "skip")]
    assert kinds(lecture.slides("code", "1", ["fragment", "nbval-ignore-output"])) == [("code", "fragment")]


def test_blocks_of_a_text():
    text = "# Title\nText\nmore\n* one\n* two\n\n$$\na\n\nb\n$$\n\n| a |\n|---|"
    assert lecture.blocks(text) == ["# Title", "Text\nmore", "* one\n* two", "$$\na\n\nb\n$$", "| a |\n|---|"]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_cell_of_a_chapter_has_its_place_and_says_the_same_as_the_chapter(source):
    book = editions.notebook(source, "lecture")
    places = [cell.metadata.slideshow.slide_type for cell in book.cells]
    assert places[0] == "slide"
    assert set(places) <= {*lecture.SLIDE_TAGS, "-"}
    assert places.count("slide") >= 3
    for cell in book.cells:
        if cell.cell_type == "markdown" and cell.metadata.slideshow.slide_type in STARTS and "|--" not in cell.source:
            assert sum(map(lecture.lines, lecture.blocks(cell.source))) <= lecture.LINES + 4, cell.source
    ids = [cell.id for cell in book.cells]
    assert len(set(ids)) == len(ids)
    cells = editions.cells_of(source.read_text("utf-8"))
    told = "\n\n".join(prose.filled(text) for kind, text, _ in cells if kind == "markdown")
    notes = editions.notes_of(source.stem)
    slides = "\n\n".join(c.source for c in book.cells if c.cell_type == "markdown" and c.source != notes)
    assert sorted(slides.split()) == sorted(told.split()), "words were lost or doubled"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_no_lab_with_a_prediction_stands_on_its_questions_slide(source):
    for cell in editions.notebook(source, "lecture").cells:
        if cell.cell_type == "code" and "Prediction(" in cell.source:
            assert "prediction=" not in cell.source


def test_the_instructors_page_is_in_the_speakers_notes(tmp_path, monkeypatch):
    monkeypatch.setattr(editions, "NOTES", tmp_path)
    assert editions.notes_of("02_pruning") == ""
    (tmp_path / "02_pruning.md").write_text("# What to say")
    book = editions.notebook(ROOT / "notebooks" / "source" / "02_pruning.py", "lecture")
    assert book.cells[1].source == "# What to say"
    assert book.cells[1].metadata.slideshow.slide_type == "notes"
