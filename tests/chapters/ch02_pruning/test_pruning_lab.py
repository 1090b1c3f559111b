"""The pruning lab without a browser: set traits, read artists and caption."""

import threading
import zlib

import numpy as np
import pytest

from dcviz import labs
from dcviz.chapters.ch02_pruning.figures import mask_image
from dcviz.chapters.ch02_pruning.pruning_lab import PruningLab
from dcviz.errors import NetError, WeightError
from dcviz.ideas import pruning, relative_index
from dcviz.ideas.sketch import sketch
from dcviz.labkit.base import plain
from dcviz.labkit.views import HistogramView

RNG = np.random.default_rng(5)
WEIGHTS = {
    "fc1": RNG.laplace(scale=0.02, size=(30, 78)).astype(np.float32),
    "conv1": RNG.normal(scale=0.2, size=(6, 1, 5, 5)).astype(np.float32),
    "conv2": RNG.normal(scale=0.1, size=(4, 6, 3, 3)).astype(np.float32),
}


def make(**state):
    return PruningLab("mine", weights=WEIGHTS, **state)


def test_all_views_show_the_same_threshold():
    lab = make()
    lab.threshold = 0.03
    mask = np.abs(WEIGHTS["fc1"]) >= 0.03
    kept = int(mask.sum())
    assert (lab.kept, lab.density) == (kept, kept / mask.size)
    levels, ((row,), *_) = np.frombuffer(zlib.decompress(lab.figure_view.pixels), "<u2"), lab.figure_view.shapes
    assert lab.thresholds[row] == pytest.approx(0.03, abs=lab.thresholds[1] / 2)
    np.testing.assert_array_equal(levels.reshape(mask.shape) > row, np.abs(WEIGHTS["fc1"]) >= lab.thresholds[row])
    entries = kept + lab.fillers
    assert entries == len(relative_index.encode(np.flatnonzero(mask), 5).gaps)
    assert lab.bytes == -(-entries * 37 // 8)
    assert sum(bar.get_width() for bar in lab.bars) == pytest.approx(entries * 37 / 8)
    assert lab.kept_line.get_xdata()[0] == pytest.approx(100 * kept / mask.size)
    assert lab.view.threshold == 0.03
    assert lab.view.exact == [0.03, mask.size - kept]
    assert f"{kept:,} of {mask.size:,} kept" in plain(lab.caption.value)
    assert lab.threshold_entry.value == 0.03
    assert lab.density_entry.value == pytest.approx(100 * kept / mask.size, rel=1e-3)
    assert lab.error == ""


def test_dragging_in_the_view_is_state():
    lab = make()
    lab.view.threshold = 0.05
    assert lab.threshold == 0.05
    assert "0.05" in lab.caption.value


def test_three_ways_to_enter_the_threshold():
    lab = make()
    lab.quality_entry.value = 1.5
    assert lab.threshold == pytest.approx(pruning.threshold_from_quality(WEIGHTS["fc1"], 1.5))
    lab.density_entry.value = 10
    assert lab.density == pytest.approx(0.1, abs=1 / 2340)
    assert lab.threshold_entry.value == pytest.approx(lab.threshold, rel=1e-3)
    lab.threshold_entry.value = 0.01
    assert lab.threshold == 0.01


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_typed_density_keeps_the_nearest_count_and_the_entry_says_it(kind):
    weights = RNG.normal(size=(20, 25)).astype(kind)
    lab = PruningLab("mine", weights={"some": weights, "equal": np.where(weights > 0, 0.5, 0)})
    for typed, kept in {1.5: 8, 0.4: 2, 30.3: 152, 100: 500}.items():
        lab.density_entry.value = typed
        assert (lab.kept, lab.density_entry.value) == (kept, kept / 5)
    lab.layer = "equal"
    for typed in (10, 20):  # of equal weights all stay
        lab.density_entry.value = typed
        assert lab.density_entry.value == pytest.approx(100 * lab.kept / 500, rel=1e-3)
        assert lab.kept > 200


def test_another_layer_keeps_the_quality():
    lab = make()
    lab.quality_entry.value = 1.2
    lab.layer_choice.value = "conv2"
    assert lab.layer == "conv2"
    assert lab.threshold == pytest.approx(1.2 * WEIGHTS["conv2"].std(), rel=1e-4)
    assert lab.view.n == WEIGHTS["conv2"].size
    assert "conv2 (4×6×3×3)" in plain(lab.caption.value)
    assert lab.image.get_array().shape == mask_image(WEIGHTS["conv2"] != 0).shape


def test_a_bad_threshold_is_told_and_forgotten():
    lab = make()
    lab.threshold = -1
    assert "threshold" in lab.error
    lab.threshold = 0.02
    assert lab.error == ""
    lab.layer = "nope"
    assert "there are fc1, conv1, conv2" in lab.error


def test_deep_link():
    lab = make(threshold=0.041)
    assert repr(lab).startswith("PruningLab(net='mine', layer='fc1', threshold=0.041")
    assert repr(labs.recreate(repr(lab), weights=WEIGHTS)) == repr(lab)
    assert make().threshold == pytest.approx(float(WEIGHTS["fc1"].std()))  # quality 1 by default


def test_error_is_measured_with_only_this_layer_pruned():
    seen = []

    def evaluate(weights, progress):
        progress(0.5)
        seen.append(weights)
        return 12.5

    lab = PruningLab("mine", weights=WEIGHTS, threshold=0.03, evaluate=evaluate)
    assert "not measured" in lab.caption.value
    assert lab.measure() == lab.error_percent == 12.5
    np.testing.assert_array_equal(seen[0]["fc1"], WEIGHTS["fc1"] * (np.abs(WEIGHTS["fc1"]) >= 0.03))
    np.testing.assert_array_equal(seen[0]["conv1"], WEIGHTS["conv1"])
    assert "12.50%" in lab.caption.value
    assert list(lab.error_dots.get_ydata()) == [12.5]
    lab.threshold = 0.05
    assert lab.error_percent is None
    with pytest.raises(WeightError):
        make().measure()


def test_letting_go_measures_if_wanted():
    calls = []
    lab = PruningLab("mine", weights=WEIGHTS, evaluate=lambda w, p: calls.append(1) or 1.0)
    lab.view.released += 1
    assert lab.run.wait(120)
    assert calls == [1]
    lab.auto_box.value = False
    lab.view.released += 1
    assert lab.run.wait(120)
    assert calls == [1]


def test_letting_go_while_busy_measures_the_last_state_too():
    busy, go = threading.Event(), threading.Event()

    def evaluate(weights, progress):
        busy.set()
        assert go.wait(120)
        return 100 * float((weights["fc1"] == 0).mean())

    lab = PruningLab("mine", weights=WEIGHTS, threshold=0.01, evaluate=evaluate)
    lab.view.released += 1
    assert busy.wait(120)
    lab.view.threshold = 0.05
    lab.view.released += 1
    go.set()
    for _ in range(2):
        lab.run._thread.join(120)
    assert lab.error_percent == pytest.approx(100 * (1 - lab.density))
    assert len(lab.error_dots.get_xdata()) == 2


def test_shipped_net_and_its_error():
    lab = PruningLab("lenet-300-100", "fc2", threshold=0.0)
    assert list(lab.weights) == ["fc1", "fc2", "fc3"]
    dense = lab.measure()
    assert 0.5 < dense < 5
    lab.threshold = 10
    assert lab.kept == 0
    assert lab.measure() > 50
    with pytest.raises(NetError):
        PruningLab("no-such-net")


def test_mask_image_averages_blocks():
    mask = np.zeros((5, 7), bool)
    mask[:2, :3] = True
    np.testing.assert_allclose(mask_image(mask, across=3, down=3)[0], [1, 0, 0])
    assert mask_image(mask, across=3, down=3).shape == (3, 3)
    np.testing.assert_allclose(mask_image(np.ones((5, 7), bool), across=3, down=2), 1)
    np.testing.assert_array_equal(mask_image(mask), mask)


def test_mask_image_lays_filters_out_in_a_grid():
    mask = RNG.random((4, 6, 3, 3)) < 0.5
    grid = mask_image(mask)
    assert grid.shape == (4 * 4 + 1, 6 * 4 + 1)
    np.testing.assert_array_equal(grid[5:8, 9:12], mask[1, 2])
    assert np.isnan(grid[0]).all()
    with pytest.raises(ValueError, match="shape"):
        mask_image(np.ones(3, bool))


def test_view_holds_the_sketch_as_bytes():
    s = sketch(WEIGHTS["fc1"])
    view = HistogramView(s, threshold=0.01)
    np.testing.assert_array_equal(np.frombuffer(view.counts, "<u4"), s.counts)
    np.testing.assert_array_equal(np.frombuffer(view.magnitudes, "<f4"), s.magnitudes)
    np.testing.assert_array_equal(np.frombuffer(view.ranks, "<u4"), s.ranks)
