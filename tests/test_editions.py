import json

import pytest

from dcviz import editions
from dcviz.files import ROOT

SOURCE = '''# A chapter.
# %% [markdown]
# # Title
#
# Text with *stars*.
# %% tags=["nbval-ignore-output", "slow"]
def answer(x):
    """What to do."""
    ### BEGIN SOLUTION
    y = x + 1
    return y
    ### END SOLUTION


# %%
answer(1)
'''


def test_student_cells_have_stubs_where_the_instructors_have_solutions():
    student, instructor, lecture = (editions.cells_of(SOURCE, edition) for edition in editions.EDITIONS)
    assert student[0] == ("markdown", "# Title\n\nText with *stars*.", [])
    assert student[1] == (
        "code", 'def answer(x):\n    """What to do."""\n    ...  # your code here', ["nbval-ignore-output", "slow"]
    )  # fmt: skip
    assert "y = x + 1\n    return y" in instructor[1][1]
    assert lecture == instructor
    assert "SOLUTION" not in json.dumps([student, instructor])
    assert student[2] == instructor[2] == ("code", "answer(1)", [])


def test_a_malformed_cell_mark_is_named():
    with pytest.raises(editions.SourceError, match="line 2: '# %% code'"):
        editions.cells_of("# %%\n# %% code\n")
    with pytest.raises(editions.SourceError, match="edition must be one of"):
        editions.cells_of(SOURCE, "teacher")


def test_executing_keeps_text_and_pictures_but_no_widget_state(tmp_path):
    source = tmp_path / "99_example.py"
    source.write_text("# %%\nimport ipywidgets\n# %%\nipywidgets.IntSlider(value=3)\n# %%\n1 + 1\n")
    book = editions.execute(editions.notebook(source), tmp_path)
    assert "widgets" not in book.metadata
    assert book.cells[1].outputs[0].data["text/plain"] == "IntSlider(value=3)"
    assert "application/vnd.jupyter.widget-view+json" not in book.cells[1].outputs[0].data
    assert book.cells[2].outputs[0].data["text/plain"] == "2"
    assert [cell.execution_count for cell in book.cells] == [1, 2, 3]


SOURCES = sorted(editions.SOURCES.glob("[0-9][0-9]_*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_committed_notebooks_are_what_the_generator_makes_and_were_run(source):
    import nbformat

    committed = nbformat.read(ROOT / "notebooks" / f"{source.stem}.ipynb", 4)
    made = editions.notebook(source)
    assert [(c.cell_type, c.source, c.id, c.metadata.get("tags")) for c in committed.cells] == [
        (c.cell_type, c.source, c.id, c.metadata.get("tags")) for c in made.cells
    ]
    counts = [cell.execution_count for cell in committed.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "nbval compares nothing in a cell that was not run"
    for cell in committed.cells:
        assert not any(output.output_type == "error" for output in cell.get("outputs", ()))


def test_every_notebook_has_a_source():
    assert {path.stem for path in SOURCES} == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
