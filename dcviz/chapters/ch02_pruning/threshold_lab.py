"""What the two labs with a threshold to drag share: a layer's histogram, the layer's choice, the film of the drag."""

import functools

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.errors import check_known
from dcviz.labkit.base import Lab, labelled_entry, row
from dcviz.labkit.film import Film
from dcviz.labkit.ghost import Ghost
from dcviz.labkit.views import HistogramView

ROWS = 512
"""Thresholds that a drag can take: about one for each pixel of the histogram's half."""


@functools.lru_cache(64)
def grid(limit, rows=ROWS):
    """Thresholds from 0 to the histogram's end, with the six digits that a lab's repr prints -> float64 (rows,)."""
    made = np.array([float(f"{x:.6g}") for x in np.linspace(0, limit, rows)])
    made.flags.writeable = False
    return made


class ThresholdLab(Lab):
    """A lab with a threshold in one layer; `sketches` {layer: Sketch}, all of the same net.

    A lab defines `axis()`, the words under the histogram, and `tabulate()`, which shoots the film that `film_of` made.
    """

    layer = traitlets.Unicode()
    threshold = traitlets.Float()
    log_y = traitlets.Bool(False)
    show_cdf = traitlets.Bool(False)
    _showing = False

    @property
    def sketch(self):
        """The `Sketch` of the layer on show."""
        return self.sketch_of(self.layer)

    def sketch_of(self, layer):
        """The `Sketch` of a layer. NetError for a layer that is not there."""
        self.check_layer(layer)
        return self.sketches[layer]

    @property
    def quality(self):
        """Threshold over the layer's standard deviation."""
        return self.quality_at(self.threshold)

    def quality_at(self, threshold):
        """A threshold of the layer on show over the layer's standard deviation."""
        return threshold / self.sketch.std if self.sketch.std else 0.0

    @property
    def thresholds(self):
        """The thresholds that a drag can take in the layer on show, ascending."""
        return grid(self.sketch.limit)

    def check_layer(self, layer):
        """NetError for a layer that is not there."""
        check_known("layer", layer, self.sketches)

    # parts -------------------------------------------------------------------------------------

    def histogram(self, options, width):
        """The row of controls and the view below it. `options` are those of the drop-down."""
        self.view = HistogramView(self.sketch, label=self.axis(), snaps=self.thresholds.tobytes())
        for name in ("threshold", "log_y", "show_cdf"):
            self.bind(self.view, name, name)
        self.layer_choice = widgets.Dropdown(
            options=options, value=self.layer, description="layer", layout=widgets.Layout(width=width)
        )
        self.layer_choice.observe(self.guard(self._choose_layer), "value")
        self.log_box = widgets.Checkbox(description="logarithmic counts", indent=False)
        self.cdf_box = widgets.Checkbox(description="share below |w|", indent=False)
        self.bind_all(log_y=self.log_box, show_cdf=self.cdf_box)
        return [row(self.layer_choice, self.log_box, self.cdf_box), self.view]

    def entry(self, label, high, to_threshold, unit=""):
        """A numeric entry that sets the threshold to ``to_threshold(number)``."""
        entry = labelled_entry(label, 0, 0, high, unit=unit)

        def typed(change):
            if not self._showing:
                before, self.threshold = self.threshold, to_threshold(change["new"])
                if self.threshold == before:  # of equal weights all stay or none: nothing moves, and the entry says so
                    self.refresh()

        entry.observe(self.guard(typed), "value")
        return entry

    def film_of(self, *followers):
        """[the film of the drag, the ghost of the setting before]; give them to `build`'s list."""
        self.film = Film({"threshold": (self.view, "threshold")}, followers)
        self.ghost = Ghost(self.film.settings, self.caption, self.figure_view)
        return [self.film, self.ghost]

    # what happens ------------------------------------------------------------------------------

    def show_layer(self):
        """Bring the view to the layer on show; returns whether it was another."""
        if self.view.sketch is self.sketch:
            return False
        with self.view.hold_sync():
            self.view.show(self.sketch)
            self.view.label, self.view.snaps = self.axis(), self.thresholds.tobytes()
        self.layer_choice.value = self.layer
        return True

    def show_entries(self, values):
        """Put {entry: number} into the entries, which then change nothing."""
        self._showing = True
        try:
            for entry, value in values.items():
                if entry.value == value:  # typed: no change for Python, but the film has shown the nearest row's
                    entry.send_state("value")
                entry.value = value
        finally:
            self._showing = False

    def _choose_layer(self, change):
        if change["new"] == self.layer:
            return
        quality = self.quality  # one quality serves all layers
        with self.hold_trait_notifications():
            self.layer = change["new"]
            self.threshold = self.sketch.threshold_for_quality(quality)
