"""Error of a net when one layer is pruned, layer by layer, and how far each layer can go."""

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from dcviz.labkit import theme
from dcviz.labkit.markup import drawn

_SHARES = (100, 50, 20, 10, 5, 2, 1)
_ERRORS = (0.5, 1, 2, 5, 10, 20, 50, 90)


def percent_axes(axes, fewest=1.8, most=105.0, lowest=0.4):
    """Logarithmic axes of error (%) over weights kept (%), everything kept at the left. Returns the axes."""
    axes.set(xscale="log", yscale="log", xlim=(most, fewest), ylim=(lowest, 100))
    axes.set(xlabel="weights kept (%)", ylabel="error (%)")
    for axis, wanted in ((axes.xaxis, _SHARES), (axes.yaxis, _ERRORS)):
        axis.set_major_locator(FixedLocator(wanted))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
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
