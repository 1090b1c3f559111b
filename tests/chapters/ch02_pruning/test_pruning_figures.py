"""Figures of chapter 2 over recorded runs: means over seeds, bands from the least to the greatest."""

import numpy as np
import pytest

from dcviz.chapters.ch02_pruning import figures
from dcviz.labkit import theme


def band(collection):
    """{x: (low, high)} of a band."""
    points = {}
    for x, y in collection.get_paths()[0].vertices:
        points.setdefault(round(x, 9), set()).add(round(y, 9))
    return {x: (min(ys), max(ys)) for x, ys in points.items()}


def test_a_method_is_the_arithmetic_mean_of_its_seeds_with_a_band_between_them():
    rows = [
        {"method": method, "density": density, "error": error + shift, "seed": seed}
        for method, shift in (("magnitude", 0.0), ("random", 10.0))
        for density, errors in ((0.1, (1.0, 4.0, 7.0)), (0.02, (2.0, 2.0, 11.0)))
        for seed, error in enumerate(errors)
    ]
    _, axes = theme.figure()
    lines = figures.by_method(axes, rows)
    assert list(lines) == ["magnitude", "random"]
    assert lines["magnitude"].get_xdata() == pytest.approx([2, 10])
    assert lines["magnitude"].get_ydata() == pytest.approx([5, 4])
    assert lines["random"].get_ydata() == pytest.approx([15, 14])
    assert band(axes.collections[0]) == {2: (2, 11), 10: (1, 7)}
    assert axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["magnitude", "random"]


def test_penalties_before_and_after_retraining():
    rows = [
        {"penalty": penalty, "scale": scale, "before": 40.0 + seed, "after": 4.0 + 2 * seed, "seed": seed}
        for penalty in ("L1", "L2")
        for scale in (0.05, 0.2)
        for seed in (0, 1)
    ]
    _, axes = theme.figure()
    lines = figures.by_penalty(axes, rows)
    np.testing.assert_allclose(lines["L1", "before"].get_ydata(), 40.5)
    np.testing.assert_allclose(lines["L2", "after"].get_ydata(), 5)
    assert lines["L1", "before"].get_linestyle() == "--"
    assert band(axes.collections[1]) == {5: (4, 6), 20: (4, 6)}
    assert len(axes.get_legend().get_texts()) == 4


def test_axes_of_percent_end_where_they_are_told_to():
    _, axes = theme.figure()
    assert figures.percent_axes(axes, fewest=2, most=35, lowest=3).get_ylim() == (3, 100)
    assert axes.get_xlim() == (35, 2)
