"""Views that are drawn in the browser: what the mouse moves. They get sketches, never the weights."""

import anywidget
import traitlets

from dcviz.labkit.controls import DRAWING, HERE, ROOM, css, script, synced


class HistogramView(anywidget.AnyWidget):
    """A weight histogram with a threshold to drag, and the distribution of |w|.

        view = HistogramView(sketch, threshold=0.04)
        view.observe(moved, "threshold")      # during a drag, at most every 50 ms, and at its end
        view.observe(let_go, "released")      # a counter: grows when the mouse or key is let go
        view.show(other_sketch)               # another layer, same view

    threshold         magnitude; |w| below it is shaded and hatched. Mouse, touch, arrow keys, Home and End move it
    snaps             thresholds that a drag can take, float64 bytes; any, if there are none
    exact             [threshold, pruned]: for this threshold show that count, not the sketch's estimate
    log_y, show_cdf   logarithmic counts; the share of weights below |w| as a dashed curve
    label             the horizontal axis;  height
    """

    _esm = script(ROOM, DRAWING, HERE / "histogram_view.js", style=css())

    counts, magnitudes, ranks, snaps = (synced(traitlets.Bytes(b"")) for _ in range(4))
    n = synced(traitlets.Int(0))
    zeros = synced(traitlets.Int(0))
    limit = synced(traitlets.Float(1.0))
    threshold = synced(traitlets.Float(0.0))
    exact = synced(traitlets.List([-1.0, 0]))
    released = synced(traitlets.Int(0))
    log_y = synced(traitlets.Bool(False))
    show_cdf = synced(traitlets.Bool(False))
    label = synced(traitlets.Unicode("weight"))
    height = synced(traitlets.Int(340))

    def __init__(self, sketch=None, **state):
        super().__init__(**state)
        self.sketch = None
        self.layout.width = "100%"
        if sketch is not None:
            self.show(sketch)

    def show(self, sketch):
        """Show another sketch; the threshold stays as it is."""
        self.sketch = sketch
        with self.hold_sync():
            self.n, self.zeros, self.limit = sketch.n, sketch.zeros, sketch.limit
            self.counts = sketch.counts.astype("<u4").tobytes()
            self.magnitudes = sketch.magnitudes.astype("<f4").tobytes()
            self.ranks = sketch.ranks.astype("<u4").tobytes()
