"""A drawn digit before two nets: the sums in 16 bits are the net's, and the lab says what they say."""

import numpy as np
import pytest
import torch

from dcviz import labs
from dcviz.chapters.ch02_pruning import drawn_digit
from dcviz.errors import DcvizError
from dcviz.ideas import pruning
from dcviz.labkit.base import plain
from dcviz.labs import DigitLab
from dcviz.nets import datasets, training
from dcviz.pipeline import retraining, shipped


@pytest.fixture(scope="module")
def lab():
    return DigitLab()


def _by_torch(images, density):
    net = shipped.dense("lenet-300-100")
    masks = {name: pruning.mask_from_density(w, density) for name, w in retraining.weights_of(net).items()}
    retraining.Masked(net, masks)
    with torch.no_grad():
        return torch.softmax(net(training.to_input(images)).double(), 1).numpy()


@pytest.mark.parametrize("density", [1, 0.3, 0.05])
def test_probabilities_are_those_of_the_net(density):
    levels = np.array([drawn_digit.levels(text) for text in drawn_digit.examples()])
    cuts = drawn_digit.thresholds(density)
    ours = [drawn_digit.probabilities(text, cuts) for text in drawn_digit.examples()]
    np.testing.assert_allclose(ours, _by_torch((levels * 17).astype(np.uint8), density), atol=2e-3)


def test_sixteen_bits_cost_no_digit():
    split = datasets.digits().test
    read = [drawn_digit.probabilities(drawn_digit.from_image(i), [0, 0, 0]).argmax() for i in split.images[:100]]
    assert (np.array(read) == training.predict(shipped.dense("lenet-300-100"), split.images[:100])).all()


def test_examples_are_the_ten_digits():
    assert [drawn_digit.probabilities(text, [0, 0, 0]).argmax() for text in drawn_digit.examples()] == list(range(10))
    image = datasets.digits().test.images[0]
    np.testing.assert_allclose(drawn_digit.levels(drawn_digit.from_image(image)) * 17, image, atol=9)


def test_the_lab_says_what_both_nets_read(lab):
    dense, pruned = lab.dense, lab.pruned
    assert lab.view.shares == [dense.tolist(), pruned.tolist()]
    assert (dense.argmax(), pruned.argmax()) == (4, 9), "the lab opens where pruning has begun to hurt"
    said = plain(lab.caption.value)
    assert f"The dense net reads 4, with a probability of {100 * dense.max():.1f}%" in said
    assert f"no retraining it reads 9, with {100 * pruned.max():.1f}%" in said
    masks = [pruning.mask_from_threshold(one.weights, t) for one, t in zip(*_layers_at(0.3), strict=True)]
    assert f"{sum(int(mask.sum()) for mask in masks):,} (30%) of its weights" in said


def _layers_at(density):
    return drawn_digit.layers(), drawn_digit.thresholds(density)


def test_density_and_drawing_move_everything(lab):
    before = repr(lab)
    lab.density = 100.0
    np.testing.assert_array_equal(lab.dense, lab.pruned)
    lab.view.drawing = drawn_digit.examples()[7]  # as the browser sets it
    assert "The dense net reads 7" in plain(lab.caption.value)
    lab.drawing = drawn_digit.EMPTY
    assert "No ink yet" in plain(lab.caption.value)
    again = labs.recreate(before)
    lab.drawing, lab.density = again.drawing, again.density
    assert repr(lab) == before
    assert lab.caption.value == again.caption.value


@pytest.mark.parametrize("drawing", ["", "0" * 783, "g" * 784, "F" * 784, "0" * 784 + "\n"])
def test_what_is_no_drawing_is_refused(drawing):
    with pytest.raises(DcvizError):
        DigitLab(drawing=drawing)


def test_the_browser_gets_the_net_and_the_thresholds_once(lab):
    lab.tabulate()
    sent, table = lab.film.reel, lab.film.table()
    assert len(sent) < 700_000
    assert [layer["outputs"] for layer in table["layers"]] == [300, 100, 10]
    density, cuts, kept = table["cuts"][0]
    assert (density, cuts) == (1.0, drawn_digit.thresholds(0.01))
    assert kept.endswith("(1%)")
    lab.tabulate()
    assert lab.film.reel is sent
