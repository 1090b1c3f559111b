import numpy as np

from dcviz.ideas import sketch
from dcviz.labkit import histograms, theme

RNG = np.random.default_rng(0)
DENSE = RNG.normal(0, 0.1, 20_000).astype(np.float32)


def test_a_threshold_hatches_what_it_prunes():
    _, axes = theme.figure(6, 4)
    drawn = histograms.weight_histogram(axes, sketch.sketch(DENSE), 0.05, cdf=True)
    assert [line.get_xdata()[0] for line in drawn["lines"]] == [-0.05, 0.05]
    assert drawn["cdf"].get_ydata().max() <= 100
    assert axes.get_legend() is not None


def test_two_humps_stand_on_one_scale_and_say_how_many_are_left():
    left = DENSE[np.abs(DENSE) > 0.12]
    dense = sketch.sketch(DENSE)
    picture = histograms.two_humps(dense, sketch.sketch(left, limit=2 * dense.limit), "conv3")
    one, two = picture.figure.axes
    assert one.get_xlim() == two.get_xlim() == (-2 * dense.limit, 2 * dense.limit)
    assert f"left: {len(left):,} weights" in repr(picture)
    assert "the smallest of these 0.12" in repr(picture)
    assert "conv3" in two.get_title("left")


def test_counts_on_axes_are_short():
    assert [histograms.short(n) for n in (999, 12_500, 3_400_000)] == ["999", "12.5k", "3.4M"]
