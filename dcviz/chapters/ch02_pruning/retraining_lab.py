"""Cut, then retrain, live: the error comes back, and the histogram of the survivors gets two humps."""

import time

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.chapters.ch02_pruning import figures
from dcviz.chapters.ch02_pruning.measure import METHODS, densities
from dcviz.chapters.ch02_pruning.retraining_film import BINS, MOMENTS, Film, counts, edges_of
from dcviz.errors import WeightError, check_known
from dcviz.ideas import pruning
from dcviz.labkit import theme
from dcviz.labkit.base import LOCK, FigureImage, Lab, RunButton, html, joined, row
from dcviz.labkit.buttons import Play
from dcviz.labkit.ghost import Ghost
from dcviz.labkit.inline import inline_slider
from dcviz.nets import datasets, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import retraining, shipped

NETS = ("lenet-300-100", "lenet-5")
MOST_RUNS = 4
PUSH_SECONDS = 0.25


class RetrainingLab(Lab):
    """Prune a shipped LeNet, retrain it on the 4,000 bundled digits and watch.

        RetrainingLab()                                            # LeNet-300-100, fc1 to 8%, one cut
        RetrainingLab(density=3.0, method="gradual", epochs=8.0)

    net, layer  whose histograms are shown; all layers are pruned
    density     percent of fc1's weights that stay; the other layers keep in the paper's proportions
    method      "one cut", "five cuts" or "gradual": when the cuts come while the net retrains
    epochs      how long to retrain
    moment      which of the last run's pictures is shown: 0 right after the first cut, 24 the end

    prune       your own function (weights, density) -> mask for "one cut", instead of dcviz's

    `retrain()` or the button makes a run; `runs` holds the last four as `Film`s with label, steps, errors.
    """

    heading = html("Retraining <small>cut, then let the survivors learn</small>")
    state_names = ("net", "layer", "density", "method", "epochs", "moment")

    net = traitlets.Enum(NETS, NETS[0])
    layer = traitlets.Unicode("fc1")
    density = traitlets.Float(8.0, min=1, max=100)
    method = traitlets.Enum(tuple(METHODS), "one cut")
    epochs = traitlets.Float(3.0, min=0.1, max=20)
    moment = traitlets.Int(MOMENTS, min=0, max=MOMENTS)

    def __init__(self, net=NETS[0], *, prune=None, **state):
        check_known("net", net, NETS)
        self.prune, self._showing = prune, False
        self.runs, self._dense, self._film, self._pushed = [], {}, None, 0.0
        super().__init__(net=net, **state)

    # numbers -----------------------------------------------------------------------------------

    @property
    def schedule(self):
        """How a run trains."""
        return Schedule(epochs=self.epochs, lr=2e-3 if self.net == NETS[0] else 1e-3, batch_size=32)

    def dense(self, net=None):
        """(weights of each layer, error in percent on the 1,000 held-out digits) of the net as shipped."""
        net = net or self.net
        if net not in self._dense:
            model = shipped.dense(net)
            error = training.error_percent(model, datasets.digits().test)
            self._dense[net] = retraining.weights_of(model), error
        return self._dense[net]

    @property
    def film(self):
        """The last run of the net, density and method on show; one that was stopped only if none came to its end."""
        runs = [run for run in self.runs if run.steps and run.of == self._wanted()]
        if runs and runs[-1] is self._film:  # it goes on
            return self._film
        finished = [run for run in runs if run.steps[-1] == run.total]
        return next(reversed(finished or runs), None)

    def _wanted(self):
        return self.net, self.density, self.method

    def histograms(self):
        """Counts of the layer's non-zero weights: edges, before, cut, now (zeros without a run), threshold."""
        weights, mask = self.dense()[0][self.layer], self.mask(self.layer)
        edges = edges_of(weights)
        threshold = float(np.abs(weights[mask]).min()) if mask.any() else 0.0
        film = self.film
        now = np.zeros(BINS) if film is None else film.counts[film.at(self.moment)][self.layer]
        return edges, counts(weights, edges), counts(weights[mask], edges), now, threshold

    def mask(self, layer):
        """Which of a layer's weights one cut keeps: by the learner's own function, or by dcviz's."""
        weights, density = self.dense()[0][layer], densities(self.net, self.density / 100)[layer]
        mine = self.prune(weights.copy(), density) if self.prune and self.method == "one cut" else None
        self.own = mine is not None
        if not self.own:
            return pruning.mask_from_density(weights, density)
        mine = np.asarray(mine)
        if mine.dtype != bool and np.isin(mine, (0, 1)).all():
            mine = mine.astype(bool)  # ones and zeros are a mask, too
        if mine.shape != weights.shape or mine.dtype != bool:
            raise WeightError(
                f"prune gave {mine.dtype} of shape {mine.shape} for {layer}, not a bool mask of shape {weights.shape}"
            )
        return mine

    # views -------------------------------------------------------------------------------------

    def finished_error(self, **setting):
        """Error in percent at the end of the last run with this setting that came to its end; None without one."""
        runs = [run for run in self.runs if run.steps and run.steps[-1] == run.total]
        return next((run.errors[-1] for run in reversed(runs) if setting.items() <= run.setting.items()), None)

    def build(self):
        self.net_choice = widgets.Dropdown(options=NETS, description="net", layout={"width": "240px"})
        self.layer_choice = widgets.Dropdown(
            options=list(self.dense()[0]), value=self.layer, description="layer", layout={"width": "190px"}
        )
        self.method_choice = widgets.Dropdown(options=tuple(METHODS), description="method", layout={"width": "220px"})
        self.layer_choice.observe(self.guard(self._choose_layer), "value")
        self.bind_all(net=self.net_choice, method=self.method_choice)
        self.density_slider = inline_slider("density of fc1", self.density, 1.0, 100.0, log=True, unit="%")
        self.epochs_slider = inline_slider("epochs", self.epochs, 0.1, 20.0, 0.1, width="200px")
        self.moment_slider = inline_slider("moment", self.moment, 0, MOMENTS)
        self.play = Play(label="play the film", interval=300, value=self.moment)
        moment = (self.moment_slider, "moment"), (self.play, "moment")
        for widget, name in ((self.density_slider, "density"), (self.epochs_slider, "epochs"), *moment):
            self.bind(widget, name)
        self.run = RunButton("Cut and retrain", self._work, lambda _: None, self.fail)
        self.forget_button = widgets.Button(description="Forget the runs")
        self.forget_button.on_click(self.guard(lambda _: self.forget()))
        choices = (self.net_choice, "index"), (self.method_choice, "index"), (self.density_slider, "value")
        self.ghost = Ghost(choices, self.caption)  # in the picture an earlier run keeps its line
        self.figure_view = FigureImage(*self._make_figure(), alt="three weight histograms; error over steps")
        return [
            row(self.net_choice, self.layer_choice, self.method_choice),
            row(self.density_slider, self.epochs_slider),
            row(self.run, self.forget_button),
            self.figure_view,
            row(self.play, self.moment_slider),
            self.ghost,
        ]

    def _axes(self):
        figure, grid = theme.figure(11, 6.6, rows=2, columns=3)
        for ax in grid[1]:
            ax.remove()
        return figure, grid[0], figure.add_subplot(grid[1, 0].get_gridspec()[1, :])

    def _make_figure(self):
        figure, self.histogram_axes, self.error_axes = self._axes()
        self.artists = figures.three_histograms(self.histogram_axes, *self.histograms())
        self.lines = self._draw_runs(self.error_axes)
        ring = {"marker": "o", "markersize": 16, "markerfacecolor": "none", "markeredgecolor": "black"}
        (self.dot,) = self.error_axes.plot([], [], linestyle="", markeredgewidth=2, **ring)
        self._drawn, self._cut_at = self._look(), (self.layer, self.density)
        return figure, [self.artists["bars"][2], *self.lines, self.dot]

    def _draw_runs(self, axes):
        runs = self._comparable()
        figures.step_axes(axes, max((run.total for run in runs), default=self._steps()), self.dense()[1])
        lines = [figures.run_line(axes, i, r.label, r.steps, r.errors) for i, r in enumerate(runs)]
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=1 + MOST_RUNS, columnspacing=1.2)
        return lines

    def _look(self):
        """What decides the lines of the lower axes: when it changes they are drawn anew."""
        runs = self._comparable()
        return self.net, [id(run) for run in runs], self._steps() if not runs else 0

    def _comparable(self):
        """The runs of the net on show: another net's error stands beside another dense line."""
        return [run for run in self.runs if run.of[0] == self.net]

    def _steps(self):
        return max(1, self.schedule.steps(len(datasets.digits().train)))

    def update(self):
        layers = self.dense()[0]
        check_known("layer", self.layer, layers)
        if tuple(self.layer_choice.options) != tuple(layers):
            self._showing = True  # new options choose their first by themselves
            self.layer_choice.options = list(layers)
            self._showing = False
        self.layer_choice.value = self.layer
        new = self._drawn != self._look()
        if new:
            self.figure_view.adopt(*self._make_figure())
        histograms = self.histograms()
        if self._cut_at != (self.layer, self.density) and not new:
            figures.show_histograms(self.artists, *histograms)
            self.figure_view.redraw()
        self._cut_at = self.layer, self.density
        self.artists["bars"][2].set_data(histograms[3])
        for line, run in zip(self.lines, self._comparable(), strict=True):
            line.set_data(run.steps, run.errors)
        film = self.film
        at = None if film is None else film.at(self.moment)
        self.play.high = 0 if film is None else len(film.steps) - 1
        self.dot.set_data(([], []) if film is None else ([film.steps[at]], [film.errors[at]]))
        self.figure_view.refresh()

    def describe(self):
        weights, dense_error = self.dense()
        each = densities(self.net, self.density / 100)
        kept = joined(", ", (html("{} {:.3g}%", name, 100 * share) for name, share in each.items()))
        _, _, cut, _, threshold = self.histograms()
        whose = {True: " by your own function", False: ""}[self.own]
        if self.prune and self.method == "one cut" and not self.own:
            whose = " (by dcviz: your function returns nothing yet)"
        text = self.say(
            "<b>{net}</b>, dense error {dense_error:.1f}% on 1,000 held-out digits. Kept: {kept}. "
            "In {layer} the cut at |w| &lt; <b>{threshold:.3g}</b>{whose} leaves "
            "<b>{left:,}</b> of {size:,} weights.",
            dense_error=dense_error,
            kept=kept,
            threshold=threshold,
            whose=whose,
            left=int(cut.sum()),
            size=weights[self.layer].size,
        )
        film = self.film
        if film is None:
            return self.say(
                "{text} Not retrained yet: press the button (<i>{method}</i>, {epochs:.3g} epochs, {steps:,} steps).",
                text=text,
                steps=self._steps(),
            )
        at = film.at(self.moment)
        inside, survivors = film.inside[at][self.layer], int(film.counts[at][self.layer].sum())
        share = 100 * inside / max(1, survivors)
        return self.say(
            "{text} After <b>{steps:,}</b> of {total:,} retraining steps (<i>{method}</i>) "
            "the error is <b>{errors:.1f}%</b>, from {start:.1f}% at the start; "
            "<b>{share:.0f}%</b> of {layer}'s remaining weights now lie inside the old threshold.",
            text=text,
            steps=film.steps[at],
            total=film.total,
            errors=film.errors[at],
            start=film.errors[0],
            share=share,
        )

    def picture(self):
        figure, histograms, errors = self._axes()
        figures.three_histograms(histograms, *self.histograms())
        self._draw_runs(errors)
        return figure

    def _choose_layer(self, change):
        if change["new"] is not None and not self._showing:
            self.layer = change["new"]

    @traitlets.observe("net")
    def _net_changed(self, change):
        if self.layer not in self.dense()[0]:
            self.layer = "fc1"  # both nets have one

    # a run -------------------------------------------------------------------------------------

    def retrain(self):
        """Cut and retrain now, on this thread; returns the error at the end, percent."""
        self.run.start(wait=True)
        return self.film.errors[-1] if self.film else None

    def forget(self):
        """Clear all runs."""
        self.runs, self._film = [], None
        self.refresh()

    def _work(self, progress):
        data = datasets.digits()
        with LOCK:  # settings of one moment: the reader may move on meanwhile
            schedule, total = self.schedule, self._steps()
            dense, each, net = self.dense()[0], densities(self.net, self.density / 100), shipped.dense(self.net)
            masks = {name: self.mask(name) for name in each}
            if self.own:
                constraint = retraining.Masked(net, masks)
            else:
                constraint = retraining.Gradual(net, each, total, **METHODS[self.method])
            label = f"{self.method}, {self.density:.3g}%"
            made_with = {name: getattr(self, name) for name in ("net", "density", "method", "epochs")}
            film = Film(self._wanted(), label, total, made_with)
        edges = {name: edges_of(w) for name, w in dense.items()}
        old = {name: pruning.threshold_from_density(w, each[name]) for name, w in dense.items()}
        with LOCK:
            self.moment = MOMENTS
            self.runs, self._film = [*self.runs[1 - MOST_RUNS :], film], film
        try:
            film.shoot(net, data, schedule, constraint, edges, old, progress, lambda: self._push(film))
        finally:  # also when it was stopped: what has been trained so far stays on show
            with LOCK:
                self._film = None
                self.react()
        return film

    def _push(self, film):
        """Show what has been trained so far, a few times a second."""
        if time.monotonic() - self._pushed > PUSH_SECONDS:
            with LOCK:
                if self._film is film:
                    self.refresh()
            self._pushed = time.monotonic()
