"""Other roads in pictures: spectra, filters that go, soft targets, and all roads on one chart."""

import numpy as np
from matplotlib.ticker import FixedLocator, NullFormatter

from dcviz.evidence.memories import size_text
from dcviz.labkit import theme

CRITERIA = ("taylor", "magnitude", "random")
"""How ``taylor`` ranks channels: by the loss; by the l2 norm of their weights; by chance."""
_ERRORS = (0.5, 1, 2, 3, 5, 10, 20, 50, 90)  # percent


def spectrum(axes, values):
    """Singular values, largest first; returns (kept bars' line, dashed line of the rank), both to be moved."""
    ranks = np.arange(1, len(values) + 1)
    axes.fill_between(ranks, values, step="mid", color=theme.tint(theme.GREY), linewidth=0)
    (kept,) = axes.step([], [], where="mid", **theme.line_style("kept", marker=""), label="kept")
    line = axes.axvline(1, **theme.line_style("pruned", marker="", linewidth=2))
    axes.set(xlim=(0, len(values) + 1), ylim=(0, 1.08 * values[0]), xlabel="number", ylabel="singular value")
    return kept, line


def error_against_rank(axes, most, dense_error):
    """Empty axes of error against rank; returns (points as cut, points fine-tuned, dashed line of the rank)."""
    axes.set(xscale="log", yscale="log", xlim=(0.9, 1.1 * most), ylim=(0.7, 100), xlabel="rank", ylabel="error (%)")
    theme.ticks(axes.yaxis, (1, 3, 10, 30, 90))
    theme.ticks(axes.xaxis, (1, 3, 10, 30, 100, 300))
    axes.axhline(dense_error, **theme.line_style("dense", marker="", linewidth=2, label="dense"))
    (cut,) = axes.plot([], [], **theme.line_style("pruned", linestyle="", marker="o", label="cut off"))
    (tuned,) = axes.plot([], [], **theme.line_style("retrained", linestyle="", marker="^", label="fine-tuned"))
    line = axes.axvline(1, **theme.line_style("pruned", marker="", linewidth=2))
    axes.legend(loc="lower left", bbox_to_anchor=(-0.05, 1), ncols=3, columnspacing=0.8, handletextpad=0.3)
    axes.grid()
    return cut, tuned, line


def mosaic(pictures, columns):
    """Pictures (n, h, w) side by side, one pixel of NaN between them -> (rows * (h + 1) - 1, ...) array."""
    pictures = np.asarray(pictures, float)
    n, height, width = pictures.shape
    rows = -(-n // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for i, picture in enumerate(pictures):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def signed_image(axes, values, limit=None):
    """Weights as colours, blue below and orange above zero, NaN left white. Returns the image."""
    limit = limit or np.nanmax(np.abs(values)) or 1.0
    image = axes.imshow(values, cmap="PuOr_r", vmin=-limit, vmax=limit, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    return image


def crosses(places, height, width, columns):
    """Corners of crosses over the pictures of a ``mosaic`` at these places -> x, y for one line, NaN between."""
    x, y = [], []
    for place in places:
        top, left = place // columns * (height + 1) - 0.5, place % columns * (width + 1) - 0.5
        x += [left, left + width, np.nan] * 2
        y += [top, top + height, np.nan, top + height, top, np.nan]
    return x, y


def struck_out(axes):
    """An empty line for ``crosses``: what they cover goes. Returns the Line2D."""
    (line,) = axes.plot([], [], **theme.line_style("pruned", marker="", linestyle="-", linewidth=2.5))
    return line


def error_against_work(axes, names, dense_error):
    """Empty axes of error against multiplications left, a line a name; returns {name: Line2D}, to be filled."""
    axes.set(yscale="log", xlim=(103, -3), ylim=(0.3, 100))
    axes.set(xlabel="multiplications left (%)", ylabel="error (%)")
    theme.ticks(axes.yaxis, _ERRORS)
    axes.axhline(dense_error, **theme.line_style("dense", marker="", linewidth=2))
    lines = {
        name: axes.plot([], [], label=name, **theme.line_style(theme.series(i)))[0] for i, name in enumerate(names)
    }
    axes.legend(loc="lower left", bbox_to_anchor=(-0.05, 1), ncols=3, columnspacing=0.8, handletextpad=0.4)
    axes.grid()
    return lines


def filter_curves(axes, curves, names, title):
    """Error against multiplications left: {name: [(percent, error), ...]}, styled by its place in ``names``.

    Returns {name: Line2D}.
    """
    axes.set(yscale="log", xlim=(103, -3), ylim=(12, 105), title=title, xlabel="multiplications left (%)")
    theme.ticks(axes.yaxis, (15, 20, 30, 50, 90))
    axes.grid()
    return {
        name: axes.plot(*zip(*curves[name], strict=True), label=name, **theme.line_style(theme.series(i)))[0]
        for i, name in enumerate(names)
        if name in curves
    }


def right_by_digit(axes, shares, missing=None):
    """Bars side by side of how many pictures of each digit are named right: {who: ten percentages}. Returns them."""
    width, bars = 0.8 / len(shares), {}
    for i, (who, found) in enumerate(shares.items()):
        places = np.arange(10) + (i - (len(shares) - 1) / 2) * width
        bars[who] = axes.bar(places, found, 0.92 * width, label=who, **theme.bar_style(theme.series(i)))
    axes.set(ylim=(0, 105), xlim=(-0.6, 9.6), xticks=range(10), xlabel="digit", ylabel="named right (%)")
    if missing is not None:
        axes.annotate(
            "never seen",
            (missing, 0),
            (missing, 98),
            ha="center",
            va="top",
            fontsize=theme.FONT_SMALL,
            bbox={"facecolor": "white", "edgecolor": theme.GREY},
        )
    axes.legend(loc="lower left", bbox_to_anchor=(-0.05, 1), ncols=2, columnspacing=0.8, handletextpad=0.4)
    return bars


def soft_targets(axes, probabilities, label):
    """Ten horizontal bars of probabilities on a log scale; returns them. The right digit's is drawn as kept."""
    bars = axes.barh(range(10), np.maximum(probabilities, 1e-6), 0.7, **theme.bar_style("codebook"))
    for key, value in theme.bar_style("kept").items():
        getattr(bars[label], f"set_{key}")(value)
    axes.set(xscale="log", xlim=(1e-5, 1.5), ylim=(9.6, -0.6), yticks=range(10), ylabel="digit")
    axes.set_xlabel("probability (log scale)")
    axes.set_xticks([1e-4, 1e-2, 1], ["0.01%", "1%", "100%"])
    axes.grid(axis="x")
    return bars


def all_roads(axes, rows, size="file_bytes", error="error_percent"):
    """Error against bytes, both logarithmic, a line of points for every road. Returns {road: Line2D}."""
    roads = sorted(dict.fromkeys(row["road"] for row in rows), key=lambda road: road != "Deep Compression")
    styles = {road: theme.series(i) for i, road in enumerate(road for road in roads if road != "dense")}
    lines = {}
    for road in roads:
        found = sorted((row[size], row[error]) for row in rows if row["road"] == road)
        (lines[road],) = axes.plot(*zip(*found, strict=True), **theme.line_style(styles.get(road, "dense"), label=road))
    axes.set(xscale="log", yscale="log", xlabel="bytes in the file (log scale)", ylabel="error (%)")
    low, high = min(r[error] for r in rows), max(r[error] for r in rows)
    theme.ticks(axes.yaxis, [e for e in (0.8, 1, 1.2, 1.5, 2, 3, 5, 10, 20) if low / 1.3 < e < high * 1.3])
    sizes = [10**k * m for k in range(3, 8) for m in (1, 3)]
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_major_formatter(lambda size, _: size_text(size))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid()
    return lines


FIGURE6 = {
    "pruning_plus_quantization": ("pruning + quantization", 0),
    "pruning_only": ("pruning only", 1),
    "quantization_only": ("quantization only", 2),
    "svd": ("SVD", 3),
}
"""Curves of Fig. 6: our words for them, and their place in the theme."""


def figure6(axes, curves, title):
    """Loss of accuracy against size left, as Fig. 6 draws it: {curve: [(percent, points), ...]}. Returns the lines."""
    lines = {}
    for name, (label, place) in FIGURE6.items():
        points = sorted(curves[name])
        (lines[name],) = axes.plot(*zip(*points, strict=True), label=label, **theme.line_style(theme.series(place)))
    axes.axhline(0, color=theme.GREY, linewidth=1)
    axes.set(xscale="log", xlim=(1, 55), ylim=(-4.6, 0.6), title=title)
    axes.set(xlabel="size left (% of the dense net, log scale)", ylabel="accuracy gained (points)")
    theme.ticks(axes.xaxis, (1, 2, 3, 5, 8, 12, 20, 50))
    axes.grid()
    return lines
