"""The lecture edition: cut where the sources say, and nothing told before it is asked."""

import pytest

from dcviz.classroom import editions
from dcviz.evidence import prose
from dcviz.files import ROOT

SOURCES = editions.sources()
SOURCE = """# %% [markdown] tags=["slide"]
# ## Bits
#
# Shown.

# %% [markdown] tags=["notes", "more"]
# Said.

# %% tags=["skip", "slow"]
import numpy

# %% tags=["subslide"]
guess = Prediction("How many?", truth=3)
# %% tags=["question", "lecture"]
guess
# %% tags=["subslide", "more"]
PruningLab(prediction=guess)
# %% tags=["fragment", "lecture"]
guess.tell()

# %% [markdown]
# In numbers:

# %%
answer()

# %% [markdown] tags=["subslide"]
# ### Build it

# %%
def mine():
    ### BEGIN SOLUTION
    return 1
    ### END SOLUTION
"""


@pytest.fixture
def made(tmp_path):
    """made(edition) -> cells of SOURCE, without the cell that opens all answers."""
    source = tmp_path / "99_test.py"
    source.write_text(SOURCE)
    return lambda edition: [c for c in editions.notebook(source, edition).cells if c.source != editions.OPEN]


def test_a_lecture_is_cut_finer_than_what_learners_read(made):
    student, lecture = made("student"), made("lecture")
    assert [cell.source for cell in student] == [
        "## Bits\n\nShown.\n\nSaid.",
        "import numpy",
        'guess = Prediction("How many?", truth=3)\nPruningLab(prediction=guess)',
        "In numbers:",
        "answer()",
        "### Build it",
        "def mine():\n    ...  # your code here",
    ]
    assert [(cell.source, cell.metadata.slideshow.slide_type) for cell in lecture] == [
        ("## Bits\n\nShown.", "slide"),
        ("Said.", "notes"),
        ("import numpy", "skip"),
        ('guess = Prediction("How many?", truth=3)', "subslide"),
        ("guess", "-"),
        ("PruningLab(prediction=guess)", "subslide"),
        ("guess.tell()", "fragment"),
        ("In numbers:", "-"),
        ("answer()", "-"),
        ("### Build it", "subslide"),
        ("def mine():\n    return 1", "-"),
    ]
    assert [cell.metadata.get("tags") for cell in student if "tags" in cell.metadata] == [["slow"]]
    assert [cell.metadata.get("tags") for cell in lecture if "tags" in cell.metadata] == [["slow"]]


def test_outputs_wait_after_a_question_until_the_next_heading_and_only_exercises_show_code(made):
    jupyter = {cell.source: cell.metadata.get("jupyter", {}) for cell in made("lecture") if cell.cell_type == "code"}
    waiting = [source for source, flags in jupyter.items() if flags.get("outputs_hidden")]
    assert waiting == ["PruningLab(prediction=guess)", "guess.tell()", "answer()"]
    assert [source for source, flags in jupyter.items() if not flags.get("source_hidden")] == [
        "def mine():\n    return 1"
    ]


@pytest.mark.parametrize("kind", ["", " [markdown]"])
def test_a_cell_that_goes_on_with_nothing_of_its_kind_is_named(kind):
    other = " [markdown]" if not kind else ""
    for before in ("", f"# %%{other}\n"):
        with pytest.raises(editions.SourceError, match="follows no"):
            editions.cells_of(f'{before}# %%{kind} tags=["more"]\n')


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_cell_of_a_chapter_has_its_place_and_says_the_same_as_the_chapter(source):
    book = editions.notebook(source, "lecture")
    places = [cell.metadata.slideshow.slide_type for cell in book.cells]
    assert places[0] == "slide"
    assert set(places) <= {*editions.SLIDE_TAGS, "-"}
    assert places.count("slide") >= 3
    for cell, place in zip(book.cells, places, strict=True):
        if cell.source.startswith(("# ", "## ")) and place != "notes":
            assert place == "slide", cell.source
    ids = [cell.id for cell in book.cells]
    assert len(set(ids)) == len(ids)
    cells = editions.cells_of(source.read_text("utf-8"))
    told = "\n\n".join(prose.filled(text) for kind, text, _ in cells if kind == "markdown")
    notes = editions.notes_of(source.stem)
    slides = "\n\n".join(c.source for c in book.cells if c.cell_type == "markdown" and c.source != notes)
    assert slides.split() == told.split(), "words were lost or doubled"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_question_has_its_slide_before_its_lab_and_its_truth_after(source):
    cells = [cell for cell in editions._cells(source.read_text("utf-8"), "lecture") if "notes" not in cell[2]]
    for i, (kind, lines, tags) in enumerate(cells):
        text = "\n".join(lines)
        if kind != "code" or "= Prediction(" not in text:
            continue
        assert "prediction=" not in text
        if "question" in tags:
            continue  # it stands alone
        (_, asked, question), (_, lab, slide), (_, told, fragment) = cells[i + 1 : i + 4]
        name = asked[0]
        assert question == ["question", "lecture"]
        assert f"{name} = Prediction(" in text
        assert slide[:2] == ["subslide", "more"]
        assert f"prediction={name}" in "\n".join(lab)
        assert ("\n".join(told).strip(), fragment) == (f"{name}.tell()", ["fragment", "lecture"])


def test_the_instructors_page_is_in_the_speakers_notes(tmp_path, monkeypatch):
    monkeypatch.setattr(editions, "NOTES", tmp_path)
    assert editions.notes_of("02_pruning") == ""
    (tmp_path / "02_pruning.md").write_text("# What to say")
    book = editions.notebook(ROOT / "notebooks" / "source" / "02_pruning.py", "lecture")
    assert book.cells[1].source == "# What to say"
    assert book.cells[1].metadata.slideshow.slide_type == "notes"
