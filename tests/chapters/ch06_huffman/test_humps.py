"""One hump or two: the hole that pruning leaves, Sarle's coefficient, a second cut, and what AlexNet's file holds."""

import numpy as np
import pytest

from dcviz.chapters.ch06_huffman import figures, humps, tables
from dcviz.ideas import sketch
from dcviz.ideas.pruning import mask_from_density
from dcviz.pipeline import shipped


def kept(values, size=None):
    values, counts = np.unique(values, return_counts=True)
    return humps.Kept(values, counts, size or counts.sum())


def test_the_coefficient_is_sarles():
    assert kept([-1.0, 1.0]).bimodality == pytest.approx(1)
    assert kept([0.0] * 3 + [1.0]).bimodality == pytest.approx(1), "two points, however uneven"
    assert kept(np.linspace(-1, 1, 4001)).bimodality == pytest.approx(humps.FLAT, abs=1e-3)
    normal = np.random.default_rng(0).standard_normal(100_000)
    assert kept(normal).bimodality == pytest.approx(1 / 3, abs=0.01)


def test_a_second_cut_is_a_cut_by_magnitude_and_of_equal_weights_some_stay():
    weights = np.random.default_rng(1).standard_normal(1000)
    first = kept(weights[mask_from_density(weights, 0.5)], 1000)
    assert first.density == 0.5
    left = weights[mask_from_density(weights, 0.1)]
    second = first.cut(0.1)
    assert second.values.tolist() == sorted(left)
    assert second.hole == np.abs(left).min() / np.abs(left).max() > first.hole
    shared = humps.Kept(np.array([-2.0, -1.0, 1.5]), np.array([3, 10, 4]), 100).cut(0.09)
    assert (shared.values.tolist(), shared.counts.tolist()) == ([-2.0, -1.0, 1.5], [3, 2, 4])


def test_one_cut_of_a_sketch_is_the_cut_of_its_layer():
    weights = np.random.default_rng(2).standard_normal(20_000).astype(np.float32)
    one, exact = humps.one_cut(sketch.sketch(weights), 0.2), kept(weights[mask_from_density(weights, 0.2)], 20_000)
    assert one.density == pytest.approx(exact.density)
    assert one.hole == pytest.approx(exact.hole, rel=0.01)
    assert one.bimodality == pytest.approx(exact.bimodality, rel=0.02)


def test_what_chapter_06_says_of_alexnets_file():
    found = humps.compared("alexnet-cifar10-paper", "alexnet-cifar10")
    layers = {layer.name: layer for layer in shipped.compressed("alexnet-cifar10-paper").layers}
    fc7 = np.abs(layers["classifier.4"].weight)
    assert found["fc7"].smallest == fc7[fc7 > 0].min()
    assert found["fc7"].counts.sum() == np.count_nonzero(fc7)
    assert min(found["fc6"].hole, found["fc7"].hole) > 3 / 8
    two = [name for name, one in found.items() if one.bimodality > humps.FLAT]
    assert two == [name for name in found if name != "fc8"], "fc8 alone has one hump, and two at fc6's density"
    assert humps.values_in_the_hole("alexnet-cifar10-pruned", "linear") == 1
    assert humps.values_in_the_hole("alexnet-cifar10-pruned", "density") == 0
    table = tables.humps(found)
    assert table.loc["fc8", "smallest / largest"] == f"{found['fc8'].hole:.2f}"
    picture = figures.humps_picture({name: found[name] for name in ("fc6", "fc8")})
    assert f"fc8: no kept weight below {found['fc8'].hole:.2f}" in repr(picture)
    codes = [[bar.get_height() for bar in axes.patches if bar.get_visible()] for axes in picture.figure.axes[2:]]
    for bars, one in zip(codes, (found["fc6"], found["fc8"]), strict=True):
        assert np.allclose(bars, 100 * one.counts / one.counts.sum())
        top = int(np.argmax(bars))
        assert bars[:top] == sorted(bars[:top]), "one hill of codes"
        assert bars[top:] == sorted(bars[top:], reverse=True)
