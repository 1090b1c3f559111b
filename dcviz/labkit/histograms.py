"""Weight histograms from sketches: with a pruning threshold, or before and after pruning."""

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

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
        axes.legend(loc="upper right")
    if log_y:
        axes.set_yscale("symlog", linthresh=1)
    axes.set(xlim=(-sketch.limit, sketch.limit), xlabel="weight", ylabel="weights per bin")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: short(v)))
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
