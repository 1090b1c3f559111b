"""Chapters with every exercise answered wrongly, in each of four ways: nothing stops.

A chapter runs once, as "Run all" does, in IPython without a kernel, as far as an answer can reach. An exercise is
checked with each of the wrong answers, and a cell that goes on with a learner's function runs with each of them.
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


def last_reached(cells):
    """Place of the last cell that an answer of the learner's can reach, by the names that cells bind or change."""
    reached, imported, last = set(), set(), 0
    for at, (kind, code, _) in enumerate(cells):
        tree = ast.parse(code if kind == "code" else "")
        nodes = list(ast.walk(tree))
        imported |= {
            (name.asname or name.name).partition(".")[0]
            for node in nodes
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in node.names
        }
        mine = {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("my_")}
        used = {node.id for node in nodes if isinstance(node, ast.Name)}
        if mine or used & reached:
            reached |= mine | used - imported - vars(builtins).keys()
            last = at
    return last


def test_what_an_answer_reaches():
    cells = ["import a\na.b(1)", "def my_f(): ...", "x = a.b(my_f)", "lab.y = x", "z = 3", "a.b(lab)", "a.b(z)"]
    assert last_reached([("code", cell, ()) for cell in cells]) == 5
    assert last_reached([("code", cell, ()) for cell in cells[:5]]) == 3


@pytest.mark.filterwarnings("default")  # a notebook goes on after one
@pytest.mark.parametrize("path", editions.sources()[1:], ids=lambda path: path.stem)
def test_no_wrong_answer_stops_a_chapter(path, shell):
    answers = {}  # {my_function: {way: wrong answer}}
    cells = list(editions.cells_of(path.read_text("utf-8")))
    for at, (kind, code, _) in enumerate(cells[: last_reached(cells) + 1]):
        if kind != "code":
            continue
        tree = ast.parse(code)
        mine = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("my_")]
        for function in mine:
            check = next(
                ast.unparse(call.func)
                for call in ast.walk(tree)
                if isinstance(call, ast.Call) and [ast.unparse(one) for one in call.args] == [function.name]
            )
            solution = shell.ev(f"{check}.solution")
            answers[function.name] = {way: way(solution) for way in WAYS}
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & answers.keys()
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
