"""How many bits should a gap have? The U-curve of a pruned layer, other formats, and a shuffled mask."""

import math

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.chapters.ch03_sparse_storage.figures import PARTS, bits_curve, format_bars, show_bits
from dcviz.errors import check_known
from dcviz.evidence import paper
from dcviz.ideas import pruning, relative_index, sparse_formats
from dcviz.labkit import theme
from dcviz.labkit.base import FigureImage, Lab, html, labelled_slider, row
from dcviz.labkit.controls import choices
from dcviz.nets import dense_files

WIDTHS = range(1, 13)
FORMATS = ("bitmap", "absolute", "CSR", "CSC", "relative", "random mask, at best")


def paper_density(net, layer):
    """Percent of a layer's weights that the paper keeps (Tables 2 and 3) -> float, or None."""
    kept = paper.densities(net).get(layer) if net in paper.NETS else None
    return None if kept is None else 100 * kept


class IndexBitsLab(Lab):
    """Total bits of a pruned layer for every width of a gap: weights, gaps, and fillers.

        IndexBitsLab()                                   # fc1 of LeNet-300-100, cut to the paper's density
        IndexBitsLab(net="lenet-5", layer="fc1", percent=3, value_bits=4)

    percent     weights kept, the largest in magnitude; by default the paper's share of that layer
    bits        the width to look at;  value_bits: bits per stored weight
    order       walk the weights by "rows" or by "columns";  compare: with the same weights shuffled
    weights     {layer: array} to look at instead of a shipped net

    `mask`, `totals` {b: bits}, `shuffled` {b: bits}, `best`, `sizes` {format: bits} give what the views show.
    """

    heading = html("How many bits for a gap? <small>few: fillers; many: every gap pays</small>")
    state_names = ("net", "layer", "percent", "bits", "value_bits", "order", "compare")

    net = traitlets.Unicode("lenet-300-100")
    layer = traitlets.Unicode()
    percent = traitlets.Float(8.0, min=0, max=100)
    bits = traitlets.Int(5, min=1, max=12)
    value_bits = traitlets.Int(6, min=0, max=32)
    order = traitlets.Enum(("rows", "columns"), "rows")
    compare = traitlets.Bool(True)

    def __init__(self, net="lenet-300-100", layer=None, percent=None, *, weights=None, **more):
        if weights is None:
            weights = self._open(net)
        self.weights = {name: np.atleast_1d(values) for name, values in pruning.check_layers(weights).items()}
        layer = layer or next(iter(self.weights))
        if percent is None:
            percent = paper_density(net, layer) or 10.0
        super().__init__(net=net, layer=layer, percent=percent, **more)

    def build(self):
        self._check()
        self.layer_choice = widgets.Dropdown(options=choices(self.weights), value=self.layer, description="layer")
        self.layer_choice.layout.width = "190px"
        self.layer_choice.observe(self.guard(self._choose_layer), "value")
        self.order_choice = widgets.Dropdown(options=["rows", "columns"], description="walk by")
        self.order_choice.layout.width = "210px"
        self.compare_box = widgets.Checkbox(description="compare with a shuffled mask", indent=False)
        self.bind_all(order=self.order_choice, compare=self.compare_box)
        self.sliders = {
            "percent": labelled_slider("kept", self.percent, 0.0, 100.0, 0.5, unit="%", width="220px"),
            "bits": labelled_slider("bits per gap, b", self.bits, 1, 12, width="220px"),
            "value_bits": labelled_slider("bits per weight", self.value_bits, 0, 32, width="220px"),
        }
        self.bind_all(**self.sliders)
        figure, axes = theme.figure(11, 4.6, columns=2, gridspec_kw={"width_ratios": [1.45, 1]})
        self.axes = axes
        self.curve, self.bars = bits_curve(axes[0], WIDTHS), format_bars(axes[1], FORMATS)
        moving = [bar for bars in self.curve["parts"].values() for bar in bars]
        moving += [self.curve["shuffled"], self.curve["chosen"], *self.bars.values()]
        self.figure_view = FigureImage(figure, moving, alt="bits per kept weight by width of a gap; formats")
        return [
            row(self.layer_choice, self.order_choice, self.sliders["bits"]),
            row(self.sliders["percent"], self.sliders["value_bits"], self.compare_box),
            self.figure_view,
        ]

    def update(self):
        self._check()
        self.layer_choice.value = self.layer
        weights = self.weights[self.layer]
        self.mask = pruning.mask_from_density(weights, self.percent / 100)
        flat = self.mask.reshape(len(weights), -1).ravel(order="F" if self.order == "columns" else "C")
        self.positions = np.flatnonzero(flat)
        mixed = np.sort(np.random.default_rng(0).choice(flat.size, self.positions.size, replace=False))
        self._walks = {"mask": self.positions, "shuffled": mixed}
        self.totals = {b: relative_index.total_bits(self.positions, b, self.value_bits) for b in WIDTHS}
        self.shuffled = {b: relative_index.total_bits(mixed, b, self.value_bits) for b in WIDTHS}
        self.best = min(WIDTHS, key=lambda b: self.totals[b])
        sizes = sparse_formats.sizes(self.mask, self.value_bits, self.bits)
        sizes["relative"] = self.totals[self.bits]
        sizes["random mask, at best"] = sparse_formats.random_mask_bits(self.mask, self.value_bits)
        self.sizes = sizes
        self._draw(self.curve, self.bars)
        if self._scale(self.axes):
            self.figure_view.redraw()
        else:
            self.figure_view.refresh()

    @property
    def fillers(self):
        """Filler entries at the chosen width -> int."""
        return self.fillers_of("mask")

    def fillers_of(self, which):
        """Filler entries at the chosen width of the "mask", or of the same weights "shuffled" -> int."""
        return relative_index.count_entries(self._walks[which], self.bits) - self.positions.size

    def against_shuffled(self, bits):
        """Whether the mask needs "fewer" or "more" entries than the same weights shuffled, or "as many"."""
        mask, shuffled = self.totals[bits], self.shuffled[bits]
        return "as many" if mask == shuffled else "more" if mask > shuffled else "fewer"

    def describe(self):
        a, b = self.positions.size, self.bits
        here, mixed = self.totals[b], self.fillers_of("shuffled")
        best = (
            "the best there is"
            if here == self.totals[self.best]
            else (f"{100 * (here / self.totals[self.best] - 1):.1f}% more than b = {self.best}, the best")
        )
        other = min(("bitmap", "absolute", "CSR", "CSC"), key=self.sizes.get)
        return self.say(
            "<b>{layer}</b> of {net}, walked by {order}: <b>{a:,}</b> of {size:,} "
            "weights kept. With b = {b}: ({a:,} + <b>{fillers:,} fillers</b>) × ({b} + {value_bits}) "
            "bits = <b>{here:,.0f} bytes</b>, {best}. {mixed}Best of the other formats: {other}, {sizes:,.0f} bytes; "
            "dense float32: {dense:,.0f}.",
            a=a,
            size=self.mask.size,
            b=b,
            fillers=self.fillers,
            here=here / 8,
            best=best,
            mixed="" if self.waits or not self.compare else f"Shuffled, the same weights need {mixed:,} fillers. ",
            other=other,
            sizes=self.sizes[other] / 8,
            dense=self.sizes["dense"] / 8,
        )

    def picture(self):
        figure, axes = theme.figure(13, 4.8, columns=2, gridspec_kw={"width_ratios": [1.45, 1]})
        self._draw(bits_curve(axes[0], WIDTHS), format_bars(axes[1], FORMATS))
        self._scale(axes)
        return figure

    def _draw(self, curve, bars):
        a = max(self.positions.size, 1)
        kept = self.positions.size / a
        parts = {
            "weight bits": [kept * self.value_bits for _ in WIDTHS],
            "index bits": [kept * b for b in WIDTHS],
            "filler": [self.totals[b] / a - kept * (b + self.value_bits) for b in WIDTHS],
        }
        shuffled = [self.shuffled[b] / a if self.compare else math.nan for b in WIDTHS]
        show_bits(curve, WIDTHS, {part: parts[part] for part in PARTS}, shuffled, self.bits)
        for name, bar in bars.items():
            bar.set_width(100 * self.sizes[name] / self.sizes["dense"])

    def _scale(self, axes):
        """Fit both axes to the numbers; True if that changed them. Tall bars of small b may leave the top."""
        a = max(self.positions.size, 1)
        tops = (
            _round_up(2.2 * max(self.totals[self.best], 1) / a, 5),
            _round_up(110 * max(self.sizes[name] for name in FORMATS) / self.sizes["dense"], 2),
        )
        before = axes[0].get_ylim()[1], axes[1].get_xlim()[1]
        axes[0].set_ylim(0, tops[0])
        axes[1].set_xlim(0, tops[1])
        return before != tops

    def _choose_layer(self, change):
        if change["new"] != self.layer:
            with self.hold_trait_notifications():
                self.layer = change["new"]
                self.percent = paper_density(self.net, self.layer) or self.percent

    def _check(self):
        check_known("layer", self.layer, self.weights)

    @staticmethod
    def _open(net):
        if net in dense_files.NETS:
            return dense_files.weights(net)
        from dcviz.pipeline import shipped

        return shipped.dense_weights(net)


def _round_up(value, step):
    return float(step * np.ceil(max(value, 1e-9) / step))
