"""Fig. 3 with every number editable: sixteen weights share four values, and one gradient moves each value."""

from pathlib import Path

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.chapters.ch05_trained_quantization.figures import figure3, number
from dcviz.evidence import paper
from dcviz.ideas.kmeans import assign, kmeans
from dcviz.ideas.shared_values import first_order_change, gradient_step, mean_gradient, reduce_gradient
from dcviz.labkit import theme
from dcviz.labkit.base import Lab, html, row
from dcviz.labkit.controls import HERE, css, script, synced
from dcviz.labkit.inline import choice_buttons, inline_slider
from dcviz.labkit.markup import signed
from dcviz.labkit.table_film import TableFilm, assembled

ROOM = Path(__file__).parent
SIDE, K = 4, 4
REDUCE = ("sum", "mean")
WORDS = (
    "Cluster {i} owns {members} weights. Its gradient by {reduce}: {how} = <b>{number}</b>; "
    "{centroid} − {rate} × {number} = <b>{tuned}</b>. Loss changes by about <b>{change}</b>. "
    "Stored: {n} codes of 2 bits and {size} values instead of {n} values.{note}"
)
HOW = {"sum": "{written}", "mean": "({written}) / {members}"}
NOTE = " These are Fig. 3's numbers."
"""What the caption says; the browser fills in the same words."""


def _numbers():
    return synced(traitlets.List(traitlets.Float()))


class GradientView(anywidget.AnyWidget):
    """Fig. 3 as tables: weights and gradients can be edited, everything else is shown as Python computed it."""

    _esm = script(HERE / "typed.js", ROOM / "two_decimals.js", ROOM / "gradient_view.js", style=css())
    weights, gradients, centroids, reduced, tuned = (_numbers() for _ in range(5))
    codes = synced(traitlets.List(traitlets.Int()))
    cell = synced(traitlets.Int(-1))
    reduce = synced(traitlets.Unicode("sum"))
    learning_rate = synced(traitlets.Float(1.0))


class GradientFilm(TableFilm):
    """Sums, new values and caption from what each of the sixteen gradients adds to every number.

    Python takes one gradient of 1 at a time through equation 3 and the step, and all of it is linear in the gradients.
    So the browser, which has no formula, adds up the learner's own ones, and Python says the same on its way.
    """

    _esm = assembled(ROOM / "two_decimals.js", ROOM / "gradient_film.js")


class GradientLab(Lab):
    """One step of training shared weights, on the paper's 4 x 4 example; change any number and watch.

        GradientLab()                             # exactly Fig. 3
        GradientLab(learning_rate=0.5, reduce="mean")

    weights, gradients   16 numbers each, row by row; the codebook is the weights' k-means with k = 4
    kept_codes           the codes, once a step was written back: they stay, whatever the values do; else []
    cell                 which of the 16 was changed last: the caption speaks of its cluster; -1: of the largest
    reduce               "sum" (equation 3) or "mean", to see what goes wrong

    Reads `codes`, `centroids`, `reduced`, `tuned` give what the view shows, `predicted_change` what a loss with
    these gradients changes by when the new centroids are written back.
    """

    heading = html("One step of trained quantization <small>Fig. 3: click a number and change it</small>")
    state_names = ("weights", "gradients", "learning_rate", "reduce", "kept_codes", "cell")

    weights = traitlets.List(traitlets.Float())
    gradients = traitlets.List(traitlets.Float())
    learning_rate = traitlets.Float(1.0, min=0)
    reduce = traitlets.Enum(REDUCE, default_value="sum")
    kept_codes = traitlets.List(traitlets.Int())
    cell = traitlets.Int(-1, min=-1, max=SIDE**2 - 1)

    def __init__(self, *, weights=None, gradients=None, **more):
        quoted = paper.table("figure3_weight_sharing_example")
        weights = np.ravel(quoted["weights"] if weights is None else weights)
        gradients = np.ravel(quoted["gradient"] if gradients is None else gradients)
        self._quoted, self._stepping = quoted, False
        super().__init__(weights=_floats(weights), gradients=_floats(gradients), **more)

    def build(self):
        self.view = GradientView()
        self.bind(self.view, "weights", "weights")
        self.bind(self.view, "gradients", "gradients")
        self.observe(self._edited, ["weights", "gradients"])
        self.bind(self.view, "cell", "cell")
        self.rate_slider = inline_slider("learning rate", self.learning_rate, 0.0, 5.0, 0.05)
        self.bind(self.rate_slider, "learning_rate")
        self.reduce_choice = choice_buttons(REDUCE, "reduce by")
        self.bind(self.reduce_choice, "reduce")
        self.reset_button = widgets.Button(description="Back to Fig. 3")
        self.reset_button.on_click(self.guard(lambda _: self.reset()))
        self.keep_button = widgets.Button(description="Write the new values back, step again")
        self.keep_button.on_click(self.guard(lambda _: self.step()))
        controls = row(self.rate_slider, self.reduce_choice, self.keep_button, self.reset_button)
        self.film = GradientFilm(
            {
                "gradients": (self.view, "gradients"),
                "learning_rate": (self.rate_slider, "value"),
                "reduce": (self.reduce_choice, "index"),
                "cell": (self.view, "cell"),
            },
            [(self.caption, "value"), *((self.view, name) for name in ("reduced", "tuned", "reduce", "learning_rate"))],
        )
        return [self.view, controls, self.film]

    def update(self):
        weights = np.array(self.weights)
        if self.kept_codes:
            self.codes = np.array(self.kept_codes)
            self.sizes = np.bincount(self.codes)
            self.centroids = np.bincount(self.codes, weights) / np.maximum(self.sizes, 1)
        else:
            distinct = np.unique(weights)
            self.centroids = distinct if distinct.size <= K else kmeans(weights, K).centroids
            self.codes = assign(weights, self.centroids)
            self.sizes = np.bincount(self.codes, minlength=self.centroids.size)
        self.reduced, self.tuned = self._step(self.gradients, self.reduce, self.learning_rate)
        with self.view.hold_sync():
            self.view.codes = [int(c) for c in self.codes]
            for name in ("centroids", "reduced", "tuned"):
                setattr(self.view, name, _floats(getattr(self, name)))
            self.view.reduce, self.view.learning_rate = self.reduce, self.learning_rate

    def _step(self, gradients, reduce, learning_rate):
        """(gradient of each shared value, its new value) of one step."""
        by = {"sum": reduce_gradient, "mean": mean_gradient}[reduce]
        reduced = by(gradients, self.codes, self.centroids.size)
        return reduced, gradient_step(self.centroids, reduced, learning_rate)

    def tabulate(self):
        self.film.shoot((self.weights, self.kept_codes), self._table)

    def _table(self):
        ones = np.eye(len(self.weights))
        ways = []
        for reduce in REDUCE:
            steps = [self._step(one, reduce, 1.0) for one in ones]
            change = [[first_order_change(one, self.centroids, t, self.codes) for _, t in steps] for one in ones]
            ways.append(
                {
                    "name": reduce,
                    "how": HOW[reduce],
                    "reduced": np.transpose([reduced for reduced, _ in steps]).tolist(),
                    "moved": np.transpose([tuned - self.centroids for _, tuned in steps]).tolist(),
                    "change": change,
                }
            )
        quoted = _state_of(self._quoted)
        theirs = self.weights == quoted["weights"] and not self.kept_codes
        return {
            "codes": self.codes.tolist(),
            "centroids": self.centroids.tolist(),
            "largest": int(np.argmax(self.sizes)),
            "ways": ways,
            "words": WORDS.replace("{n}", str(len(self.weights))).replace("{size}", str(self.centroids.size)),
            "note": NOTE,
            "quoted": quoted["gradients"] if theirs else None,
        }

    @property
    def predicted_change(self):
        """Change of the loss, to first order: each of the 16 weights' gradient times its own move, added up."""
        return first_order_change(self.gradients, self.centroids, self.tuned, self.codes)

    def describe(self):
        i = int(np.argmax(self.sizes) if self.cell < 0 else self.codes[self.cell])  # the largest shows most
        members = np.array(self.gradients)[self.codes == i]
        written = " + ".join(f"({number(g)})" if g < 0 else number(g) for g in members)
        same = self.state() == _state_of(self._quoted) | {"cell": self.cell}
        return self.say(
            WORDS,
            i=i,
            members=len(members),
            how=HOW[self.reduce].format(written=written, members=len(members)),
            number=number(self.reduced[i]),
            centroid=number(self.centroids[i]),
            rate=f"{self.learning_rate:g}",
            tuned=number(self.tuned[i]),
            change=signed(self.predicted_change, 4),
            n=len(self.weights),
            size=self.centroids.size,
            note=NOTE if same else "",
        )

    def picture(self):
        figure, axes = theme.figure(13, 7.6)
        square = {name: np.array(getattr(self, name)).reshape(SIDE, SIDE) for name in ("weights", "gradients", "codes")}
        rest = ("centroids", "reduced", "tuned", "learning_rate", "reduce")
        figure3(axes, square | {name: getattr(self, name) for name in rest})
        return figure

    def reset(self):
        """Back to the numbers of Fig. 3."""
        with self.hold_trait_notifications():
            for name, value in _state_of(self._quoted).items():
                setattr(self, name, value)
        self.cell = -1

    def step(self):
        """Write each weight's new shared value back as the weight; the codes stay."""
        self._stepping = True
        try:
            with self.hold_trait_notifications():
                self.kept_codes = [int(c) for c in self.codes]
                self.weights = _floats(self.tuned[self.codes])
        finally:
            self._stepping = False

    def _edited(self, change):
        changed = np.flatnonzero(np.array(change["old"]) != np.array(change["new"]))
        if changed.size == 1:
            self.cell = int(changed[0])
        if change["name"] == "weights" and not self._stepping:  # another weight by hand: cluster anew
            self.kept_codes = []


def _state_of(quoted):
    return {
        "weights": _floats(np.ravel(quoted["weights"])),
        "gradients": _floats(np.ravel(quoted["gradient"])),
        "learning_rate": 1.0,
        "reduce": "sum",
        "kept_codes": [],
    }


def _floats(values):
    return [float(f"{v:.6g}") for v in values]
