"""Figures of chapter 06: what a symbol costs, how the symbols are distributed, and which coder needs what."""

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from dcviz.archive.coders import GAPS, WEIGHT_CODES, bound
from dcviz.ideas.entropy import entropy
from dcviz.ideas.huffman import code_lengths
from dcviz.labkit import theme
from dcviz.labkit.histograms import short
from dcviz.labkit.markup import drawn
from dcviz.labkit.picture import Picture

KINDS = ((WEIGHT_CODES, "weight bits", "weight code"), (GAPS, "index bits", "stored gap"))
"""The two streams of a layer: name, role in the theme, what an axis calls a symbol."""


def length_against_information(axes, counts, lengths, yours=None):
    """Code length of each symbol against its information, -log2 p. Returns (points, ring, yours or None).

    On the dashed line a word is exactly as long as it should be. Move the ring with `set_data`.
    """
    counts, lengths = np.asarray(counts, float), np.asarray(lengths)
    seen = np.flatnonzero(counts)
    information = -np.log2(counts[seen] / counts.sum()) if seen.size else np.zeros(0)
    top = max(1.0, information.max(initial=0), lengths.max(initial=0), 0 if yours is None else max(yours, default=0))
    axes.plot([0, top], [0, top], **theme.line_style("paper", marker=""), label="length = −log₂ p")
    style = theme.line_style("ours", linestyle="", markersize=8, markeredgecolor="black", markeredgewidth=0.6)
    (points,) = axes.plot(information, lengths[seen], label="Huffman", **style)
    stars = None
    if yours is not None:
        style = theme.line_style("guess", linestyle="", markersize=19, fillstyle="none", markeredgewidth=2)
        (stars,) = axes.plot(information, np.asarray(yours)[seen], label="yours", **style)
    colour = theme.role("accent").colour
    (ring,) = axes.plot([], [], "o", markersize=17, fillstyle="none", color=colour, markeredgewidth=3, zorder=5)
    axes.set(xlim=(0, top * 1.06), ylim=(0, top * 1.08), xlabel="information −log₂ p (bits)")
    axes.set_ylabel("code length (bits)")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(color=theme.RC["grid.color"])
    frame = {"frameon": True, "framealpha": 0.9, "edgecolor": "none", "fancybox": False}
    axes.legend(loc="upper left", handletextpad=0.3, borderaxespad=0.1, **frame)
    return points, ring, stars


def symbol_bars(axes, counts, *, role="weight bits", what="weight code", first=0):
    """Counts of each symbol as bars. Returns (bars, mark): a hidden, hatched bar to lay over one."""
    at = np.arange(first, first + len(counts))
    style = theme.bar_style(role, hatch="", facecolor=theme.role(role).colour)
    bars = axes.bar(at, counts, 0.9, **style)
    mark = axes.bar(first, 0, 0.9, **theme.bar_style("accent", linewidth=2.5), zorder=3, visible=False)[0]
    axes.set(xlim=(first - 0.8, first + len(counts) - 0.2), ylim=(0, max(1, max(counts, default=1)) * 1.06))
    axes.set(xlabel=what, ylabel="times")
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: short(v)))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return bars, mark


def bits_bars(axes, fixed, huffman, least):
    """Bits per symbol: fixed-length, Huffman (mean length) and entropy, each bar with its number."""
    names, values = ("fixed\nlength", "Huffman", "\nentropy"), (fixed, huffman, least)
    bars = [
        axes.bar(i, value, 0.62, **theme.bar_style(role))[0]
        for i, (value, role) in enumerate(zip(values, ("dense", "ours", "paper"), strict=True))
    ]
    for i, value in enumerate(values):
        axes.annotate(f"{value:.2f}", (i, value), (0, 3), textcoords="offset points", ha="center", va="bottom")
    axes.set(ylim=(0, max(values) * 1.18 or 1), ylabel="bits per symbol", xlim=(-0.6, 2.6))
    axes.set_xticks(range(3), names)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    return bars


def coder_bars(axes, sizes, least):
    """Bytes under each coder as bars, smallest on top, tables hatched; a dashed line at the entropy bound.

    Coders that are not installed stand at the bottom, said to be missing. Returns the bars.
    """
    found = sorted((s for s in sizes if s.bytes is not None), key=lambda s: -s.bytes)
    missing = [s for s in sizes if s.bytes is None]
    rows = [*missing, *found]
    longest = max((s.bytes for s in found), default=1)
    bars = []
    for y, size in enumerate(rows):
        if size.bytes is None:
            axes.text(0.01 * longest, y, "not installed here", va="center", style="italic")
            continue
        role = "ours" if size.coder == "Huffman" else "dense"
        bars += axes.barh(y, size.bytes - size.table, 0.66, **theme.bar_style(role))
        if size.table:
            bars += axes.barh(y, size.table, 0.66, left=size.bytes - size.table, **theme.bar_style("codebook"))
        text = f" {size.bytes:,}"
        axes.text(size.bytes, y, text, va="center", fontweight="bold" if role == "ours" else "normal")
    line = axes.axvline(least, color="black", linestyle="--", linewidth=2.5)
    axes.set_yticks(range(len(rows)), [s.coder for s in rows])
    axes.set(xlim=(0, longest * 1.2), xlabel="bytes", ylim=(-0.6, len(rows) - 0.4))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: short(v)))
    axes.legend([line], [f"entropy bound {least:,.0f}"], loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return bars


def one_bit(axes, densities=None, blocks=(1, 2, 4)):
    """Bits per weight of a keep-or-prune mask against its density: entropy, and Huffman over blocks.

    densities   {layer: share of weights kept}, marked on the entropy curve. Returns the lines by name.
    """
    p = np.concatenate([np.geomspace(0.002, 0.05, 20), np.linspace(0.06, 0.5, 45)])
    lines = {}
    for i, block in enumerate(blocks):
        ones = np.array([bin(word).count("1") for word in range(1 << block)])
        bits = []
        for q in p:
            weights = q**ones * (1 - q) ** (block - ones)
            counts = np.maximum(1, np.round(weights * 1e9)).astype(np.int64)
            bits.append(float((weights * code_lengths(counts)).sum()) / block)
        name = "Huffman, weight by weight" if block == 1 else f"Huffman, blocks of {block}"
        lines[name] = axes.plot(100 * p, bits, label=name, **_plain(theme.series(i)))[0]
    least = [entropy([q, 1 - q]) for q in p]
    lines["entropy"] = axes.plot(100 * p, least, label="entropy", color="black", linestyle="-", linewidth=3)[0]
    for name, q in (densities or {}).items():
        axes.plot(100 * q, entropy([q, 1 - q]), "o", color="black", markersize=9, clip_on=False)
        axes.annotate(drawn(name), (100 * q, entropy([q, 1 - q])), (8, -6), textcoords="offset points", va="top")
    axes.set(xlim=(0, 50), ylim=(0, 1.08), xlabel="weights kept (%)", ylabel="bits per weight")
    axes.grid(color=theme.RC["grid.color"])
    axes.legend(loc="lower right")
    return lines


def _plain(role):
    return {"color": role.colour, "linestyle": role.line, "linewidth": 2.5}


# ------------------------------------------------------------------ whole pictures, with their message in words


def streams_picture(found, layer):
    """The symbols of a layer, {"weight codes": Stream, "gaps": Stream}, as two bar charts."""
    figure, axes = theme.figure(12, 3.8, columns=2)
    for place, (name, role, what) in zip(axes, KINDS, strict=True):
        symbol_bars(place, found[name].counts, role=role, what=what)
    return Picture(figure, f"{layer}: " + "; ".join(_most(name, found[name].counts) for name, _, _ in KINDS))


def figure_5(theirs, ours, net):
    """Figure 5 above the same of one of our nets; both {"weight codes": counts, "gaps": counts}."""
    figure, axes = theme.figure(12, 6.6, rows=2, columns=2)
    for column, (name, role, what) in enumerate(KINDS):
        symbol_bars(axes[0, column], theirs[name], role="paper", what=what, first=int(name == GAPS))
        symbol_bars(axes[1, column], ours[name], role=role, what=what)
        axes[0, column].set_xlabel("gap" if name == GAPS else "weight code")
        axes[0, column].set_title("paper: AlexNet, last layer", loc="left", fontsize=theme.FONT)
        axes[1, column].set_title(f"ours: {drawn(net)}, last layer", loc="left", fontsize=theme.FONT)
    words = [f"{who}, " + _most(name, one[name]) for who, one in (("paper", theirs), (net, ours)) for name in one]
    return Picture(figure, "; ".join(words))


def coders_picture(found, sizes, layer):
    """`coder_bars` of both streams of a layer; `sizes` as {name: coders.sizes(stream)}."""
    figure, axes = theme.figure(13, 5, columns=2)
    for place, (name, stream) in zip(axes, found.items(), strict=True):
        coder_bars(place, sizes[name], bound(stream))
        place.set_xlabel(f"bytes for the {name} of {drawn(layer)}")
    best = {name: min((s for s in own if s.bytes), key=lambda s: s.bytes) for name, own in sizes.items()}
    return Picture(figure, "smallest: " + "; ".join(f"{n}: {s.coder}, {s.bytes:,} bytes" for n, s in best.items()))


def one_bit_picture(densities):
    """`one_bit` with some layers marked."""
    figure, axes = theme.figure(10, 4.6)
    one_bit(axes, densities)
    words = (f"{name} keeps {100 * q:.0f}%, entropy {entropy([q, 1 - q]):.3f}" for name, q in densities.items())
    return Picture(figure, "bits per weight of a mask; Huffman weight by weight takes 1; " + "; ".join(words))


def _most(name, counts):
    top = int(np.argmax(counts))
    return f"{np.count_nonzero(counts)} {name}, the most frequent {100 * counts[top] / counts.sum():.1f}% of all"
