"""Figures of chapter 06: what a symbol costs, how the symbols are distributed, and which coder needs what."""

from dataclasses import dataclass, replace

import numpy as np
from matplotlib.ticker import MaxNLocator

from dcviz.archive.coders import GAPS, MOST_SHOWN, WEIGHT_CODES, bound
from dcviz.ideas.entropy import entropy
from dcviz.ideas.huffman import Merge, Tree, block_code_length, check_lengths
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
    frame = {"framealpha": 0.9, "fancybox": False}
    axes.legend(loc="upper left", handletextpad=0.3, borderaxespad=0.1, **frame)
    return points, ring, stars


def symbol_bars(axes, counts, *, role="weight bits", what="weight code", first=0):
    """Counts of each symbol as bars. Returns (bars, mark): a hidden, hatched bar to lay over one.

    More bars than can be told apart are one collection of lines, which is drawn far sooner.
    """
    at = np.arange(first, first + len(counts))
    style = theme.bar_style(role, hatch="", facecolor=theme.role(role).colour)
    few = len(counts) <= MOST_SHOWN
    bars = axes.bar(at, counts, 0.9, **style) if few else axes.vlines(at, 0, counts, color=theme.role(role).colour)
    mark = axes.bar(first, 0, 0.9, **theme.bar_style("accent", linewidth=2.5), zorder=3, visible=False)[0]
    axes.set(xlim=(first - 0.8, first + len(counts) - 0.2), ylim=(0, max(1, max(counts, default=1)) * 1.06))
    axes.set(xlabel=what, ylabel="times")
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(lambda v, _: short(v))
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
    axes.xaxis.set_major_formatter(lambda v, _: short(v))
    axes.legend([line], [f"entropy bound {least:,.0f}"], loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return bars


def one_bit(axes, densities=None, blocks=(1, 2, 4)):
    """Bits per weight of a keep-or-prune mask against its density: entropy, and Huffman over blocks.

    densities   {layer: share of weights kept}, marked on the entropy curve. Returns the lines by name.
    """
    p = np.concatenate([np.geomspace(0.002, 0.05, 20), np.linspace(0.06, 0.5, 45)])
    lines = {}
    for i, block in enumerate(blocks):
        bits = [block_code_length(q, block) for q in p]
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


def humps_picture(kept):
    """Kept weights of layers, {name: humps.Kept}, over their largest magnitude; below, how often each code is used."""
    import seaborn as sns

    figure, axes = theme.figure(13.5, 5.4, rows=2, columns=len(kept))
    over = {"bins": HUMP_BINS, "binrange": (-1, 1), "alpha": 1, "linewidth": 0, "color": theme.role("kept").colour}
    for (name, one), (top, bottom) in zip(kept.items(), axes.T, strict=True):
        share = 100 * one.counts / one.counts.sum()
        bars = {"weight": one.values / one.largest, "share": share}
        sns.histplot(bars, x="weight", weights="share", ax=top, **over)
        top.set_title(f"{drawn(name)}\nnone below {one.hole:.2f}", loc="left", fontsize=theme.FONT)
        top.set(xlim=(-1, 1), xlabel="weight / largest", ylabel="")
        top.set_xticks([-1, 0, 1])
        symbol_bars(bottom, share)
        bottom.set_ylabel("")
    axes[0, 0].set_ylabel("% of kept weights")
    axes[1, 0].set_ylabel("% of kept weights")
    words = "; ".join(f"{name}: no kept weight below {one.hole:.2f} of the largest" for name, one in kept.items())
    return Picture(figure, words)


HUMP_BINS = 24
"""Bars over the range of a layer's kept weights."""


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


LEAF, INNER, BRANCH = "leaf", "inner", "branch"


@dataclass(frozen=True, eq=False)
class Layout:
    """The nodes on show, parents before children, as parallel lists.

    node      number in the tree; leaves are the symbols
    parent    index into these lists, -1 for the root
    bit       "0" to the left, "1" to the right, "" for the root
    x, y      column (0 .. columns-1, leaves in order from left to right) and depth
    share     of all symbols, 0 to 1
    kind      LEAF, INNER or BRANCH (hidden below this node: `below` symbols)
    made      merge step that made the node, -1 for leaves
    """

    node: list
    parent: list
    bit: list
    x: list
    y: list
    share: list
    kind: list
    below: list
    made: list
    columns: int
    depth: int

    def path(self, index):
        """Indices from the root to an index of the lists, both included."""
        way = [index]
        while self.parent[way[-1]] >= 0:
            way.append(self.parent[way[-1]])
        return way[::-1]


def layout(tree, rare=0.0, opened=()):
    """The `Layout` of a `huffman.Tree`; branches with a share below `rare` are closed unless in `opened`."""
    out = Layout([], [], [], [], [], [], [], [], [], 0, 0)
    if tree.root < 0:
        return out
    total, opened = tree.counts[tree.root], set(opened)
    below = [1] * tree.alphabet
    for merge in tree.merges:
        below.append(below[merge.left] + below[merge.right])
    columns, stack = 0, [(tree.root, -1, "")]
    while stack:
        node, parent, bit = stack.pop()
        share, children = tree.counts[node] / total, tree.children(node)
        closed = children and parent >= 0 and share < rare and node not in opened
        index = len(out.node)
        out.node.append(node)
        out.parent.append(parent)
        out.bit.append(bit)
        out.y.append(out.y[parent] + 1 if parent >= 0 else 0)
        out.share.append(share)
        out.kind.append(BRANCH if closed else INNER if children else LEAF)
        out.below.append(below[node])
        out.made.append(node - tree.alphabet if children else -1)
        if children and not closed:
            out.x.append(None)
            stack += [(children[1], index, "1"), (children[0], index, "0")]  # the left one comes off first
        else:
            out.x.append(columns)
            columns += 1
    sums = [[] for _ in out.node]
    for index in reversed(range(len(out.node))):  # children before parents
        if out.x[index] is None:
            out.x[index] = sum(sums[index]) / len(sums[index])
        if out.parent[index] >= 0:
            sums[out.parent[index]].append(out.x[index])
    return replace(out, columns=columns, depth=max(out.y))


def canonical_tree(counts, lengths):
    """The tree whose paths are the canonical code words: counts, lengths (alphabet,) -> `huffman.Tree`.

    From the deepest level up: the leaves of the level in the order of their symbols, then the nodes made
    below, are joined two by two. CodeError unless the lengths are a complete prefix code.
    """
    lengths = check_lengths(lengths).tolist()
    counts = [int(count) for count in counts]
    alphabet, merges, level, weights = len(lengths), [], [], list(counts)
    for length in range(max(lengths, default=0), 0, -1):
        nodes = [symbol for symbol, own in enumerate(lengths) if own == length] + level
        if len(nodes) == 1:  # a lone symbol has length 1 by agreement, and no neighbour
            break
        level = []
        for left, right in zip(nodes[::2], nodes[1::2], strict=True):
            merges.append(Merge(len(merges), alphabet + len(merges), left, right, weights[left] + weights[right]))
            weights.append(merges[-1].count)
            level.append(merges[-1].node)
    present = [symbol for symbol, own in enumerate(lengths) if own]
    root = merges[-1].node if merges else (present[0] if present else -1)
    parent, depth = [-1] * len(weights), [-1] * len(weights)
    if root >= 0:
        depth[root] = 0
    for _, node, left, right, _ in reversed(merges):
        parent[left] = parent[right] = node
        depth[left] = depth[right] = depth[node] + 1
    return Tree(alphabet, root, tuple(merges), tuple(weights), np.array(parent), np.array(depth))


def draw_tree(axes, shown, selected=-1, *, step=None, role="weight bits", labels=None):
    """Draw a `Layout`: edges as thick as their share of the symbols; the selected symbol's path is marked.

    Nodes made at merge `step` or later are left out. Returns {"edges", "leaves", "path"}: lists of lines.
    """
    step = len(shown.node) if step is None else step
    made = [shown.made[i] < step for i in range(len(shown.node))]
    edges, leaves = [], []
    for i, parent in enumerate(shown.parent):
        if parent >= 0 and made[parent] and made[i]:
            xs, ys = (shown.x[parent], shown.x[i]), (shown.y[parent], shown.y[i])
            edges += axes.plot(xs, ys, color=theme.GREY, linewidth=1 + 12 * shown.share[i], solid_capstyle="round")
    at = [i for i, node in enumerate(shown.node) if shown.kind[i] == LEAF and node == selected]
    way = [i for i in shown.path(at[0]) if made[i]] if at else []
    accent = theme.role("accent").colour
    path = axes.plot([shown.x[i] for i in way], [shown.y[i] for i in way], color=accent, linewidth=4, zorder=3)
    for i in way[1:]:
        p = shown.parent[i]
        middle = (shown.x[i] + shown.x[p]) / 2, (shown.y[i] + shown.y[p]) / 2
        axes.annotate(
            shown.bit[i],
            middle,
            ha="center",
            va="center",
            fontweight="bold",
            zorder=5,
            bbox={"boxstyle": "circle,pad=0.1", "fc": "white", "ec": accent},
        )
    turn = 90 if shown.columns > 30 else 0
    for i, kind in enumerate(shown.kind):
        if kind == INNER:
            continue
        marker = {LEAF: "s", BRANCH: "^"}[kind]
        colour = theme.role(role).colour if kind == LEAF else theme.GREY
        leaves += axes.plot(shown.x[i], shown.y[i], marker=marker, markersize=8, color=colour, zorder=4)
        name = labels[shown.node[i]] if labels and kind == LEAF else str(shown.node[i])
        axes.annotate(
            name if kind == LEAF else f"{shown.below[i]}×",
            (shown.x[i], shown.y[i]),
            (0, -8),
            rotation=turn,
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=theme.FONT_SMALL if turn == 0 else 11,
            fontweight="bold" if i in at else "normal",
            color="black" if kind == LEAF else theme.GREY,
        )
    axes.set(xlim=(-1, max(shown.columns, 1)), ylim=(shown.depth + 1.2, -0.5), xticks=[], ylabel="depth = bits")
    axes.spines["bottom"].set_visible(False)
    return {"edges": edges, "leaves": leaves, "path": path}
