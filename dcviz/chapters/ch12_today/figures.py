"""Chapter 12 in pictures: parts of a bfloat16, error against what is left, bytes against error, tokens a second."""

import numpy as np
from matplotlib.ticker import NullFormatter

from dcviz.chapters.ch12_today import bfloat16, roofline
from dcviz.labkit import theme
from dcviz.labkit.markup import counted
from dcviz.labkit.picture import Picture

WAYS = {
    "magnitude, whole layer": 1,
    "magnitude, each output": 4,
    "Wanda, whole layer": 5,
    "Wanda, each output": 0,
    "corrected": 2,
}
"""{way of pruning: its place among the theme's series}."""
"""{method of sharing: its place among the theme's series}."""


def fields_picture(bits):
    """Three histograms, sign, exponent and mantissa of bfloat16 bit patterns (n,), each with its entropy."""
    counts, bounds = bfloat16.counts(bits), bfloat16.entropies(bits)
    widths = {"sign": 1, "exponent": 8, "mantissa": 7}
    figure, axes = theme.figure(14, 4, columns=3, width_ratios=(0.5, 1.4, 1.4))
    for ax, (name, found) in zip(axes, counts.items(), strict=True):
        used = np.flatnonzero(found)
        style = theme.bar_style("kept" if name == "exponent" else "dense")
        ax.bar(np.arange(len(found)), 100 * found / found.sum(), width=1.0 if name == "mantissa" else 0.85, **style)
        ax.set_xlim(used[0] - 1, used[-1] + 1)
        ax.set_title(f"{name}: {counted(widths[name], 'bit')}, worth {bounds[name]:.2f}", fontsize=theme.FONT)
        ax.set_xlabel("value")
    axes[0].set_xticks([0, 1])
    axes[0].set_ylabel("% of the weights")
    said = "; ".join(f"{name}: {widths[name]} bits stored, entropy {bounds[name]:.2f} bits" for name in counts)
    return Picture(figure, said)


def pruning_axes(axes, dense, most):
    """Axes of error against density: density falls to the right; the dense net's error is a line."""
    axes.axhline(dense, label="not pruned", **theme.line_style("dense", marker=""))
    axes.set(xlim=(0.84, 0.16), ylim=(dense - 0.05, most), xlabel="share of the blocks' weights kept")
    axes.set_ylabel("bits a character")
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}%")
    axes.grid(color=theme.RC["grid.color"])


def pruning_curve(axes, rows, way):
    """One way's recorded errors by density. Returns the line."""
    points = sorted((row["density"], row["bits_per_character"]) for row in rows)
    return axes.plot(*zip(*points, strict=True), label=way, **theme.line_style(theme.series(WAYS[way])))[0]


def sharing_axes(axes, dense, dense_bytes):
    """Axes of error against bytes on a log scale; the lines are the model in bfloat16."""
    axes.set_xscale("log")
    axes.set(xlabel="bytes of the file (log scale)", ylabel="bits a character")
    axes.axhline(dense, **theme.line_style("dense", marker=""))
    axes.axvline(dense_bytes, **theme.line_style("dense", marker=""))
    axes.xaxis.set_major_formatter(lambda size, _: f"{size / 1e6:g} MB")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks([3e5, 5e5, 1e6, 2e6, 5e6, 1e7, 2e7])
    axes.grid(color=theme.RC["grid.color"])


def tokens_axes(axes):
    """Axes of tokens a second against the batch, both on log scales."""
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(roofline.BATCHES)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set(xlim=(0.8, 320), xlabel="texts at once (log scale)", ylabel="tokens a second (log scale)")
    axes.grid(color=theme.RC["grid.color"])


def files_picture(rows):
    """Every file of the model as a point, its mark says of which kind: bytes against bits a character."""
    figure, axes = theme.figure(12, 6.4)
    kinds = {"bfloat16": "dense", "grid": "kept", "shared": "centroid", "pruned": "pruned", "all three": "ours"}
    for kind, role in kinds.items():
        own = [row for row in rows if row["name"].startswith(kind)]
        points = [(row["bytes"], row["bits_per_character"]) for row in own]
        look = {"linestyle": "", "markersize": 12} | ({"marker": "v"} if kind == "grid" else {})
        axes.plot(*zip(*points, strict=True), label=kind, **theme.line_style(role, **look))
    sharing_axes(axes, rows[0]["bits_per_character"], rows[0]["bytes"])
    axes.set_xticks([3e5, 4e5, 6e5, 8e5, 1e6, 1.5e6, 2e6, 3e6])
    axes.set_xlim(3e5, 3.2e6)
    axes.legend(**theme.ABOVE | {"ncols": len(kinds)})  # between the points, its marks would be read as files
    said = "; ".join(f"{row['name']}: {row['bytes']:,} bytes, {row['bits_per_character']:.3f} bits" for row in rows)
    return Picture(figure, said)
