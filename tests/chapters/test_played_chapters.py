"""A learner plays with every lab of a chapter as invited, and then goes on: the rest of the chapter must run.

Each lab gets random changes of its controls, runs and stops, as messages of its page. How long a run trains is a
setting, here a small one. All chapters, 200 changes a lab: DCVIZ_CHANGES=200 pytest
tests/chapters/test_played_chapters.py; it takes a quarter of an hour of processor time, so the whole suite plays with
two chapters, and more briefly. DCVIZ_SEED, any word, makes other changes.
"""

import contextlib
import io
import os
import random
import time

import anywidget
import ipywidgets as widgets
import pytest
from legends import covered
from notebook_shell import notebook_shell

from dcviz.classroom import editions
from dcviz.labkit.base import Lab, LabelledSlider, RunButton, parse, plain, words
from dcviz.labkit.buttons import ChooseFile
from dcviz.labkit.controls import LOCK, Bar, NumberEntry
from dcviz.labkit.picture import Picture

CHANGES = int(os.environ.get("DCVIZ_CHANGES", "0"))
SEED = os.environ.get("DCVIZ_SEED", "")
CHAPTERS = [path.stem for path in editions.sources() if CHANGES or path.stem.startswith(("03", "06"))]
REFUSALS = (
    "there is no CUDA device",
    "does not occur in",
    "the model knows no",
    "cannot be read as",
    "not a .dcz file",
    "choose a .",
    "whole numbers and commas, please",
    "start must be below",
    "positions go from",
)
"""What a lab may say to what was typed or chosen, in words of its own; all else is an error."""
TYPED = ("", "0", "a b", "0,05", "1e9", "-3", "5,5,1", "3, 40, 7", "½", "<b>x</b>", "9" * 400)
FILES = ("net.pt", "net.safetensors", "net.dcz", "notes.txt", "<b>.pt")
SHORT = {"epochs": 1, "images": 50}
"""States of labs that say how long a run takes, with small values."""


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("stem", CHAPTERS)
def test_after_many_changes_of_each_lab_the_chapter_goes_on(stem, monkeypatch, tmp_path, caplog, capsys, recwarn):
    shorten(monkeypatch)
    monkeypatch.chdir(tmp_path)
    played, pictures = [], []
    init = Picture.__init__
    monkeypatch.setattr(Picture, "__init__", lambda self, *args: (pictures.append(self), init(self, *args))[1])

    def play_all(labs):
        chance = random.Random(f"{SEED}{stem} {len(played)}")
        for lab in played[-2:]:  # while its lesson goes on, too
            play(lab, chance, 3)
        for lab in labs:
            played.append(lab)
            play(lab, chance, CHANGES or 12)
            assert lab.png(), "it still has a picture"
            lab.reset()
            assert lab.state() == lab._start

    run_chapter(stem, play_all)
    for lab in played[-2:]:
        assert lab.png(), "and after its lesson"
    text = (editions.SOURCES / f"{stem}.py").read_text("utf-8")
    assert bool(played) == ("Lab(" in text)
    for picture in pictures:
        assert covered(picture.figure) == [], f"a legend lies on what it explains: {picture!r:.80}"
    assert unheard(caplog, capsys) == ""
    ours = [one for one in recwarn if issubclass(one.category, RuntimeWarning | UserWarning)]
    assert [f"{one.filename}:{one.lineno} {one.message}" for one in ours] == []
    left = {path.name for path in tmp_path.iterdir() if path.name not in text}
    assert left == set(), "files that no cell says it writes"


def test_a_button_that_raises_is_heard_of(caplog, capsys):
    button = widgets.Button()
    button.on_click(lambda _: 1 / 0)
    assert unheard(caplog, capsys) == ""
    button.click()
    assert "ZeroDivisionError" in unheard(caplog, capsys)


def unheard(caplog, capsys):
    """What callbacks raised that no lab caught: ipywidgets logs it, threads print it."""
    raised = [repr(record.exc_info[1]) for record in caplog.records if record.exc_info]
    printed = "".join(capsys.readouterr())
    return "; ".join(raised) + (printed if "Traceback" in printed else "")


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
    assert lab.caption.value == words(lab.describe()), f"{lab!r}: the caption is of another state"
    assert parse(repr(lab)) == (type(lab).__name__, lab.state())
    assert lab.bar.link in (repr(lab), "")


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
    """One change at random, as the page sends it; returns what it was."""
    controls = parts(
        lab,
        *(LabelledSlider, RunButton, widgets.Button, widgets.Checkbox, widgets.Dropdown, widgets.ToggleButtons),
        *(NumberEntry, widgets.Text, ChooseFile, Bar),
    )
    inside = {id(button) for run in controls if isinstance(run, RunButton) for button in (run.button, run.halt)}
    drawn = [view for view in parts(lab, anywidget.AnyWidget) if not isinstance(view, NumberEntry | ChooseFile | Bar)]
    views = [view for view in drawn if drag(view, chance)]
    control = chance.choice([*(c for c in controls if id(c) not in inside), *views])
    name = type(control).__name__
    if isinstance(control, RunButton):
        return run_or_stop(lab, control, chance)
    if isinstance(control, Bar):
        return reset_or_resize(lab, chance)
    if isinstance(control, ChooseFile):
        told = {"name": chance.choice(FILES), "size": 9, "choice": chance.random(), "at": 0}
        control._heard(control, told, [b"no weight"])
        return f"chose {told['name']}"
    if isinstance(control, widgets.Button):
        if not control.disabled:
            control.click()
        return f"pressed {control.description}"
    if isinstance(control, LabelledSlider):
        entry, control = control.entry, chance.choice(control.ends)
        sent = {"value": between(entry.min, entry.max, chance, entry.whole)}
    elif isinstance(control, widgets.Checkbox):
        sent = {"value": not control.value}
    elif hasattr(control, "_options_labels"):
        sent = {"index": chance.randrange(len(control._options_labels))}
    elif isinstance(control, widgets.Text):
        sent = {"value": chance.choice([*TYPED, control.value])}
    elif isinstance(control, NumberEntry):
        sent = {"value": between(control.min, control.max, chance, control.whole)}
    else:
        sent = drag(control, chance)
    control.set_state(sent)
    return f"{getattr(control, 'description', '') or name}: {sent}"


def between(low, high, chance, whole):
    if whole:
        low, high = int(low), int(high)
        return chance.choice([low, high, chance.randint(low, high)])
    value = chance.uniform(low, high)
    if low >= 0 and high > 100 * max(low, 1e-9):
        value = min(max(high * 10 ** chance.uniform(-5, 0), low), high)
    return chance.choice([low, high, value, float(f"{value:.2g}")]) if low <= float(f"{value:.2g}") <= high else value


def drag(view, chance):
    """{trait: value} that the mouse or a key on a drawing may send; {} if it takes none."""
    if hasattr(view, "threshold"):
        sent = {"threshold": chance.uniform(0, view.limit)}
    elif getattr(view, "draggable", False) and view.centroids:
        marks, i = [view.low, *view.centroids, view.high], chance.randint(1, len(view.centroids))
        marks[i] = chance.uniform(marks[i - 1], marks[i + 1])
        sent = {"dragged": marks[1:-1]}
    elif hasattr(view, "positions"):
        return {"positions": sorted(chance.sample(range(view.size), chance.randint(0, view.size)))}
    elif hasattr(view, "gradients"):
        name, cell = chance.choice(["weights", "gradients"]), chance.randrange(16)
        values = list(getattr(view, name))
        values[cell] = chance.choice([0.0, -1000.0, chance.uniform(-3, 3)])
        return {"cell": cell, name: values}
    elif hasattr(view, "selected"):
        ends = [end for end in zip(view.tree["node"], view.tree["kind"], strict=True) if end[1] in ("leaf", "branch")]
        node, kind = chance.choice(ends)
        return {"opened": [*view.opened, node]} if kind == "branch" else {"selected": chance.choice([node, -1])}
    elif hasattr(view, "drawing"):
        return {"drawing": chance.choice([*view.examples, 784 * "0", 784 * "f"])}
    elif hasattr(view, "typed"):
        return {} if view.disabled else {"typed": [*view.typed, chance.choice(TYPED)]}
    elif hasattr(view, "interval"):
        return {"value": chance.randint(view.low, view.high)}
    else:
        return {}
    return sent | ({"released": view.released + 1} if chance.random() < 0.7 else {})


def reset_or_resize(lab, chance):
    """What the bar and the page's width send."""
    if chance.random() < 0.5:
        lab.bar._handle_custom_msg({"do": "reset"}, [])
        return "pressed Reset"
    room = chance.choice([[320, 0, 18, 1], [700, 300, 18, 1], [1100, 0, 18, 1], [1100, 0, 27, 1]])
    lab.caption._handle_custom_msg({"room": room}, [])
    return f"a page of {room}"


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
    if chance.random() < 0.4:
        return f"started {run.button.description}, which goes on"
    if chance.random() < 0.7:
        time.sleep(chance.uniform(0, 0.3))
        run.stop()
    run.wait(120)
    with LOCK:
        return f"ran {run.button.description}: {run.message.value}"
