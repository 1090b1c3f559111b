"""What retraining does: histograms before the cut, after it, after retraining; error over steps and over density."""

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from dcviz.chapters.ch02_pruning.figures_sensitivity import percent_axes
from dcviz.labkit import theme
from dcviz.labkit.histograms import short

TITLES = ("before the cut", "cut, not retrained", "retrained")
ROLES = ("dense", "kept", "retrained")


def three_histograms(axes, edges, before, cut, now, threshold):
    """Histograms of non-zero weights in three axes; the last two share a vertical scale.

    before, cut, now: counts (len(edges) - 1,). Dashed lines stand at +-threshold, where the cut was.
    Returns {"axes": the three, "bars": three StepPatches, "lines": six Line2Ds} for `show_histograms`.
    """
    artists = {"axes": axes, "bars": [], "lines": []}
    for ax, title, name in zip(axes, TITLES, ROLES, strict=True):
        artists["bars"].append(ax.stairs(np.zeros(len(edges) - 1), edges, fill=True, **theme.bar_style(name)))
        artists["lines"] += [ax.axvline(0, color="black", linestyle="--", linewidth=1.5) for _ in range(2)]
        ax.set_title(title, fontsize=theme.FONT)
        ax.set_xlabel("weight")
        ax.xaxis.set_major_locator(MaxNLocator(4, symmetric=True))
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes[0].set_ylabel("weights per bin")
    show_histograms(artists, edges, before, cut, now, threshold)
    return artists


def show_histograms(artists, edges, before, cut, now, threshold):
    """Put other counts, edges and threshold into what `three_histograms` drew, and scale the axes to them."""
    tops = [np.max(before), *[max(np.max(cut), np.max(now))] * 2]
    for ax, bars, counts, top in zip(artists["axes"], artists["bars"], (before, cut, now), tops, strict=True):
        bars.set_data(counts, edges)
        ax.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.08 * max(1, top)))
    for i, line in enumerate(artists["lines"]):
        line.set_xdata([threshold if i % 2 else -threshold] * 2)


def step_axes(axes, steps, dense_error):
    """Axes of error (%) over retraining steps, with the dense net's error as a dotted line. Returns that line."""
    axes.set(xlim=(-0.02 * steps, 1.02 * steps), yscale="log", ylim=(0.4, 100))
    axes.set(xlabel="retraining steps", ylabel="error (%)")
    axes.set_yticks([0.5, 1, 2, 5, 10, 20, 50], labels=["0.5", "1", "2", "5", "10", "20", "50"])
    axes.minorticks_off()
    axes.grid(axis="y")
    return axes.axhline(dense_error, label="dense net", **theme.line_style("dense", marker=""))


def run_line(axes, i, label, steps=(), errors=()):
    """Error over steps of the i-th run. Returns the Line2D."""
    style = theme.line_style(theme.series(i), markersize=6)
    return axes.plot(steps, errors, label=label, **style)[0]


def by_method(axes, rows):
    """Recorded error over weights kept, a line per method, a band between the seeds. Returns {method: Line2D}.

    rows: dicts of method, density (of the whole net), error, seed.
    """
    percent_axes(axes, fewest=90 * min(row["density"] for row in rows), lowest=0.8)
    lines = {}
    for i, method in enumerate(dict.fromkeys(row["method"] for row in rows)):
        x, low, mean, high = spread([r for r in rows if r["method"] == method], "density", "error")
        role = theme.series(i)
        lines[method] = axes.plot(100 * x, mean, label=method, **theme.line_style(role))[0]
        axes.fill_between(100 * x, low, high, color=role.colour, alpha=0.2, linewidth=0)
    axes.legend(loc="lower right")
    return lines


def by_penalty(axes, rows):
    """Recorded error over density under L1 and L2, before and after retraining. Returns {(penalty, when): Line2D}.

    rows: dicts of penalty, scale, before, after, seed.
    """
    percent_axes(axes, fewest=90 * min(row["scale"] for row in rows), most=35, lowest=3)
    lines = {}
    for penalty, role in (("L1", theme.series(1)), ("L2", theme.series(0))):
        mine = [row for row in rows if row["penalty"] == penalty]
        for when, dash, face in (("before", "--", "white"), ("after", "-", role.colour)):
            x, low, mean, high = spread(mine, "scale", when)
            style = {"color": role.colour, "linestyle": dash, "marker": role.marker, "markerfacecolor": face}
            label = f"{penalty}, {'not retrained' if when == 'before' else 'retrained'}"
            lines[penalty, when] = axes.plot(100 * x, mean, label=label, **style)[0]
            axes.fill_between(100 * x, low, high, color=role.colour, alpha=0.2, linewidth=0)
    axes.legend(loc="upper left")
    axes.set_xlabel("weights kept in fc1 (%)")
    return lines


def spread(rows, x, y):
    """Over the rows of equal ``x``: ascending x, and least, mean, greatest ``y`` -> four float arrays."""
    places = sorted({row[x] for row in rows})
    groups = [[row[y] for row in rows if row[x] == place] for place in places]
    return tuple(np.array(v) for v in (places, [*map(min, groups)], [*map(np.mean, groups)], [*map(max, groups)]))
