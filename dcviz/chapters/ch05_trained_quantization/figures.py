"""Chapter 5's figures: Fig. 3 as tables, moving centroids, the codebook's share, error against bits."""

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, NullLocator

from dcviz.labkit import theme


def cluster_colour(i):
    """The pale colour of cluster i; its number is always written with it."""
    return theme.tint(theme.series(i).colour, 0.6)


def number(x):
    """A number as Fig. 3 prints it: two decimals, never -0.00."""
    text = f"{x:.2f}"
    return text.replace("-", "−") if float(text) else "0.00"


def grid(axes, values, codes, corner, title, text=number):
    """A small table of ``values`` at ``corner`` (left, top), each cell in the colour of its code."""
    values, codes = np.atleast_2d(values), np.atleast_2d(codes)
    left, top = corner
    for (i, j), value in np.ndenumerate(values):
        x, y = left + j, top - i - 1
        colour = cluster_colour(int(codes[i, j]))
        axes.add_patch(Rectangle((x, y), 1, 1, facecolor=colour, edgecolor="black"))
        axes.text(x + 0.5, y + 0.5, text(value), ha="center", va="center", fontsize=13)
    axes.text(left + values.shape[1] / 2, top + 0.25, title, ha="center", va="bottom", fontsize=14)


def figure3(axes, state):
    """The whole of Fig. 3 in one axes. ``state``: dict of weights, gradients (4, 4), codes, centroids, reduced,
    tuned (k,), learning_rate, reduce ("sum" or "mean")."""
    codes, gradients = state["codes"], state["gradients"]
    k = len(state["centroids"])
    own = np.arange(k)[:, None]
    grid(axes, state["weights"], codes, (0, 10.4), "weights")
    grid(axes, codes, codes, (5, 10.4), "cluster index", text=str)
    grid(axes, state["centroids"][:, None], own, (11.4, 10.4), "centroids")
    grid(axes, state["tuned"][:, None], own, (16.4, 10.4), "fine-tuned")
    grid(axes, gradients, codes, (0, 4.4), "gradient")
    for i in range(k):
        members = gradients[codes == i]
        y = 4.4 - i - 0.5
        axes.text(4.55, y, f"{i}:", ha="center", va="center", fontsize=13, weight="bold")
        for j, value in enumerate(members[:6]):
            x = 5 + j
            axes.add_patch(Rectangle((x, y - 0.5), 1, 1, facecolor=cluster_colour(i), edgecolor="black"))
            axes.text(x + 0.5, y, number(value), ha="center", va="center", fontsize=12)
        if len(members) > 6:
            axes.text(11.1, y, "…", ha="left", va="center")
    axes.text(8, 4.65, "grouped by cluster", ha="center", va="bottom", fontsize=14)
    grid(axes, state["reduced"][:, None], own, (11.4, 4.4), state["reduce"])
    axes.text(14.7, 8.4, f"− {state['learning_rate']:g} ×", ha="center", va="center", fontsize=15)
    axes.text(14.7, 7.4, state["reduce"], ha="center", va="center", fontsize=15)
    axes.set(xlim=(-0.2, 18), ylim=(0, 11.6), aspect="equal")
    axes.axis("off")


def path_axes(axes):
    """Empty axes of centroids against training steps."""
    axes.set(xlabel="training step", ylabel="centroid")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y")


def centroid_paths(axes, steps, codebooks):
    """Draw (or draw again) how each centroid moved: steps (m,), codebooks (m, k). Returns the lines."""
    for line in list(axes.lines):
        line.remove()
    codebooks = np.asarray(codebooks)
    colour = theme.role("centroid").colour
    lines = axes.plot(steps, codebooks, color=colour, linewidth=1.8)
    axes.plot(np.full(codebooks.shape[1], steps[0]), codebooks[0], "kx", markersize=8, markeredgewidth=2)
    axes.plot(
        np.full(codebooks.shape[1], steps[-1]),
        codebooks[-1],
        linestyle="",
        marker="D",
        markersize=7,
        color=colour,
        markeredgecolor="black",
    )
    axes.relim()
    axes.autoscale_view()
    return lines


def error_axes(axes):
    """Empty axes of error against training steps. Returns the line, to be given data."""
    (line,) = axes.plot([], [], **theme.line_style("ours", label="shared weights"))
    axes.set(xlabel="training step", ylabel="error (%)")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.legend(**theme.ABOVE)
    axes.grid(axis="y")
    return line


def error_level(axes, unshared):
    """The pruned net's own error as a dashed level in the axes of `error_axes`. Returns its Line2D."""
    level = axes.axhline(unshared, color="black", linestyle="--", linewidth=1.8, label="pruned, not shared")
    axes.legend(**theme.ABOVE)
    return level


def rate_axes(axes, curves, limits=(8, 1e8)):
    """Compression rate against n, a line for each bit width: curves {bits: (n, rate)}. Returns {bits: (line, name)}."""
    lines = {}
    for i, (bits, (n, rate)) in enumerate(curves.items()):
        style = theme.line_style(theme.series(i), marker="")
        name = f"{bits} bit{'s' * (bits > 1)}"
        at = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 14}
        lines[bits] = axes.plot(n, rate, **style)[0], axes.annotate(name, (1.01, rate[-1]), **at)
    axes.axhline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_yscale("log", base=2)
    axes.set(xlim=limits, ylim=(1 / 4, 40), xlabel="n, weights that share one codebook", ylabel="rate r")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid()
    return lines


def share_bars(axes):
    """A bar of 100% above an empty one of codes + codebook, cut off at 140%. Returns (codes, codebook) bars."""
    axes.barh(1, 100, 0.5, **theme.bar_style("dense"))
    codes = axes.barh(0, 0, 0.5, label="codes", **theme.bar_style("weight bits"))[0]
    book = axes.barh(0, 0, 0.5, label="codebook", **theme.bar_style("codebook"))[0]
    axes.set(xlim=(0, 140), ylim=(-0.5, 1.5), yticks=[1, 0], yticklabels=["32-bit\nvalues", "codes +\ncodebook"])
    axes.set_xlabel("% of the 32-bit values")
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return codes, book


def storage_shares(axes, rows):
    """Stacked bars of % weight, % index, % codebook: rows {label: (weight, index, codebook)}, first on top."""
    at = -np.arange(len(rows))
    shares = np.array(list(rows.values()), float)
    left = np.zeros(len(rows))
    for i, role in enumerate(("weight bits", "index bits", "codebook")):
        axes.barh(at, shares[:, i], 0.62, left, label=role.removesuffix(" bits"), **theme.bar_style(role))
        left += shares[:, i]
    for y, row in zip(at, shares, strict=True):
        axes.text(101, y, f"{row[2]:.1f}", va="center", fontsize=13)
    axes.text(101, 0.62, "codebook %", va="bottom", ha="left", fontsize=13)
    axes.set(yticks=at, yticklabels=list(rows), xlim=(0, 100), xlabel="% of weight + index + codebook")
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.02), ncols=3)


def reduced_bars(gradient, codes, k, yours, target):
    """For a check: per cluster your reduced gradient beside the target's -> Figure."""
    figure, axes = theme.figure(8, 2.8)
    at = np.arange(len(np.ravel(target)))
    axes.bar(at + 0.2, np.ravel(target), 0.36, label="target", **theme.bar_style("ours"))
    try:
        values = np.ravel(np.asarray(yours, float))
    except (TypeError, ValueError):
        values = np.zeros(0)  # not numbers: nothing to draw
    axes.bar(np.arange(values.size) - 0.2, values, 0.36, label="yours", **theme.bar_style("guess"))
    axes.axhline(0, color="black", linewidth=1)
    axes.set(xlabel=f"cluster (0 .. {k - 1}), {np.size(gradient)} weights", ylabel="reduced gradient", xticks=at)
    axes.legend(loc="best")
    return figure
