"""Which filters go? Rank a convolution's filters, remove the lowest, and see what is left of the net."""

import copy
import itertools

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz import archive, pipeline
from dcviz.chapters.ch09_other_roads import comparison, figures, taylor
from dcviz.labkit import theme
from dcviz.labkit.base import LOCK, FigureImage, Lab, RunButton, html, labelled_slider, row, words
from dcviz.nets import datasets, models, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import shipped

LAYERS = {"conv1": 7, "conv2": 10}  # and how many of their filters stand in a row
SHOWS = ("answers to the digit", "weights")
RETRAIN = Schedule(epochs=1, lr=1e-3, batch_size=64)
RANKED_ON, MEASURED_ON = 500, 400  # digits


class FilterLab(Lab):
    """The filters of one of LeNet-5's convolutions, lowest score first; the lowest ``gone`` of them are removed.

        FilterLab()
        FilterLab(layer="conv2", criterion="magnitude", gone=25)

    State: ``layer``; ``criterion`` of ``figures.CRITERIA``; ``gone``, how many filters are removed; ``digit`` and
    ``show``, what the pictures show: each filter's answer to a digit, or its weights.
    ``net`` is the smaller net; ``errors`` and ``retrained`` {(layer, criterion, gone): percent} on 400 held-out digits.
    """

    heading = html("Filters <small>the crossed out ones go, and the work with them</small>")
    state_names = ("layer", "criterion", "gone", "digit", "show")

    layer = traitlets.Enum(tuple(LAYERS), "conv1")
    criterion = traitlets.Enum(figures.CRITERIA, "taylor")
    gone = traitlets.Int(6, min=0, max=49)
    digit = traitlets.Int(3, min=0, max=9)
    show = traitlets.Enum(SHOWS, SHOWS[0])

    def __init__(self, layer="conv1", **state):
        self.dense = shipped.dense("lenet-5")
        self.work = sum(comparison.multiplications(self.dense).values())
        digits = datasets.digits()
        self.train, self.test = digits.train, digits.test.take(slice(0, MEASURED_ON))
        self.dense_error = training.error_percent(self.dense, self.test)
        self._scores, self._nets, self.errors, self.retrained = {}, {}, {}, {}
        self._drawn = None
        super().__init__(layer=layer, **state)

    # numbers -----------------------------------------------------------------------------------

    @property
    def filters(self):
        """How many filters the layer has."""
        return models.weight_layers(self.dense)[self.layer].weight.shape[0]

    @property
    def scores(self):
        """The layer's scores by the criterion: (filters,)."""
        key = self.layer, self.criterion
        if key not in self._scores:
            ranked_on = self.train.take(slice(0, RANKED_ON))
            self._scores[key] = taylor.scores(self.dense, ranked_on, self.criterion, [self.layer])[self.layer]
        return self._scores[key]

    @property
    def order(self):
        """The filters' numbers, lowest score first."""
        return np.argsort(self.scores, kind="stable")

    @property
    def net(self):
        """LeNet-5 without the filters that go: a smaller dense net."""
        return self._net(self.gone)

    def _net(self, gone):
        return taylor.remove(self.dense, {self.layer: np.sort(self.order[gone:])})

    def work_left(self, net):
        """Multiplications of a picture, percent of LeNet-5's."""
        return 100 * sum(comparison.multiplications(net).values()) / self.work

    @property
    def error_percent(self):
        """Error without the filters that go, nothing retrained."""
        return self._error(self.gone)

    def _error(self, gone):
        key = self.layer, self.criterion, gone
        if key not in self.errors:
            net = self._net(gone)
            self.errors[key] = self.work_left(net), training.error_percent(net, self.test)
        return self.errors[key][1]

    def best(self, layer):
        """The criterion with the lowest geometric mean error over the sweep's counts of a layer, or None before it."""
        counts = self._counts(layer)[1:]  # with none gone all are equal
        if not self.errors.keys() >= set(itertools.product([layer], figures.CRITERIA, counts)):
            return None
        mean = {c: np.mean([np.log(self.errors[layer, c, g][1] + 0.1) for g in counts]) for c in figures.CRITERIA}
        return min(mean, key=mean.get)

    def _counts(self, layer):
        """How many filters go at each point of a sweep, none first."""
        n = self.dense.get_submodule(layer).weight.shape[0]
        return sorted({round(share * n) for share in (0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)})

    # views -------------------------------------------------------------------------------------

    def build(self):
        choose = {"style": {"description_width": "initial"}}
        self.gone_slider = labelled_slider("filters that go", self.gone, 0, self.filters - 1, width="380px")
        controls = {
            "layer": widgets.Dropdown(options=list(LAYERS), description="layer", **choose),
            "criterion": widgets.Dropdown(options=figures.CRITERIA, description="criterion", **choose),
            "show": widgets.Dropdown(options=SHOWS, description="pictures show", **choose),
            "digit": widgets.Dropdown(options=list(range(10)), description="digit", **choose),
            "gone": self.gone_slider,
        }
        for name, widget in controls.items():
            self.bind(widget, name)
            if name != "gone":
                widget.layout.width = "auto"
        self.sweep_run = RunButton("Measure all three criteria", self._sweep, self._done, self.fail)
        self.train_run = RunButton("Retrain what is left", self._retrain, self._done, self.fail)
        self.figure_view = FigureImage(*self._make_figure(), alt="filters, and error against multiplications left")
        *choices, gone = controls.values()
        return [row(*choices), gone, self.figure_view, row(self.sweep_run, self.train_run)]

    def _make_figure(self):
        figure, axes = theme.figure(12, 4.8, columns=2, width_ratios=(1.1, 1))
        self.artists = self._draw(*axes)
        self._drawn = self._pictures_state()
        _, cross, lines, dot, star = self.artists
        return figure, [cross, *lines.values(), dot, star]

    def _draw(self, left, right):
        pictures = self.pictures()[self.order]
        image = figures.signed_image(left, figures.mosaic(pictures, LAYERS[self.layer]))
        left.set_title("lowest score first", fontsize=theme.FONT)
        cross = figures.struck_out(left)
        lines = figures.error_against_work(right, figures.CRITERIA, self.dense_error)
        (dot,) = right.plot([], [], "o", color=theme.role("accent").colour, markersize=15, fillstyle="none", mew=3)
        (star,) = right.plot([], [], **theme.line_style("retrained", linestyle="", markersize=13))
        return image, cross, lines, dot, star

    def _fill(self, artists):
        _, cross, lines, dot, star = artists
        cross.set_data(*figures.crosses(range(self.gone), *self.pictures().shape[1:], LAYERS[self.layer]))
        for name, line in lines.items():
            found = sorted((v for k, v in self.errors.items() if k[:2] == (self.layer, name)), reverse=True)
            line.set_data([work for work, _ in found], [max(error, 0.3) for _, error in found])
        here = self.errors.get((self.layer, self.criterion, self.gone))
        if here is None:  # changed meanwhile, on another thread: that change is waiting and will draw it
            return
        dot.set_data([here[0]], [max(here[1], 0.3)])
        again = self.retrained.get((self.layer, self.criterion, self.gone))
        star.set_data(([], []) if again is None else ([here[0]], [max(again, 0.3)]))

    def pictures(self):
        """What each filter is shown as: (filters, h, w); weights summed over the inputs, or answers to the digit."""
        if self.show == "weights":
            return models.weight_layers(self.dense)[self.layer].weight.detach().sum(1).numpy()
        place = int(np.flatnonzero(self.test.labels == self.digit)[0])
        import torch

        with torch.no_grad():
            x = self.dense.conv1(training.to_input(self.test.images[place][None]))
            if self.layer == "conv2":
                x = self.dense.conv2(models.pooled(x))
        return x[0].numpy()

    def _pictures_state(self):
        return self.layer, self.criterion, self.digit, self.show

    def update(self):
        self.gone_slider.slider.max = self.gone_slider.entry.max = self.filters - 1
        self.gone = min(self.gone, self.filters - 1)
        self.error_percent  # noqa: B018  (measures it, so that its dot is there)
        if self._drawn != self._pictures_state():
            self.figure_view.adopt(*self._make_figure())
        self._fill(self.artists)
        self.figure_view.refresh()

    def describe(self):
        net, numbers = self.net, ", ".join(str(i) for i in sorted(self.order[: self.gone]))
        again = self.retrained.get((self.layer, self.criterion, self.gone))
        after = "not retrained yet" if again is None else html("<b>{again:.2f}%</b> retrained (triangle)", again=again)
        left, size = sum(comparison.multiplications(net).values()), len(archive.dumps(pipeline.stored_net(net)))
        return self.say(
            "<b>{gone} of {filters}</b> filters of {layer} go by <b>{criterion}</b>"
            "{numbers}. What is left is a dense net of "
            "<b>{size:,} bytes</b> and <b>{left:,}</b> multiplications a picture, "
            "{work:.0f}% of LeNet-5's. Error: {dense_error:.2f}% before, "
            "<b>{error_percent:.2f}%</b> without them (circle), {after}; on {digits} held-out digits.",
            filters=self.filters,
            numbers=words(f": numbers {numbers}" if numbers else ""),
            size=size,
            left=left,
            work=100 * left / self.work,
            dense_error=self.dense_error,
            error_percent=self.error_percent,
            after=after,
            digits=MEASURED_ON,
        )

    def picture(self):
        figure, axes = theme.figure(12, 4.8, columns=2, width_ratios=(1.1, 1))
        self._fill(self._draw(*axes))
        return figure

    # work --------------------------------------------------------------------------------------

    def sweep(self):
        """Measure every criterion at several counts and wait; returns the lab, so that a cell can show it."""
        self.sweep_run.start(wait=True)
        return self

    def retrain(self):
        """Train the smaller net for an epoch on the bundled digits and wait; returns its error in percent."""
        self.train_run.start(wait=True)
        return self.retrained.get((self.layer, self.criterion, self.gone))

    def _sweep(self, progress):
        layer, dense = self.layer, copy.deepcopy(self.dense)  # hooks of its own: the reader's moves score filters, too
        counts = self._counts(layer)
        ranked_on, found = self.train.take(slice(0, RANKED_ON)), {}
        for i, criterion in enumerate(figures.CRITERIA):
            order = np.argsort(taylor.scores(dense, ranked_on, criterion, [layer])[layer], kind="stable")
            for j, gone in enumerate(counts):
                progress((i + j / len(counts)) / len(figures.CRITERIA), criterion)
                net = taylor.remove(dense, {layer: np.sort(order[gone:])})
                found[layer, criterion, gone] = self.work_left(net), training.error_percent(net, self.test)
        return self.errors, found

    def _retrain(self, progress):
        with LOCK:
            key, net = (self.layer, self.criterion, self.gone), self.net
        training.fit(net, self.train, RETRAIN, report=lambda done, steps, loss: progress(done / steps, "retraining"))
        return self.retrained, {key: training.error_percent(net, self.test)}

    def _done(self, result):
        kept, found = result
        kept.update(found)
        self.react()
