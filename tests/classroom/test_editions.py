import ast
import json
import re
import runpy

import pytest

from dcviz.classroom import editions
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
        "code",
        'def answer(x):\n    """What to do."""\n    ...  # your code here',
        ["nbval-ignore-output", "slow"],
    )
    assert "y = x + 1\n    return y" in instructor[1][1]
    assert "SOLUTION" not in json.dumps([student, lecture])
    assert "    ### BEGIN SOLUTION\n    y = x + 1" in instructor[1][1], "nbgrader looks for the marks"
    assert "y = x + 1\n    return y" in lecture[1][1]
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
    assert [(c.cell_type, c.source, c.id, c.metadata) for c in committed.cells] == [
        (c.cell_type, c.source, c.id, c.metadata) for c in made.cells
    ]
    counts = [cell.execution_count for cell in committed.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "nbval compares nothing in a cell that was not run"
    for cell in committed.cells:
        assert not any(output.output_type == "error" for output in cell.get("outputs", ()))


def test_all_editions_but_the_students_show_every_answer():
    first = {}
    for edition in editions.EDITIONS:
        book = editions.notebook(SOURCES[1], edition)
        first[edition] = next(cell.source for cell in book.cells if cell.cell_type == "code")
        assert len({cell.id for cell in book.cells}) == len(book.cells)
    assert first["instructor"] == first["lecture"] == editions.OPEN
    assert "open_all" not in first["student"]


def test_every_notebook_has_a_source():
    assert {path.stem for path in SOURCES} == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
@pytest.mark.parametrize("edition", ["student", "instructor"])
def test_exercises_carry_nbgraders_metadata_and_nothing_else_does(source, edition):
    text = source.read_text("utf-8")
    solutions = [kind for kind, cell, _ in editions.cells_of(text, "instructor") if "### BEGIN SOLUTION" in cell]
    marked = [cell for cell in editions.notebook(source, edition).cells if "nbgrader" in cell.metadata]
    assert len(marked) == len(solutions)
    ids = [cell.metadata.nbgrader.grade_id for cell in marked]
    assert len(set(ids)) == len(ids)
    for cell in marked:
        flags = dict(cell.metadata.nbgrader)
        assert flags == {  # nbgrader's documented schema, version 3, of a manually graded answer
            "schema_version": 3,
            "grade_id": flags["grade_id"],
            "points": 1,
            "grade": True,
            "solution": True,
            "locked": False,
            "task": False,
        }
        assert f"def {flags['grade_id']}(" in cell.source
        assert re.fullmatch(r"[A-Za-z0-9_-]+", flags["grade_id"])


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_stubs_do_not_pass_their_checks_and_solutions_do(source, tmp_path):
    """Exercises with the chapter's imports alone: what a learner begins with, and what the instructor hands out."""
    text = source.read_text("utf-8")
    codes = [
        (stub, solved)
        for (kind, stub, _), (_, solved, _) in zip(
            editions.cells_of(text), editions.cells_of(text, "instructor"), strict=True
        )
        if kind == "code"
    ]
    imports = [
        ast.unparse(node)
        for _, code in codes
        for node in ast.parse(code).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    for edition, passed in enumerate((False, True)):
        lines = [*imports, "verdicts = []"]
        for cell in codes:
            if "# your code here" in cell[0]:
                *body, verdict = ast.parse(cell[edition]).body
                lines += [*map(ast.unparse, body), f"verdicts.append({ast.unparse(verdict)})"]
        script = tmp_path / f"{edition}.py"
        script.write_text("\n".join(lines))
        verdicts = runpy.run_path(str(script))["verdicts"]
        assert [verdict for verdict in verdicts if verdict.passed is not passed] == []
        assert len(verdicts) > 0 or source.stem.startswith("00")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_code_that_only_sets_up_is_collapsed_and_what_is_to_be_read_is_not(source):
    cells = [cell for cell in editions.notebook(source).cells if cell.cell_type == "code"]
    hidden = [cell for cell in cells if cell.metadata.get("jupyter", {}).get("source_hidden")]
    assert cells[0] in hidden, "a chapter begins with prose and pictures, not with imports"
    for cell in cells:
        helps = cell.source.startswith("def ") and "nbgrader" not in cell.metadata
        asks = re.search(r"^\w+ = Prediction\(\n", cell.source, re.M)
        shows = isinstance(ast.parse(cell.source).body[-1], ast.Expr)  # its import stands where it is needed
        imports = re.match("import |from ", cell.source) and (cell is cells[0] or not shows)
        prepares = helps or asks or imports
        assert (cell in hidden) == bool(prepares), cell.source
        assert (cell in hidden) == ("hide-input" in cell.metadata.get("tags", ())), "JupyterLab and others agree"
    assert all(len(cell.source.split("\n")[0]) < 70 for cell in hidden), "it stands in one line, which a page must hold"
    assert all(cell not in hidden for cell in cells if "nbgrader" in cell.metadata or cell.source.startswith("check."))


def test_no_exercise_can_be_hidden(tmp_path):
    source = tmp_path / "99_example.py"
    source.write_text('# %% tags=["setup"]\ndef f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n')
    with pytest.raises(editions.SourceError, match="is to be read"):
        editions.notebook(source)
