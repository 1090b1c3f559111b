"""Which layer can go furthest? Error against weights kept, one layer pruned at a time."""

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.chapters.ch02_pruning import figures
from dcviz.errors import check_known
from dcviz.labkit import theme
from dcviz.labkit.base import LOCK, FigureImage, Lab, RunButton, html, joined, row
from dcviz.labkit.inline import inline_slider
from dcviz.nets import datasets
from dcviz.pipeline import retraining, sensitivity, shipped

NETS = ("lenet-5", "lenet-300-100")


class SensitivityLab(Lab):
    """Prune each layer alone, without retraining, and read how much of it has to stay.

        SensitivityLab()                                  # LeNet-5 as shipped, nothing measured yet
        SensitivityLab("lenet-300-100", allowed=2.0)

    net       a shipped net's name
    allowed   by how many percentage points the error may rise; decides how much each layer must keep
    images    how many of the 1,000 held-out digits to measure on

    `measure()` or the button fills `errors` ({layer: percent per density}, empty before); `must_keep` is
    {layer: lowest density within the limit}; `together` the error with all layers pruned that far at once.
    """

    heading = html("Sensitivity <small>only one layer pruned at a time, nothing retrained</small>")
    state_names = ("net", "allowed", "images")

    net = traitlets.Enum(NETS, NETS[0])
    allowed = traitlets.Float(1.0, min=0, max=20)
    images = traitlets.Int(500, min=50, max=1000)

    def __init__(self, net=NETS[0], **state):
        check_known("net", net, NETS)
        self.densities = sensitivity.DENSITIES
        self._measured, self._together, self._open = {}, {}, {}
        super().__init__(net=net, **state)

    # numbers -----------------------------------------------------------------------------------

    @property
    def errors(self):
        """{layer: error in percent at each of `densities`}; empty until measured."""
        return self._measured.get((self.net, self.images), {})

    @property
    def limit(self):
        """The highest error allowed, percent; None until measured."""
        return next(iter(self.errors.values()))[0] + self.allowed if self.errors else None

    @property
    def must_keep(self):
        """{layer: smallest density measured with the error still within the limit}."""
        return self._lowest(self.errors, self.allowed)

    @property
    def most_sensitive(self):
        """The layer that must keep most, as the lab is set now; None until measured."""
        return self.sensitive(self.net, self.allowed, self.images)

    def sensitive(self, net, allowed, images):
        """The layer of a net that must keep most (equals: the one with more error halfway down), whatever is on show.

        None until the net was measured on so many images.
        """
        errors, middle = self._measured.get((net, images), {}), len(self.densities) // 2
        keep = self._lowest(errors, allowed)
        return max(keep, key=lambda name: (keep[name], errors[name][middle]), default=None)

    def keeps(self, net, allowed, images):
        """{layer: smallest density measured} of a net within a limit, whatever is on show; measured now if need be."""
        if (net, images) not in self._measured:
            split = datasets.digits().test.take(slice(0, images))
            self._measured[net, images] = sensitivity.error_by_density(shipped.dense(net), split, self.densities)
        return self._lowest(self._measured[net, images], allowed)

    def _lowest(self, errors, allowed):
        return {
            name: sensitivity.lowest_density(self.densities, curve, curve[0] + allowed + 1e-9)
            for name, curve in errors.items()
        }

    @property
    def together(self):
        """Error with every layer pruned to `must_keep` at once, percent; None until measured."""
        return self._together.get(self._combination()) if self.errors else None

    @property
    def layers(self):
        """{layer: number of weights} of the net on show."""
        if self.net not in self._open:
            net = shipped.dense(self.net)
            self._open[self.net] = {name: w.size for name, w in retraining.weights_of(net).items()}
        return self._open[self.net]

    def _combination(self):
        return (self.net, self.images, *self.must_keep.values())

    # views -------------------------------------------------------------------------------------

    def build(self):
        self.net_choice = widgets.Dropdown(options=NETS, description="net", layout={"width": "240px"})
        self.bind(self.net_choice, "net")
        self.allowed_slider = inline_slider("error may rise by", self.allowed, 0.0, 20.0, 0.1, unit="points")
        self.bind(self.allowed_slider, "allowed")
        self.run = RunButton("Prune each layer in turn", self._measure, self._done, self.fail)
        self.all_run = RunButton("Now all layers at once", self._measure_together, self._done, self.fail)
        self._drawn = self.net
        self.figure_view = FigureImage(*self._make_figure(), alt="error against weights kept, per layer")
        return [row(self.net_choice, self.run), self.figure_view, row(self.allowed_slider, self.all_run)]

    def _make_figure(self):
        figure, axes = theme.figure(11, 4.8, columns=2, gridspec_kw={"width_ratios": [2, 1]})
        figures.percent_axes(axes[0])
        self.lines = figures.layer_lines(axes[0], self.layers)
        self.limit_line = figures.limit_line(axes[0], 1.0)
        self.bars = figures.lowest_bars(axes[1], self.layers)
        return figure, [*self.lines.values(), self.limit_line, *self.bars.values()]

    def update(self):
        if self._drawn != self.net:
            self._drawn = self.net
            self.figure_view.adopt(*self._make_figure())
        errors, keep = self.errors, self.must_keep if self.errors else {}
        for name, line in self.lines.items():
            known = name in errors
            line.set_data(100 * np.array(self.densities) if known else [], errors.get(name, []))
            self.bars[name].set_width(100 * (keep.get(name) or 0))
        self.limit_line.set_visible(bool(errors))
        if errors:
            self.limit_line.set_ydata([self.limit] * 2)
        self.all_run.button.disabled = not errors
        self.figure_view.refresh()

    def describe(self):
        if not self.errors:
            return self.say(
                "<b>{net}</b>, layers {layers}. Nothing measured yet: press the button. "
                "Each layer is then pruned alone, to {densities} densities, and the net read "
                "{images:,} held-out digits at each.",
                layers=joined(", ", (html("{}", name) for name in self.layers)),
                densities=len(self.densities),
            )
        keep, sizes = self.must_keep, self.layers
        kept = joined(", ", (html("{} <b>{:.0f}%</b>", name, 100 * share) for name, share in keep.items()))
        total = sum(keep[name] * size for name, size in sizes.items()) / sum(sizes.values())
        together = (
            f" All at once, {100 * total:.1f}% of the net's weights stay; the error then is not measured yet."
            if self.together is None
            else html(
                " All at once, {total:.1f}% of the net's weights stay and the error is "
                "<b>{together:.1f}%</b>: the damages add up.",
                total=100 * total,
                together=self.together,
            )
        )
        return self.say(
            "<b>{net}</b>: dense error {dense:.1f}% on {images:,} held-out digits, "
            "measured here. With at most {limit:.1f}% allowed (dashed line) each layer alone must keep: {kept}. "
            "Most sensitive: <b>{most_sensitive}</b>.{together}",
            dense=self.limit - self.allowed,
            limit=self.limit,
            kept=kept,
            most_sensitive=self.most_sensitive,
            together=together,
        )

    def picture(self):
        figure, (left, right) = theme.figure(11, 4.8, columns=2, gridspec_kw={"width_ratios": [2, 1]})
        if self.errors:
            figures.error_curves(left, self.densities, self.errors, self.limit)
        else:
            figures.percent_axes(left)
            figures.layer_lines(left, self.layers)
        for name, bar in figures.lowest_bars(right, self.layers).items():
            bar.set_width(100 * (self.must_keep[name] if self.errors else 0))
        return figure

    # work --------------------------------------------------------------------------------------

    def measure(self):
        """Measure all curves now, on this thread; returns `errors`."""
        self.run.start(wait=True)
        return self.errors

    def measure_together(self):
        """Measure the error with all layers pruned to `must_keep` now, on this thread; returns percent."""
        self.all_run.start(wait=True)
        return self.together

    def _split(self):
        return datasets.digits().test.take(slice(0, self.images))

    def _measure(self, progress):
        with LOCK:
            key, split, densities = (self.net, self.images), self._split(), self.densities
        errors = sensitivity.error_by_density(
            shipped.dense(key[0]),
            split,
            densities,
            report=lambda done, total: progress(done / total, f"{done} of {total}"),
        )
        return self._measured, key, errors

    def _measure_together(self, progress):
        with LOCK:
            net, key, keep, split = self.net, self._combination(), self.must_keep, self._split()
        progress(0.1)
        return self._together, key, sensitivity.error_together(shipped.dense(net), split, keep)

    def _done(self, result):
        kept, key, value = result
        kept[key] = value
        self.react()
