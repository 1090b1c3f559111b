"""Pictures of chapter 09 show the numbers that they are given."""

import numpy as np
import pytest

from dcviz.chapters.ch09_other_roads import figures
from dcviz.labkit import theme


def test_a_mosaic_keeps_every_picture_in_its_place():
    pictures = np.arange(5 * 2 * 3).reshape(5, 2, 3)
    sheet = figures.mosaic(pictures, 3)
    assert sheet.shape == (5, 11)
    for i, picture in enumerate(pictures):
        top, left = i // 3 * 3, i % 3 * 4
        assert np.array_equal(sheet[top : top + 2, left : left + 3], picture)
    assert np.isnan(sheet[2]).all()
    assert np.isnan(sheet[:, 3]).all()


def test_crosses_lie_over_the_pictures_that_go():
    x, y = figures.crosses([4], 2, 3, columns=3)
    assert (np.nanmin(x), np.nanmax(x), np.nanmin(y), np.nanmax(y)) == (3.5, 6.5, 2.5, 4.5)
    assert figures.crosses([], 2, 3, columns=3) == ([], [])


def test_every_road_has_a_line_of_its_own_look_and_ours_comes_first():
    rows = [
        {"road": road, "file_bytes": size, "error_percent": error}
        for road, size, error in (
            ("dense", 1e6, 1.1),
            ("SVD", 9e4, 2.7),
            ("SVD", 2e5, 1.5),
            ("Deep Compression", 2e4, 1.9),
            ("int8", 3e5, 1.1),
        )
    ]
    _, axes = theme.figure(8, 5)
    lines = figures.all_roads(axes, rows)
    assert list(lines) == ["Deep Compression", "dense", "SVD", "int8"]
    assert lines["SVD"].get_data()[0].tolist() == [9e4, 2e5]
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines.values()}
    assert len(looks) == 4


def test_figure6_draws_all_four_curves():
    curves = {name: [(5.0, -1.0), (3.0, -2.0)] for name in figures.FIGURE6}
    _, axes = theme.figure(6, 4)
    lines = figures.figure6(axes, curves, "ours")
    assert {line.get_label() for line in lines.values()} == {label for label, _ in figures.FIGURE6.values()}
    assert lines["svd"].get_data()[0].tolist() == [3.0, 5.0]


def test_soft_targets_mark_the_right_digit_by_more_than_colour():
    _, axes = theme.figure(6, 4)
    bars = figures.soft_targets(axes, np.full(10, 0.1), 3)
    assert [bar.get_width() for bar in bars] == pytest.approx([0.1] * 10)
    assert bars[3].get_hatch() != bars[2].get_hatch()


def test_filter_curves_keep_a_way_its_look_where_another_is_missing():
    _, axes = theme.figure(8, 4, columns=2)
    curves = {"a": [(100, 19.0), (40, 29.0)], "b": [(100, 19.0), (30, 55.0)]}
    whole = figures.filter_curves(axes[0], curves, ["a", "b"], "at once")
    part = figures.filter_curves(axes[1], {"b": curves["b"]}, ["a", "b"], "taught")
    assert list(part) == ["b"]
    assert part["b"].get_color() == whole["b"].get_color() != whole["a"].get_color()
    assert whole["a"].get_xydata().tolist() == [[100, 19], [40, 29]]
