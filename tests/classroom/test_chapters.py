"""What every chapter promises: a plan, a question to predict, a lab, an exercise with its check, no flicker."""

import ast
import re
from importlib import import_module

import nbformat.v4 as v4
import pytest
from nbclient import NotebookClient

from dcviz import labs
from dcviz.classroom import editions

CHAPTERS = sorted(editions.SOURCES.glob("[0-9][0-9]_*.py"))
FORBIDDEN = {"interact", "interactive", "interact_manual", "Output", "clear_output", "tqdm"}
"""Flickering or unpredictable outputs, which nbval cannot compare."""


def parts(path, edition="student"):
    cells = editions.cells_of(path.read_text("utf-8"), edition)
    prose = "\n\n".join(text for kind, text, _ in cells if kind == "markdown")
    return cells, prose, [text for kind, text, _ in cells if kind == "code"]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_code_parses_and_uses_nothing_that_flickers(path):
    for edition in editions.EDITIONS:
        for code in parts(path, edition)[2]:
            assert not code.lstrip().startswith("%"), "no magics"
            names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
            names |= {node.attr for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Attribute)}
            assert not names & FORBIDDEN


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_printed_sign_is_a_minus_not_a_hyphen(path):
    hyphens = re.findall(r"\{[^{}]*:[^{}]?\+[.,\d][^{}]*\}", path.read_text(encoding="utf-8"))
    assert hyphens == [], "markup.signed writes it"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_opens_with_its_title_plan_and_time(path):
    cells, _, _ = parts(path)
    kind, first, _ = cells[0]
    assert kind == "markdown"
    assert first.startswith("# ")
    if not path.stem.startswith("00"):
        assert first.startswith(f"# {path.stem[:2]} · ")
        opening = " ".join(text for kind, text, _ in cells[:3] if kind == "markdown")
        for promise in ("**You will learn**", "**You need**", "**Time:**"):
            assert promise in opening


@pytest.mark.parametrize("path", [p for p in CHAPTERS if not p.stem.startswith("00")], ids=lambda path: path.stem)
def test_a_chapter_predicts_shows_a_lab_and_checks_an_exercise(path):
    _, _, codes = parts(path)
    code = "\n".join(codes)
    assert "Prediction(" in code
    assert any(f"{name}(" in code for name in labs.ALL)
    room = f"ch{path.stem}"
    assert re.search(rf"^from dcviz\.chapters\.{room} import \(?[\w\s,]*?\bchecks as check\b", code, re.M)
    module = import_module(f"dcviz.chapters.{room}.checks")
    used = set(re.findall(r"\bcheck\.(\w+)\(", code))
    assert used
    assert all(hasattr(module, name) for name in used)
    assert code.count("# your code here") >= len(used), "every check has a stub to fill in"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_cells_that_go_on_with_a_learners_function_ask_whether_it_is_right(path):
    for code in parts(path)[2]:
        tree = ast.parse(code)
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        asked = {
            name.id
            for call in ast.walk(tree)
            if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("check.")
            for name in call.args
            if isinstance(name, ast.Name)
        }
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id.startswith("my_")}
        assert used <= defined | asked


def test_the_solutions_that_the_instructor_edition_shows_pass_their_checks(tmp_path):
    cells, asked = [], []
    for path in CHAPTERS:
        codes = parts(path, "instructor")[2]
        first = ast.parse(codes[0]).body  # the imports alone: what else the first cell does takes time
        cells += [ast.unparse(node) for node in first if isinstance(node, ast.Import | ast.ImportFrom)]
        exercises = [code for code in codes if "### BEGIN SOLUTION" in code]
        cells += exercises
        asked += [path.stem] * len(exercises)
    book = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells])
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [cell.outputs[-1]["data"]["text/plain"] for cell in book.cells if "### BEGIN SOLUTION" in cell.source]
    assert [(stem, text) for stem, text in zip(asked, shown, strict=True) if not text.startswith("✔")] == []
    assert len(shown) >= 33


def test_a_wrong_answer_does_not_stop_run_all(tmp_path, monkeypatch):
    monkeypatch.setenv("DCVIZ_PROGRESS", "off")
    monkeypatch.delenv("DCVIZ_CHECKS")
    book = v4.new_notebook(
        cells=[
            v4.new_code_cell(
                "from dcviz.chapters.ch02_pruning import checks as check\nmine = lambda w, t: w > t\ncheck.mask(mine)"
            ),
            v4.new_code_cell("check.mask.trusted(mine) is None"),
        ]
    )
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    lesson, after = (cell.outputs[0]["data"] for cell in book.cells)
    assert "you compare the weight" in lesson["text/html"] or "the answer differs" in lesson["text/html"]
    assert "data:image/png" in lesson["text/html"]
    assert after["text/plain"] == "True"


def test_links_between_chapters_lead_somewhere():
    stems = {path.stem for path in CHAPTERS}
    for path in CHAPTERS:
        for target in re.findall(r"\]\((\w+)\.ipynb\)", parts(path)[1]):
            assert target in stems, f"{path.stem} links to {target}"


def test_every_chapter_leads_to_the_journey_of_one_weight():
    home = "07_full_pipeline"
    assert "### The journey of one weight" in next(parts(path)[1] for path in CHAPTERS if path.stem == home)
    for path in CHAPTERS:
        assert path.stem == home or f"]({home}.ipynb#The-journey-of-one-weight)" in parts(path)[1], path.stem


def test_every_lab_has_its_place_in_a_chapter():
    everything = "\n".join(path.read_text("utf-8") for path in CHAPTERS)
    assert [name for name in labs.ALL if f"{name}(" not in everything] == []
