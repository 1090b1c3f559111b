"""Weight histograms from sketches: with a pruning threshold, or before and after pruning."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from dcviz.labkit import theme
from dcviz.labkit.markup import drawn
from dcviz.labkit.picture import Picture


def weight_histogram(axes, sketch, threshold=None, *, log_y=False, cdf=False):
    """Draw a `Sketch` into `axes`: what |w| < threshold prunes is hatched, the rest solid.

    ``cdf`` adds the share of weights below |w|, on an axis of its own at the right. Returns {'kept': ...,
    'pruned': ..., 'lines': [...], 'cdf': ...} with the artists that were drawn.
    """
    artists = {}
    counts, edges = sketch.counts, sketch.edges
    bars = {"step": "post", "x": edges, "y1": np.append(counts, counts[-1])}
    artists["kept"] = axes.fill_between(**bars, label="kept", facecolor=theme.role("kept").colour, linewidth=0)
    if threshold is not None and threshold > 0:
        clip = axes.axvspan(-threshold, threshold, facecolor="white", zorder=1.5)
        style = theme.bar_style("pruned")
        artists["pruned"] = axes.fill_between(**bars, label="pruned", zorder=1.6, **style)
        artists["pruned"].set_clip_path(clip)
        artists["lines"] = [axes.axvline(x, color="black", linewidth=2, zorder=3) for x in (-threshold, threshold)]
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    if log_y:
        axes.set_yscale("symlog", linthresh=1)
    axes.set(xlim=(-sketch.limit, sketch.limit), xlabel="weight", ylabel="weights per bin")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda v, _: short(v))
    if not log_y:
        axes.yaxis.set_major_locator(MaxNLocator(4))
    if cdf:
        right = axes.twinx()
        x = np.linspace(-sketch.limit, sketch.limit, 601)
        style = theme.line_style("paper", marker="")
        artists["cdf"] = right.plot(x, 100 * sketch.fraction_below(np.abs(x)), **style)[0]
        right.set(ylim=(0, 100), ylabel="% of weights below |w|")
        right.spines["right"].set_visible(True)
    return artists


def two_humps(dense, survivors, layer):
    """A layer dense (a Sketch) and what is left of it after pruning and retraining (a Sketch of the kept weights)."""
    figure, axes = theme.figure(13, 4.4, columns=2)
    for place, one, what in ((axes[0], dense, "dense"), (axes[1], survivors, "pruned and retrained: what is left")):
        weight_histogram(place, one)
        place.set_title(f"{drawn(layer)}, {what}", loc="left", fontsize=theme.FONT)
    reach = max(dense.limit, survivors.limit)
    for place in axes:
        place.set_xlim(-reach, reach)
        place.xaxis.set_major_locator(MaxNLocator(5))
    words = ", ".join(
        f"{name}: {one.n:,} weights, standard deviation {one.std:.4f}"
        for name, one in (("dense", dense), ("left", survivors))
    )
    return Picture(figure, f"{words}; the smallest of these {survivors.magnitudes[0]:.4f} in magnitude")


def short(count):
    """A count as on an axis: short(12_500) -> '12.5k'."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return f"{count:g}"


def clustered_histogram(axes, values, centroids, sizes, *, cdf=False, before=(), label="weight", bins=200):
    """Histogram of ``values`` banded by cluster; centroids as diamonds, hollow where ``sizes`` is 0.

    before: values drawn as crosses; cdf: adds the share of weights below w, with each centroid's place in it.
    Returns {"centroids", "empty", "before", "cdf"} of artists, those that were drawn.
    """
    values, centroids = np.ravel(values), np.asarray(centroids, float)
    sizes = np.asarray(sizes)
    counts, edges = np.histogram(values, bins)
    cluster = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, (edges[1:] + edges[:-1]) / 2)
    ink, artists = theme.role("kept").colour, {}
    for odd, colour in enumerate((ink, theme.tint(ink, 0.55))):
        inside = np.append(counts * (cluster % 2 == odd), 0)
        axes.fill_between(edges, inside, step="post", facecolor=colour, linewidth=0)
    diamond, top = theme.role("centroid"), counts.max()
    for x, n in zip(centroids, sizes, strict=True):
        line = (0, (1, 3)) if n == 0 else diamond.line
        axes.axvline(x, color=theme.role("pruned").colour if n == 0 else "black", linestyle=line, linewidth=1)
    marks = {"marker": diamond.marker, "linestyle": "", "clip_on": False, "zorder": 4}
    full = centroids[sizes > 0]
    artists["centroids"] = axes.plot(
        full, 0 * full, color=diamond.colour, markeredgecolor="black", label="centroid", **marks
    )[0]
    if (sizes == 0).any():
        empty = centroids[sizes == 0]
        style = {"color": "white", "markeredgecolor": theme.role("pruned").colour, "markeredgewidth": 2.5}
        artists["empty"] = axes.plot(empty, 0 * empty, label="empty: owns no weight", **style, **marks)[0]
    if len(before):
        artists["before"] = axes.plot(before, np.full(len(before), 0.1 * top), "kx", label="before")[0]
    axes.set(xlabel=label, ylabel="weights per bin", ylim=(0, 1.05 * top))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(lambda v, _: short(v))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2)
    if cdf:
        axes.set_xlim(values.min() - 0.02 * np.ptp(values), values.max() + 0.02 * np.ptp(values))
        artists["cdf"] = _distribution(axes.twinx(), values, centroids, axes.get_xlim())
    return artists


def _distribution(axes, values, centroids, limits):
    ordered = np.sort(values)
    share = 100 * np.searchsorted(ordered, centroids) / ordered.size
    (curve,) = axes.plot(ordered, np.linspace(0, 100, ordered.size), **theme.line_style("paper", marker=""))
    axes.plot(centroids, share, "ko", markersize=5)
    axes.hlines(share, centroids, limits[1], color="black", linewidth=0.7)
    axes.set(ylim=(0, 105), ylabel="% of weights below w", xlim=limits)
    axes.spines["right"].set_visible(True)
    return curve
