"""Numbers beside crowded points, so that none lies on a point or on another number."""

import numpy as np

from dcviz.labkit import theme

DISTANCES, DIRECTIONS = (15, 25, 36, 48, 62), 16
"""Places tried around a point: rings in typographic points, nearest first, each with so many directions."""

MARKER = 6.5
"""Half the height of what a point is drawn as, in typographic points."""


def number_points(axes, points, numbers, others=()):
    """Write ``numbers`` beside ``points`` (x, y), also clear of the points ``others``; thin lines lead to far ones.

    Call it when the axes' limits are final; the figure is laid out for it. Returns the annotations.
    """
    axes.figure.draw_without_rendering()
    scale = 72 / axes.figure.dpi
    place = lambda xy: axes.transData.transform(np.asarray(xy, float).reshape(-1, 2)) * scale  # noqa: E731
    centres = place(points)
    taken = [_box(at, MARKER, MARKER) for at in (*centres, *place(others))]
    frame = axes.get_window_extent().extents * scale
    angles = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS + np.pi / 4  # right and above comes first
    height = 0.5 * theme.FONT_SMALL
    found = []
    for xy, centre, number in zip(points, centres, map(str, numbers), strict=True):
        width = 0.36 * theme.FONT_SMALL * len(number)
        tries = [distance * np.array([np.cos(a), np.sin(a)]) for distance in DISTANCES for a in angles]
        offset = min(tries, key=lambda o, c=centre, w=width: _cover(_box(c + o, w, height), taken, frame))
        taken.append(_box(centre + offset, width, height))
        line = {"arrowstyle": "-", "color": "#9A9A9A", "shrinkA": 0, "shrinkB": MARKER}
        found.append(
            axes.annotate(
                number,
                xy,
                offset,
                textcoords="offset points",
                ha="center",
                va="center",
                zorder=6,
                fontsize=theme.FONT_SMALL,
                arrowprops=line if np.hypot(*offset) > DISTANCES[0] + 1 else None,
            )
        )
    return found


def _box(centre, width, height):
    """(left, bottom, right, top) of a box with half sides ``width`` and ``height``."""
    return np.array([centre[0] - width, centre[1] - height, centre[0] + width, centre[1] + height])


def _cover(box, taken, frame):
    """Area of ``box`` that lies on boxes taken or beyond the frame; the first of equals wins, which is the nearest."""
    shared = sum(_area(np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])) for other in taken)
    inside = _area(np.maximum(box[:2], frame[:2]), np.minimum(box[2:], frame[2:]))
    return shared + _area(box[:2], box[2:]) - inside


def _area(low, high):
    return float(np.prod(np.maximum(high - low, 0)))
