"""A net of 57 million weights under one threshold rule, from sketches: no weight of it is on this machine's disk."""

import numpy as np
import traitlets

from dcviz.chapters.ch02_pruning.figures import density_bars
from dcviz.chapters.ch02_pruning.threshold_lab import ThresholdLab
from dcviz.evidence import paper
from dcviz.ideas.sparse_formats import expected_bits
from dcviz.labkit import theme
from dcviz.labkit.base import html, row
from dcviz.labkit.histograms import weight_histogram
from dcviz.labkit.linked_picture import LinkedPicture
from dcviz.labkit.markup import percent
from dcviz.nets import models
from dcviz.pipeline import shipped

INDEX_BITS, VALUE_BITS = 5, 32


class BigNetLab(ThresholdLab):
    """Drag a threshold in one layer of AlexNet; every other layer gets the same multiple of its own deviation.

        BigNetLab(layer="classifier.1", threshold=0.01)

    sketches    list of `Sketch`, by default those of the AlexNet that ships, trained on CIFAR-10, dense
    net         the net in the paper's tables, whose densities stand beside

    Reads `densities` {layer: share kept}, `kept` (weights of the whole net) and `bytes` (expected, relative index and
    float32 values). Raises NetError for an unknown layer.
    """

    heading = html("Pruning AlexNet <small>one threshold rule for 57 million weights</small>")
    state_names = ("layer", "threshold", "log_y", "show_cdf")

    show_cdf = traitlets.Bool(True)

    def __init__(self, layer="classifier.1", threshold=None, *, sketches=None, net="alexnet", **more):
        sketches = shipped.sketches("alexnet-cifar10") if sketches is None else sketches
        self.sketches = {sketch.name: sketch for sketch in sketches}
        self.names = models.paper_names(net)
        kept = paper.densities(net)
        self.printed = {ours: kept[theirs] for ours, theirs in self.names.items()}
        self.check_layer(layer)
        if threshold is None:
            threshold = self.sketches[layer].threshold_for_quality(1.0)
        super().__init__(layer=layer, threshold=threshold, **more)

    def kept_percent(self, layer, quality):
        """Percent of a layer's weights that a threshold of ``quality`` standard deviations keeps."""
        sketch = self.sketches[layer]
        return 100 * (1 - sketch.fraction_below(sketch.threshold_for_quality(quality)))

    def _calculate(self, threshold, below=None):
        """The numbers of a threshold; `below`, if known, says how many weights of each layer it prunes."""
        self._at = threshold
        quality = self.quality_at(threshold)
        if below is None:
            below = [s.count_below(s.threshold_for_quality(quality)) for s in self.sketches.values()]
        sizes = [s.n for s in self.sketches.values()]
        self.densities = {name: 1 - b / n for name, b, n in zip(self.sketches, below, sizes, strict=True)}
        self.kept = sum(self.densities[name] * s.n for name, s in self.sketches.items())
        layers = ((self.densities[name], s.n) for name, s in self.sketches.items())
        self.bytes = sum(expected_bits(*layer, VALUE_BITS, INDEX_BITS) for layer in layers) / 8
        self.weights = sum(sizes)

    def build(self):
        options = [(f"{self.names[name]}: {s.n:,} weights", name) for name, s in self.sketches.items()]
        controls = self.histogram(options, "320px")
        self.quality_entry = self.entry(
            "threshold = quality × std, quality", 1e6, lambda v: self.sketch.threshold_for_quality(v)
        )
        self.entries = (self.quality_entry,)
        figure, axes = theme.figure(11, 3.6)
        self.bars = self._density_bars(axes)
        self.figure_view = LinkedPicture(figure, self.bars, alt="share of weights kept, layer by layer")
        film_and_ghost = self.film_of(
            (self.caption, "value"), (self.figure_view, "shapes"), (self.view, "exact"), (self.quality_entry, "value")
        )
        return [*controls, row(self.quality_entry), self.figure_view, *film_and_ghost]

    def update(self):
        self.check_layer(self.layer)
        self.show_layer()
        self._calculate(self.threshold)
        self._place()
        self.figure_view.move()
        self.view.exact = self._exact()
        self.show_entries({self.quality_entry: self._entered()})

    def _place(self):
        for bar, density in zip(self.bars, self.densities.values(), strict=True):
            bar.set_height(100 * density)

    def _exact(self):
        return [self._at, round((1 - self.densities[self.layer]) * self.sketch.n)]

    def _entered(self):
        return float(f"{self.quality_at(self._at):.3f}")

    def tabulate(self):
        self.film.shoot(self.layer, {"threshold": self.thresholds}, self._frames)

    def _frames(self):
        qualities = np.array([self.quality_at(threshold) for threshold in self.thresholds])
        below = [s.count_below(qualities * s.std) for s in self.sketches.values()]
        try:
            for threshold, counts in zip(self.thresholds.tolist(), np.transpose(below).tolist(), strict=True):
                self._calculate(threshold, counts)
                self._place()
                yield [self.describe(), self.figure_view.where(), self._exact(), self._entered()]
        finally:
            self._calculate(self.threshold)
            self._place()

    def describe(self):
        kept, n, printed = self.densities[self.layer], self.sketch.n, self.printed[self.layer]
        return html(
            "<b>{name}</b> ({layer}): threshold <b>{threshold:.3g}</b> = {quality:.2f} × std keeps "
            "<b>{kept}</b> of {n:,} weights (Table 4 keeps {printed:.0f}%). The same quality in all "
            "layers leaves <b>{share}</b> of {weights:,} weights, about "
            "<b>{bytes:.1f} MB</b> with {index_bits}-bit relative index and float32 values instead of "
            "{dense:.1f} MB. Computed from sketches of {sketches} layers.",
            name=self.names[self.layer],
            layer=self.layer,
            threshold=self._at,
            quality=self.quality_at(self._at),
            kept=percent(kept),
            n=n,
            printed=100 * printed,
            share=percent(self.kept / self.weights),
            weights=self.weights,
            bytes=self.bytes / 1e6,
            index_bits=INDEX_BITS,
            dense=self.weights * VALUE_BITS / 8e6,
            sketches=len(self.sketches),
        )

    def picture(self):
        figure, (left, right) = theme.figure(13, 4.6, columns=2)
        weight_histogram(left, self.sketch, self.threshold, log_y=self.log_y, cdf=self.show_cdf)
        left.set_xlabel(self.axis())
        bars = self._density_bars(right)
        for bar, density in zip(bars, self.densities.values(), strict=True):
            bar.set_height(100 * density)
        return figure

    def _density_bars(self, axes):
        return density_bars(axes, [self.names[n] for n in self.sketches], [self.printed[n] for n in self.sketches])

    def axis(self):
        """The words under the histogram."""
        return f"weight w of {self.names[self.layer]} ({self.layer})"
