"""RetrainingLab: a real run on the digits; histograms, error curve, film, stop, deep link."""

import numpy as np
import pytest
from legends import covered

from dcviz import labs
from dcviz.chapters.ch02_pruning.retraining_film import MOMENTS
from dcviz.chapters.ch02_pruning.retraining_lab import MOST_RUNS, RetrainingLab
from dcviz.errors import NetError
from dcviz.ideas import pruning
from dcviz.labkit.prediction import Prediction
from dcviz.pipeline import retraining, shipped


@pytest.fixture(scope="module")
def run():
    lab = RetrainingLab(epochs=0.4)
    lab.retrain()
    return lab


def test_before_a_run_the_cut_is_shown_and_nothing_is_retrained():
    lab = RetrainingLab(density=10.0)
    edges, before, cut, now, threshold = lab.histograms()
    weights = retraining.weights_of(shipped.dense("lenet-300-100"))["fc1"]
    mask = pruning.mask_from_density(weights, 0.1)
    assert before.sum() == np.count_nonzero(weights)
    assert cut.sum() == mask.sum() == 23_520
    assert now.sum() == 0
    assert threshold == pytest.approx(np.abs(weights[mask]).min())
    inside = (edges[1:] <= threshold) & (edges[:-1] >= -threshold)
    assert cut[inside].sum() == 0
    assert "Not retrained yet" in lab.caption.value
    assert "23,520" in lab.caption.value


def test_retraining_brings_the_error_down(run):
    film = run.film
    assert film.total == 50
    assert film.steps[0] == 0
    assert film.steps[-1] == 50
    assert len(film.errors) == MOMENTS + 1
    assert film.errors[-1] < film.errors[0] / 2
    assert run.lines[0].get_data()[1] == film.errors
    assert covered(run.figure_view.figure) == []
    assert run.error == ""
    assert run.used


def test_pruned_weights_stay_pruned_and_survivors_enter_the_gap(run):
    _, _, cut, now, _ = run.histograms()
    assert 0 < now.sum() <= cut.sum()
    assert 0 < run.film.inside[-1]["fc1"] < 0.6 * now.sum()
    assert run.film.inside[0]["fc1"] == 0


def test_the_film_can_be_wound_back(run):
    run.moment = 0
    assert run.artists["bars"][2].get_data().values.tolist() == run.histograms()[2].tolist()
    assert "<b>0</b> of 50" in run.caption.value
    assert run.dot.get_data()[0] == [0]
    assert run.play.high == len(run.film.steps) - 1
    run.play.value = 1
    assert run.dot.get_data()[0] == [run.film.steps[1]]
    run.moment = MOMENTS
    assert "<b>50</b> of 50" in run.caption.value


def test_another_density_shows_its_cut_and_no_film(run):
    run.density = 3.0
    assert run.film is None
    assert run.artists["bars"][1].get_data().values.sum() == round(0.03 * 235_200)
    assert len(run.lines) == 1  # the run stays in the lower axes
    run.density = 8.0
    assert run.film is not None


def test_runs_are_kept_for_comparison_up_to_four():
    lab = RetrainingLab(epochs=0.1)
    for method in ("one cut", "five cuts", "gradual", "one cut", "gradual"):
        lab.method = method
        lab.retrain()
    assert len(lab.runs) == len(lab.lines) == MOST_RUNS
    assert [r.label.split(",")[0] for r in lab.runs] == ["five cuts", "gradual", "one cut", "gradual"]
    lab.forget()
    assert lab.runs == lab.lines == []
    assert "Not retrained yet" in lab.caption.value


def test_stop_keeps_what_was_trained_so_far():
    guess = Prediction("How far down?", low=0, high=100, truth=lambda lab: lab.film and lab.film.errors[-1])
    lab = RetrainingLab(epochs=2, prediction=guess)
    guess.give_up()
    lab._push = lambda film: lab.run.stop() if len(film.steps) == 3 else None
    lab.retrain()
    assert not lab.run.running
    assert lab.error == ""
    assert len(lab.film.steps) == 3
    assert lab.film.steps[-1] < lab.film.total
    assert f"It is {lab.film.errors[-1]:.4g}" in guess.note.value


def test_another_net_and_layer():
    lab = RetrainingLab(layer="fc3")
    assert lab.histograms()[2].sum() == 260  # 26 percent of 1,000, as in the paper
    lab.net = "lenet-5"
    assert lab.layer == "fc1"
    lab.layer = "conv1"
    assert lab.histograms()[1].sum() == 500
    assert lab.error == ""
    lab.layer = "fc9"
    assert "no layer 'fc9'" in lab.error


def test_your_own_function_cuts():
    def largest_of_all(weights, density):
        return np.abs(weights) >= 0.2

    lab = RetrainingLab(epochs=0.1, prune=largest_of_all)
    assert "by your own function" in lab.caption.value
    kept = lab.histograms()[2].sum()
    assert kept == np.count_nonzero(np.abs(lab.dense()[0]["fc1"]) >= 0.2)
    lab.retrain()
    assert 0 < lab.film.counts[-1]["fc1"].sum() <= kept
    lab.method = "gradual"  # cuts many times, by itself
    assert "your own" not in lab.caption.value


def test_a_function_that_is_not_written_yet_or_wrong():
    lab = RetrainingLab(prune=lambda weights, density: None)
    assert "returns nothing yet" in lab.caption.value
    assert lab.histograms()[2].sum() == 18_816
    lab.prune = lambda weights, density: weights * 2
    lab.density = 10.0
    assert "not a bool mask of shape (300, 784)" in lab.error


def test_repr_and_picture(run):
    text = repr(run)
    assert text == (
        "RetrainingLab(net='lenet-300-100', layer='fc1', density=8.0, method='one cut', epochs=0.4, moment=24)"
    )
    assert repr(labs.recreate(text)) == text
    assert len(run.picture().axes) == 4


def test_an_unknown_net_is_named():
    with pytest.raises(NetError, match="no net 'vgg'"):
        RetrainingLab("vgg")


def test_a_mask_of_ones_and_zeros_is_a_mask_too():
    lab = RetrainingLab(prune=lambda weights, density: pruning.mask_from_density(weights, density).astype(int))
    assert lab.mask("fc1").dtype == bool
    assert lab.own
    assert "by your own function" in lab.caption.value


def test_runs_of_another_net_leave_the_picture_and_a_stopped_run_does_not_hide_a_finished_one():
    lab = RetrainingLab(epochs=0.1)
    error = lab.retrain()
    assert len(lab.lines) == 1
    lab.net = "lenet-5"
    assert lab.film is None
    assert lab.lines == []
    lab.net = "lenet-300-100"
    assert len(lab.lines) == 1
    assert lab.film.errors[-1] == error
    lab.run.progress = lambda *_: lab.run.stop() or type(lab.run).progress(lab.run, 0)
    lab.retrain()
    assert lab.run.message.value == "stopped"
    assert lab.film.errors[-1] == lab.finished_error(epochs=0.1) == error
    assert lab.caption.value == lab.describe(), "the words are of the run on show, too"
