"""A learner plays with every lab of a chapter as invited, and then goes on: the rest of the chapter must run.

Each lab gets random changes of its controls, runs and stops. How long a run trains is a setting, here a small one.
All chapters, 200 changes a lab: DCVIZ_CHANGES=200 pytest tests/chapters/test_played_chapters.py; it takes a quarter of
an hour of processor time, so the whole suite plays with two chapters, and more briefly.
"""

import contextlib
import io
import os
import random
import time

import ipywidgets as widgets
import pytest
from legends import covered
from notebook_shell import notebook_shell

from dcviz.classroom import editions
from dcviz.labkit.base import Lab, LabelledSlider, RunButton, plain
from dcviz.labkit.controls import LOCK, NumberEntry
from dcviz.labkit.picture import Picture

CHANGES = int(os.environ.get("DCVIZ_CHANGES", "0"))
CHAPTERS = [path.stem for path in editions.sources() if CHANGES or path.stem.startswith(("03", "06"))]
REFUSALS = (
    "there is no CUDA device",
    "does not occur in",
    "whole numbers and commas, please",
    "start must be below",
    "positions go from",
)
"""What a lab may say to what was typed or chosen, in words of its own; all else is an error."""
SHORT = {"epochs": 1, "images": 50}
"""States of labs that say how long a run takes, with small values."""


@pytest.mark.parametrize("stem", CHAPTERS)
def test_after_many_changes_of_each_lab_the_chapter_goes_on(stem, monkeypatch, tmp_path):
    shorten(monkeypatch)
    monkeypatch.chdir(tmp_path)
    played, pictures = [], []
    init = Picture.__init__
    monkeypatch.setattr(Picture, "__init__", lambda self, *args: (pictures.append(self), init(self, *args))[1])

    def play_all(labs):
        chance = random.Random(f"{stem} {len(played)}")
        for lab in played[-2:]:  # while its lesson goes on, too
            play(lab, chance, 3)
        for lab in labs:
            played.append(lab)
            play(lab, chance, CHANGES or 12)
            lab.reset()
            assert lab.state() == lab._start

    run_chapter(stem, play_all)
    text = (editions.SOURCES / f"{stem}.py").read_text("utf-8")
    assert bool(played) == ("Lab(" in text)
    for picture in pictures:
        assert covered(picture.figure) == [], f"a legend lies on what it explains: {picture!r:.80}"


def shorten(monkeypatch):
    """Passes over the digits that no control sets."""
    from dcviz.chapters.ch10_how_small import frontier_lab

    monkeypatch.setattr(frontier_lab, "EPOCHS", 1)


def run_chapter(stem, after):
    """Run a chapter's cells, with their solutions, and call ``after`` with the labs that each cell made or showed."""
    source, seen = (editions.SOURCES / f"{stem}.py").read_text("utf-8"), set()
    with notebook_shell() as shell:
        for kind, text, _ in editions.cells_of(source, "instructor"):
            if kind != "code":
                continue
            with contextlib.redirect_stdout(io.StringIO()):
                done = shell.run_cell(text)
            done.raise_error()
            shown = [*shell.user_ns.values(), done.result]
            labs = [value for value in shown if isinstance(value, Lab) and id(value) not in seen]
            seen |= {id(lab) for lab in labs}
            after(list({id(lab): lab for lab in labs}.values()))


def play(lab, chance, changes):
    """What a learner may do with a lab's controls, at random."""
    if lab.waits:
        lab.prediction.commit(chance.choice(lab.prediction.options) if lab.prediction.options else None)
    for done in range(changes):
        said = move(lab, chance)
        assert well(lab), f"{type(lab).__name__}, change {done}, {said}: {lab.error}; {lab!r}"
        assert plain(lab.caption.value), said
    quiet(lab)
    assert well(lab)
    assert lab.png(), "it still has a picture"


def well(lab):
    return lab.error == "" or any(words in lab.error for words in REFUSALS)


def quiet(lab):
    for run in parts(lab, RunButton):
        run.stop()
        assert run.wait(120)


def parts(lab, *kinds):
    """The widgets of these kinds inside a lab, those of its question left out."""

    def walk(widget):
        for child in getattr(widget, "children", ()):
            if child is not lab.prediction:
                yield child
                if not isinstance(child, LabelledSlider):
                    yield from walk(child)

    return [widget for widget in walk(lab) if isinstance(widget, kinds)]


def move(lab, chance):
    """One change at random; returns what it was."""
    controls = parts(
        lab,
        *(LabelledSlider, RunButton, widgets.Button, widgets.Checkbox, widgets.Dropdown, widgets.ToggleButtons),
        *(NumberEntry, widgets.Text),
    )
    inside = {id(button) for run in controls if isinstance(run, RunButton) for button in (run.button, run.halt)}
    views = [(widget, trait) for ends in lab._bound.values() for widget, trait in ends if hasattr(widget, "_esm")]
    control = chance.choice([*(c for c in controls if id(c) not in inside), *views])
    if isinstance(control, tuple):
        return move_view(*control, chance)
    if isinstance(control, RunButton):
        return run_or_stop(lab, control, chance)
    if isinstance(control, widgets.Button):
        if not control.disabled:
            control.click()
        return f"pressed {control.description}"
    if isinstance(control, LabelledSlider):
        entry = control.entry
        entry.value = between(entry.min, entry.max, chance, entry.whole)
    elif isinstance(control, widgets.Checkbox):
        control.value = not control.value
    elif hasattr(control, "_options_labels"):
        control.index = chance.randrange(len(control._options_labels))
    elif isinstance(control, widgets.Text):
        control.value = chance.choice(["", "0", "a b", control.value])
    else:
        control.value = between(control.min, control.max, chance, control.whole)
    return f"{getattr(control, 'description', '') or control.children[0].value} = {control.value}"


def between(low, high, chance, whole):
    if whole:
        low, high = int(low), int(high)
        return chance.choice([low, high, chance.randint(low, high)])
    value = chance.uniform(low, high)
    if low >= 0 and high > 100 * max(low, 1e-9):
        value = min(max(high * 10 ** chance.uniform(-5, 0), low), high)
    return chance.choice([low, high, value, float(f"{value:.2g}")]) if low <= float(f"{value:.2g}") <= high else value


def move_view(view, trait, chance):
    """What the mouse does on a drawing: a threshold, a chosen symbol, a switch."""
    now = getattr(view, trait)
    if isinstance(now, bool):
        setattr(view, trait, not now)
    elif isinstance(now, float):
        setattr(view, trait, chance.uniform(0, getattr(view, "limit", 1.0)))
        if hasattr(view, "released"):
            view.released += 1
    return f"view's {trait} = {getattr(view, trait)}"


def run_or_stop(lab, run, chance):
    if run.running:
        run.stop()
        return "pressed Stop"
    if run.button.disabled:
        return "nothing to run"
    for name, few in SHORT.items():
        if name in lab.state_names:
            setattr(lab, name, type(getattr(lab, name))(few))
    run.button.click()
    if chance.random() < 0.8:
        time.sleep(chance.uniform(0, 0.3))
        run.stop()
    run.wait(120)
    with LOCK:
        return f"ran {run.button.description}: {run.message.value}"
