"""The lab on sketches against the weights that they were made from."""

import numpy as np
import pytest

from dcviz.errors import NetError
from dcviz.evidence import paper
from dcviz.ideas.sketch import sketch
from dcviz.labkit.base import plain
from dcviz.labs import BigNetLab
from dcviz.nets import models


@pytest.fixture
def weights():
    """Three layers under AlexNet's names, small, of different shapes and deviations."""
    rng = np.random.default_rng(0)
    sizes = {"features.0": (8, 3, 5, 5), "classifier.1": (200, 300), "classifier.6": (10, 200)}
    return {name: rng.normal(0, 0.1 / (i + 1), size).astype(np.float32) for i, (name, size) in enumerate(sizes.items())}


@pytest.fixture
def lab(weights):
    return BigNetLab("classifier.1", sketches=[sketch(w, name=name) for name, w in weights.items()])


def test_every_layer_gets_the_same_multiple_of_its_deviation(lab, weights):
    lab.threshold = 1.5 * float(weights["classifier.1"].std())
    for name, w in weights.items():
        kept = np.mean(np.abs(w) >= 1.5 * w.std())
        assert lab.densities[name] == pytest.approx(kept, abs=0.002), name
        bar = lab.bars[list(weights).index(name)]
        assert bar.get_height() == pytest.approx(100 * lab.densities[name])
    assert lab.kept == pytest.approx(sum(lab.densities[name] * w.size for name, w in weights.items()))
    assert plain(lab.caption.value).startswith("fc6 (classifier.1): threshold 0.")
    assert f"{100 * lab.densities['classifier.1']:.1f}%" in plain(lab.caption.value)


def test_another_layer_keeps_the_quality(lab):
    lab.quality_entry.value = 2.0
    assert lab.quality == pytest.approx(2, rel=1e-3)
    before = lab.densities
    lab.layer_choice.value = "features.0"
    assert lab.quality == pytest.approx(2, rel=1e-3)
    assert lab.view.n == 600
    assert lab.densities == pytest.approx(before, abs=1e-3)


def test_the_papers_densities_stand_beside(lab):
    rows = paper.layers("alexnet")
    for ours, theirs in models.paper_names("alexnet").items():
        assert 100 * lab.printed[ours] == pytest.approx(rows[theirs]["weights_pct_P"])


def test_nothing_pruned_and_all_pruned(lab):
    lab.threshold = 0.0
    assert lab.kept == lab.weights
    assert "keeps 100% of" in plain(lab.caption.value)
    lab.threshold = float(lab.sketch.magnitudes[1])
    assert "keeps 99.9" in plain(lab.caption.value), "one weight is gone"
    lab.threshold = 1e3
    assert lab.kept == lab.bytes == 0
    assert "keeps 0% of" in plain(lab.caption.value)


def test_an_unknown_layer_is_refused(lab):
    with pytest.raises(NetError, match=r"features\.0"):
        BigNetLab("fc99", sketches=lab.sketches.values())
