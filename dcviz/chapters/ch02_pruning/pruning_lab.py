"""Pruning by magnitude, with the mouse: threshold, mask, sparsity, bytes and error of one layer."""

import copy
import math
from numbers import Real

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.chapters.ch02_pruning.figures import bytes_bars, error_axes, level_image, mask_picture
from dcviz.chapters.ch02_pruning.threshold_lab import ROWS, ThresholdLab, grid
from dcviz.errors import WeightError
from dcviz.ideas import pruning, relative_index, sketch
from dcviz.labkit import theme
from dcviz.labkit.base import LOCK, RunButton, html, row
from dcviz.labkit.controls import choices
from dcviz.labkit.histograms import weight_histogram
from dcviz.labkit.linked_picture import LinkedPicture
from dcviz.labkit.markup import drawn, percent, visible
from dcviz.nets import dense_files

LARGE = 4_000_000
"""Weights of a layer whose drag takes fewer thresholds: their tables take a second for each 10 million."""
INDEX_BITS, VALUE_BITS = 5, 32  # the paper's width of a gap in fully connected layers; float32


class PruningLab(ThresholdLab):
    """Drag the threshold over the weights of a layer and see what is left of it.

        PruningLab()                                    # LeNet-300-100 as shipped
        PruningLab("lenet-5", layer="conv2", threshold=0.05)
        PruningLab("mine", weights={"fc1": array}, evaluate=error_of)

    net         a shipped net's name; or any torch module, state dict, or path of a .safetensors, .pt or .dcz file
    weights     {layer: array} to look at instead of a net
    evaluate    evaluate(weights, progress) -> error in percent; by default, for a net that reads digits, its error
                on the 5,000 bundled ones, which the shipped nets never saw in training

    Reads `mask`, `kept`, `bytes`, `dense_bytes`, `fillers` and `error_percent` (None until measured) give
    what the views show. Raises NetError for an unknown net or layer.
    """

    heading = html("Pruning <small>drag the threshold; what is below it goes</small>")
    state_names = ("net", "layer", "threshold", "log_y", "show_cdf")

    net = traitlets.Unicode("lenet-300-100")

    def __init__(self, net="lenet-300-100", layer=None, threshold=None, *, weights=None, evaluate=None, **more):
        self._model, self._foreign, ours = None, False, weights is None
        if ours:
            net, weights = self._open(net)
        self.weights = pruning.check_layers(weights)
        if evaluate is not None and not callable(evaluate):
            raise WeightError(f"evaluate must be a function (weights, progress) -> percent, not {evaluate!r}")
        self.evaluate = evaluate or (self._digits_error if ours and not self._foreign else None)
        self._sketches, self._tables, self._words, self._measured = {}, {}, {}, {}
        self._again = False
        layer = layer or next(iter(self.weights))
        self.check_layer(layer)
        if threshold is None:
            threshold = pruning.threshold_from_quality(self.weights[layer], 1.0)
        super().__init__(net=net, layer=layer, threshold=threshold, **more)

    # numbers -----------------------------------------------------------------------------------

    @property
    def sketches(self):
        """{layer: its array}, for `check_layer`; `sketch_of` makes a layer's sketch when it is first shown."""
        return self.weights

    def sketch_of(self, layer):
        """The `Sketch` of a layer. NetError for a layer that is not there."""
        if layer not in self._sketches:
            self.check_layer(layer)
            weights = self.weights[layer]
            self._sketches[layer] = sketch.sketch(weights, bins=sketch.bins_for(weights.size), name=layer)
        return self._sketches[layer]

    @property
    def thresholds(self):
        """The thresholds that a drag can take in the layer on show, ascending."""
        return grid(self.sketch.limit, ROWS if self.sketch.n <= LARGE else ROWS // 8)

    @property
    def density(self):
        """Kept weights over all weights of the layer."""
        return self.kept / self.sketch.n

    @property
    def error_percent(self):
        """The error with this layer pruned as shown, if it was measured."""
        return self._measured.get((self.layer, self.kept))

    def _calculate(self):
        self.mask = pruning.mask_from_threshold(self.weights[self.layer], self.threshold)
        positions = np.flatnonzero(self.mask)
        self._count(self.threshold, positions.size, relative_index.count_entries(positions, INDEX_BITS))

    def _count(self, threshold, kept, entries):
        """The numbers of a threshold that keeps so many weights, stored in so many entries."""
        self._at, self.kept, self.fillers = threshold, kept, entries - kept
        self.bytes = math.ceil(entries * (INDEX_BITS + VALUE_BITS) / 8)
        self.dense_bytes = self.sketch.n * VALUE_BITS // 8

    def _table(self):
        """Kept weights and entries at each of `thresholds`, int64 (2, rows)."""
        if self.layer not in self._tables:
            weights = self.weights[self.layer]
            found = relative_index.count_entries_by_threshold(weights, self.thresholds, INDEX_BITS)
            self._tables[self.layer] = np.array(found)
        return self._tables[self.layer]

    # views -------------------------------------------------------------------------------------

    def build(self):
        controls = self.histogram(choices(self.weights), "190px")
        self.threshold_entry = self.entry("threshold", 1e9, lambda v: v)
        self.quality_entry = self.entry("= quality × std", 1e9, lambda v: self.sketch.threshold_for_quality(v))
        self.density_entry = self.entry("= density", 100, self._threshold_of_density, unit="% kept")
        self.entries = self.threshold_entry, self.quality_entry, self.density_entry
        self.figure_view = LinkedPicture(
            *self._make_figure(), alt="mask, bytes, and error against weights kept", levels=self._levels()
        )
        film_and_ghost = self.film_of(
            (self.caption, "value"),
            (self.figure_view, "shapes"),
            (self.view, "exact"),
            *((entry, "value") for entry in self.entries),
        )
        parts = [*controls, row(*self.entries), self.figure_view, *film_and_ghost]
        if self.evaluate is not None:
            self.run = RunButton("Measure the error", self._measure, self._done, self.fail)
            self.auto_box = widgets.Checkbox(value=True, description="when I let go", indent=False)
            self.view.observe(self.guard(self._let_go), "released")
            self.run.observe(self._catch_up, "running")
            parts.append(row(self.run, self.auto_box))
        return parts

    def _threshold_of_density(self, percent):
        return pruning.threshold_from_density(self.weights[self.layer], percent / 100)

    def _make_figure(self):
        figure, axes = theme.figure(11, 3.7, columns=3, gridspec_kw={"width_ratios": [1.5, 0.95, 0.95]})
        weights = self.weights[self.layer]
        shape = weights if weights.ndim in (2, 4) else weights.reshape(1, -1)
        self.image = mask_picture(axes[0], np.ones(shape.shape, bool))
        self.bars = bytes_bars(axes[1], weights.size * VALUE_BITS / 8)
        self.error_dots, self.kept_line = error_axes(axes[2])
        moving = [self.image, *self.bars, self.kept_line, self.error_dots]
        return figure, moving

    def _levels(self):
        levels = np.asarray(np.searchsorted(self.thresholds, np.abs(self.weights[self.layer]), side="right"), np.uint16)
        levels[self.weights[self.layer] == 0] = 0  # never kept
        return level_image(levels if levels.ndim in (2, 4) else levels.reshape(1, -1))

    def update(self):
        self.check_layer(self.layer)
        if self.show_layer():
            self.figure_view.adopt(*self._make_figure(), self._levels())  # another shape, other axes
        self._calculate()
        self._place()
        self.figure_view.move()
        self.view.exact = self._exact()
        self.show_entries(dict(zip(self.entries, self._entered(), strict=True)))

    def _place(self):
        """Put what moves where the numbers are."""
        everything = not self.kept and self._at > 0
        self.figure_view.row = ROWS if everything else int(np.abs(self.thresholds - self._at).argmin())
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

    def _exact(self):
        return [self._at, self.sketch.n - self.kept]

    def _entered(self):
        """What the three entries show."""
        quality = self.quality_at(self._at)
        return float(f"{self._at:.4g}"), float(f"{quality:.3f}"), float(f"{100 * self.density:.4g}")

    def tabulate(self):
        measured = {kept: error for (name, kept), error in self._measured.items() if name == self.layer}
        self.film.shoot((self.layer, measured), {"threshold": self.thresholds}, self._frames)

    def _frames(self):
        try:
            for threshold, kept, entries in zip(self.thresholds, *self._table().tolist(), strict=True):
                self._count(float(threshold), kept, entries)
                self._place()
                key = self.layer, self._at, self.error_percent
                if key not in self._words:  # a measured error changes a few of them
                    self._words[key] = self.describe()
                yield [self._words[key], self.figure_view.where(), self._exact(), *self._entered()]
        finally:
            self._calculate()
            self._place()

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
        return self.say(
            "<b>{layer}</b> ({shape}) of {net}, threshold <b>{threshold:.4g}</b> = "
            "{quality:.2f} × std: <b>{density}</b> pruned, "
            "<b>{kept:,}</b> of {n:,} kept. With {index_bits}-bit relative index and float32 values: "
            "<b>{bytes:,} bytes</b> instead of {dense_bytes:,} "
            "({ratio}), {fillers:,} of the entries fillers.{measured}",
            shape=shape,
            threshold=self._at,
            quality=self.quality_at(self._at),
            density=percent(1 - self.density),
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

    def axis(self):
        """The words under the histogram."""
        return f"weight w of {visible(self.layer, 40)}"

    def _ratio(self):
        if not self.bytes:
            return "nothing is left to store"
        ratio = self.dense_bytes / self.bytes
        return f"{ratio:.1f}× smaller" if ratio >= 1 else html("{ratio:.2f}× <i>larger</i>", ratio=1 / ratio)

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
        self.react()

    def _open(self, net):
        if isinstance(net, str) and net in dense_files.NETS:
            return net, dense_files.weights(net)  # the net is made where it is run: to look at it needs no torch
        from dcviz.pipeline import shipped, sources

        if not sources.is_source(net):
            return net, shipped.dense_weights(net)
        found = sources.layers(net)
        self._model = copy.deepcopy(net) if _reads_digits(net) else None
        self._foreign = self._model is None
        return sources.called(net, found), found

    def _digits_error(self, weights, progress):
        import torch

        from dcviz.nets import datasets, models, training
        from dcviz.pipeline import shipped

        self._model = self._model or shipped.dense(self.net)
        split = datasets.unseen()
        with torch.no_grad():
            for name, module in models.weight_layers(self._model).items():
                module.weight.copy_(torch.tensor(weights[name]))
        wrong = 0
        for start in range(0, len(split), 500):
            progress(start / len(split))
            part = split.take(slice(start, start + 500))
            wrong += int(np.count_nonzero(training.predict(self._model, part.images) != part.labels))
        return 100 * wrong / len(split)


def _reads_digits(net):
    """Whether a source is a module of plain layers that takes pictures of digits and tells ten classes apart."""
    import torch

    from dcviz.errors import NetError
    from dcviz.nets import models, training

    if not isinstance(net, torch.nn.Module):
        return False
    try:
        models.weight_layers(net)
        with torch.no_grad(), training.evaluating(net):
            return tuple(net(torch.zeros(1, 1, 28, 28)).shape) == (1, 10)
    except (NetError, RuntimeError, TypeError, ValueError, AttributeError, IndexError):  # it takes something else
        return False
