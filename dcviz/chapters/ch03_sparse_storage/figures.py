"""Sparse storage: the relative index entry by entry, bits by the width of a gap, formats side by side."""

from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.ticker import MaxNLocator

from dcviz.labkit import theme

PARTS = ("weight bits", "index bits", "filler")
"""What the bits of a width are spent on, bottom to top."""


def index_strip(axes, size, entries, step=None):
    """A layer as a row of cells with an arc per entry: kept solid, fillers hatched, gaps, what is stored.

    entries: [(position, stored, real)] in order; only the first `step` are drawn as written.
    """
    step = len(entries) if step is None else step
    written = {position: (stored, real) for position, stored, real in entries[:step]}
    for position in range(size):
        style = {"facecolor": "white", "edgecolor": "black", "linewidth": 1.2}
        real_ahead = any(p == position and real for p, _, real in entries)
        if position in written and not written[position][1]:
            style = theme.bar_style("filler")
        elif real_ahead:
            style = theme.bar_style("kept")
        axes.add_patch(Rectangle((position - 0.5, 0), 1, 1, **style))
        text, ink = ("w", "white") if real_ahead else ("0", "black")
        bold = "bold" if real_ahead else "normal"
        label = axes.text(position, 0.5, text, ha="center", va="center", color=ink, fontweight=bold)
        if position in written and not written[position][1]:
            label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5})
        axes.text(position, -0.12, str(position), ha="center", va="top", fontsize=theme.FONT_SMALL)
    axes.text(-1, 0.5, "start\n−1", ha="center", va="center", fontsize=theme.FONT_SMALL)
    previous = -1
    for position, stored, real in entries[:step]:
        high = min(1.6, 0.35 + 0.16 * (position - previous))
        bend = f"arc3,rad=-{0.9 * high / (position - previous):.3f}"
        arc = FancyArrowPatch(
            (previous, 1.05),
            (position, 1.05),
            connectionstyle=bend,
            arrowstyle="-|>",
            mutation_scale=18,
            linewidth=2,
            color="black",
            linestyle="-" if real else "--",
        )
        axes.add_patch(arc)
        middle = (previous + position) / 2
        centred = {"ha": "center", "fontsize": theme.FONT_LARGE}
        axes.text(middle, 1.12 + 0.45 * high, f"+{stored + 1}", va="bottom", **centred)
        axes.text(position, -0.75, str(stored), va="top", fontweight="bold", **centred)
        previous = position
    axes.text(-1, -0.78, "stored", ha="center", va="top", fontsize=theme.FONT_SMALL)
    axes.set(xlim=(-2, size - 0.3), ylim=(-1.5, 2.9), xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_visible(False)


def bits_curve(axes, widths):
    """Stacked bars over the width b of a gap, empty; a line for a shuffled mask; a frame around one b.

    Returns {'parts': {part: [bar per width]}, 'shuffled': line, 'chosen': patch}; fill them with `show_bits`.
    """
    artists = {"parts": {}}
    for part in PARTS:
        bars = [axes.bar(b, 0, 0.72, **theme.bar_style(part))[0] for b in widths]
        bars[0].set_label({"weight bits": "weights", "index bits": "gaps", "filler": "fillers"}[part])
        artists["parts"][part] = bars
    (artists["shuffled"],) = axes.plot(
        widths, [0] * len(widths), label="same mask, shuffled", **theme.line_style("guess", markersize=11)
    )
    whole_height = axes.get_xaxis_transform()
    frame = Rectangle((0, 0), 0.94, 1, fill=False, edgecolor="black", linewidth=3, transform=whole_height)
    artists["chosen"] = axes.add_patch(frame)
    axes.set(xlabel="bits per gap, b", ylabel="bits per kept weight")
    axes.set_xlim(widths[0] - 0.7, widths[-1] + 0.7)
    axes.set_xticks(list(widths))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, borderaxespad=0.2, columnspacing=1.2)
    return artists


def show_bits(artists, widths, parts, shuffled, chosen):
    """Fill `bits_curve`: parts {part: bits per kept weight by width}, shuffled totals, the chosen width."""
    bottom = [0.0] * len(widths)
    for part, bars in artists["parts"].items():
        for i, bar in enumerate(bars):
            bar.set(y=bottom[i], height=parts[part][i])
            bottom[i] += parts[part][i]
    artists["shuffled"].set_data(list(widths), shuffled)
    artists["chosen"].set_x(chosen - 0.47)


def kept_by_input(axes, mask, shape):
    """How many weights each input of a fully connected layer keeps, as a heat map of the inputs' shape.

    mask: bool, (outputs, inputs). Returns the QuadMesh.
    """
    import seaborn as sns

    scale = {"label": f"weights kept, of {mask.shape[0]}", "shrink": 0.9}
    kept = mask.sum(axis=0).reshape(shape)
    sns.heatmap(kept, ax=axes, cmap="Blues", square=True, cbar_kws=scale, xticklabels=False, yticklabels=False)
    return axes.collections[0]


def gap_counts(axes, gaps, shuffled, most):
    """How many gaps are longer than each length, for a mask and for the same weights shuffled. Returns lines."""
    import seaborn as sns

    for values, name, label in ((gaps, "kept", "this mask"), (shuffled, "guess", "shuffled")):
        style = theme.line_style(name, marker="")
        sns.ecdfplot(x=values, ax=axes, stat="count", complementary=True, label=label, **style)
    lines = list(axes.lines)
    axes.set_yscale("log")
    axes.set(xlabel="gap", ylabel="gaps longer than that", xlim=(0, most), ylim=(0.8, None))
    axes.grid()
    axes.legend()
    return lines


def format_bars(axes, names):
    """Empty bars of a layer's bits in each format, as a share of dense float32. Returns {name: bar}."""
    roles = {"relative": "kept", "random mask, at best": "guess"}
    styles = [theme.bar_style(roles.get(name, "muted")) for name in names]
    bars = {name: axes.barh(i, 0, 0.64, **styles[i])[0] for i, name in enumerate(names)}
    axes.set_yticks(range(len(names)), names, fontsize=theme.FONT)
    axes.set(ylim=(len(names) - 0.4, -0.6), xlim=(0, 100), xlabel="% of dense float32")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="x")
    return bars
