"""Chapter 11's figures: what a transfer costs and brings, small training sets, the start before and after, layers."""

import numpy as np

from dcviz.labkit import theme
from dcviz.labkit.markup import drawn

NAMES = {
    "biases": "biases only",
    "codebook": "codebook + biases",
    "kept": "kept weights + biases",
    "everything": "everything",
    "dense": "dense net, everything",
    "scratch": "from scratch",
}
"""How the roads of ``transfer`` are called in figures."""
ROLES = dict(zip(NAMES, theme.SERIES, strict=True))


def percent_axis(axes, low, high, name="error (%)"):
    """A logarithmic axis of percents with plain numbers."""
    axes.set_yscale("log")
    ticks = [t for t in (0.5, 1, 2, 3, 5, 10, 20, 30, 50, 100) if low <= t <= high]
    axes.set(ylim=(low, high), ylabel=name, yticks=ticks)
    theme.ticks(axes.yaxis)
    axes.grid(axis="y")


def _counts_axis(axes, counts, label):
    axes.set_xscale("log")
    axes.set(xticks=list(counts), xlabel=label, xlim=(0.75 * min(counts), 1.33 * max(counts)))
    theme.ticks(axes.xaxis, text="{x:,.0f}")


def learning_curves(axes, curves):
    """Error against number of examples: curves {road: {examples: (mean, deviation)}}. Returns {road: line}."""
    lines = {}
    for road, points in curves.items():
        x = np.array(list(points))
        mean, deviation = np.array(list(points.values()), float).T[:2]
        style = theme.line_style(ROLES[road], label=NAMES[road])
        lines[road] = axes.plot(x, mean, **style)[0]
        axes.fill_between(x, mean - deviation, mean + deviation, color=ROLES[road].colour, alpha=0.15, linewidth=0)
    _counts_axis(axes, sorted({n for points in curves.values() for n in points}), "examples to learn from")
    return lines


def budget_axes(axes):
    """Empty axes of error against bytes sent, 1 KB to 1 MB."""
    axes.set_xscale("log")
    axes.set(xlim=(600, 2.2e6), xticks=[1e3, 1e4, 1e5, 1e6], xlabel="bytes to send")
    axes.set_xticklabels(["1 KB", "10 KB", "100 KB", "1 MB"])
    axes.minorticks_off()


def budget_points(axes):
    """A marker for each road, to be given its place with ``set_data``. Returns {road: line}."""
    return {
        road: axes.plot([], [], linestyle="", marker=role.marker, markersize=13, color=role.colour)[0]
        for road, role in ROLES.items()
    }


def live_stars(axes):
    """Where the runs made here and now will be drawn: a line of black-edged stars."""
    return axes.plot(
        [],
        [],
        linestyle="",
        marker="*",
        markersize=24,
        markerfacecolor="none",
        markeredgecolor="black",
        markeredgewidth=1.8,
        label="measured here",
        zorder=5,
    )[0]


def old_level(axes, name, level):
    """A dotted line at the error of a net as it was, percent, with its name above."""
    axes.axhline(level, color="black", linestyle=(0, (1, 1.5)), linewidth=1.5)
    place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right", "va": "bottom"}
    axes.annotate(name, (0.99, level), (0, 4), **place, fontsize=theme.FONT_SMALL, **theme.halo())


def bars_of_error(axes, groups, labels):
    """Mean and spread by group: groups {series: [(mean, deviation), ...]} over ``labels``; a point with a bar each."""
    at = np.arange(len(labels))
    for i, (name, points) in enumerate(groups.items()):
        role = theme.series(i)
        mean, deviation = np.array(points, float).T[:2]
        shift = (i - (len(groups) - 1) / 2) * 0.8 / len(groups)
        axes.errorbar(
            at + shift,
            mean,
            deviation,
            linestyle="",
            marker=role.marker,
            color=role.colour,
            capsize=5,
            label=name,
            elinewidth=2,
        )
    axes.set(xticks=at, xticklabels=labels, xlim=(-0.5, len(labels) - 0.5))
    axes.grid(axis="y")


def density_curves(axes, points, levels, title):
    """Error against density: points {name: {density: (mean, deviation)}}, levels {name: (mean, deviation)}."""
    for i, (name, found) in enumerate(points.items()):
        role = theme.series(i)
        x = 100 * np.array(list(found))
        mean, deviation = np.array(list(found.values()), float).T[:2]
        axes.errorbar(x, mean, deviation, capsize=4, elinewidth=1.5, **theme.line_style(role, label=name))
    for i, (name, (mean, *_)) in enumerate(levels.items()):
        axes.axhline(mean, color="black", linestyle=("--", ":")[i % 2], linewidth=2, label=name)
    axes.set_xscale("log")
    axes.set(title=title, xticks=[2, 5, 10, 20, 50], xlabel="weights kept (%)")
    theme.ticks(axes.xaxis)
    axes.grid(axis="y")


def layer_shares(axes, names, weights, file_bytes):
    """Two bars a layer: its share of the weights (plain) and of the compressed file (hatched), percent."""
    at = -np.arange(len(names))
    for values, shift, role, label in (
        (weights, 0.2, "dense", "of the weights"),
        (file_bytes, -0.2, "index bits", "of the compressed file"),
    ):
        axes.barh(at + shift, 100 * np.array(values) / np.sum(values), 0.38, label=label, **theme.bar_style(role))
    axes.set(yticks=at, yticklabels=[drawn(name) for name in names], xlabel="%", ylim=(-len(names) + 0.4, 0.6))
    axes.grid(axis="x")


def digit_rows(axes, rows):
    """Rows of digits, ink dark on white: rows {name: uint8 (n, 28, 28)}."""
    gap = 4
    for i, (name, images) in enumerate(rows.items()):
        n, height, width = images.shape
        strip = np.concatenate([np.pad(image, ((0, 0), (0, gap))) for image in images], axis=1)
        top = i * (height + 3 * gap)
        axes.imshow(strip, cmap="gray_r", vmin=0, vmax=255, extent=(0, strip.shape[1], top + height, top))
        axes.text(-gap, top + height / 2, name, ha="right", va="center")
    axes.set(xlim=(0, n * (width + gap)), ylim=(top + height, 0))
    axes.axis("off")
