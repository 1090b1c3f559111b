"""Chapter 8's figures: time of a layer in three forms, roofline, crossover batch, speed-up by layer, phones."""

import numpy as np
from matplotlib.ticker import NullFormatter

from dcviz.chapters.ch08_speed_and_energy import timing
from dcviz.evidence.memories import in_units
from dcviz.labkit import theme
from dcviz.labkit.markup import number

METHODS = {"dense": "dense", "csr": "sparse rows (CSR)", "compressed": "compressed form"}
"""How the methods of ``timing`` are called in figures."""
METHOD_ROLES = {"dense": "paper", "csr": "pruned", "compressed": "kept"}
SOURCES = {"limit": "limit (computed)", "recorded": "recorded", "now": "measured now"}
_SOURCE_ROLES = {"limit": "accent", "recorded": "recorded", "now": "ours"}
_FASTEST, _SLOWEST = 0.3, 6e6  # microseconds


def time_text(micro):
    """A time for people: time_text(1500) -> '1.5 ms'."""
    return in_units(micro, {"s": 1e6, "ms": 1e3}) or f"{micro:.3g} µs"


def time_bars(axes):
    """Empty bars, three sources for each method, on a logarithmic axis of microseconds, each with its number.

    Returns {(method, source): (bar, text)}; fill them with ``show_times``.
    """
    artists = {}
    for i, method in enumerate(METHODS):
        for k, source in enumerate(SOURCES):
            y = i + 0.27 * (k - 1)
            bar = axes.barh(y, 1, 0.25, left=0, **theme.bar_style(_SOURCE_ROLES[source]))[0]
            text = axes.text(1, y, "", va="center", fontsize=theme.FONT_SMALL, clip_on=True)
            artists[method, source] = bar, text
    axes.set(xscale="log", xlim=(_FASTEST, _SLOWEST), ylim=(len(METHODS) - 0.5, -0.5), xlabel="time of one call")
    axes.set_yticks(range(len(METHODS)), METHODS.values())
    theme.ticks(axes.xaxis, (1, 10, 100, 1e3, 1e4, 1e5, 1e6), lambda micro, _: time_text(micro))
    axes.grid(axis="x")
    axes.legend(
        [artists["dense", s][0] for s in SOURCES],
        SOURCES.values(),
        ncols=3,
        loc="lower left",
        bbox_to_anchor=(-0.35, 1.0),
        columnspacing=1.0,
        handlelength=1.4,
    )
    return artists


def show_times(artists, times):
    """Fill ``time_bars``; times: {(method, source): microseconds or None}."""
    for key, (bar, text) in artists.items():
        micro = times.get(key)
        bar.set_width(micro or 0)
        text.set_text(f" {time_text(micro)}" if micro else "")
        text.set_x(micro or 1)


def roofline(axes, bandwidth, peak):
    """The roof of a machine, in bytes and operations per second. Returns {method: Line2D} of points to be placed."""
    intensity = np.array([1e-2, peak / bandwidth, 1e3])
    roof = timing.roof(intensity, bandwidth, peak) / 1e9
    axes.plot(intensity, roof, color="black", linewidth=2.5, label="roof")
    axes.fill_between(intensity, roof, 1e5, color=theme.tint("#000000", 0.9))
    above = {"y": 0.96, "va": "top", "fontsize": theme.FONT_SMALL, "transform": axes.get_xaxis_transform()}
    axes.text(0.013, s="memory-bound", **above)
    axes.text(intensity[-1] * 0.8, s="compute-bound", ha="right", **above)  # clear of a point at the roof
    points = {}
    for method, label in METHODS.items():
        style = theme.line_style(METHOD_ROLES[method], linestyle="", label=label, markersize=13, zorder=4)
        points[method] = axes.plot([], [], **style, markeredgewidth=2.5)[0]
    axes.set(xscale="log", yscale="log", xlim=(1e-2, 1e3), ylim=(0.05, 500))
    axes.set(xlabel="operations per byte moved", ylabel="billion operations/s")
    theme.ticks(axes.xaxis, (0.01, 0.1, 1, 10, 100, 1000))
    theme.ticks(axes.yaxis, (0.1, 1, 10, 100))
    axes.legend(loc="lower right", handlelength=1.2)
    return points


def crossover(axes, batches):
    """Empty lines of speed-up over dense by batch size, a vertical for the batch -> ({method: Line2D}, Line2D)."""
    lines = {
        method: axes.plot([], [], label=label, **theme.line_style(METHOD_ROLES[method]))[0]
        for method, label in METHODS.items()
    }
    at = axes.axvline(batches[0], color=theme.role("guess").colour, linestyle="-.", linewidth=2)
    axes.axhspan(0.02, 1, color=theme.tint("#000000", 0.9))
    axes.text(1.05 * batches[0], 0.16, "dense is faster", va="center", fontsize=theme.FONT_SMALL)  # on no curve
    axes.set(xscale="log", yscale="log", xlabel="batch: inputs at a time", ylabel="times faster\nthan dense")
    axes.set(xlim=(batches[0] * 0.9, batches[-1] * 1.1), ylim=(0.09, 60))
    theme.ticks(axes.xaxis, batches)
    theme.ticks(axes.yaxis, (0.1, 0.3, 1, 3, 10, 30))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, columnspacing=1.2)
    axes.grid()
    return lines, at


def density_curves(axes, rows):
    """Time over density, a line per method. rows: density, method, seconds. Returns {method: Line2D}."""
    lines = {}
    for method, label in METHODS.items():
        points = sorted((100 * row["density"], 1e3 * row["seconds"]) for row in rows if row["method"] == method)
        lines[method] = axes.plot(*zip(*points, strict=True), label=label, **theme.line_style(METHOD_ROLES[method]))[0]
    axes.set(xscale="log", yscale="log", xlabel="weights kept (%)", ylabel="time (ms)")
    theme.ticks(axes.xaxis, (1, 2, 5, 10, 20, 50, 100))
    theme.ticks(axes.yaxis, (0.1, 0.2, 0.5, 1, 2, 5, 10, 20))
    axes.grid()
    axes.legend()
    return lines


def activity_curves(axes, rows, counted):
    """Speed-up over dense by share of active inputs, geometric means over layers; thin lines: each layer, compressed.

    rows: layer, method, active, seconds; counted: shares to be marked. Returns {method: Line2D}.
    """
    axes.axvspan(100 * min(counted), 100 * max(counted), color=theme.tint("#000000", 0.85), label="counted on AlexNet")
    lines = {}
    for method in ("compressed", "csr"):
        shares, gains = timing.speedups_by_activity(rows, method)
        percent = 100 * shares
        style = theme.line_style(METHOD_ROLES[method])
        if method == "compressed":
            axes.plot(percent, gains.T, color=style["color"], linewidth=0.9, alpha=0.5)
        lines[method] = axes.plot(percent, timing.geometric_mean(gains, axis=0), label=METHODS[method], **style)[0]
    axes.set(yscale="log", xlabel="active inputs (%)", ylabel="times faster\nthan dense", xlim=(0, 103))
    theme.ticks(axes.yaxis, (0.5, 1, 2, 5, 10, 20, 50, 100))
    axes.grid()
    axes.legend()
    return lines


def ratio_bars(axes, labels, series, ylabel):
    """Groups of bars on a logarithmic axis. series: {name: (role, values)}. Returns {name: bars}."""
    width, bars = 0.8 / len(series), {}
    for i, (name, (role, values)) in enumerate(series.items()):
        x = np.arange(len(labels)) + (i - (len(series) - 1) / 2) * width
        bars[name] = axes.bar(x, values, 0.92 * width, label=name, **theme.bar_style(role))
        for at, value in zip(x, values, strict=True):
            axes.annotate(
                f"{value:.2g}" if value < 9.95 else f"{value:.0f}",
                (at, value),
                (0, 3),
                ha="center",
                textcoords="offset points",
                fontsize=theme.FONT_SMALL - 1,
            )
    axes.set(yscale="log", ylabel=ylabel)
    axes.set_xticks(range(len(labels)), labels)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.axhline(1, color="black", linewidth=1.2)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(series), columnspacing=1.2)
    return bars


PHONE_PARTS = (
    (("fully connected", "kept"), ("convolutions", "filler")),
    (("fetching weights", "pruned"), ("arithmetic", "retrained")),
)
"""What a phone's milliseconds and millijoules consist of, with the role of each part."""


def phone_bars(axes, forms, parts, label):
    """Empty stacked bars, a row per form -> ({(form, part): bar}, {form: text}), for ``show_phone``."""
    bars, texts = {}, {}
    for i, form in enumerate(forms):
        for name, role in parts:
            bars[form, name] = axes.barh(i, 0, 0.6, **theme.bar_style(role))[0]
        texts[form] = axes.text(0, i, "", va="center", fontsize=theme.FONT)
    axes.set(ylim=(len(forms) - 0.4, -0.6), xlim=(0, 1), xlabel=label, xticks=[])
    axes.set_yticks(range(len(forms)), forms)
    axes.legend(
        [bars[forms[0], name] for name, _ in parts],
        [name for name, _ in parts],
        ncols=2,
        loc="lower left",
        bbox_to_anchor=(-0.2, 1.0),
        columnspacing=1.2,
    )
    return bars, texts


def show_phone(artists, values, unit):
    """Fill ``phone_bars``; values: {(form, part): number}, drawn relative to the largest sum, which is printed."""
    bars, texts = artists
    totals = {form: sum(v for (f, _), v in values.items() if f == form) for form in texts}
    scale, ends = 1.25 * max(totals.values()) or 1.0, dict.fromkeys(texts, 0.0)
    for (form, part), value in values.items():
        bars[form, part].set(x=ends[form] / scale, width=value / scale)
        ends[form] += value
    for form, text in texts.items():
        text.set_text(f" {number(totals[form])} {unit}")
        text.set_x(totals[form] / scale)
