"""The view of a Huffman tree that is drawn in the browser; the layout comes from `figures_trees`."""

from pathlib import Path

import anywidget
import traitlets

from dcviz.chapters.ch06_huffman.figures import LEAF
from dcviz.labkit.controls import ROOM, SVG, css, script, synced


class TreeView(anywidget.AnyWidget):
    """A Huffman tree whose leaves are chosen with mouse or keys (arrows, Home, End, Enter, Escape).

        view = TreeView()
        view.show(trees.layout(tree), names=["code 0", ...])
        view.observe(chosen, "selected")      # a symbol, or -1

    selected     the symbol whose path is marked
    step         merges done: nodes made later are hidden, the next two to merge ringed; -1 for all
    current      a node to ring, with the way to it marked (for walking the tree), or -1
    opened       nodes of closed branches that the reader opened
    word         what to call the bits along a path;  hint   what to say while nothing is chosen
    ink          role of the leaves' colour;  label   name of the whole for screen readers
    """

    _esm = script(
        ROOM,
        SVG,
        Path(__file__).parent / "huffman_tree.js",
        style=css() + (Path(__file__).parent / "huffman_tree.css").read_text(encoding="utf-8"),
    )

    tree = synced(traitlets.Dict())
    selected = synced(traitlets.Int(-1))
    step = synced(traitlets.Int(-1))
    current = synced(traitlets.Int(-1))
    opened = synced(traitlets.List(traitlets.Int()))
    word = synced(traitlets.Unicode("path"))
    hint = synced(traitlets.Unicode("Choose a leaf to see its code word."))
    ink = synced(traitlets.Unicode("weight-bits"))
    label = synced(traitlets.Unicode("Huffman tree"))
    height = synced(traitlets.Int(430))

    def __init__(self, **state):
        super().__init__(**state)
        self.layout.width = "100%"

    def show(self, shown, names, ids):
        """Show a `figures.Layout`; see `tree_of`."""
        self.tree = tree_of(shown, names, ids)


def tree_of(shown, names, ids):
    """A `figures.Layout` as `TreeView.tree` has it.

    names   what each leaf of the tree stands for
    ids     number of each node of the tree by which it is selected and opened: a leaf's is its symbol
    """
    leaf = [kind == LEAF for kind in shown.kind]
    return {
        "node": [ids[n] for n in shown.node],
        "parent": shown.parent,
        "bit": shown.bit,
        "y": shown.y,
        "kind": shown.kind,
        "below": shown.below,
        "made": shown.made,
        "columns": shown.columns,
        "depth": shown.depth,
        "x": [round(x, 4) for x in shown.x],
        "share": [round(share, 7) for share in shown.share],
        "name": [names[n] if ok else "" for n, ok in zip(shown.node, leaf, strict=True)],
        "mark": [str(ids[n]) if ok else "" for n, ok in zip(shown.node, leaf, strict=True)],
    }
