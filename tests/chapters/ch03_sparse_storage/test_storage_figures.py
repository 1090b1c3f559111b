"""Figures of chapter 3: which inputs keep weights, how long gaps are."""

import numpy as np

from dcviz.chapters.ch03_sparse_storage import figures
from dcviz.labkit import theme


def test_a_cell_counts_the_weights_that_its_input_keeps():
    mask = np.zeros((5, 6), bool)
    mask[:3, 1], mask[4, 5] = True, True
    figure, axes = theme.figure()
    mesh = figures.kept_by_input(axes, mask, (2, 3))
    assert np.asarray(mesh.get_array()).reshape(2, 3).tolist() == [[0, 3, 0], [0, 0, 1]]
    top, bottom = axes.get_ylim()
    assert top > bottom, "the first row of the image is at the top"
    assert figure.axes[1].get_ylabel() == "weights kept, of 5"
    assert min(mesh.cmap(0.0)) > 0.95 > 0.2 > mesh.cmap(1.0)[0], "from paper to ink, so a dark page inverts both"


def test_gaps_longer_than_each_length():
    gaps, shuffled = np.array([1, 1, 2, 5]), np.array([3, 3])
    _, axes = theme.figure()
    mask, mixed = figures.gap_counts(axes, gaps, shuffled, 10)
    assert dict(zip(mask.get_xdata(), mask.get_ydata(), strict=True)) == {-np.inf: 4, 1: 2, 2: 1, 5: 0}
    assert dict(zip(mixed.get_xdata(), mixed.get_ydata(), strict=True)) == {-np.inf: 2, 3: 0}
    assert axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["this mask", "shuffled"]
