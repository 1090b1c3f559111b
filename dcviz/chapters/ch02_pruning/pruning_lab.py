"""Pruning by magnitude, with the mouse: threshold, mask, sparsity, bytes and error of one layer."""

import copy
import math
from numbers import Real

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.chapters.ch02_pruning.figures import bytes_bars, error_axes, mask_image, mask_picture
from dcviz.errors import NetError, WeightError
from dcviz.ideas import pruning, relative_index, sketch
from dcviz.labkit import theme
from dcviz.labkit.base import LOCK, FigureImage, Lab, RunButton, html, labelled_entry, row
from dcviz.labkit.controls import choices
from dcviz.labkit.histograms import weight_histogram
from dcviz.labkit.markup import drawn, visible
from dcviz.labkit.views import HistogramView

INDEX_BITS, VALUE_BITS = 5, 32  # the paper's width of a gap in fully connected layers; float32


class PruningLab(Lab):
    """Drag the threshold over the weights of a layer and see what is left of it.

        PruningLab()                                    # LeNet-300-100 as shipped
        PruningLab("lenet-5", layer="conv2", threshold=0.05)
        PruningLab("mine", weights={"fc1": array}, evaluate=error_of)

    net         a shipped net's name, or any torch net of Linear and Conv2d layers
    weights     {layer: array} to look at instead of a net
    evaluate    evaluate(weights, progress) -> error in percent; by default the net's error on the 5,000
                bundled digits, which the shipped nets never saw in training

    Reads `mask`, `kept`, `bytes`, `dense_bytes`, `fillers` and `error_percent` (None until measured) give
    what the views show. Raises NetError for an unknown net or layer.
    """

    heading = html("Pruning <small>drag the threshold; what is below it goes</small>")
    state_names = ("net", "layer", "threshold", "log_y", "show_cdf")

    net = traitlets.Unicode("lenet-300-100")
    layer = traitlets.Unicode()
    threshold = traitlets.Float()
    log_y = traitlets.Bool(False)
    show_cdf = traitlets.Bool(False)

    def __init__(self, net="lenet-300-100", layer=None, threshold=None, *, weights=None, evaluate=None, **more):
        self._model, ours = None, weights is None
        if ours:
            net, weights = self._open(net)
        self.weights = pruning.check_layers(weights)
        if evaluate is not None and not callable(evaluate):
            raise WeightError(f"evaluate must be a function (weights, progress) -> percent, not {evaluate!r}")
        self.evaluate = evaluate or (self._digits_error if ours else None)
        self._sketches, self._shown, self._measured = {}, None, {}
        self._showing = self._again = False
        layer = layer or next(iter(self.weights))
        self._check_layer(layer)
        if threshold is None:
            threshold = pruning.threshold_from_quality(self.weights[layer], 1.0)
        super().__init__(net=net, layer=layer, threshold=threshold, **more)

    # numbers -----------------------------------------------------------------------------------

    @property
    def sketch(self):
        """The `Sketch` of the layer on show."""
        if self.layer not in self._sketches:
            self._check_layer(self.layer)
            self._sketches[self.layer] = sketch.sketch(self.weights[self.layer], name=self.layer)
        return self._sketches[self.layer]

    @property
    def density(self):
        """Kept weights over all weights of the layer."""
        return self.kept / self.sketch.n

    @property
    def quality(self):
        """Threshold over the layer's standard deviation."""
        return self.threshold / self.sketch.std if self.sketch.std else 0.0

    @property
    def error_percent(self):
        """The error with this layer pruned as shown, if it was measured."""
        return self._measured.get((self.layer, self.kept))

    def _calculate(self):
        weights = self.weights[self.layer]
        self.mask = pruning.mask_from_threshold(weights, self.threshold)
        self.kept = int(np.count_nonzero(self.mask))
        positions = np.flatnonzero(self.mask)
        bits = relative_index.total_bits(positions, INDEX_BITS, VALUE_BITS)
        self.fillers = relative_index.count_entries(positions, INDEX_BITS) - self.kept
        self.bytes, self.dense_bytes = math.ceil(bits / 8), weights.size * VALUE_BITS // 8

    # views -------------------------------------------------------------------------------------

    def build(self):
        self.view = HistogramView(self.sketch, label=f"weight w of {visible(self.layer, 40)}")
        for name in ("threshold", "log_y", "show_cdf"):
            self.bind(self.view, name, name)
        self.layer_choice = widgets.Dropdown(
            options=choices(self.weights), value=self.layer, description="layer", layout=widgets.Layout(width="190px")
        )
        self.layer_choice.observe(self.guard(self._choose_layer), "value")
        self.log_box = widgets.Checkbox(description="logarithmic counts", indent=False)
        self.cdf_box = widgets.Checkbox(description="share below |w|", indent=False)
        self.bind(self.log_box, "log_y")
        self.bind(self.cdf_box, "show_cdf")

        self.threshold_entry = labelled_entry("threshold", 0, 0, 1e9)
        self.quality_entry = labelled_entry("= quality × std", 0, 0, 1e9)
        self.density_entry = labelled_entry("= density", 0, 0, 100, unit="% kept")
        self._on_entry(self.threshold_entry, lambda v: v)
        self._on_entry(self.quality_entry, lambda v: self.sketch.threshold_for_quality(v))
        self._on_entry(self.density_entry, lambda v: self.sketch.threshold_for_density(v / 100))

        self.figure_view = FigureImage(*self._make_figure(), alt="mask, bytes, and error against weights kept")
        parts = [
            row(self.layer_choice, self.log_box, self.cdf_box),
            self.view,
            row(self.threshold_entry, self.quality_entry, self.density_entry),
            self.figure_view,
        ]
        if self.evaluate is not None:
            self.run = RunButton("Measure the error", self._measure, self._done, self.fail)
            self.auto_box = widgets.Checkbox(value=True, description="when I let go", indent=False)
            self.view.observe(self.guard(self._let_go), "released")
            self.run.observe(self._catch_up, "running")
            parts.append(row(self.run, self.auto_box))
        return parts

    def _make_figure(self):
        figure, axes = theme.figure(11, 3.7, columns=3, gridspec_kw={"width_ratios": [1.5, 0.95, 0.95]})
        weights = self.weights[self.layer]
        shape = weights if weights.ndim in (2, 4) else weights.reshape(1, -1)
        self.image = mask_picture(axes[0], np.ones(shape.shape, bool))
        self.bars = bytes_bars(axes[1], weights.size * VALUE_BITS / 8)
        self.error_dots, self.kept_line = error_axes(axes[2])
        moving = [self.image, *self.bars, self.kept_line, self.error_dots]
        return figure, moving

    def update(self):
        self._check_layer(self.layer)
        if self._shown not in (None, self.layer):
            self.view.show(self.sketch)
            self.view.label = f"weight w of {visible(self.layer, 40)}"
            self.layer_choice.value = self.layer
            self.figure_view.adopt(*self._make_figure())  # another shape, other axes
        self._shown = self.layer
        self._calculate()
        self.view.exact = [self.threshold, self.sketch.n - self.kept]
        shape = self.mask if self.mask.ndim in (2, 4) else self.mask.reshape(1, -1)
        self.image.set_data(mask_image(shape))
        parts = self.kept * VALUE_BITS, self.kept * INDEX_BITS, self.fillers * (VALUE_BITS + INDEX_BITS)
        left = 0
        for bar, bits in zip(self.bars, parts, strict=True):
            bar.set(x=left, width=bits / 8)
            left += bits / 8
        points = sorted(
            (100 * kept / self.sketch.n, e) for (name, kept), e in self._measured.items() if name == self.layer
        )
        self.error_dots.set_data([p[0] for p in points], [p[1] for p in points])
        self.kept_line.set_xdata([100 * self.density] * 2)
        self.figure_view.refresh()
        self._show_entries()

    def describe(self):
        s = self.sketch
        shape = "×".join(map(str, s.shape))
        error = self.error_percent
        measured = (
            ""
            if error is None
            else (
                html(
                    " Error with only this layer pruned, before any retraining: <b>{error:.2f}%</b>, measured here.",
                    error=error,
                )
            )
        )
        if self.evaluate is not None and error is None:
            measured = " Error: not measured here yet."
        return html(
            "<b>{layer}</b> ({shape}) of {net}, threshold <b>{threshold:.4g}</b> = "
            "{quality:.2f} × std: <b>{density:.1f}%</b> pruned, "
            "<b>{kept:,}</b> of {n:,} kept. With {index_bits}-bit relative index and float32 values: "
            "<b>{bytes:,} bytes</b> instead of {dense_bytes:,} "
            "({ratio}), {fillers:,} of the entries fillers.{measured}",
            layer=self.layer,
            shape=shape,
            net=self.net,
            threshold=self.threshold,
            quality=self.quality,
            density=100 * (1 - self.density),
            kept=self.kept,
            n=s.n,
            index_bits=INDEX_BITS,
            bytes=self.bytes,
            dense_bytes=self.dense_bytes,
            ratio=self._ratio(),
            fillers=self.fillers,
            measured=measured,
        )

    def picture(self):
        figure, (left, right) = theme.figure(13, 4.6, columns=2, gridspec_kw={"width_ratios": [1.25, 1]})
        weight_histogram(left, self.sketch, self.threshold, log_y=self.log_y, cdf=self.show_cdf)
        left.set_xlabel(f"weight w of {drawn(self.layer)}")
        mask_picture(right, self.mask if self.mask.ndim in (2, 4) else self.mask.reshape(1, -1))
        return figure

    def _ratio(self):
        if not self.bytes:
            return "nothing is left to store"
        ratio = self.dense_bytes / self.bytes
        return f"{ratio:.1f}× smaller" if ratio >= 1 else html("{ratio:.2f}× <i>larger</i>", ratio=1 / ratio)

    # callbacks ---------------------------------------------------------------------------------

    def _on_entry(self, entry, to_threshold):
        def typed(change):
            if not self._showing:
                self.threshold = to_threshold(change["new"])

        entry.observe(self.guard(typed), "value")

    def _show_entries(self):
        self._showing = True
        try:
            self.threshold_entry.value = float(f"{self.threshold:.4g}")
            self.quality_entry.value = float(f"{self.quality:.3f}")
            self.density_entry.value = float(f"{100 * self.density:.4g}")
        finally:
            self._showing = False

    def _choose_layer(self, change):
        if change["new"] == self.layer:
            return
        quality = self.quality  # one quality serves all layers
        with self.hold_trait_notifications():
            self.layer = change["new"]
            self.threshold = self.sketch.threshold_for_quality(quality)

    def _check_layer(self, layer):
        if layer not in self.weights:
            raise NetError(f"no layer {layer!r}; there are {', '.join(self.weights)}")

    # the error on the digits -------------------------------------------------------------------

    def measure(self):
        """Measure the error for the present state now, on this thread; returns percent."""
        if self.evaluate is None:
            raise WeightError("these weights came without a way to evaluate them: pass evaluate=")
        self.run.start(wait=True)
        return self.error_percent

    def _let_go(self, _):
        if self.auto_box.value:
            self._again = self.run.running  # busy with an earlier threshold: once more when that is done
            self.run.start()

    def _catch_up(self, change):
        if not change["new"] and self._again:
            self._again = False
            self.run.start()

    def _measure(self, progress):
        with LOCK:
            layer, kept = self.layer, self.kept
            pruned = {**self.weights, layer: self.weights[layer] * self.mask}
        error = self.evaluate(pruned, progress)
        if not isinstance(error, Real) or not math.isfinite(error):
            raise WeightError(f"evaluate gave {error!r:.80}, not an error in percent")
        return layer, kept, float(error)

    def _done(self, result):
        layer, kept, error = result
        self._measured[layer, kept] = error
        self.refresh()
        self.touch()

    def _open(self, net):
        from dcviz.pipeline import retraining, shipped

        if isinstance(net, str):
            return net, shipped.dense_weights(net)  # the net is made where it is run: to look at it needs no torch
        self._model = copy.deepcopy(net)
        return getattr(net, "name", type(net).__name__), retraining.weights_of(net)

    def _digits_error(self, weights, progress):
        import torch

        from dcviz.nets import datasets, models, training
        from dcviz.pipeline import shipped

        self._model = self._model or shipped.dense(self.net)
        split = datasets.unseen()
        with torch.no_grad():
            for name, module in models.weight_layers(self._model).items():
                module.weight.copy_(torch.from_numpy(weights[name]))
        wrong = 0
        for start in range(0, len(split), 500):
            progress(start / len(split))
            part = split.take(slice(start, start + 500))
            wrong += int(np.count_nonzero(training.predict(self._model, part.images) != part.labels))
        return 100 * wrong / len(split)
