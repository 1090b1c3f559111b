"""Weight histograms from sketches: with a pruning threshold, centroids, a second histogram."""

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from dcviz import theme


def weight_histogram(
    axes, sketch, threshold=None, *, log_y=False, cdf=False, centroids=(), overlay=None, overlay_label="after"
):
    """Draw a `Sketch` into `axes`: what |w| < threshold prunes is hatched, the rest solid.

    centroids   values drawn as numbered vertical lines
    overlay     second Sketch with the same bins, drawn as a dashed outline
    cdf         adds the share of weights below |w|, on an axis of its own at the right

    Returns {'kept': ..., 'pruned': ..., 'lines': [...], 'centroids': [...], 'overlay': ..., 'cdf': ...} with
    the artists that were drawn.
    """
    artists = {}
    counts, edges = sketch.counts, sketch.edges
    bars = {"step": "post", "x": edges, "y1": np.append(counts, counts[-1])}
    artists["kept"] = axes.fill_between(
        **bars, label="kept", facecolor=theme.role("kept").colour, linewidth=0
    )
    if threshold is not None and threshold > 0:
        clip = axes.axvspan(-threshold, threshold, facecolor="white", zorder=1.5)
        style = theme.bar_style("pruned")
        artists["pruned"] = axes.fill_between(**bars, label="pruned", zorder=1.6, **style)
        artists["pruned"].set_clip_path(clip)
        artists["lines"] = [
            axes.axvline(x, color="black", linewidth=2, zorder=3) for x in (-threshold, threshold)
        ]
        axes.legend(loc="upper right")
    if overlay is not None:
        ends = np.append(overlay.counts, overlay.counts[-1])
        style = theme.line_style("retrained", marker="", linestyle="--", drawstyle="steps-post")
        artists["overlay"] = axes.plot(overlay.edges, ends, label=overlay_label, zorder=4, **style)[0]
        axes.legend(loc="upper right")
    artists["centroids"] = centroid_lines(axes, centroids)
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


def centroid_lines(axes, centroids, numbered=16):
    """Vertical lines with a diamond at the foot; numbers on top if there are at most `numbered`."""
    role = theme.role("centroid")
    lines = []
    for i, x in enumerate(centroids):
        lines.append(axes.axvline(x, color="black", linestyle=role.line, linewidth=1.2, zorder=3))
        if len(centroids) <= numbered:
            axes.annotate(str(i), (x, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom")
    if len(centroids):
        axes.plot(
            centroids, np.zeros(len(centroids)), linestyle="", color=role.colour, marker=role.marker,
            markeredgecolor="black", clip_on=False, zorder=4, label="centroid",
        )  # fmt: skip
    return lines


def short(count):
    """A count as on an axis: short(12_500) -> '12.5k'."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return f"{count:g}"
