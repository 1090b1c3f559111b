"""The rank slider: cut a layer's singular values off and see spectrum, templates, bytes and error."""

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz import archive
from dcviz.archive import Layer, StoredNet
from dcviz.chapters.ch09_other_roads import figures, svd
from dcviz.errors import NetError
from dcviz.labkit import theme
from dcviz.labkit.base import LOCK, FigureImage, Lab, RunButton, html, labelled_slider, row
from dcviz.nets import datasets, dense_files, products, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import shipped

TUNE = Schedule(epochs=3, lr=1e-3)
NET, LAYERS = "lenet-300-100", ("fc1", "fc2")
RANKS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 100, 150, 217)
"""Where a sweep measures, as far as the layer has so many."""
SHOWN = 8  # neurons whose weights are shown as pictures


class RankLab(Lab):
    """Replace a layer's n x m weights by the product of n x d and d x m ones, and move d.

        RankLab()                                   # fc1 of LeNet-300-100 at rank 20
        RankLab(layer="fc2", rank=5)

    State: ``layer``, fc1 or fc2; ``rank``. ``errors`` and ``tuned`` hold what was measured: {(layer, rank): percent} as
    cut off, and after ``tune()`` or the button: three epochs on the bundled training digits.
    Errors are on the 1,000 held-out digits.
    """

    heading = html("Low rank <small>move the rank; what is beyond it is cut off</small>")
    state_names = ("layer", "rank")

    layer = traitlets.Enum(LAYERS, "fc1")
    rank = traitlets.Int(20, min=1, max=300)

    def __init__(self, layer="fc1", rank=20, **more):
        if layer not in LAYERS:
            raise NetError(f"no layer {layer!r} to cut; there are {', '.join(LAYERS)}")
        self.parameters = dense_files.state(NET)
        self.layers = {name: svd.Decomposed(self.parameters[f"{name}.weight"]) for name in LAYERS}
        self.test = datasets.digits().test
        self.dense_error = products.error_percent(self.parameters, self.test)
        self.errors, self.tuned, self._drawn = {}, {}, layer
        if isinstance(rank, int):
            rank = min(rank, *self.layers[layer].shape)
        super().__init__(layer=layer, rank=rank, **more)

    # numbers -----------------------------------------------------------------------------------

    @property
    def low(self):
        """The layer's decomposition."""
        return self.layers[self.layer]

    @property
    def error_percent(self):
        """Error with this layer cut to this rank, nothing retrained."""
        key = self.layer, self.rank
        if key not in self.errors:
            self.errors[key] = self._error(self.rank)
        return self.errors[key]

    def _error(self, rank):
        cut = {f"{self.layer}.weight": self.low.matrix(rank)}
        return products.error_percent(self.parameters | cut, self.test)

    @property
    def break_even(self):
        """The largest rank at which the two factors have fewer weights than the layer."""
        return svd.break_even(*self.low.shape)

    def lowest_rank(self, layer, points=0.5):
        """The lowest of `RANKS` with an error at most so many points above the dense net's; None before the sweep."""
        wanted = [(layer, rank) for rank in RANKS if rank <= min(self.layers[layer].shape)]
        if not self.errors.keys() >= set(wanted):
            return None
        return min(rank for name, rank in wanted if self.errors[name, rank] <= self.dense_error + points + 1e-9)

    # views -------------------------------------------------------------------------------------

    def build(self):
        choice = widgets.Dropdown(options=LAYERS, description="layer", layout={"width": "190px"})
        self.bind(choice, "layer")
        self.slider = labelled_slider("rank d", self.rank, 1, min(self.low.shape), width="420px")
        self.bind(self.slider, "rank")
        self.run = RunButton("Fine-tune the factors", self._tune, self._done, self.fail)
        self.charts = FigureImage(*self._make_charts(), alt="singular values, and error against rank")
        self.templates = FigureImage(*self._make_templates(), alt="weights of some neurons, whole and cut off")
        return [row(choice, self.slider), self.templates, self.charts, row(self.run)]

    def _make_charts(self):
        figure, axes = theme.figure(11, 3.9, columns=2)
        self.artists = self._charts(*axes)
        return figure, self.artists

    def _charts(self, left, right):
        kept, line = figures.spectrum(left, self.low.spectrum)
        return [kept, line, *figures.error_against_rank(right, min(self.low.shape), self.dense_error)]

    def _fill(self, artists):
        """Bring the charts' artists, as ``_charts`` made them, to the state."""
        kept, line, cut, tuned, other_line = artists
        values = self.low.spectrum[: self.rank]
        kept.set_data(np.arange(1, len(values) + 1), values)
        line.set_xdata([self.rank] * 2)
        other_line.set_xdata([self.rank] * 2)
        for dots, found in ((cut, self.errors), (tuned, self.tuned)):
            points = sorted((rank, error) for (layer, rank), error in found.items() if layer == self.layer)
            dots.set_data([rank for rank, _ in points], [max(error, 0.7) for _, error in points])

    def _make_templates(self):
        figure, axes = theme.figure(11, 3.0, rows=2)
        limit = float(np.abs(self._pictures(self.low.matrix(min(self.low.shape)))).max()) * 0.8
        for ax, matrix in zip(axes, (self.low.matrix(min(self.low.shape)), self.low.matrix(self.rank)), strict=True):
            image = figures.signed_image(ax, figures.mosaic(self._pictures(matrix), SHOWN), limit)
        for ax, text in zip(axes, ("whole", "at rank d"), strict=True):
            ax.text(-0.01, 0.5, text, transform=ax.transAxes, ha="right", va="center")
        self.image = image
        return figure, [image]

    def _pictures(self, matrix):
        """Weights of the neurons with the largest weights, as pictures."""
        strongest = np.argsort(-np.linalg.norm(self.low.matrix(min(self.low.shape)), axis=1))[:SHOWN]
        shape = (28, 28) if matrix.shape[1] == 784 else (15, 20)
        return matrix[strongest].reshape(SHOWN, *shape)

    def update(self):
        most = min(self.low.shape)
        if self._drawn != self.layer:
            self._drawn = self.layer
            self.slider.slider.max = self.slider.entry.max = max(most, self.slider.slider.max)
            if self.rank > most:
                self.rank = most
            self.slider.slider.max = self.slider.entry.max = most
            self.charts.adopt(*self._make_charts())
            self.templates.adopt(*self._make_templates())
        self.image.set_data(figures.mosaic(self._pictures(self.low.matrix(self.rank)), SHOWN))
        self.templates.refresh()
        self.error_percent  # noqa: B018  (measures it, so that its dot is there)
        self._fill(self.artists)
        self.charts.refresh()

    def describe(self):
        n, m = self.low.shape
        weights, size = svd.parameters(n, m, self.rank), len(archive.dumps(self.stored()))
        tuned = self.tuned.get((self.layer, self.rank))
        after = "not fine-tuned yet" if tuned is None else html("<b>{tuned:.2f}%</b> fine-tuned", tuned=tuned)
        saved = f"{n * m / weights:.1f}× fewer" if weights < n * m else html("<i>more</i>, not fewer")
        missing = 100 * svd.relative_error(self.low.spectrum, self.rank)
        return self.say(
            "<b>{layer}</b>, {n}×{m} = {n_m:,} weights, at rank <b>{rank}</b>: ({n} + {m}) × {rank} "
            "= <b>{weights:,}</b> weights and multiplications, {saved}; it saves up to rank {break_even}. File "
            "of the whole net: <b>{size:,} bytes</b>. {missing:.0f}% of the matrix is missing. "
            "Error: {dense_error:.2f}% dense, <b>{error_percent:.2f}%</b> cut off, {after}.",
            n=n,
            m=m,
            n_m=n * m,
            weights=weights,
            saved=saved,
            break_even=self.break_even,
            size=size,
            missing=missing,
            dense_error=self.dense_error,
            error_percent=self.error_percent,
            after=after,
        )

    def picture(self):
        figure, axes = theme.figure(12, 6.6, rows=2, columns=2, height_ratios=(0.8, 1))
        whole = min(self.low.shape)
        for ax, rank in zip(axes[0], (whole, self.rank), strict=True):
            figures.signed_image(ax, figures.mosaic(self._pictures(self.low.matrix(rank)), SHOWN // 2))
            ax.set_title(f"rank {rank}" + (", whole" if rank == whole else ""), fontsize=theme.FONT)
        self._fill(self._charts(*axes[1]))
        return figure

    # work --------------------------------------------------------------------------------------

    def stored(self):
        """The net with this layer at this rank, as its file holds it."""
        parts, (second, first) = [], self.low.factors(self.rank)
        for name, weight in dense_files.weights(NET).items():
            bias = self.parameters[f"{name}.bias"]
            if name == self.layer:
                parts += [Layer(f"{name}.0", first), Layer(f"{name}.1", second, bias)]
            else:
                parts.append(Layer(name, weight, bias))
        return StoredNet(NET, tuple(parts))

    def sweep(self, ranks=RANKS):
        """Measure the error at these ranks of the layer; returns the lab, so that a cell can show it."""
        for rank in ranks:
            if rank <= min(self.low.shape):
                self.errors[self.layer, rank] = self._error(rank)
        self.react()
        return self

    def tune(self):
        """Fine-tune at this layer and rank and wait for it; returns percent."""
        self.run.start(wait=True)
        return self.tuned.get((self.layer, self.rank))

    def _tune(self, progress):
        data = datasets.digits()
        with LOCK:
            key = self.layer, self.rank
        net = svd.factorise(shipped.dense(NET), dict([key]))
        training.fit(net, data.train, TUNE, report=lambda done, steps, loss: progress(done / steps, "fine-tuning"))
        return key, training.error_percent(net, data.test)

    def _done(self, result):
        key, error = result
        self.tuned[key] = error
        self.react()
