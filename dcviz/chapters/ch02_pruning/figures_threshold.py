"""Small panels beside a pruning mask: where the bytes go, and error against weights kept."""

from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from dcviz.labkit import theme
from dcviz.labkit.histograms import short
from dcviz.labkit.markup import drawn


def bytes_bars(axes, dense_bytes, parts=("weight bits", "index bits", "filler")):
    """A dense bar above an empty stacked one. Returns the stacked bar's patches, in the order of `parts`.

    Set each patch's `x` and `width` in bytes to fill the bar.
    """
    axes.barh(1, dense_bytes, 0.5, **theme.bar_style("dense"))
    patches = [axes.barh(0, 0, 0.5, label=name.removesuffix(" bits"), **theme.bar_style(name))[0] for name in parts]
    axes.set(xlim=(0, dense_bytes * 1.2), ylim=(-0.6, 1.5), yticks=[1, 0], yticklabels=["dense", "sparse"])
    axes.set_xlabel("bytes")
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: short(v)))
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


def error_axes(axes, lowest=0.2):
    """Empty axes of error (%, log) against weights kept (%). Returns (dots, vertical line), to be moved."""
    (dots,) = axes.plot([], [], **theme.line_style("ours", linewidth=1.5))
    line = axes.axvline(100, color="black", linewidth=2, linestyle="--")
    axes.set_yscale("log")
    axes.set(xlim=(0, 102), ylim=(lowest, 100), xlabel="weights kept (%)", ylabel="error (%)")
    axes.yaxis.set_major_locator(LogLocator(10))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axes.grid(axis="y")
    return dots, line
