"""Progress over all chapters: which predictions were made, which exercises were tried and passed."""

import ast
import functools
import re
from dataclasses import dataclass

import ipywidgets as widgets

from dcviz.classroom import editions
from dcviz.labkit import learner
from dcviz.labkit.check import prefix
from dcviz.labkit.controls import Caption, row
from dcviz.labkit.lifetime import held_weakly, hold_shown
from dcviz.labkit.markup import html, joined


@dataclass(frozen=True)
class Chapter:
    """What a chapter asks: keys of its predictions, "ch02-one-sigma", and of its exercises, "pruning.mask"."""

    stem: str
    title: str
    predictions: tuple[str, ...]
    exercises: tuple[str, ...]


@functools.cache
def chapters():
    """All chapters that ask something, read from their sources -> tuple of `Chapter`; empty without sources."""
    found = [_chapter(path) for path in sorted(editions.SOURCES.glob("[0-9][0-9]_*.py"))]
    return tuple(chapter for chapter in found if chapter.predictions or chapter.exercises)


def _chapter(path):
    cells = editions.cells_of(path.read_text("utf-8"))
    prose = next((text for kind, text, _ in cells if kind == "markdown"), "")
    title = re.search(r"^# (.+)$", prose, re.M)
    predictions, exercises, module = [], [], None
    for node in ast.walk(ast.parse("\n".join(text for kind, text, _ in cells if kind == "code"))):
        if isinstance(node, ast.ImportFrom) and any(alias.asname == "check" for alias in node.names):
            module = prefix(str(node.module).rpartition(".")[2])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "Prediction":
            key = next((word.value for word in node.keywords if word.arg == "key"), None)
            if isinstance(key, ast.Constant):
                predictions.append(str(key.value))
        elif isinstance(node, ast.Call) and (called := re.fullmatch(r"check\.(\w+)", ast.unparse(node.func))):
            exercises.append(called[1])
    keys = dict.fromkeys(f"{module}.{name}" for name in exercises)
    return Chapter(path.stem, title[1] if title else path.stem, tuple(dict.fromkeys(predictions)), tuple(keys))


def counts():
    """[(chapter, predictions made, exercises passed, exercises tried or passed)] by the learner's file, now."""
    made, done = learner.recorded(learner.PREDICTIONS), learner.recorded(learner.EXERCISES)
    return [
        (
            chapter,
            sum(key in made for key in chapter.predictions),
            sum(done.get(key) is True for key in chapter.exercises),
            sum(key in done for key in chapter.exercises),
        )
        for chapter in chapters()
    ]


class Progress(widgets.VBox):
    """A table of all chapters with what the learner has done, a button to look again and one to start afresh.

    Its ``repr`` names the chapters that were begun: the same text for everyone who has not begun.
    """

    @held_weakly()
    def __init__(self):
        self.table = Caption(kind="progress")
        self.note = Caption(kind="truth")
        self.again = widgets.Button(description="Look again", button_style="primary")
        self.forget = widgets.Button(description="Reset my progress")
        self.yes = widgets.Button(description="Yes, forget everything")
        self.no = widgets.Button(description="No, keep it")
        self.sure = row(self.yes, self.no)
        super().__init__([self.table, row(self.again, self.forget), self.sure, self.note])
        self.add_class("dcviz")
        self.add_class("dcviz-lab")
        self.again.on_click(lambda _: self.refresh())
        self.forget.on_click(lambda _: self._ask(True))
        self.no.on_click(lambda _: self._ask(False))
        self.yes.on_click(lambda _: self.reset())
        self._ask(False)
        self.refresh()

    def refresh(self):
        """Read the learner's file and show it."""
        self.table.value = _table()
        self.note.value = learner.trouble()

    def reset(self):
        """Forget all predictions and exercises, at once; the button asks first."""
        why = learner.reset()
        self._ask(False)
        self.refresh()
        self.note.value = why or "Forgotten. Run a chapter's cells again to meet its questions afresh."

    def _ask(self, asking):
        self.sure.layout.display = None if asking else "none"
        self.forget.disabled = asking
        if asking:
            self.note.value = "This forgets all your predictions and results, in all chapters."
        else:
            self.note.value = ""

    def __repr__(self):
        begun = [
            f"{chapter.stem}: {made} of {len(chapter.predictions)} predictions, "
            f"{passed} of {len(chapter.exercises)} exercises"
            for chapter, made, passed, tried in counts()
            if made or tried
        ]
        return f"Progress({'; '.join(begun) or 'nothing done yet'})"

    def _repr_mimebundle_(self, **kwargs):
        hold_shown(self)
        return {**super()._repr_mimebundle_(**kwargs), "text/plain": repr(self)}


def _table():
    lines = []
    for chapter, made, passed, tried in counts():
        lines.append(
            html(
                "<tr><th scope='row'>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
                chapter.title,
                _share(made, len(chapter.predictions)),
                _share(passed, len(chapter.exercises), tried - passed),
                _fewest(chapter),
            )
        )
    columns = ("chapter", "predictions made", "exercises passed", "your fewest bytes")
    head = joined("", (html("<th scope='col'>{}</th>", name) for name in columns))
    return html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", head, joined("", lines))


def _fewest(chapter):
    best = learner.recorded(learner.BEST)
    scores = [(key.partition(".")[2], best[key]) for key in chapter.exercises if type(best.get(key)) is int]
    return ", ".join(f"{name} {score:,}" for name, score in scores)


def _share(done, of, tried=0):
    squares = "■" * done + "▪" * tried + "□" * (of - done - tried)
    more = f", {tried} tried" if tried else ""
    return html("<span aria-hidden='true'>{}</span> {} of {}{}", squares, done, of, more)
