"""Which weights of a layer stay, as a picture of the weight matrix or of the filters."""

import math

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MaxNLocator

from dcviz.labkit import theme
from dcviz.labkit.histograms import short
from dcviz.labkit.linked_picture import ABSENT
from dcviz.labkit.markup import drawn

_RAMP = LinearSegmentedColormap.from_list("kept", ["#FFFFFF", theme.role("kept").colour])
KEPT_MAP = _RAMP.with_extremes(bad="#BDBDBD")  # the gaps between filters


def mask_image(mask, across=600, down=300):
    """A 2-d picture of a mask: the share of kept weights per pixel, NaN between filters.

    A matrix (rows, columns) is averaged in blocks until it has at most `down` x `across` pixels, so one
    pixel may stand for many weights. Filters (out, in, height, width) stand in a grid with a gap of one:
    a row per output and a column per input, or, with one input, as square as it goes.
    """
    mask = np.asarray(mask)
    if mask.ndim == 4:
        return _filter_grid(mask)
    if mask.ndim != 2:
        raise ValueError(f"expected a matrix or filters of 4 dimensions, not shape {mask.shape}")
    fold = [math.ceil(mask.shape[0] / down), math.ceil(mask.shape[1] / across)]
    if fold == [1, 1]:
        return mask.astype(np.float32)
    rows, columns = (-(-size // f) for size, f in zip(mask.shape, fold, strict=True))
    total = np.zeros((rows, columns), np.float32)
    sums = np.add.reduceat(mask, np.arange(0, mask.shape[0], fold[0]), axis=0, dtype=np.float32)
    total[:] = np.add.reduceat(sums, np.arange(0, mask.shape[1], fold[1]), axis=1)
    height = np.minimum(fold[0], mask.shape[0] - fold[0] * np.arange(rows))
    width = np.minimum(fold[1], mask.shape[1] - fold[1] * np.arange(columns))
    return total / np.outer(height, width)


def level_image(levels, across=600, down=300, most=8):
    """A picture to threshold in `mask_image`'s layout: uint16 (planes, height, width), for `LinkedPicture.levels`.

    levels: how many of ascending thresholds a weight reaches, uint16, a matrix or filters. Each plane holds one of the
    weights that share a pixel; of more than ``most`` to a pixel, ``most`` that stand for them, evenly chosen by size.
    """
    levels = np.asarray(levels)
    if levels.ndim == 4:
        return _filter_grid(levels, ABSENT, np.uint16)[None]
    fold = [math.ceil(levels.shape[0] / down), math.ceil(levels.shape[1] / across)]
    size = [-(-length // f) for length, f in zip(levels.shape, fold, strict=True)]
    whole = np.full((size[0] * fold[0], size[1] * fold[1]), ABSENT, np.uint16)
    whole[: levels.shape[0], : levels.shape[1]] = levels
    planes = whole.reshape(size[0], fold[0], size[1], fold[1]).transpose(1, 3, 0, 2).reshape(-1, *size)
    if len(planes) > most:
        chosen = (np.arange(most) + 0.5) * len(planes) / most
        planes = np.sort(planes, axis=0)[chosen.astype(int)]
    return planes


def mask_picture(axes, mask, across=600, down=300):
    """Draw a mask into `axes`: kept solid, pruned white, with a legend above. Returns the AxesImage.

    For the next mask of the same layer: `image.set_data(mask_image(mask))`.
    """
    image = axes.imshow(
        mask_image(mask, across, down),
        cmap=KEPT_MAP,
        vmin=0,
        vmax=1,
        interpolation="nearest",
        aspect="auto",
        interpolation_stage="rgba",  # three times as fast as the default
    )
    if np.ndim(mask) == 4:
        axes.set(xticks=[], yticks=[])
        outputs, inputs = np.shape(mask)[:2]
        axes.set_xlabel(f"{outputs} filters" if inputs == 1 else f"{inputs} input channels")
        axes.set_ylabel("" if inputs == 1 else f"{outputs} filters")
    else:
        axes.set(xlabel=f"{np.shape(mask)[1]} inputs", ylabel=f"{np.shape(mask)[0]} outputs", xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_visible(True)
    solid = theme.role("kept").colour
    keys = [
        Patch(facecolor=solid, edgecolor="black", label="kept"),
        Patch(facecolor="white", edgecolor="black", label="pruned"),
    ]
    axes.legend(handles=keys, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    return image


def _filter_grid(mask, gap=np.nan, dtype=np.float32):
    outputs, inputs, height, width = mask.shape
    if inputs == 1:
        columns = math.ceil(math.sqrt(2 * outputs))
        rows = -(-outputs // columns)
    else:
        rows, columns = outputs, inputs
    grid = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), gap, dtype)
    for i, filter_ in enumerate(mask.reshape(-1, height, width)):
        y, x = divmod(i, columns)
        grid[y * (height + 1) + 1 :, x * (width + 1) + 1 :][:height, :width] = filter_
    return grid


def bytes_bars(axes, dense_bytes, parts=("weight bits", "index bits", "filler")):
    """A dense bar above an empty stacked one. Returns the stacked bar's patches, in the order of `parts`.

    Set each patch's `x` and `width` in bytes to fill the bar.
    """
    axes.barh(1, dense_bytes, 0.5, **theme.bar_style("dense"))
    patches = [axes.barh(0, 0, 0.5, label=name.removesuffix(" bits"), **theme.bar_style(name))[0] for name in parts]
    axes.set(xlim=(0, dense_bytes * 1.2), ylim=(-0.6, 1.5), yticks=[1, 0], yticklabels=["dense", "sparse"])
    axes.set_xlabel("bytes")
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_formatter(lambda v, _: short(v))
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles,
        names,
        loc="lower center",
        bbox_to_anchor=(0.45, 1.0),
        ncols=3,
        handlelength=1.1,
        columnspacing=0.8,
        handletextpad=0.4,
        borderaxespad=0.2,
    )
    return patches


def density_bars(axes, layers, printed):
    """Share of weights kept (%) of each layer: empty bars of ours beside the paper's (0..1). Returns our bars."""
    places = range(len(layers))
    ours = axes.bar([x - 0.2 for x in places], [0] * len(layers), 0.4, label="here", **theme.bar_style("ours"))
    quoted = [100 * density for density in printed]
    axes.bar([x + 0.2 for x in places], quoted, 0.4, label="paper, Table 4 (quoted)", **theme.bar_style("paper"))
    axes.set(
        ylim=(0, 105), ylabel="weights kept (%)", xticks=list(places), xticklabels=[drawn(name) for name in layers]
    )
    axes.legend(loc="upper right", ncols=2)
    axes.grid(axis="y")
    return ours.patches


def error_axes(axes):
    """Empty axes of error (%, log) against weights kept (%). Returns (dots, vertical line), to be moved."""
    (dots,) = axes.plot([], [], **theme.line_style("ours", linewidth=1.5))
    line = axes.axvline(100, color="black", linewidth=2, linestyle="--")
    axes.set_yscale("log")
    axes.set(xlim=(0, 102), ylim=(0.2, 100), xlabel="weights kept (%)", ylabel="error (%)")
    theme.ticks(axes.yaxis)
    axes.grid(axis="y")
    return dots, line


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
        ax.yaxis.set_major_formatter(lambda value, _: short(value))
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
    lines = {}
    for i, method in enumerate(dict.fromkeys(row["method"] for row in rows)):
        mine = [row for row in rows if row["method"] == method]
        lines[method] = _seeds(axes, mine, "density", "error", label=method, **theme.line_style(theme.series(i)))
    percent_axes(axes, fewest=90 * min(row["density"] for row in rows), lowest=0.8)
    axes.legend(loc="lower right")
    return lines


def by_penalty(axes, rows):
    """Recorded error over density under L1 and L2, before and after retraining. Returns {(penalty, when): Line2D}.

    rows: dicts of penalty, scale, before, after, seed.
    """
    lines = {}
    for penalty, role in (("L1", theme.series(1)), ("L2", theme.series(0))):
        mine = [row for row in rows if row["penalty"] == penalty]
        for when, dash, face in (("before", "--", "white"), ("after", "-", role.colour)):
            style = {"color": role.colour, "linestyle": dash, "marker": role.marker, "markerfacecolor": face}
            label = f"{penalty}, {'not retrained' if when == 'before' else 'retrained'}"
            lines[penalty, when] = _seeds(axes, mine, "scale", when, label=label, **style)
    percent_axes(axes, fewest=90 * min(row["scale"] for row in rows), most=35, lowest=3)
    axes.legend(loc="upper left")
    axes.set_xlabel("weights kept in fc1 (%)")
    return lines


def _seeds(axes, rows, x, y, **style):
    """A line through the means of ``y`` over seeds, a band from the least to the greatest -> Line2D.

    Before the axes are made logarithmic: seaborn takes the means of what the axes show.
    """
    import seaborn as sns

    percent, errors = [100 * row[x] for row in rows], [row[y] for row in rows]
    band, edge = {"alpha": 0.2, "linewidth": 0}, {"markeredgecolor": style["color"], "markeredgewidth": 1}
    sns.lineplot(x=percent, y=errors, ax=axes, errorbar=("pi", 100), err_kws=band, **edge, **style)
    return axes.lines[-1]


def percent_axes(axes, fewest=1.8, most=105.0, lowest=0.4):
    """Logarithmic axes of error (%) over weights kept (%), everything kept at the left. Returns the axes."""
    axes.set(xscale="log", yscale="log", xlim=(most, fewest), ylim=(lowest, 100))
    axes.set(xlabel="weights kept (%)", ylabel="error (%)")
    theme.ticks(axes.xaxis, (100, 50, 20, 10, 5, 2, 1))
    theme.ticks(axes.yaxis, (0.5, 1, 2, 5, 10, 20, 50, 90))
    axes.grid()
    return axes


def layer_lines(axes, layers):
    """One empty line per layer, in the theme's order, with a legend. Returns {layer: Line2D}, to be filled."""
    lines = {
        name: axes.plot([], [], label=drawn(name), **theme.line_style(theme.series(i)))[0]
        for i, name in enumerate(layers)
    }
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=len(lines), columnspacing=1.2, borderaxespad=0.2)
    return lines


def error_curves(axes, densities, errors, limit=None):
    """Error over density, a line per layer. ``errors``: {layer: percent per density}; ``limit``: error allowed.

    Returns {layer: Line2D}.
    """
    percent_axes(axes, fewest=90 * min(densities))
    lines = layer_lines(axes, errors)
    for name, line in lines.items():
        line.set_data(100 * np.asarray(densities), errors[name])
    if limit is not None:
        limit_line(axes, limit)
    return lines


def limit_line(axes, limit):
    """The dashed horizontal of the error that is allowed. Returns the Line2D."""
    return axes.axhline(limit, **theme.line_style("paper", marker="", linewidth=2))


def lowest_bars(axes, layers):
    """One empty horizontal bar per layer: the fewest weights kept within the limit. Returns {layer: Rectangle}."""
    bars = {}
    for i, name in enumerate(layers):
        bars[name] = axes.barh(i, 0, 0.6, **theme.bar_style(theme.series(i)))[0]
    axes.set(ylim=(len(layers) - 0.5, -0.5), yticks=range(len(layers)), yticklabels=[drawn(name) for name in layers])
    axes.set(xlim=(0, 100), xlabel="must keep (%)", xticks=[0, 25, 50, 75, 100])
    axes.grid(axis="x")
    return bars


def drawn_digit(sheet, bars, levels, nets):
    """A drawing (28, 28), the more the more ink, and the probabilities of ten digits that each of ``nets`` gives it."""
    sheet.imshow(levels, cmap="gray_r")
    sheet.set_axis_off()
    wide = 0.8 / len(nets)
    for i, (name, shares) in enumerate(nets.items()):
        places = np.arange(len(shares)) + (i - (len(nets) - 1) / 2) * wide
        bars.bar(places, 100 * np.asarray(shares), wide, label=name, **theme.bar_style(theme.series(i)))
    bars.set(xlabel="digit", ylabel="probability, %", ylim=(0, 105))
    bars.xaxis.set_major_locator(FixedLocator(range(10)))
    bars.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(nets), borderaxespad=0.2)
