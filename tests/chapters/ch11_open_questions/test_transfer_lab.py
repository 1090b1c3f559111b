"""TransferLab: one press teaches, measures and weighs; the recorded curves stay behind it."""

import pytest

from dcviz import labs
from dcviz.chapters.ch11_open_questions import measure, transfer
from dcviz.chapters.ch11_open_questions.transfer_lab import TransferLab
from dcviz.evidence import recordings


@pytest.fixture(scope="module")
def taught():
    lab = TransferLab(road="codebook", examples=30, draw=1)
    lab.teach()
    return lab


def test_nothing_is_taught_before_the_button():
    lab = TransferLab()
    assert lab.runs == {}
    assert "Press <b>Teach</b>" in lab.caption.value
    assert all(len(star.get_xdata()) == 0 for star in lab.stars)
    assert not lab.used


def test_a_run_is_measured_and_shown(taught):
    error, size = taught.runs["codebook", 30, 1]
    _, sent = transfer.learn(
        measure.old_net(),
        "codebook",
        lambda net, moves: measure.teach(net, moves, measure.examples(30, 1), "codebook", 1),
    )
    assert size == sent == taught.sizes["codebook"]
    assert error < 0.8 * taught.old_errors["everything"]
    assert f"measured here: <b>{error:.1f}%</b>" in taught.caption.value
    left, right = taught.stars
    assert (list(left.get_xdata()), list(left.get_ydata())) == ([30], [error])
    assert (list(right.get_xdata()), list(right.get_ydata())) == ([size], [error])
    assert taught.used


def test_the_recorded_means_stand_behind_it(taught):
    rows = recordings.load("transfer_errors").rows
    found = [r["error_percent"] for r in rows if (r["road"], r["examples"]) == ("kept", 30)]
    assert taught.points["kept"].get_ydata()[0] == pytest.approx(sum(found) / len(found))
    assert taught.points["kept"].get_xdata()[0] == taught.sizes["kept"]


def test_other_examples_move_the_points_to_the_nearest_recording():
    lab = TransferLab(examples=30)
    before = lab.points["dense"].get_ydata()[0]
    lab.examples = 700
    assert lab.nearest == 1000
    assert lab.points["dense"].get_ydata()[0] < before
    lab.examples = 1
    assert lab.nearest == 10
    assert lab.error == ""


def test_a_run_can_be_stopped(monkeypatch):
    lab = TransferLab(examples=10)
    begun = measure.teach

    def stop_soon(*arguments):
        lab.run.stop()
        begun(*arguments)

    monkeypatch.setattr(measure, "teach", stop_soon)
    lab.run.start(wait=True)
    assert lab.runs == {}
    assert lab.run.message.value == "stopped"


def test_repr_brings_it_back(taught):
    again = labs.recreate(repr(taught))
    assert repr(again) == repr(taught) == "TransferLab(road='codebook', examples=30, draw=1)"
