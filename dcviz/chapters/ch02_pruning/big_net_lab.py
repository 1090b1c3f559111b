"""A net of 57 million weights under one threshold rule, from sketches: no weight of it is on this machine's disk."""

import ipywidgets as widgets
import traitlets

from dcviz.chapters.ch02_pruning.figures import density_bars
from dcviz.errors import NetError
from dcviz.evidence import paper
from dcviz.ideas.sparse_formats import expected_bits
from dcviz.labkit import theme
from dcviz.labkit.base import FigureImage, Lab, html, labelled_entry, row
from dcviz.labkit.histograms import weight_histogram
from dcviz.labkit.views import HistogramView
from dcviz.nets import models
from dcviz.pipeline import shipped

INDEX_BITS, VALUE_BITS = 5, 32


class BigNetLab(Lab):
    """Drag a threshold in one layer of AlexNet; every other layer gets the same multiple of its own deviation.

        BigNetLab(layer="classifier.1", threshold=0.01)

    sketches    list of `Sketch`, by default those of the AlexNet that ships, trained on CIFAR-10, dense
    net         the net in the paper's tables, whose densities stand beside

    Reads `densities` {layer: share kept}, `kept` (weights of the whole net) and `bytes` (expected, relative index and
    float32 values). Raises NetError for an unknown layer.
    """

    heading = html("Pruning AlexNet <small>one threshold rule for 57 million weights</small>")
    state_names = ("layer", "threshold", "log_y", "show_cdf")

    layer = traitlets.Unicode()
    threshold = traitlets.Float()
    log_y = traitlets.Bool(False)
    show_cdf = traitlets.Bool(True)

    def __init__(self, layer="classifier.1", threshold=None, *, sketches=None, net="alexnet", **more):
        sketches = shipped.sketches("alexnet-cifar10") if sketches is None else sketches
        self.sketches = {sketch.name: sketch for sketch in sketches}
        self.names = models.paper_names(net)
        kept = paper.densities(net)
        self.printed = {ours: kept[theirs] for ours, theirs in self.names.items()}
        self._check_layer(layer)
        if threshold is None:
            threshold = self.sketches[layer].threshold_for_quality(1.0)
        super().__init__(layer=layer, threshold=threshold, **more)

    @property
    def sketch(self):
        """The `Sketch` of the layer on show."""
        return self.sketches[self.layer]

    @property
    def quality(self):
        """Threshold over the standard deviation of the layer on show: the rule for all layers."""
        return self.threshold / self.sketch.std if self.sketch.std else 0.0

    def kept_percent(self, layer, quality):
        """Percent of a layer's weights that a threshold of ``quality`` standard deviations keeps."""
        sketch = self.sketches[layer]
        return 100 * (1 - sketch.fraction_below(sketch.threshold_for_quality(quality)))

    def _calculate(self):
        self.densities = {
            name: 1 - s.fraction_below(s.threshold_for_quality(self.quality)) for name, s in self.sketches.items()
        }
        self.kept = sum(self.densities[name] * s.n for name, s in self.sketches.items())
        layers = ((self.densities[name], s.n) for name, s in self.sketches.items())
        self.bytes = sum(expected_bits(*layer, VALUE_BITS, INDEX_BITS) for layer in layers) / 8
        self.weights = sum(s.n for s in self.sketches.values())

    def build(self):
        self.view = HistogramView(self.sketch, label=self._axis())
        for name in ("threshold", "log_y", "show_cdf"):
            self.bind(self.view, name, name)
        options = [(f"{self.names[name]}: {s.n:,} weights", name) for name, s in self.sketches.items()]
        self.layer_choice = widgets.Dropdown(
            options=options, value=self.layer, description="layer", layout=widgets.Layout(width="320px")
        )
        self.layer_choice.observe(self.guard(self._choose_layer), "value")
        self.log_box = widgets.Checkbox(description="logarithmic counts", indent=False)
        self.cdf_box = widgets.Checkbox(description="share below |w|", indent=False)
        self.bind(self.log_box, "log_y")
        self.bind(self.cdf_box, "show_cdf")
        self.quality_entry = labelled_entry("threshold = quality × std, quality", 0, 0, 1e6)
        self.quality_entry.observe(self.guard(self._typed), "value")
        figure, axes = theme.figure(11, 3.6)
        self.bars = self._density_bars(axes)
        self.figure_view = FigureImage(figure, list(self.bars), alt="share of weights kept, layer by layer")
        controls = row(self.layer_choice, self.log_box, self.cdf_box)
        return [controls, self.view, row(self.quality_entry), self.figure_view]

    def update(self):
        self._check_layer(self.layer)
        if self.view.sketch is not self.sketch:
            self.view.show(self.sketch)
            self.view.label = self._axis()
            self.layer_choice.value = self.layer
        self._calculate()
        for bar, density in zip(self.bars, self.densities.values(), strict=True):
            bar.set_height(100 * density)
        self.figure_view.refresh()
        self._showing = True
        self.quality_entry.value = float(f"{self.quality:.3f}")
        self._showing = False

    def describe(self):
        kept, n, printed = self.densities[self.layer], self.sketch.n, self.printed[self.layer]
        return html(
            "<b>{axis}</b>: threshold <b>{threshold:.3g}</b> = {quality:.2f} × std keeps "
            "<b>{kept:.1f}%</b> of {n:,} weights (Table 4 keeps {printed:.0f}%). The same quality in all "
            "layers leaves <b>{share:.1f}%</b> of {weights:,} weights, about "
            "<b>{bytes:.1f} MB</b> with {index_bits}-bit relative index and float32 values instead of "
            "{dense:.0f} MB. Computed from sketches of {sketches} layers.",
            axis=self._axis(),
            threshold=self.threshold,
            quality=self.quality,
            kept=100 * kept,
            n=n,
            printed=100 * printed,
            share=100 * self.kept / self.weights,
            weights=self.weights,
            bytes=self.bytes / 1e6,
            index_bits=INDEX_BITS,
            dense=self.weights * VALUE_BITS / 8e6,
            sketches=len(self.sketches),
        )

    def picture(self):
        figure, (left, right) = theme.figure(13, 4.6, columns=2)
        weight_histogram(left, self.sketch, self.threshold, log_y=self.log_y, cdf=self.show_cdf)
        left.set_xlabel(self._axis())
        bars = self._density_bars(right)
        for bar, density in zip(bars, self.densities.values(), strict=True):
            bar.set_height(100 * density)
        return figure

    def _density_bars(self, axes):
        return density_bars(axes, [self.names[n] for n in self.sketches], [self.printed[n] for n in self.sketches])

    def _axis(self):
        return f"weight w of {self.names[self.layer]} ({self.layer})"

    def _typed(self, change):
        if not self._showing:
            self.threshold = self.sketch.threshold_for_quality(change["new"])

    def _choose_layer(self, change):
        if change["new"] != self.layer:
            quality = self.quality
            with self.hold_trait_notifications():
                self.layer = change["new"]
                self.threshold = self.sketch.threshold_for_quality(quality)

    def _check_layer(self, layer):
        if layer not in self.sketches:
            raise NetError(f"no layer {layer!r}; there are {', '.join(self.sketches)}")
