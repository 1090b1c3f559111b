"""The view of chapters 4 and 5: a layer's weights in the colours of their clusters, drawn in the browser."""

import anywidget
import numpy as np
import traitlets

from dcviz.labkit.controls import DRAWING, HERE, ROOM, css, script, synced

BINS = 400


class CodebookView(anywidget.AnyWidget):
    """A histogram of weights, banded by cluster, with the centroids; the browser gets the histogram only.

        view = CodebookView(draggable=True)
        view.show(values)                     # the weights that are clustered, any shape
        view.codebook(centroids, sizes)       # the centroids to draw, and how many weights each one owns
        view.observe(moved, "dragged")        # the centroids as the mouse left them, at most every 50 ms
        view.observe(let_go, "released")      # a counter: grows when the mouse or key is let go

    What the mouse moves stops at multiples of `grid`, with all centroids, if there is one: for films of it.

    A centroid that owns no weight is drawn hollow, and the legend counts them. `before` are values drawn as
    crosses. `show_cdf` adds the cumulative distribution, with each centroid's place in it.
    """

    _esm = script(ROOM, DRAWING, HERE / "codebook_view.js", style=css())

    counts = synced(traitlets.Bytes(b""))
    low = synced(traitlets.Float(-1.0))
    high = synced(traitlets.Float(1.0))
    centroids = synced(traitlets.List(traitlets.Float()))
    sizes = synced(traitlets.List(traitlets.Int()))
    before = synced(traitlets.List(traitlets.Float()))
    dragged = synced(traitlets.List(traitlets.Float()))
    again = synced(traitlets.Int(0, help="counts drags back to the very `dragged` that Python has"))
    released = synced(traitlets.Int(0))
    draggable = synced(traitlets.Bool(False))
    grid = synced(traitlets.Float(0.0))
    log_y = synced(traitlets.Bool(False))
    show_cdf = synced(traitlets.Bool(False))
    label = synced(traitlets.Unicode("weight"))
    before_label = synced(traitlets.Unicode("before"))
    height = synced(traitlets.Int(400))

    def __init__(self, **state):
        super().__init__(**state)
        self.layout.width = "100%"

    def show(self, values):
        """Show other weights; the centroids stay until `codebook` is called."""
        values = np.asarray(values, np.float64).ravel()
        low, high = float(values.min()), float(values.max())
        pad = 0.02 * (high - low) or 0.5
        counts, _ = np.histogram(values, BINS, (low - pad, high + pad))
        with self.hold_sync():
            self.low, self.high = low - pad, high + pad
            self.counts = counts.astype("<u4").tobytes()

    def codebook(self, centroids, sizes):
        """Draw these centroids, sorted, which own so many weights each."""
        with self.hold_sync():
            self.sizes = [int(n) for n in sizes]
            self.centroids = [float(c) for c in centroids]
