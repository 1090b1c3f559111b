"""Chapters with every exercise answered wrongly, in each of four ways: nothing stops.

What an answer can reach runs in IPython without a kernel, after what that needs; the rest of a chapter runs in
`test_notebooks_browser.py`, where no answer changes it. An exercise is checked with each of the wrong answers, and a
cell that goes on with a learner's function runs with each of them.
"""

import ast
import builtins

import numpy as np
import pytest
from notebook_shell import notebook_shell

from dcviz.classroom import editions
from dcviz.labkit.check import Result


def changed(value):
    """The value, but wrong; of the same kind."""
    if isinstance(value, dict):
        return {key: changed(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([changed(value[0]), *value[1:]]) if value else type(value)([1])
    if isinstance(value, str):
        return f"{value}1"
    if isinstance(value, bool | np.bool_) or (isinstance(value, np.ndarray) and value.dtype == bool):
        return np.logical_not(value)
    return 10 * value + 7


def wrong_value(solution):
    """A function that gives what the solution gives, changed."""
    return lambda *given: changed(solution(*given))


def wrong_type(solution):
    """A function that gives a text, or a number where a text is wanted."""
    return lambda *given: 7 if isinstance(solution(*given), str) else "seven"


def no_return(solution):
    """A function that computes and hands nothing back."""

    def forgotten(*given):
        solution(*given)

    return forgotten


def raises(solution):
    """A function that fails."""

    def fails(*given):
        raise IndexError(f"nothing in {len(given)} places")

    return fails


WAYS = (wrong_value, wrong_type, no_return, raises)


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """IPython that makes everything a notebook would show: pictures, HTML, text."""
    monkeypatch.setenv("DCVIZ_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.delenv("DCVIZ_CHECKS", raising=False)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.chdir(tmp_path)
    with notebook_shell() as made:
        made.display_formatter.active_types = made.display_formatter.format_types
        yield made


def done(shell, code, where):
    """What a cell gives; an error in it ends the test."""
    result = shell.run_cell(code, store_history=False)
    assert result.error_before_exec is None, where
    assert result.error_in_exec is None, (where, result.error_in_exec)
    return result.result


IMPORTS = ast.Import | ast.ImportFrom


def names(*trees):
    """All names in pieces of code but what they import, and the builtin ones."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imports = [name for node in nodes if isinstance(node, IMPORTS) for name in node.names]
    imported = {(name.asname or name.name).partition(".")[0] for name in imports}
    return {node.id for node in nodes if isinstance(node, ast.Name)} - imported - vars(builtins).keys()


def exercises(tree):
    """The learner's functions that a cell defines."""
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("my_")]


def reached(trees):
    """Places of the cells that an answer of the learner's can reach, by the names that cells bind or change."""
    found, known, ours = [], set(), names(*trees)
    for at, tree in enumerate(trees):
        mine = {function.name for function in exercises(tree)}
        if mine or names(tree) & known:
            known |= mine | names(tree) & ours
            found.append(at)
    return found


def may_change(statement):
    """Names that a statement binds, assigns a part of, or calls a method of."""
    found = set()
    for node in ast.walk(statement):
        stored = isinstance(getattr(node, "ctx", None), ast.Store)
        place = node.func if isinstance(node, ast.Call) else node if stored else None
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif not isinstance(node, ast.Call) or isinstance(place, ast.Attribute):
            while isinstance(place, ast.Attribute | ast.Subscript | ast.Call):
                place = place.func if isinstance(place, ast.Call) else place.value
            found |= {place.id} if isinstance(place, ast.Name) else set()
    return found


def to_run(trees):
    """{place: statements} of the cells that answers reach, whole, and of what these need of the cells before them."""
    places, ours, needed, left = reached(trees), names(*trees), set(), {}
    for at in reversed(range(places[-1] + 1)):
        left[at] = []
        for statement in reversed(trees[at].body):
            if at in places or may_change(statement) & needed:
                needed |= names(statement) & ours
            elif not isinstance(statement, IMPORTS):
                continue
            left[at].insert(0, statement)
    return dict(reversed(left.items()))


def test_what_an_answer_reaches():
    cells = ["import a\na.b(1)", "def my_f(): ...", "x = a.b(my_f)", "lab.y = x", "z = 3", "a.b(lab)", "a.b(z)"]
    trees = [ast.parse(cell) for cell in cells]
    assert reached(trees) == [1, 2, 3, 5]
    assert reached(trees[:5]) == [1, 2, 3]


def test_what_it_needs():
    before = ["import a\nlab = a.Lab()\na.Lab()", "lab.k[0].x = w\nlab", "w = 3", "w = a.b(2)\nw.c().d()\nprint(w)"]
    trees = [ast.parse(cell) for cell in (*before[:1], *before[2:], *before[1:2], "def my_f(): ...\na.b(my_f, lab)")]
    left = {at: [ast.unparse(one) for one in statements] for at, statements in to_run(trees).items()}
    assert left == {
        0: ["import a", "lab = a.Lab()"],
        1: ["w = 3"],
        2: ["w = a.b(2)", "w.c().d()"],
        3: ["lab.k[0].x = w"],
        4: ["def my_f():\n    ...", "a.b(my_f, lab)"],
    }


@pytest.mark.filterwarnings("default")  # a notebook goes on after one
@pytest.mark.parametrize("path", editions.sources()[1:], ids=lambda path: path.stem)
def test_no_wrong_answer_stops_a_chapter(path, shell):
    answers = {}  # {my_function: {way: wrong answer}}
    cells = editions.cells_of(path.read_text("utf-8"))
    parts = to_run([ast.parse(code if kind == "code" else "") for kind, code, _ in cells])
    for at, statements in parts.items():
        tree = ast.Module(statements, [])
        mine = exercises(tree)
        for function in mine:
            check = next(
                ast.unparse(call.func)
                for call in ast.walk(tree)
                if isinstance(call, ast.Call) and [ast.unparse(one) for one in call.args] == [function.name]
            )
            solution = shell.ev(f"{check}.solution")
            answers[function.name] = {way: way(solution) for way in WAYS}
        used = names(tree) & answers.keys()
        rest = "\n".join(ast.unparse(node) for node in tree.body if node not in mine)
        for way in WAYS if used else (None,):
            where = f"cell {at}, {way.__name__ if way else 'as it is'}"
            shell.push({name: answers[name][way] for name in used})
            result = done(shell, rest, where)
            if mine:
                assert isinstance(result, Result), where
                assert (result.passed, result.wrong) == (False, True), (where, result)
                assert result.message, where
    assert answers, "a chapter has exercises"
