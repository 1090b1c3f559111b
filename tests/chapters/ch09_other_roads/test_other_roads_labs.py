"""The labs of chapter 09: ranks, filters that go, and a teacher's temperature."""

import numpy as np
import pytest
import torch

from dcviz import archive, labs, pipeline
from dcviz.chapters.ch09_other_roads import distillation, filter_lab, rank_lab, svd, taylor, temperature_lab
from dcviz.chapters.ch09_other_roads.rank_lab import RANKS
from dcviz.errors import NetError, Stopped
from dcviz.labkit.base import plain
from dcviz.labs import FilterLab, RankLab, TemperatureLab
from dcviz.nets import datasets, models, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import shipped


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def test_rank_lab_shows_the_cut_the_file_and_the_error():
    lab = RankLab(rank=30)
    lab.rank = 12
    net = svd.factorise(shipped.dense("lenet-300-100"), {"fc1": 12})
    error = training.error_percent(net, datasets.digits().test)
    text = plain(lab.caption.value)
    assert lab.error_percent == error
    assert f"{error:.2f}% cut off" in text
    assert f"{len(archive.dumps(pipeline.stored_net(net))):,} bytes" in text
    assert f"{12 * (300 + 784):,} weights" in text
    kept, line, cut, tuned, _ = lab.artists
    assert kept.get_ydata() == pytest.approx(lab.low.spectrum[:12])
    assert line.get_xdata() == [12, 12]
    assert dict(zip(*cut.get_data(), strict=True))[12] == error
    assert len(tuned.get_xdata()) == 0
    assert lab.used
    assert lab.error == ""


def test_rank_lab_another_layer_keeps_the_rank_where_it_can():
    lab = RankLab(rank=200)
    lab.layer = "fc2"
    assert (lab.rank, lab.slider.slider.max) == (100, 100)
    assert lab.low.shape == (100, 300)
    lab.layer = "fc1"
    assert (lab.rank, lab.slider.slider.max) == (100, 300)
    assert lab.error == ""
    assert repr(labs.recreate(repr(lab))) == repr(lab)
    with pytest.raises(NetError, match="fc1, fc2"):
        RankLab(layer="fc3")


def test_rank_lab_finds_the_lowest_rank_it_has_seen():
    lab = RankLab(layer="fc2", rank=3)
    assert lab.lowest_rank("fc2") is None
    lab.sweep((6, 20, 50))
    assert lab.lowest_rank("fc2") is None, "of other ranks than the sweep's"
    lab.sweep()
    assert lab.lowest_rank("fc1") is None, "of a layer that was not swept"
    swept = [r for (_, r), e in lab.errors.items() if r in RANKS and e <= lab.dense_error + 0.5]
    assert lab.lowest_rank("fc2") == min(swept)


def test_rank_lab_fine_tunes(monkeypatch):
    monkeypatch.setattr(rank_lab, "TUNE", Schedule(epochs=1, lr=1e-3))
    lab = RankLab(layer="fc2", rank=4)
    assert lab.tune() < lab.error_percent
    assert f"{lab.tuned['fc2', 4]:.2f}% fine-tuned" in plain(lab.caption.value)
    assert list(lab.artists[3].get_xdata()) == [4]


def test_filter_lab_really_removes_the_lowest():
    lab = FilterLab(layer="conv2", gone=20)
    lab.gone = 30
    assert [layer.weight.shape[0] for layer in models.weight_layers(lab.net).values()] == [20, 20, 500, 10]
    kept = set(lab.order[30:])
    assert min(lab.scores[i] for i in kept) >= max(lab.scores[i] for i in set(range(50)) - kept)
    assert lab.error_percent == training.error_percent(lab.net, lab.test)
    text = plain(lab.caption.value)
    assert "30 of 50" in text
    assert f"{lab.error_percent:.2f}% without them" in text
    assert f"{len(archive.dumps(pipeline.stored_net(lab.net))):,} bytes" in text
    x, _ = lab.artists[1].get_data()
    assert len(x) == 30 * 6, "a cross over each filter that goes"


def test_filter_lab_another_layer_criterion_and_picture():
    lab = FilterLab(layer="conv2", gone=40)
    lab.layer = "conv1"
    assert lab.gone == 19
    lab.criterion = "magnitude"
    norms = models.weight_layers(lab.dense)["conv1"].weight.detach().flatten(1).norm(dim=1).numpy()
    assert lab.order.tolist() == np.argsort(norms).tolist()
    assert lab.pictures().shape == (20, 24, 24)
    lab.show = "weights"
    assert lab.pictures().shape == (20, 5, 5)
    assert lab.error == ""
    assert repr(labs.recreate(repr(lab))) == repr(lab)


def test_moves_during_a_sweep_score_filters_of_another_net_than_the_sweep(monkeypatch):
    lab, score = FilterLab(layer="conv1", gone=14), taylor.scores
    expected = taylor.normalised(lab.scores)

    def scores(net, split, criterion, layers):
        if net is lab.dense:
            return score(net, split, criterion, layers)
        with models.watched(models.weight_layers(net), lambda name, output: output * 0):  # in the midst of a sweep
            found = score(lab.dense, split.take(slice(0, filter_lab.RANKED_ON)), "taylor", ["conv1"])
        assert np.allclose(found["conv1"], expected)
        raise Stopped

    monkeypatch.setattr(taylor, "scores", scores)
    with pytest.raises(Stopped):
        lab._sweep(lambda *_: None)


def test_filter_lab_measures_all_criteria_and_retrains(monkeypatch):
    monkeypatch.setattr(filter_lab, "RETRAIN", Schedule(epochs=0.2, lr=1e-3, batch_size=64))
    lab = FilterLab(layer="conv1", gone=14)
    assert lab.best("conv1") is None
    lab.sweep()
    assert lab.best("conv1") in taylor.CRITERIA
    assert lab.best("conv2") is None
    for name in taylor.CRITERIA:
        work, errors = lab.artists[2][name].get_data()
        assert len(work) >= 6
        assert work[0] == pytest.approx(100)
        assert errors[-1] > errors[0]
    assert lab.retrain() == lab.retrained["conv1", "taylor", 14]
    assert "retrained (triangle)" in plain(lab.caption.value)


def test_temperature_lab_softens_the_answer():
    lab = TemperatureLab(digit=7, temperature=1.0)
    assert datasets.digits().test.labels[lab.place] == 7
    sure = lab.targets[7]
    lab.temperature = 20.0
    assert lab.targets[7] < sure
    assert lab.targets.sum() == pytest.approx(1)
    widths = [bar.get_width() for bar in lab.bars]
    assert widths == pytest.approx(list(lab.targets))
    assert f"{distillation.entropy(lab.targets):.2f} bits" in plain(lab.caption.value)
    assert lab.result is lab.found(20.0, "3") is None
    lab.digit = 1
    assert datasets.digits().test.labels[lab.place] == 1
    assert lab.error == ""


def test_temperature_lab_teaches_two_students(monkeypatch):
    monkeypatch.setattr(temperature_lab, "LESSON", {"epochs": 2, "lr": 3e-3, "batch_size": 32})
    lab = TemperatureLab(missing="3", temperature=8.0).teach()
    assert set(lab.result) == {"labels", "teacher"}
    assert lab.found(8.0, "3") == lab.result["teacher"][3] > lab.result["labels"][3]
    assert f"{lab.found(8.0, '3'):.0f}%" in plain(lab.caption.value)
    heights = [bar.get_height() for bar in lab.students_view.figure.axes[0].patches if bar.get_width() > 0.1]
    assert lab.result["teacher"][5] in heights
    lab.missing = "none"
    assert lab.result is None
    assert "press Teach" in plain(lab.caption.value)
    lab.missing = "3"
    assert lab.result is not None, "what was taught is remembered"
