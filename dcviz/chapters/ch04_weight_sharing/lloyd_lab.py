"""Lloyd's algorithm, one step at a time, from any start: also from one that the mouse chose."""

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.chapters.ch04_weight_sharing.figures import cluster_bars, inertia_axes, roomy, show_inertia
from dcviz.errors import NetError
from dcviz.ideas.kmeans import INITS, Lloyd, initialise
from dcviz.ideas.kmeans_optimal import MAX_DISTINCT, optimal
from dcviz.ideas.pruning import check_layers
from dcviz.labkit import theme
from dcviz.labkit.base import FigureImage, Lab, html, row
from dcviz.labkit.buttons import Play
from dcviz.labkit.codebook_view import CodebookView
from dcviz.labkit.controls import choices
from dcviz.labkit.histograms import clustered_histogram
from dcviz.labkit.inline import choice_buttons, inline_slider
from dcviz.labkit.markup import drawn, visible
from dcviz.pipeline import shipped

MOST_STEPS = 300


class LloydLab(Lab):
    """Step through k-means on a layer's surviving weights; drag a centroid to start from somewhere else.

        LloydLab()                                       # LeNet-300-100, pruned and retrained, fc1
        LloydLab("lenet-5", layer="conv2", k=8, init="forgy", steps=4)
        LloydLab("alexnet-cifar10-pruned", layer="classifier.1")
        LloydLab("mine", weights={"fc1": array})

    start      k centroids to start from, from the mouse or from you; [] or None lets `init` choose
    steps      Lloyd steps made so far, at most as many as it takes until nothing moves
    show_optimum  draws the exact optimum (dynamic programming), for layers of up to 50,000 distinct weights

    Reads `values`, `history` (centroids after 0, 1, ... steps), `inertias`, `centroids`, `sizes`, `empty`,
    `converged` and `best` (the exact optimum, or None) give what the views show.
    """

    heading = html("Lloyd's algorithm <small>assign, average, repeat</small>")
    state_names = ("net", "layer", "k", "init", "seed", "steps", "start", "show_optimum", "log_y")

    net = traitlets.Unicode("lenet-300-100")
    layer = traitlets.Unicode()
    k = traitlets.Int(8, min=1)
    init = traitlets.Enum(INITS, default_value="linear")
    seed = traitlets.Int(0, min=0)
    steps = traitlets.Int(0, min=0)
    start = traitlets.List(traitlets.Float())
    show_optimum = traitlets.Bool(False)
    log_y = traitlets.Bool(False)

    def __init__(self, net="lenet-300-100", layer=None, *, weights=None, start=None, **more):
        if weights is None and net in shipped.ALEXNETS:
            weights = shipped.stored_weights(net)
        elif weights is None:
            from dcviz.pipeline.lesson import pruned_net
            from dcviz.pipeline.retraining import weights_of

            weights = weights_of(pruned_net(net))
        weights = check_layers(weights)
        self.weights, self._lloyds, self._optima, self._shown, self._from = weights, {}, {}, None, None
        self._bars_k, self._drawn = None, None
        layer = layer or next(iter(weights))
        if layer not in weights:
            raise NetError(f"no layer {layer!r}; there are {', '.join(weights)}")
        start = [] if start is None else [float(c) for c in np.sort(np.ravel(start))]
        if start:
            more["k"] = len(start)
        super().__init__(net=net, layer=layer, start=start, **more)

    # numbers -----------------------------------------------------------------------------------

    @property
    def values(self):
        """The weights that are clustered: the layer's non-zero ones, sorted, float64 (n,)."""
        return self._lloyd().values

    @property
    def centroids(self):
        """The centroids on show."""
        return self.history[self.steps]

    @property
    def empty(self):
        """How many centroids own no weight."""
        return int(np.count_nonzero(self.sizes == 0))

    @property
    def converged(self):
        """True if one more step would move nothing."""
        return np.array_equal(self._lloyd().step(self.centroids), self.centroids)

    @property
    def best(self):
        """The exact optimum, a `KMeans`; None for a layer with too many distinct weights."""
        key = self.layer, self.k
        if key not in self._optima:
            fits = len(np.unique(self.values)) <= MAX_DISTINCT
            self._optima[key] = optimal(self.values, self.k) if fits else None
        return self._optima[key]

    def _lloyd(self):
        if self.layer not in self._lloyds:
            weights = np.asarray(self.weights[self.layer])
            self._lloyds[self.layer] = Lloyd(weights[weights != 0])
        return self._lloyds[self.layer]

    def _advance(self):
        """Bring history and inertias up to `steps`, from the start they belong to."""
        lloyd, key = self._lloyd(), (self.layer, self.k, self.init, self.seed, tuple(self.start))
        if key != self._from:
            first = np.sort(self.start) if self.start else initialise(self.values, self.k, self.init, self.seed)
            self.history, self.inertias, self._from = [first], [lloyd.inertia(first)], key
        while len(self.history) <= self.steps:
            following = lloyd.step(self.history[-1])
            if np.array_equal(following, self.history[-1]):
                break
            self.history.append(following)
            self.inertias.append(lloyd.inertia(following))
        if self.steps >= len(self.history):
            self.set_trait("steps", len(self.history) - 1)

    # views -------------------------------------------------------------------------------------

    def build(self):
        self.view = CodebookView(draggable=True, height=380)
        self.bind(self.view, "log_y", "log_y")
        self.view.observe(self.guard(self._dragged), "dragged")
        self.layer_choice = widgets.Dropdown(
            options=choices(self.weights), description="layer", layout={"width": "190px"}
        )
        self.k_slider = inline_slider("k, centroids", self.k, 2, 16, width="220px")
        self.init_choice = choice_buttons(INITS, "start")
        self.optimum_box = widgets.Checkbox(description="exact optimum", indent=False)
        self.log_box = widgets.Checkbox(description="logarithmic counts", indent=False)
        for widget, name in (
            (self.layer_choice, "layer"),
            (self.k_slider, "k"),
            (self.init_choice, "init"),
            (self.optimum_box, "show_optimum"),
            (self.log_box, "log_y"),
        ):
            self.bind(widget, name)
        self.observe(self.guard(self._begin), ["layer", "k", "init", "seed"])
        self.play = Play(label="play the steps", interval=900, value=self.steps)
        self.bind(self.play, "steps")
        buttons = []
        for text, action, style in (
            ("One step", self.step, "primary"),
            ("Until nothing moves", self.finish, ""),
            ("Back to the start", self.back, ""),
            ("Another forgy draw", self.draw, ""),
        ):
            buttons.append(widgets.Button(description=text, button_style=style))
            buttons[-1].on_click(self.guard(lambda _, action=action: action()))
        self.figure_view = FigureImage(*self._make_figure(), alt="sizes of the clusters; inertia by step")
        return [
            row(self.layer_choice, self.k_slider, self.init_choice),
            row(*buttons, self.play, self.optimum_box, self.log_box),
            self.view,
            self.figure_view,
        ]

    def _make_figure(self):
        figure, (left, right) = theme.figure(11, 3.6, columns=2)
        self.bars, self.crosses = cluster_bars(left, self.k)
        self.inertia_artists, self._bars_k = inertia_axes(right), self.k
        return figure, [*self.bars, self.crosses, *self.inertia_artists]

    def update(self):
        if self._shown != self.layer:
            self.view.show(self.values)
            self.view.label = f"weight w of {visible(self.layer, 40)}"
            self._shown = self.layer
        self._advance()
        self.play.high = self.steps if self.converged else MOST_STEPS
        state = (*self.state().values(), tuple(self.centroids))
        if state == self._drawn:  # several traits changed in one go
            return
        self._drawn = state
        self.sizes = self._lloyd().assign_sizes(self.centroids)
        self.view.codebook(self.centroids, self.sizes)
        self.view.before = [] if self.steps == 0 else [float(c) for c in self.history[0]]
        self.view.before_label = "where they started"
        fresh = self._bars_k != self.k
        if fresh:
            self.figure_view.adopt(*self._make_figure())
        for bar, size in zip(self.bars, self.sizes, strict=True):
            bar.set_height(100 * size / self.values.size)
        at = np.flatnonzero(self.sizes == 0)
        left = self.crosses.axes
        limits = roomy(left.get_ylim(), (0, 105 * self.sizes.max() / self.values.size))
        fresh |= limits != left.get_ylim()
        left.set_ylim(limits)
        self.crosses.set_data(at, np.full(at.size, 0.04 * limits[1]))
        fresh |= show_inertia(self.inertia_artists, self.inertias[: self.steps + 1], self._best_shown())
        if fresh:
            self.figure_view.redraw()
        else:
            self.figure_view.refresh()

    def _best_shown(self):
        return self.best.inertia if self.show_optimum and self.best is not None else None

    def describe(self):
        now = self.inertias[self.steps]
        which = "a start of your own" if self.start else html("<b>{init}</b>", init=self.init)
        empty = html("<b>{empty} empty</b>", empty=self.empty) if self.empty else "none empty"
        settled = " Nothing moves any more: a local optimum." if self.converged else ""
        text = html(
            "<b>{layer}</b>, {size:,} weights, {k} centroids from {which}: step "
            "<b>{steps}</b>, inertia <b>{now:.4g}</b> (at the start {inertias:.4g}), {empty}.{settled}",
            layer=self.layer,
            size=self.values.size,
            k=self.k,
            which=which,
            steps=self.steps,
            now=now,
            inertias=self.inertias[0],
            empty=empty,
            settled=settled,
        )
        if self.show_optimum and self.best is not None:
            text += html(
                " The exact optimum is {inertia:.4g}: this is <b>{now:.1f}%</b> above it.",
                inertia=self.best.inertia,
                now=100 * (now / self.best.inertia - 1),
            )
        return text

    def picture(self):
        figure, (left, right) = theme.figure(13, 4.6, columns=2, gridspec_kw={"width_ratios": [1.6, 1]})
        before = () if self.steps == 0 else self.history[0]
        label = f"weight w of {drawn(self.layer)}"
        clustered_histogram(left, self.values, self.centroids, self.sizes, before=before, label=label)
        show_inertia(inertia_axes(right), self.inertias[: self.steps + 1], self._best_shown())
        return figure

    # what the buttons do -----------------------------------------------------------------------

    def step(self):
        """One Lloyd step, unless nothing moves any more."""
        self.steps += 1

    def finish(self):
        """Lloyd steps until nothing moves (at most 300)."""
        self.steps = MOST_STEPS

    def back(self):
        """To step 0; from there, to the named start if the mouse or you had chosen another."""
        if self.steps:
            self.steps = 0
        else:
            self.start = []

    def draw(self):
        """Start from another random draw of k weights."""
        with self.hold_trait_notifications():
            self.init, self.seed, self.start, self.steps = "forgy", self.seed + 1, [], 0

    def _begin(self, _):
        """Another layer, k or start: back to step 0, the mouse's centroids forgotten."""
        with self.hold_trait_notifications():
            self.start, self.steps = [], 0

    def _dragged(self, change):
        if len(change["new"]) == self.k:
            with self.hold_trait_notifications():
                self.start, self.steps = change["new"], 0
