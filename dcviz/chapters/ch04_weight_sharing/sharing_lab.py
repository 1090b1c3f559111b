"""Where the centroids start, and what that does: k and the three starts of section 3.2, on any layer."""

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.chapters.ch04_weight_sharing.figures import error_by_k_axes, error_by_size, error_by_size_axes, round_top
from dcviz.errors import check_known
from dcviz.ideas.kmeans import INITS, Lloyd, compression_rate
from dcviz.ideas.pruning import check_layers
from dcviz.labkit import theme
from dcviz.labkit.base import Lab, Prediction, RunButton, html, row
from dcviz.labkit.codebook_view import CodebookView
from dcviz.labkit.controls import choices
from dcviz.labkit.film import Film
from dcviz.labkit.ghost import Ghost
from dcviz.labkit.histograms import clustered_histogram
from dcviz.labkit.inline import choice_buttons, inline_slider
from dcviz.labkit.linked_picture import LinkedPicture
from dcviz.labkit.markup import counted, drawn, visible
from dcviz.nets import datasets, training
from dcviz.pipeline import lesson, shipped, sources

STARTS = "ch04-large"
"""The question that one curve for each start answers."""
MOST_K = 64
"""The largest k of the slider."""
VALUE_BITS = 32  # a weight before sharing: float32
MOST = 1 << 22
"""Weights of a layer that are shared here; of a larger one every second, third ... stands for all."""


class SharingLab(Lab):
    """Choose k and a start, see where the centroids stand and which weights they serve badly.

        SharingLab()                                       # LeNet-300-100, pruned and retrained
        SharingLab("lenet-5", layer="conv2", k=16, init="density")
        SharingLab("alexnet-cifar10-pruned", layer="classifier.6")
        SharingLab("mine", weights={"fc1": array})

    net       a shipped net's name;  pruned: its surviving weights after pruning, or all of the dense net;
              or any torch module, state dict, or path of a .safetensors, .pt or .dcz file
    weights   {layer: array} to look at instead of a net: their non-zero values are shared
    lloyd     show the centroids after k-means instead of where they start;  seed: the draw of "forgy"

    Reads `values`, `centroids`, `sizes`, `empty`, `inertia` and `rate` give what the views show, `measured`
    the errors so far: {(pruned, k, init, seed, lloyd): percent}. Raises NetError for an unknown net or layer.
    """

    heading = html("Weight sharing <small>few values for many weights: where should they start?</small>")
    state_names = ("net", "pruned", "layer", "k", "init", "lloyd", "seed", "show_cdf", "log_y")

    net = traitlets.Unicode("lenet-300-100")
    pruned = traitlets.Bool(True)
    layer = traitlets.Unicode()
    k = traitlets.Int(13, min=1)
    init = traitlets.Enum(INITS, default_value="linear")
    lloyd = traitlets.Bool(False)
    seed = traitlets.Int(0, min=0)
    show_cdf = traitlets.Bool(True)
    log_y = traitlets.Bool(False)

    def __init__(self, net="lenet-300-100", pruned=True, layer=None, *, weights=None, **more):
        if weights is None and sources.is_source(net):
            weights = sources.layers(net)
            net = sources.called(net, weights)
        if weights is None and net in shipped.ALEXNETS:
            weights = shipped.stored_weights(net)
        if weights is not None:
            weights = check_layers(weights)
        self._name, self._given, self._shown, self._values, self._reached, self._found = net, weights, None, {}, {}, {}
        self.measured = {}
        layer = layer or next(iter(self._weights(pruned)))
        self._check(layer, pruned)
        super().__init__(net=net, pruned=pruned, layer=layer, **more)

    # numbers -----------------------------------------------------------------------------------

    @property
    def values(self):
        """The weights that are shared: the layer's non-zero ones, float64 (n,)."""
        return self._lloyd().values

    @property
    def empty(self):
        """How many centroids own no weight."""
        return int(np.count_nonzero(self.sizes == 0))

    @property
    def inertia(self):
        """Equation 2 for the centroids on show."""
        return self._lloyd().inertia(self.centroids)

    @property
    def rate(self):
        """Section 3's compression rate of this layer's surviving weights."""
        return compression_rate(self.values.size, VALUE_BITS, self.centroids.size)

    def centroids_of(self, init, k=None):
        """The k centroids of a start, after k-means if the lab shows that."""
        k, lloyd = self.k if k is None else k, self.lloyd
        key = self.pruned, self.layer, init, self.seed if init == "forgy" else 0, lloyd, k
        if key not in self._found:
            start = self._lloyd().start(k, init, self.seed)
            self._found[key] = self._lloyd().settle(start)[0] if lloyd else start
        return self._found[key]

    @property
    def _later(self):
        """Whether the curves of all starts would answer STARTS, which comes after this lab's own question."""
        return self.prediction is not None and self.prediction.key not in (None, STARTS) and not Prediction.told(STARTS)

    def _calculate(self, init, k, veiled):
        """The numbers of a start with k centroids; `veiled` ones do not answer the question of the starts."""
        self._at, self._veiled = (init, k), veiled
        self.centroids = self.centroids_of(init, k=k)
        self.sizes = self._lloyd().assign_sizes(self.centroids)

    # views -------------------------------------------------------------------------------------

    def build(self):
        self.view = CodebookView()
        self.bind(self.view, "show_cdf", "show_cdf")
        self.bind(self.view, "log_y", "log_y")
        self.layer_choice = widgets.Dropdown(
            options=choices(self._weights(self.pruned)), description="layer", layout={"width": "190px"}
        )
        self.k_slider = inline_slider("k, centroids", self.k, 2, MOST_K)
        self.init_choice = choice_buttons(INITS, "start")
        self.draw = widgets.Button(description="Another forgy draw")
        self.draw.on_click(self.guard(self._draw_again))
        self.pruned_box = widgets.Checkbox(description="pruned net", indent=False)
        self.lloyd_box = widgets.Checkbox(description="after k-means", indent=False)
        self.cdf_box = widgets.Checkbox(description="cumulative share", indent=False)
        self.log_box = widgets.Checkbox(description="logarithmic counts", indent=False)
        self.bind_all(
            layer=self.layer_choice,
            k=self.k_slider,
            init=self.init_choice,
            pruned=self.pruned_box,
            lloyd=self.lloyd_box,
            show_cdf=self.cdf_box,
            log_y=self.log_box,
        )
        if self._given is not None:  # there is one set of weights
            self.pruned_box.layout.display = "none"
        figure, (left, right) = theme.figure(11, 3.8, columns=2)
        self.size_lines = error_by_size_axes(left)
        self.dots = error_by_k_axes(right)
        self._axes, self._titles = (left, right), None
        left.set(ylim=(0, 0.0075), title="rounding error")
        right.set_title("error of the net")
        moving = [left.yaxis, *self.size_lines.values(), *self.dots.values()]
        self.figure_view = LinkedPicture(figure, moving, alt="rounding error by size of weight; error by k")
        self.film = Film(
            {"init": (self.init_choice, "index"), "k": (self.k_slider, "value")},
            [
                (self.caption, "value"),
                (self.view, "centroids"),
                (self.view, "sizes"),
                (self.figure_view, "shapes"),
                (self.figure_view, "styles"),
            ],
        )
        parts = [
            row(self.layer_choice, self.k_slider, self.init_choice, self.draw),
            row(self.lloyd_box, self.pruned_box, self.cdf_box, self.log_box),
            self.view,
        ]
        if self._given is None:
            self.run = RunButton("Measure the error of all three starts", self._measure, self._done, self.fail)
            parts.append(self.run)
        else:
            right.set_visible(False)
        self.ghost = Ghost(self.film.settings, self.caption, self.figure_view)
        return [*parts, self.figure_view, self.film, self.ghost]

    def update(self):
        self._check(self.layer, self.pruned)
        if self._shown != (self.pruned, self.layer):
            self.view.show(self.values)
            self.view.label = f"weight w of {visible(self.layer, 40)}"
            self._shown = self.pruned, self.layer
        self._calculate(self.init, self.k, self.waits or self._later)
        self.view.codebook(self.centroids, self.sizes)
        titles = (
            "rounding error, " + ("after k-means" if self.lloyd else "at the start"),
            "error of the net; hollow: start" if self.measured else "error of the net: not measured yet",
        )
        left, right = self._axes
        limits = 0, 1.04 * np.abs(self.values).max()
        still = (limits, titles) == (left.get_xlim(), self._titles)
        left.set(xlim=limits, title=titles[0])
        right.set_title(titles[1])
        self._titles = titles
        self._place()
        if still:
            self.figure_view.refresh()
        else:
            self.figure_view.redraw()

    def _place(self):
        """Put the curves where the numbers are."""
        chosen, k = self._at
        for init, line in self.size_lines.items():
            hidden = self._veiled and init != chosen  # three curves at once answer which start is best
            line.set_data(*([], []) if hidden else error_by_size(self._lloyd(), self.centroids_of(init, k=k)))
            line.set_linewidth(4 if init == chosen else 1.8)
        for (init, lloyd), dots in self.dots.items():
            found = [
                (k, e)
                for (p, k, i, _, after), e in self.measured.items()
                if (p, i, after) == (self.pruned, init, lloyd)
            ]
            beside = 0.93 + 0.07 * INITS.index(init)  # so that no dot hides another
            dots.set_data([beside * k for k, _ in found], [e for _, e in found])
        reached = max(np.max(line.get_ydata(), initial=0) for line in self.size_lines.values())
        self._axes[0].set_ylim(0, round_top(1.25 * reached))  # the legend stands above all lines

    def tabulate(self):
        key = self.pruned, self.layer, self.lloyd, self.seed, dict(self.measured), self._later
        distinct = len(np.unique(self.values))
        at = {"init": range(len(INITS)), "k": range(2, min(MOST_K, distinct) + 1)}
        self.film.shoot(key, at, lambda: self._frames(at["k"]))

    def _frames(self, ks):
        veiled = self._later
        try:
            for init in INITS:
                self._calculate(init, ks[0], veiled)
                self._place()
                looks = self.figure_view.looks()
                for k in ks:
                    self._calculate(init, k, veiled)
                    self._place()
                    codebook = self.centroids.tolist(), self.sizes.tolist()
                    yield [self.describe(), *codebook, self.figure_view.where(), looks]
        finally:
            self._calculate(self.init, self.k, self.waits or self._later)
            self._place()

    def describe(self):
        (init, k), n = self._at, self.values.size
        bits = np.log2(k)
        largest = self._largest()
        outer = int(np.count_nonzero(np.abs(self.centroids) >= largest))
        served = html(
            "The largest 1% of the weights (|w| ≥ {largest:.3g}) have "
            "<b>{outer}</b> centroid{plural} of their own size. ",
            largest=largest,
            outer=outer,
            plural="s" * (outer != 1),
        )
        stage = "after k-means" if self.lloyd else "before any k-means"
        empty = html(", <b>{empty} of them empty</b>", empty=self.empty) if self.empty else ", none of them empty"
        error = self.measured.get((self.pruned, k, init, self.seed, self.lloyd))
        said = ""
        if error is not None:
            where = "on 1,000 digits, measured here"
            said = html(
                " Error of the net with every layer shared like this: <b>{error:.2f}%</b> {where}.",
                error=error,
                where=where,
            )
        return self.say(
            "<b>{layer}</b> of {net}{pruned}, {n:,} weights, "
            "<b>{k}</b> centroids from <b>{init}</b>, {stage}{empty}. Inertia "
            "{inertia:.4g}. {served}Codes of {bits}: "
            "<b>{rate:.2f}×</b> smaller than 32-bit values.{said}",
            pruned="" if self._given is not None else " (pruned)" if self.pruned else " (dense)",
            n=n,
            k=k,
            init=init,
            stage=stage,
            empty=empty,
            inertia=self.inertia,
            served="" if self._veiled else served,
            bits=counted(bits, "bit", f"{bits:.3g}"),
            rate=self.rate,
            said=said,
        )

    def picture(self):
        figure, _ = theme.figure(12, 8.6)
        figure.clear()
        grid = figure.add_gridspec(2, 2, height_ratios=[1.2, 1])
        top, left, right = (figure.add_subplot(place) for place in (grid[0, :], grid[1, 0], grid[1, 1]))
        shown = {"cdf": self.show_cdf, "label": f"weight w of {drawn(self.layer)}"}
        clustered_histogram(top, self.values, self.centroids, self.sizes, **shown)
        if self.log_y:
            top.set_yscale("symlog", linthresh=1)
        lines, dots = error_by_size_axes(left), error_by_k_axes(right)
        for theirs, mine in ((self.size_lines, lines), (self.dots, dots)):
            for key, line in theirs.items():
                mine[key].set_data(*line.get_data())
                mine[key].set_linewidth(line.get_linewidth())
        (before, _), (now, beside) = self._axes, (left, right)
        now.set(xlim=before.get_xlim(), ylim=before.get_ylim(), title=self._titles[0])
        beside.set_title(self._titles[1])
        beside.set_visible(self._given is None)
        return figure

    # weights -----------------------------------------------------------------------------------

    def _weights(self, pruned):
        if self._given is not None:
            return self._given
        return lesson.pruned_weights(self._name) if pruned else shipped.dense_weights(self._name)

    def _lloyd(self):
        key = self.pruned, self.layer
        if key not in self._values:
            weights = np.asarray(self._weights(self.pruned)[self.layer]).reshape(-1)
            weights = weights[:: -(-weights.size // MOST)]
            self._values[key] = Lloyd(weights[weights != 0])
        return self._values[key]

    def _largest(self):
        """The magnitude that 1% of the weights reach."""
        key = self.pruned, self.layer
        if key not in self._reached:
            n = self.values.size
            self._reached[key] = np.sort(np.abs(self.values))[-max(1, n // 100)]
        return self._reached[key]

    def _check(self, layer, pruned):
        check_known("layer", layer, self._weights(pruned))

    def _draw_again(self, _):
        with self.hold_trait_notifications():
            self.seed += 1
            self.init = "forgy"

    # the error on the digits -------------------------------------------------------------------

    def measure(self):
        """Measure the error of the three starts for this k now, on this thread; returns that of the shown one."""
        self.run.start(wait=True)
        return self.measured.get((self.pruned, self.k, self.init, self.seed, self.lloyd))

    def _measure(self, progress):
        found, split = {}, datasets.digits().test
        name, pruned, k, seed = self._name, self.pruned, self.k, self.seed
        jobs = [(init, lloyd) for init in INITS for lloyd in (False, True)]
        for done, (init, lloyd) in enumerate(jobs):
            progress(done / len(jobs), f"{init}, {'k-means' if lloyd else 'start'}")
            net = lesson.pruned_net(name) if pruned else shipped.dense(name)
            lesson.share_k(net, dict.fromkeys(self._weights(pruned), k), init, seed, 300 if lloyd else 0)
            found[pruned, k, init, seed, lloyd] = training.error_percent(net, split)
        return found

    def _done(self, found):
        self.measured |= found
        self.react()
