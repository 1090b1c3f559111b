"""Chapter 4's figures: clusters of weights, rounding errors by size, Lloyd's steps, the three starts compared."""

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

from dcviz.ideas.kmeans import INITS, Lloyd
from dcviz.labkit import theme

INIT_ROLES = dict(zip((*INITS, "optimal"), theme.SERIES, strict=False))
"""How the three starts of section 3.2 and the exact optimum are drawn, everywhere."""


def error_by_size_axes(axes):
    """Empty axes of rounding error against the size of a weight, no grid: a lab draws that over the legend.

    Returns {name: line}, to be given data.
    """
    lines = {}
    for name in INITS:
        role = INIT_ROLES[name]
        lines[name] = axes.plot([], [], label=name, **theme.line_style(role, markersize=7))[0]
    axes.set(xlabel="|w|", ylabel="rms rounding error")
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.legend(loc="upper left", ncols=3, columnspacing=0.8, handlelength=1.4, handletextpad=0.3, borderaxespad=0.1)
    return lines


def error_by_k_axes(axes):
    """Empty axes of error (%, log) against k. Returns {(name, lloyd?): dots}: hollow the start, filled k-means."""
    dots = {}
    for name in INITS:
        role = INIT_ROLES[name]
        for lloyd in (False, True):
            style = theme.line_style(role, linestyle="", markeredgewidth=2)
            style |= {} if lloyd else {"markerfacecolor": "white"}
            dots[name, lloyd] = axes.plot([], [], label=f"{name}" if lloyd else None, **style)[0]
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set(xlim=(1.7, 75), ylim=(0.5, 100), xlabel="k", ylabel="error (%)")
    axes.xaxis.set_major_formatter("{x:g}")
    theme.ticks(axes.yaxis)
    axes.grid(axis="y")
    return dots


def cluster_bars(axes, k):
    """Empty bars of cluster sizes, 0 .. k-1. Returns (bars, crosses that mark empty clusters)."""
    bars = axes.bar(np.arange(k), np.zeros(k), 0.8, **theme.bar_style("kept"))
    style = {"color": theme.role("pruned").colour, "marker": "x", "linestyle": "", "markeredgewidth": 3}
    (crosses,) = axes.plot([], [], label="empty", clip_on=False, zorder=5, **style)
    crosses.set_in_layout(False)  # without a point it counts as one in the figure's corner
    axes.set(xlabel="cluster", ylabel="% of the weights", ylim=(0, 100))
    show_room(axes, k)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.legend(**theme.ABOVE)
    return list(bars), crosses


def inertia_axes(axes):
    """Empty axes of inertia by step. Returns (path, dot at the present step, line of the exact optimum)."""
    (path,) = axes.plot([], [], **theme.line_style("kept", marker="", label="Lloyd"))
    (dot,) = axes.plot([], [], color="black", marker="o", markersize=11, linestyle="")
    style = theme.line_style("ours", marker="", linestyle="--", label="exact optimum")
    optimum = axes.axhline(1, visible=False, **style)
    axes.set(xlabel="step", ylabel="inertia", ylim=(0, 0.000125))  # its widest numbers first: they are given room
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(axis="y")
    axes.legend(handles=[path], **theme.ABOVE)
    return path, dot, optimum


def show_inertia(artists, inertias, best=None):
    """Fill what inertia_axes returned: inertias after 0, 1, ... steps, and the optimum's, if it is to be seen.

    Returns True if the legend changed, so that everything has to be drawn anew.
    """
    path, dot, optimum = artists
    axes = path.axes
    path.set_data(range(len(inertias)), inertias)
    dot.set_data([len(inertias) - 1], [inertias[-1]])
    axes.set(xlim=(-0.5, step_top(len(inertias) - 1) + 0.5), ylim=(0, round_top(max(inertias))))
    changed = optimum.get_visible() != (best is not None)
    optimum.set(visible=best is not None, ydata=[best or 0] * 2)
    if changed:
        axes.legend(handles=[path, optimum][: 2 if best is not None else 1], **theme.ABOVE)
    return changed


def show_sizes(bars, crosses, sizes):
    """Fill what cluster_bars returned: how many weights each cluster owns; bars that are left over are not seen."""
    shares = 100 * np.asarray(sizes) / np.sum(sizes)
    for i, bar in enumerate(bars):
        bar.set(visible=i < len(shares), height=shares[i] if i < len(shares) else 0)
    show_room(crosses.axes, len(shares))
    empty, top = np.flatnonzero(shares == 0), share_top(shares.max())
    crosses.axes.set_ylim(0, top)
    crosses.set_data(empty, np.full(empty.size, CROSS * top))


def show_room(axes, k):
    """Give the bars of k clusters the whole width."""
    axes.set_xlim(-0.7, k - 0.3)


CROSS = 0.04
"""How high in its axes an empty cluster's cross stands."""


def share_top(percent):
    """Where an axis of shares ends that shows up to so many percent."""
    return min(round_top(percent), 100.0)


def step_top(steps):
    """Where an axis of steps ends that shows so many."""
    return round_top(max(9, steps))


def round_top(reached):
    """Where an axis that begins at 0 ends to show ``reached``: round_top(0.013) -> 0.015.

    A few round values only, so that axes seldom change while a slider moves.
    """
    if not reached > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(1.02 * reached))
    return float(next(m * power for m in (1, 1.5, 2, 3, 5, 7.5, 10) if m * power >= 1.02 * reached))


def round_tops(lowest, highest):
    """All that `round_top` gives for what lies between the two, ascending."""
    tops = [round_top(lowest)]
    while tops[-1] < round_top(highest):
        tops.append(round_top(1.001 * tops[-1]))
    return tops


def against_optimum(axes, rows):
    """Bars of inertia / exact optimum: rows of {"k", "linear", "density", "forgy"}. Returns {init: bars}."""
    artists = {}
    at = np.arange(len(rows))
    for i, init in enumerate(INITS):
        height = [row[init] for row in rows]
        role = INIT_ROLES[init]
        artists[init] = axes.bar(at + 0.27 * (i - 1), height, 0.25, label=init, **theme.bar_style(role))
    axes.axhline(1, color="black", linewidth=2)
    axes.set(xticks=at, xticklabels=[row["k"] for row in rows], xlabel="k", ylim=(0.9, None))
    axes.set_ylabel("inertia / exact optimum")
    axes.legend(loc="upper left")
    axes.grid(axis="y")
    return artists


def errors_by_bits(axes, curves, *, title="", reference=None, log=True, ylabel="error (%)"):
    """Lines of a number against bits: curves {name: (bits, values)}, drawn in the starts' styles where known.

    reference: a dashed level (the net before sharing). Returns {name: line}.
    """
    lines = {}
    for i, (name, (bits, values)) in enumerate(curves.items()):
        role = INIT_ROLES.get(name, theme.series(i))
        lines[name] = axes.plot(bits, values, label=name, **theme.line_style(role, markersize=8))[0]
    if reference is not None:
        axes.axhline(reference, color="black", linewidth=1.5, linestyle=(0, (4, 3)))
    if log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        theme.ticks(axes.yaxis)
    axes.set(xlabel="bits per weight", ylabel=ylabel, title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="best")
    axes.grid(axis="y")
    return lines


def rugs(weights, yours, target):
    """For a check: the weights, your values and the target's as three rows of marks on one axis -> Figure."""
    figure, axes = theme.figure(9, 2.6)
    rows = ("weights", weights, "kept"), ("yours", yours, "guess"), ("target", target, "ours")
    for y, (_, values, role) in enumerate(rows):
        try:
            x = np.ravel(np.asarray(values, float))
        except (TypeError, ValueError):
            x = np.zeros(0)  # not numbers: nothing to draw
        x = x[np.isfinite(x)]
        axes.plot(x, np.full(x.size, -y), **theme.line_style(role, linestyle="", alpha=0.8))
    axes.set(yticks=[0, -1, -2], yticklabels=[name for name, *_ in rows], ylim=(-2.6, 0.6), xlabel="value")
    return figure


def error_by_size(values, centroids, bins=8):
    """Root mean square distance to the nearest centroid by magnitude of the weight: (magnitudes, errors).

    The magnitudes are the middles of ``bins`` slices of equal width; slices without a weight are left out. Give a
    `Lloyd` in place of values for many centroids of the same weights: it costs k steps, not n.
    """
    if isinstance(values, Lloyd):
        return _error_by_size(values, centroids, bins)
    values, centroids = np.ravel(values).astype(float), np.asarray(centroids, float)
    nearest = centroids[np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values)]
    size = np.abs(values)
    edges = np.linspace(size.min(), size.max(), bins + 1)
    bin_ = np.clip(np.searchsorted(edges, size, side="right") - 1, 0, bins - 1)
    counts = np.bincount(bin_, minlength=bins)
    squares = np.bincount(bin_, (values - nearest) ** 2, minlength=bins)
    there = counts > 0
    return ((edges[1:] + edges[:-1]) / 2)[there], np.sqrt(squares[there] / counts[there])


def _error_by_size(lloyd, centroids, bins):
    """`error_by_size` from running sums: a slice is one stretch of the sorted weights below zero and one above."""
    values = lloyd.values
    split = np.searchsorted(values, 0)
    sides = values[split:], -values[:split][::-1]  # magnitudes, ascending
    low, high = min(side[0] for side in sides if side.size), max(side[-1] for side in sides if side.size)
    edges = np.linspace(low, high, bins + 1)
    above, under = (np.searchsorted(side, edges[1:-1]) for side in sides)
    above = np.concatenate([[0], above, [sides[0].size]]) + split
    under = split - np.concatenate([[0], under, [sides[1].size]])
    squares = np.diff(lloyd.inertia_below(centroids, above)) - np.diff(lloyd.inertia_below(centroids, under))
    counts = np.diff(above) - np.diff(under)
    there = counts > 0
    return ((edges[1:] + edges[:-1]) / 2)[there], np.sqrt(np.maximum(squares[there], 0) / counts[there])


def recorded_curves(rows, net, what):
    """{init: (bits, mean of row[what])} of recorded rows, for errors_by_bits; draws of forgy are averaged."""
    rows = [row for row in rows if row["net"] == net and row["bits"] is not None]
    bits = sorted({row["bits"] for row in rows})
    return {
        init: (bits, [float(np.mean([r[what] for r in rows if (r["init"], r["bits"]) == (init, b)])) for b in bits])
        for init in INITS
    }
