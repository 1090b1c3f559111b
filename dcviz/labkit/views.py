"""Views that are drawn in the browser: what the mouse moves. They get sketches, never the weights."""

import anywidget
import numpy as np
import traitlets

from dcviz.labkit.controls import DRAWING, HERE, ROOM, css, script, synced


class HistogramView(anywidget.AnyWidget):
    """A weight histogram with a threshold to drag, centroids, a second histogram and the distribution of |w|.

        view = HistogramView(sketch, threshold=0.04)
        view.observe(moved, "threshold")      # during a drag, at most every 50 ms, and at its end
        view.observe(let_go, "released")      # a counter: grows when the mouse or key is let go
        view.show(other_sketch)               # another layer, same view
        view.show_overlay(sketch_after)       # dashed outline over the bars; None takes it away

    threshold            magnitude; |w| below it is shaded and hatched. Hide with show_threshold=False
    draggable            whether the threshold can be moved (mouse, touch, arrow keys, Home, End)
    snaps                thresholds that a drag can take, float64 bytes; any, if there are none
    centroids            list of values, drawn as numbered lines; centroids_draggable lets the mouse move them
    exact                [threshold, pruned]: for this threshold show that count, not the sketch's estimate
    log_y, show_cdf      logarithmic counts; the share of weights below |w| as a dashed curve
    label                the horizontal axis;  height; centroids_label, overlay_label
    """

    _esm = script(ROOM, DRAWING, HERE / "histogram_view.js")
    _css = css()

    counts, overlay, magnitudes, ranks, snaps = (synced(traitlets.Bytes(b"")) for _ in range(5))
    n = synced(traitlets.Int(0))
    zeros = synced(traitlets.Int(0))
    limit = synced(traitlets.Float(1.0))
    threshold = synced(traitlets.Float(0.0))
    centroids = synced(traitlets.List(traitlets.Float()))
    exact = synced(traitlets.List([-1.0, 0]))
    released = synced(traitlets.Int(0))
    show_threshold = synced(traitlets.Bool(True))
    draggable = synced(traitlets.Bool(True))
    centroids_draggable = synced(traitlets.Bool(False))
    log_y = synced(traitlets.Bool(False))
    show_cdf = synced(traitlets.Bool(False))
    label = synced(traitlets.Unicode("weight"))
    overlay_label = synced(traitlets.Unicode("after"))
    centroids_label = synced(traitlets.Unicode("centroid"))
    height = synced(traitlets.Int(340))

    def __init__(self, sketch=None, **state):
        super().__init__(**state)
        self.sketch = None
        self.layout.width = "100%"
        if sketch is not None:
            self.show(sketch)

    def show(self, sketch):
        """Show another sketch; threshold and centroids stay as they are. An overlay goes away."""
        self.sketch = sketch
        with self.hold_sync():
            self.n, self.zeros, self.limit = sketch.n, sketch.zeros, sketch.limit
            self.counts = sketch.counts.astype("<u4").tobytes()
            self.magnitudes = sketch.magnitudes.astype("<f4").tobytes()
            self.ranks = sketch.ranks.astype("<u4").tobytes()
            self.overlay = b""

    def show_overlay(self, sketch):
        """Outline a second layer, sketched with the same limit, over the first; None takes it away.

        Raises ValueError if the two histograms have other bins.
        """
        if sketch is None:
            self.overlay = b""
            return
        if len(sketch.counts) * 4 != len(self.counts) or not np.isclose(sketch.limit, self.limit):
            raise ValueError("sketch the overlay with the bins and limit of the first: sketch(w, limit=first.limit)")
        self.overlay = sketch.counts.astype("<u4").tobytes()
