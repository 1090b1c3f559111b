"""Chapter 10 in pictures: size against error beside published results, ideas one by one, bytes beside the bound."""

import textwrap

import numpy as np
from matplotlib.ticker import NullFormatter

from dcviz.chapters.ch10_how_small import bounds
from dcviz.evidence import paper
from dcviz.labkit import theme
from dcviz.labkit.picture import Picture


def ground(axes, low, high, errors, log=False):
    """Axes of a frontier: error to the right (``log``: on a log scale), ratio on a log scale upwards."""
    axes.set_yscale("log")
    if log:
        axes.set_xscale("log")
        axes.set_xticks([1, 1.5, 2, 3, 4, 5, 6])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.minorticks_off()
    axes.set(ylim=(low, high), xlim=errors, xlabel="error %", ylabel="times smaller (log scale)")
    axes.set_yticks([n for n in (10, 20, 30, 40, 60, 80, 100, 150, 200, 300, 400, 600, 1000, 1500) if low <= n <= high])
    axes.yaxis.set_major_formatter("{x:g}x")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(color=theme.RC["grid.color"])


def published(axes, model, others=()):
    """Published results on a net, numbered: full squares count bytes, hollow ones parameters. Returns {number: row}.

    A thin line leads from the error before to the error after, where both are printed. others: (error, ratio) of
    points that numbers keep clear of.
    """
    rows = dict(enumerate(paper.published(model), 1))
    for row in rows.values():
        style = theme.line_style("paper", linestyle="", markersize=9, zorder=3)
        if row["counts"] == "parameters":
            style |= {"markerfacecolor": "white", "markeredgewidth": 1.8}
        axes.plot(row["error_after"], row["ratio"], **style)
        if row["error_before"] is not None:
            start(axes, [row["error_before"], row["error_after"]], [row["ratio"]] * 2)
    number_points(axes, [(row["error_after"], row["ratio"]) for row in rows.values()], rows, others)
    return rows


def start(axes, errors, ratios):
    """A thin line from the error of a dense net to that of what was made of it. Returns it, in a list."""
    return axes.plot(errors, ratios, color="#9A9A9A", linewidth=1.2, zorder=2)


def ours(axes, points, role="ours", label="ours", **style):
    """Our own (error, ratio) points in one role of the theme. Returns the line."""
    errors, ratios = np.array(points, float).reshape(-1, 2).T
    return axes.plot(errors, ratios, label=label, **theme.line_style(role, linestyle="", zorder=4, **style))[0]


def legend(axes, **where):
    """What the marks mean, published ones included."""
    axes.plot([], [], label="published, bytes", **theme.line_style("paper", linestyle=""))
    hollow = theme.line_style("paper", linestyle="", markerfacecolor="white", markeredgewidth=1.8)
    axes.plot([], [], label="published, parameters", **hollow)
    axes.legend(framealpha=0.92, **where)


def frontier_picture(model, shipped, before, seeds=(), low=15, high=2000, errors=(0.42, 1.2)):
    """Ratio against error of a net: shipped files and seeds, (error, ratio) each, and every published result.

    before: error of the dense net that ours were made of; a thin line leads from it to each file, as for the others.
    """
    figure, (axes, key) = theme.figure(13.5, 6.2, columns=2, width_ratios=(2.1, 1))
    ground(axes, low, high, errors)
    if len(seeds):
        ours(axes, seeds, "recorded", "the same recipes, other seeds", markersize=9)
    ours(axes, shipped, "ours", "our shipped files", markersize=13, markeredgecolor="black", markeredgewidth=0.8)
    for error, ratio in shipped:
        start(axes, [before, error], [ratio] * 2)
    axes.set_title(f"{model}: up and left is better", loc="left", fontsize=theme.FONT)
    legend(axes, loc="lower right")
    rows = published(axes, model, [*shipped, *seeds])
    key.set_axis_off()
    lines = [f"{number:>2}  {row['method']}{'*' * ('note' in row)}" for number, row in rows.items()]
    lines += sorted({f"\n*  {textwrap.fill(row['note'], 42)}" for row in rows.values() if "note" in row})
    key.text(0, 1, "\n".join(lines), va="top", fontsize=theme.FONT_SMALL, linespacing=1.25, transform=key.transAxes)
    text = "; ".join(f"{ratio:.0f}x at {error:.2f}%" for error, ratio in shipped)
    return Picture(figure, f"{model}, ours, from {before:.2f}%: {text}; {len(rows)} published results beside them")


def allocation_axes(axes, marks, most, errors):
    """Axes of blocks, error (log scale) over bytes. Returns {(width, fits): line}, the budget's line and a ring.

    marks: names of the widths, a marker each; full where the file fits the budget. most: bytes;
    errors: the least and the largest.
    """
    lines = {}
    for i, width in enumerate(marks):
        role = theme.series(i)
        for fits in (True, False):
            style = {"markerfacecolor": role.colour if fits else "white", "markeredgewidth": 2, "markersize": 10}
            line = axes.plot([], [], marker=role.marker, color=role.colour, linestyle="", zorder=3, **style)
            lines[width, fits] = line[0]
    ink = theme.role("accent").colour
    (ring,) = axes.plot([], [], "o", markersize=22, fillstyle="none", color=ink, markeredgewidth=3, zorder=4)
    budget = axes.axvline(0, color="black", linestyle="--", linewidth=2)
    axes.set(xlim=(0, 1.06 * most), xlabel="bytes in the file", ylabel="error %, held-out digits")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_yscale("log")
    low, high = errors[0] / 1.2, 1.2 * errors[1]
    axes.set_ylim(low, high)
    axes.set_yticks([n for n in (1, 1.5, 2, 3, 4, 6, 8, 10, 15, 20, 30, 50) if low <= n <= high])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(color=theme.RC["grid.color"])
    above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2, "handletextpad": 0.2}
    axes.legend([lines[width, True] for width in marks], marks, ncols=len(marks), **above)
    return lines, budget, ring


ALLOCATED = {
    "which weights": "index bits",
    "what they are": "weight bits",
    "shared values, biases": "codebook",
    "header": "header",
}
"""{part of a block's file: its role}."""


def allocation_bar(axes, most):
    """An empty stacked bar of a file's parts, ``show_allocation`` fills it. Returns ([bars], the budget's line)."""
    bars = [axes.barh(0, 0, 0.5, label=part, **theme.bar_style(role))[0] for part, role in ALLOCATED.items()]
    budget = axes.axvline(0, color="black", linestyle="--", linewidth=2)
    axes.set(xlim=(0, 1.06 * most), ylim=(-0.4, 0.4), yticks=[], xlabel="bytes in the file")
    theme.ticks(axes.xaxis, range(0, int(most), 500), "{x:,.0f}")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, ncols=2)
    return bars, budget


def show_allocation(bars, parts):
    """Fill `allocation_bar`: parts {part: bytes}."""
    left = 0
    for bar, part in zip(bars, ALLOCATED, strict=True):
        bar.set(x=left, width=parts[part])
        left += parts[part]


def steps_picture(steps):
    """Ideas one by one, (idea, bytes, error) each: bytes as bars, error as points, the first step on top."""
    figure, (left, right) = theme.figure(13.5, 0.46 * len(steps) + 1.3, columns=2, sharey=True, width_ratios=(1.5, 1))
    places = np.arange(len(steps))
    sizes, errors = [s for _, s, _ in steps], [e for _, _, e in steps]
    left.barh(places, sizes, 0.62, **theme.bar_style("weight bits"))
    for place, size in zip(places, sizes, strict=True):
        left.annotate(f" {size:,}", (size, place), va="center")
    ideas = [("+ " if n else "") + idea for n, (idea, _, _) in enumerate(steps)]
    left.set_yticks(places, ideas, fontsize=theme.FONT)
    left.set(xlabel="bytes in the file", xlim=(0, max(sizes) * 1.16))
    right.plot(errors, places, **theme.line_style("pruned", marker="o"))
    for place, error in zip(places, errors, strict=True):
        right.annotate(f"{error:.2f}", (error, place), (10, 0), textcoords="offset points", va="center", **theme.halo())
    right.set(xlabel="error %, held-out digits", xlim=(min(errors) - 0.1, max(errors) + 0.35))
    right.grid(axis="x", color=theme.RC["grid.color"])
    left.invert_yaxis()
    left.xaxis.set_major_formatter("{x:,.0f}")
    return Picture(figure, "; ".join(f"{idea}: {size:,} bytes, {error:.2f}%" for idea, size, error in steps))


ROLES = {
    bounds.WHICH: "index bits",
    bounds.WHAT: "weight bits",
    bounds.BOOKS: "codebook",
    bounds.BIASES: "bias",
    bounds.REST: "header",
}


def bound_bars(axes, table):
    """``bounds.whole`` as stacked bars, a column of the table each, the sum at the end. Returns {part: bars}."""
    left, bars = np.zeros(len(table.columns)), {}
    for part, role in ROLES.items():
        sizes = table.loc[part].to_numpy(float)
        bars[part] = axes.barh(list(table.columns), sizes, 0.6, left=left, label=part, **theme.bar_style(role))
        left += sizes
    for place, (total, said) in enumerate(zip(left, table.loc["sum"], strict=True)):
        axes.annotate(f" {said:,}", (total, place), va="center")
    axes.invert_yaxis()
    axes.set(xlim=(0, left.max() * 1.14), xlabel="bytes")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(loc="lower center", bbox_to_anchor=(0.42, 1.0), ncols=5, handlelength=1.3, columnspacing=0.9)
    return bars


def bound_picture(table, name):
    """`bound_bars` of a net."""
    figure, axes = theme.figure(12.5, 4.2)
    bound_bars(axes, table)
    sums = table.loc["sum"]
    return Picture(figure, f"{name}: " + ", ".join(f"{column} {sums[column]:,} bytes" for column in table.columns))


def mask_picture(layer, neurons=3, seed=0):
    """Kept weights of the busiest neurons of a layer that sees 28 x 28 pixels, and the same number at random places."""
    figure, axes = theme.figure(13, 2.9, rows=1, columns=2 * neurons)
    mask = bounds.mask(layer).reshape(len(layer.weight), 28, 28)
    busy = np.argsort(-mask.sum((1, 2)), kind="stable")[:neurons]
    rng = np.random.default_rng(seed)
    for place, neuron in enumerate(busy):
        mixed = rng.permutation(mask[neuron].ravel()).reshape(28, 28)
        for at, picture, title in ((place, mask[neuron], "trained"), (neurons + place, mixed, "shuffled")):
            axes[at].imshow(~picture, cmap="gray", vmin=0, vmax=1)
            axes[at].set_title(f"neuron {neuron}\n{title}", fontsize=theme.FONT)
            axes[at].set(xticks=[], yticks=[])
            axes[at].spines[:].set_visible(True)
    counts = ", ".join(str(int(mask[neuron].sum())) for neuron in busy)
    return Picture(figure, f"kept weights of the {neurons} busiest neurons of {layer.name}: {counts} of 784 each")


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
    directions = np.stack([np.cos(angles), np.sin(angles)], 1)
    offsets = (np.array(DISTANCES)[:, None, None] * directions).reshape(-1, 2)
    height = 0.5 * theme.FONT_SMALL
    found = []
    for xy, centre, number in zip(points, centres, map(str, numbers), strict=True):
        width = 0.36 * theme.FONT_SMALL * len(number)
        covered = _cover(_box(centre + offsets, width, height), np.array(taken), frame)
        offset = offsets[covered.argmin()]  # the first of equals, which is the nearest
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
                **theme.halo(),  # a lab's points may lie under it
            )
        )
    return found


def _box(centre, width, height):
    """(left, bottom, right, top) of boxes around points (..., 2), with half sides ``width`` and ``height``."""
    half = np.array([width, height])
    return np.concatenate([centre - half, centre + half], -1)


def _cover(boxes, taken, frame):
    """Area of each of ``boxes`` (n, 4) that lies on boxes taken (m, 4) or beyond the frame (4,)."""
    every = boxes[:, None]
    shared = _area(np.maximum(every[..., :2], taken[:, :2]), np.minimum(every[..., 2:], taken[:, 2:])).sum(1)
    inside = _area(np.maximum(boxes[:, :2], frame[:2]), np.minimum(boxes[:, 2:], frame[2:]))
    return shared + _area(boxes[:, :2], boxes[:, 2:]) - inside


def _area(low, high):
    return np.prod(np.maximum(high - low, 0), -1)
