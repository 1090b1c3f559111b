"""Huffman trees on paper: where each node stands, and the static drawing.

The layout is plain loops over a list, never a recursion: a skewed tree may be as deep as its alphabet is
large. The browser's view draws the same layout, so the live and the static picture agree.
"""

from dataclasses import dataclass, replace

import numpy as np

from dcviz.ideas.huffman import Merge, Tree, check_lengths
from dcviz.labkit import theme

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
