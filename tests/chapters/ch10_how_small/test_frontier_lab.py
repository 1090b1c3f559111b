import pytest

from dcviz.chapters.ch10_how_small import frontier, tables
from dcviz.chapters.ch10_how_small.frontier_lab import CODINGS, MOST, TRAININGS
from dcviz.labkit.base import plain
from dcviz.labkit.prediction import Prediction
from dcviz.labs import FrontierLab
from dcviz.nets import datasets
from dcviz.nets.training import error_percent
from dcviz.pipeline import shipped


@pytest.fixture
def lab():
    return FrontierLab()


def test_the_point_is_the_recorded_one(lab):
    for training in ("one cut", "gradual + teacher + shift"):
        lab.training = training
        lab.rate = not lab.rate
        size, error = tables.point(lab.rows, 3.0, lab.parts)
        assert lab.point == (size, error)
        x, y = (data[0] for data in lab.marks[2].get_data())
        assert (x, y) == (error, tables.DENSE_BYTES / size)
        assert f"{size:,} bytes" in plain(lab.caption.value)
        assert {mark.get_markerfacecolor() for mark in lab.marks[2:4]} == {"none"}, "what lies under it is seen"
        assert lab.picture_view.moving[-8].get_text() == "1", "no mark is drawn over a number"


def test_a_line_leads_from_the_dense_nets_error_to_the_point_as_for_the_rivals(lab):
    before = error_percent(shipped.dense(frontier.NET), datasets.unseen())
    size, error = lab.point
    assert lab.dense_error == before < error
    xs, ys = lab.marks[4].get_data()
    assert (list(xs), list(ys)) == ([before, error], [tables.DENSE_BYTES / size] * 2)
    assert lab.axes.get_xlim()[0] < before, "its beginning is on the picture"
    assert f"{before:.2f}% dense" in plain(lab.caption.value)


def test_every_part_moves_the_point_and_adds_a_step_to_the_path(lab):
    seen = {lab.point}
    steps = len(lab.marks[1].get_xdata())
    for name in CODINGS:
        setattr(lab, name, True)
        assert lab.point not in seen
        seen.add(lab.point)
        steps += 1
        assert len(lab.marks[1].get_xdata()) == steps
    assert lab.parts == tuple(part for part in frontier.PARTS if part in frontier.CODING)
    assert len(lab.marks[0].get_xdata()) == 32


def test_the_caption_says_what_one_switch_would_do(lab):
    on = tables.worth(lab.rows, 3.0, ())["gaps"][0]
    assert f"gaps that fit (else 5 bits) on: −{-on:,};" in plain(lab.caption.value)
    lab.gaps = True
    assert f"gaps that fit (else 5 bits) off: +{-on:,};" in plain(lab.caption.value)


def test_what_was_not_recorded_is_said_and_shows_no_point(lab):
    recorded = {(row["density"], tuple(row["parts"])) for row in lab.rows if row["experiment"] == "parts"}
    density, training = next((d, t) for d in frontier.DENSITIES for t, p in TRAININGS.items() if (d, p) not in recorded)
    lab.density, lab.training = density, training
    assert lab.point is None
    assert not len(lab.marks[2].get_xdata())
    assert not len(lab.marks[4].get_xdata())
    assert "not recorded" in plain(lab.caption.value)
    assert lab.error == ""


def test_the_prediction_is_answered_from_the_recorded_runs(lab):
    alone = {part: tables.point(lab.rows, 3.0, (part,))[0] for part in frontier.CODING}
    best = min(alone, key=alone.get)
    guess = Prediction("?", options=["a", "b"], truth=lambda lab: lab.best_coding())
    lab.prediction = guess
    guess.give_up()
    lab.tables = True
    assert plain(guess.note.value).startswith("It is “")
    assert lab.best_coding() == FrontierLab().best_coding()
    assert {"few codes": "4-bit", "rate": "pay", "gaps": "gaps", "tables": "float16", "neurons": "dead"}[
        best
    ] in lab.best_coding()


def test_a_quick_run_lands_on_the_picture_and_stays_there_under_its_name_when_the_recipe_changes(monkeypatch):
    monkeypatch.setattr("dcviz.chapters.ch10_how_small.frontier_lab.EPOCHS", 1)
    lab = FrontierLab(training="gradual", rate=True).run()
    assert lab.error == ""
    size, error = lab.live
    assert 3000 < size < 30_000
    assert lab.marks[3].get_data()[0][0] == min(error, 0.98 * MOST)
    assert "Live:" in plain(lab.caption.value)
    lab.rate = False
    assert lab.live == (size, error)
    assert lab.marks[3].get_data()[0][0] == min(error, 0.98 * MOST)
    assert "Live (your last run, 3% of fc1 with" in plain(lab.caption.value)


def test_a_run_can_be_stopped():
    lab = FrontierLab()
    lab.button.progress = lambda *_: lab.button.stop() or type(lab.button).progress(lab.button, 0)
    lab.run()
    assert lab.live is None
    assert lab.error == ""
    assert lab.button.message.value == "stopped"
