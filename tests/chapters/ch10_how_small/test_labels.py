import itertools

import numpy as np
import pytest

from dcviz.chapters.ch10_how_small import figures as frontier
from dcviz.chapters.ch10_how_small.figures import number_points
from dcviz.evidence.paper import published
from dcviz.labkit import theme


def overlap(a, b):
    return min(a.x1, b.x1) > max(a.x0, b.x0) and min(a.y1, b.y1) > max(a.y0, b.y0)


def text_boxes(figure, texts):
    figure.draw_without_rendering()
    return [super(type(text), text).get_window_extent() for text in texts]


def test_numbers_of_a_crowd_lie_neither_on_one_another_nor_on_a_point():
    figure, axes = theme.figure(8, 5)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    points = np.random.default_rng(0).normal(0.5, 0.02, (9, 2))
    labels = number_points(axes, points, range(1, 10), others=[(0.6, 0.5)])
    assert [label.get_text() for label in labels] == [str(n) for n in range(1, 10)]
    found = text_boxes(figure, labels)
    assert not any(overlap(a, b) for a, b in itertools.combinations(found, 2))
    for x, y in axes.transData.transform([*points, (0.6, 0.5)]):
        assert not any(box.contains(x, y) for box in found)


def test_a_lonely_point_has_its_number_near_and_without_a_line_even_in_a_corner():
    figure, axes = theme.figure(6, 4)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    middle, corner = number_points(axes, [(0.5, 0.5), (1, 1)], "ab")
    assert middle.arrow_patch is None
    frame, (_, box) = axes.get_window_extent(), text_boxes(figure, [middle, corner])
    assert box.x1 <= frame.x1 + 1
    assert box.y1 <= frame.y1 + 1


@pytest.mark.parametrize("model", ["LeNet-300-100", "LeNet-5"])
def test_the_frontier_of_published_results_is_readable(model):
    errors = (1.0, 2.4) if model == "LeNet-300-100" else (0.5, 1.2)
    picture = frontier.frontier_picture(model, [(1.2, 125.0)], 1.1, errors=errors)
    axes = picture.figure.axes[0]
    low, high = errors
    shown = [text for text in axes.texts if low <= text.xy[0] <= high]
    found = text_boxes(picture.figure, shown)
    assert len(found) > 5
    assert not any(overlap(a, b) for a, b in itertools.combinations(found, 2))
    assert len(axes.texts) == len(published(model))
