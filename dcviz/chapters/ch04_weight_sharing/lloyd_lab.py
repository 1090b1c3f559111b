"""Lloyd's algorithm, one step at a time, from any start: also from one that the mouse chose."""

import math
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.chapters.ch04_weight_sharing.figures import (
    CROSS,
    cluster_bars,
    inertia_axes,
    round_tops,
    show_inertia,
    show_room,
    show_sizes,
)
from dcviz.errors import check_known
from dcviz.ideas.kmeans import INITS, Lloyd, initialise
from dcviz.ideas.kmeans_optimal import MAX_DISTINCT, optima
from dcviz.ideas.pruning import check_layers
from dcviz.labkit import theme
from dcviz.labkit.base import Lab, html, row
from dcviz.labkit.buttons import Play
from dcviz.labkit.codebook_view import CodebookView
from dcviz.labkit.controls import choices
from dcviz.labkit.histograms import clustered_histogram
from dcviz.labkit.inline import choice_buttons, inline_slider
from dcviz.labkit.linked_picture import LinkedPicture
from dcviz.labkit.markup import drawn, visible
from dcviz.labkit.table_film import TableFilm, assembled
from dcviz.pipeline import lesson, shipped

MOST_STEPS = 300
LEAST_K, MOST_K = 2, 16
"""The ends of the slider."""
PLACES = 512
"""A dragged centroid stops at so many places of the axis at least, and at less than twice as many."""
WORDS = (
    "<b>{layer}</b>, {size} weights, {k} centroids from {which}: step "
    "<b>{steps}</b>, inertia <b>{now}</b> (at the start {first}), {empty}.{settled}{optimum}"
)
OWN, NAMED = "a start of your own", "<b>{init}</b>"
EMPTY, NONE_EMPTY = "<b>{n} empty</b>", "none empty"
SETTLED = " Nothing moves any more: a local optimum."
OPTIMUM = " The exact optimum is {best}: this is <b>{above}%</b> above it."
"""What the caption says; the browser fills in the same words."""


class LloydFilm(TableFilm):
    """A dragged start from running sums of the weights; all steps of the named start of each k, and of one's own start
    that the lab was shown with."""

    _esm = assembled(Path(__file__).parent / "lloyd_film.js")


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
            weights = lesson.pruned_weights(net)
        weights = check_layers(weights)
        self.weights, self._lloyds, self._optima, self._counted = weights, {}, {}, {}
        self._shown = self._from = self._drawn = None
        layer = layer or next(iter(weights))
        check_known("layer", layer, weights)
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
        return self._best(self.k)

    def _best(self, k):
        if (self.layer, k) not in self._optima:
            fits = self._distinct() <= MAX_DISTINCT
            ks = {*self._ks(), k}
            found = optima(self.values, ks) if fits else dict.fromkeys(ks)
            self._optima |= {(self.layer, one): best for one, best in found.items()}
        return self._optima[self.layer, k]

    def _ks(self):
        """Each k that the slider can choose here, and the lab's own."""
        return sorted({*range(LEAST_K, min(MOST_K, self._distinct()) + 1), self.k})

    def _lloyd(self):
        if self.layer not in self._lloyds:
            weights = np.asarray(self.weights[self.layer])
            self._lloyds[self.layer] = Lloyd(weights[weights != 0])
        return self._lloyds[self.layer]

    def _distinct(self):
        """How many different weights the layer has."""
        if self.layer not in self._counted:
            self._counted[self.layer] = 1 + np.count_nonzero(np.diff(self.values))
        return self._counted[self.layer]

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
        self.view.observe(self.guard(self._dragged), ["dragged", "again"])
        self.layer_choice = widgets.Dropdown(
            options=choices(self.weights), description="layer", layout={"width": "190px"}
        )
        self.k_slider = inline_slider("k, centroids", self.k, LEAST_K, MOST_K, width="220px")
        self.init_choice = choice_buttons(INITS, "start")
        self.optimum_box = widgets.Checkbox(description="exact optimum", indent=False)
        self.log_box = widgets.Checkbox(description="logarithmic counts", indent=False)
        self.bind_all(
            layer=self.layer_choice,
            k=self.k_slider,
            init=self.init_choice,
            show_optimum=self.optimum_box,
            log_y=self.log_box,
        )
        self.observe(self.guard(self._begin), ["layer", "k", "init", "seed"])
        labels = ["One step", "Until nothing moves", "Back to the start"]
        self.play = Play(label="play the steps", interval=900, steps=labels, value=self.steps)
        self._bound["steps"] = [(self.play, "value")]  # no link: it breaks where `update` says no
        self.play.observe(lambda change: self.set_trait("steps", change["new"]), "value")
        buttons = []
        for text, action in (("Forget the dragged start", self.forget), ("Another forgy draw", self.draw)):
            buttons.append(widgets.Button(description=text))
            buttons[-1].on_click(self.guard(lambda _, action=action: action()))
        self.figure_view = LinkedPicture(*self._make_figure(), alt="sizes of the clusters; inertia by step")
        self.film = LloydFilm(
            {"start": (self.view, "dragged"), "steps": (self.play, "value"), "k": (self.k_slider, "value")},
            [
                (self.caption, "value"),
                *((self.view, name) for name in ("centroids", "sizes", "before")),
                (self.figure_view, "shapes"),
                (self.play, "high"),
                (self.play, "value"),
            ],
            resets={"start": {"steps": 0}, "k": {"start": [], "steps": 0}},
        )
        return [
            row(self.layer_choice, self.k_slider, self.init_choice),
            row(self.play, *buttons, self.optimum_box, self.log_box),
            self.view,
            self.figure_view,
            self.film,
        ]

    def _make_figure(self):
        figure, (left, right) = theme.figure(11, 3.6, columns=2)
        self.bars, self.crosses = cluster_bars(left, max(MOST_K, self.k))
        self.inertia_artists = inertia_axes(right)
        axes = [left.xaxis, left.yaxis, right.xaxis, right.yaxis]
        return figure, [*axes, *self.bars, self.crosses, *self.inertia_artists]

    def update(self):
        if self._shown != self.layer:
            self.view.show(self.values)
            self.view.label = f"weight w of {visible(self.layer, 40)}"
            self.view.grid = 2.0 ** math.floor(math.log2((self.view.high - self.view.low) / PLACES))
            self._shown = self.layer
        self._advance()
        self.view.dragged = self.start
        self.play.high = self.steps if self.converged else MOST_STEPS
        state = (*self.state().values(), tuple(self.centroids))
        if state == self._drawn:  # several traits changed in one go
            return
        self._drawn = state
        self.sizes = self._lloyd().assign_sizes(self.centroids)
        self.view.codebook(self.centroids, self.sizes)
        self.view.before = [] if self.steps == 0 else [float(c) for c in self.history[0]]
        self.view.before_label = "where they started"
        if len(self.bars) != max(MOST_K, self.k):
            self.figure_view.adopt(*self._make_figure())
        show_sizes(self.bars, self.crosses, self.sizes)
        changed = show_inertia(self.inertia_artists, self.inertias[: self.steps + 1], self._best_shown(self.k))
        (self.figure_view.redraw if changed else self.figure_view.refresh)()

    def _best_shown(self, k):
        best = self._best(k) if self.show_optimum else None
        return best.inertia if best is not None and best.inertia else None

    # what the film needs -----------------------------------------------------------------------

    def tabulate(self):
        ks = self._ks()
        self.film.shoot((self.layer, tuple(ks), self.init, self.seed, self.show_optimum), lambda: self._table(ks))

    def _table(self, ks):
        lloyd, grid = self._lloyd(), self.view.grid
        first, last = math.ceil(self.view.low / grid), math.floor(self.view.high / grid)
        below = lloyd.below(np.arange(2 * first, 2 * last + 1) * (grid / 2))  # where two neighbours can meet
        named = {k: _rows(lloyd, lloyd.start(k, self.init, self.seed)) for k in ks}
        own = _rows(lloyd, self.history[0]) if self.start else []
        return {
            "grid": grid,
            "first": 2 * first,
            "below": [sums.tolist() for sums in below],
            "centre": lloyd.centre,
            "n": self.values.size,
            "of": self.start,
            "own": own,
            "named": named,
            "most": MOST_STEPS,
            "best": {k: self._best_shown(k) for k in ks},
            "words": WORDS,
            "layer": self._layer_words(),
            "which": {"own": OWN, "named": html(NAMED, init=self.init)},
            "empty": [_empty_words(n) for n in range(max(ks) + 1)],
            "settled": SETTLED,
            "optimum": OPTIMUM,
            **self._picture_places(lloyd, ks, max(map(len, (own, *named.values())))),
        }

    def _picture_places(self, lloyd, ks, most):
        """Where the picture's parts stand in the browser, for all that a start can give; its axes stay as they were.

        most    rows of a start at most
        """
        view = self.figure_view
        left, right = self.crosses.axes, self.inertia_artists[0].axes
        before = left.get_xlim(), left.get_ylim(), right.get_xlim(), right.get_ylim()

        def ending(part, set_limits, low, top):
            set_limits(low, top - low)
            return {"top": top, "ticks": view.where(view.moving[part : part + 1])[0]}

        def bars(k):
            show_room(left, k)
            ends = [(end, 0) for bar in self.bars[:k] for end in (bar.get_x(), bar.get_x() + bar.get_width())]
            return {"ticks": view.where()[0], "ends": view.places(left, ends)[::2]}

        shares = round_tops(100 / max(ks), 100)
        worst = max(lloyd.inertia(np.full(2, end)) for end in (self.view.low, self.view.high))
        least = 1e-6 * worst
        tables = {
            "left": {
                "tops": [ending(1, left.set_ylim, 0, min(top, 100.0)) for top in shares],
                "bars": {k: bars(k) for k in ks},
                "of": len(self.bars),
                "y": view.places(left, [(0, 0), (0, left.get_ylim()[1])])[1::2],
                "cross": view.places(left, [(0, CROSS * left.get_ylim()[1])])[1],
            },
            "right": {
                "tops": [ending(3, right.set_ylim, 0, top) for top in round_tops(least, worst)],
                "least": least,
                "y": view.places(right, [(0, 0), (0, right.get_ylim()[1])])[1::2],
                "x": view.places(right, [(right.get_xlim()[0], 0), (right.get_xlim()[1], 0)])[::2],
                "across": [
                    {**ending(2, right.set_xlim, -0.5, top), "x": view.places(right, [(0, 0), (top, 0)])[::2]}
                    for top in round_tops(9, max(9, most - 1))
                ],
            },
        }
        left.set(xlim=before[0], ylim=before[1])
        right.set(xlim=before[2], ylim=before[3])
        return tables

    # words -------------------------------------------------------------------------------------

    def _layer_words(self):
        return {"layer": html("{}", self.layer), "size": f"{self.values.size:,}"}

    def describe(self):
        now, best = self.inertias[self.steps], self._best_shown(self.k)
        above = {} if best is None else {"best": f"{best:.4g}", "above": f"{100 * (now / best - 1):.1f}"}
        return self.say(
            WORDS,
            **self._layer_words(),
            which=OWN if self.start else html(NAMED, init=self.init),
            now=f"{now:.4g}",
            first=f"{self.inertias[0]:.4g}",
            empty=_empty_words(self.empty),
            settled=SETTLED if self.converged else "",
            optimum=html(OPTIMUM, **above) if above else "",
        )

    def picture(self):
        figure, (left, right) = theme.figure(13, 4.6, columns=2, gridspec_kw={"width_ratios": [1.6, 1]})
        before = () if self.steps == 0 else self.history[0]
        label = f"weight w of {drawn(self.layer)}"
        clustered_histogram(left, self.values, self.centroids, self.sizes, before=before, label=label)
        show_inertia(inertia_axes(right), self.inertias[: self.steps + 1], self._best_shown(self.k))
        return figure

    # what the buttons do -----------------------------------------------------------------------

    def step(self):
        """One Lloyd step, unless nothing moves any more."""
        self.steps += 1

    def finish(self):
        """Lloyd steps until nothing moves (at most 300)."""
        self.steps = MOST_STEPS

    def forget(self):
        """Back to the named start, if the mouse or you had chosen another."""
        with self.hold_trait_notifications():
            self.start, self.steps = [], 0

    def draw(self):
        """Start from another random draw of k weights."""
        with self.hold_trait_notifications():
            self.init, self.seed, self.start, self.steps = "forgy", self.seed + 1, [], 0

    def _begin(self, _):
        """Another layer, k or start: back to step 0, the mouse's centroids forgotten."""
        self.forget()

    def _dragged(self, change):
        """A start of the mouse's, also the very one from which steps were made."""
        start = self.view.dragged
        if len(start) != self.k and start != self.start:  # of a k before, which the page has just changed
            self.view.dragged = self.start
            self.film.repeat()
        elif len(start) == self.k and (start != self.start or change["name"] == "again"):
            with self.hold_trait_notifications():
                self.start, self.steps = start, 0


def _empty_words(empty):
    return html(EMPTY, n=empty) if empty else NONE_EMPTY


def _rows(lloyd, first):
    """What each step from a start gives, until nothing moves: [centroids, sizes, inertia]; digits that are seen."""
    rounded = lambda x: float(f"{x:.8g}")  # noqa: E731
    path = lloyd.path(first, MOST_STEPS)
    return [[[rounded(c) for c in now], sizes.tolist(), rounded(inertia)] for now, sizes, inertia in path]
