"""Draw a digit, and see what LeNet-300-100 reads in it while the share of weights that stays is dragged."""

import base64
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from dcviz.chapters.ch02_pruning import drawn_digit, figures
from dcviz.labkit import theme
from dcviz.labkit.base import Lab, html
from dcviz.labkit.controls import css, script, synced
from dcviz.labkit.inline import inline_slider
from dcviz.labkit.table_film import TableFilm, assembled

ROOM = Path(__file__).parent
PERCENT = np.union1d(np.logspace(0, 2, 101), [*range(1, 21), *range(25, 101, 5)])
"""What is tabulated: the slider's steps, and whole percents for those who type."""

WORDS = (
    "The dense net reads <b>{dense}</b>, with a probability of <b>{dense_share}%</b>. With {kept} of its weights, each "
    "layer's largest, and no retraining it reads <b>{pruned}</b>, with <b>{pruned_share}%</b>."
)
NOTHING = "No ink yet: draw a digit with the mouse, or with Space and the arrow keys. {kept} of the weights stay."


class DigitView(anywidget.AnyWidget):
    """A sheet to draw on, what the net gets to see of it, and how sure two nets are of each digit.

    drawing    784 hexadecimal digits, see `drawn_digit`;  examples: drawings to start from
    shares     probabilities of the ten digits, a list for each net;  labels: what to call the nets
    """

    _esm = script(ROOM / "digit_view.js", style=css() + (ROOM / "digit_view.css").read_text(encoding="utf-8"))
    drawing = synced(traitlets.Unicode(drawn_digit.EMPTY))
    examples = synced(traitlets.List(traitlets.Unicode()))
    shares = synced(traitlets.List())
    labels = synced(traitlets.List(["dense", "pruned"]))


class DigitFilm(TableFilm):
    """What two nets make of a drawing: the browser has the net, and runs it as `drawn_digit` does."""

    _esm = assembled(ROOM / "digit_film.js")


class DigitLab(Lab):
    """Draw a digit; LeNet-300-100, dense and pruned, says what it is.

        DigitLab()
        DigitLab(density=10.0)

    drawing   784 hexadecimal digits, the 28 x 28 pixels row by row, 0 for paper, f for ink
    density   percent of each layer's weights that stays, the largest magnitudes; nothing is retrained

    `dense` and `pruned`, the probabilities of the ten digits, give what the views show.
    """

    heading = html("Draw a digit <small>and prune the net that reads it</small>")
    state_names = ("drawing", "density")
    drawing = traitlets.Unicode()
    density = traitlets.Float(30.0, min=1, max=100)

    @traitlets.default("drawing")
    def _first(self):
        return drawn_digit.examples()[4]

    @traitlets.validate("drawing")
    def _drawn(self, proposal):
        if not drawn_digit.is_drawing(proposal["value"]):
            raise traitlets.TraitError("drawing must be 784 hexadecimal digits")
        return proposal["value"]

    def build(self):
        self.view = DigitView(examples=list(drawn_digit.examples()))
        self.bind(self.view, "drawing", "drawing")
        self.slider = inline_slider("density", self.density, 1.0, 100.0, 0.02, log=True, unit="%")
        self.bind(self.slider, "density")
        self.film = DigitFilm(
            {"density": (self.slider, "value"), "drawing": (self.view, "drawing")},
            [(self.caption, "value"), (self.view, "shares")],
        )
        return [self.slider, self.view, self.film]

    def update(self):
        cuts, self.kept = cut(self.density / 100)
        self.dense = drawn_digit.probabilities(self.drawing, [0.0] * len(cuts))
        self.pruned = drawn_digit.probabilities(self.drawing, cuts)
        self.view.shares = [self.dense.tolist(), self.pruned.tolist()]

    def tabulate(self):
        self.film.shoot("once", self._table)

    def _table(self):
        layers = []
        for layer in drawn_digit.layers():
            codes = base64.b64encode(layer.codes.astype("<i2").tobytes()).decode("ascii")
            outputs, inputs = layer.codes.shape
            layers.append(
                {"outputs": outputs, "inputs": inputs, "codes": codes, "step": layer.step, "bias": layer.bias.tolist()}
            )
        cuts = [[float(percent), *cut(percent / 100)] for percent in PERCENT]
        return {"layers": layers, "cuts": cuts, "words": WORDS, "nothing": NOTHING, "ink": drawn_digit.INK}

    def describe(self):
        if self.drawing == drawn_digit.EMPTY:
            return html(NOTHING, kept=self.kept)
        nets = {"dense": self.dense, "pruned": self.pruned}
        said = {name: int(shares.argmax()) for name, shares in nets.items()}
        sure = {f"{name}_share": f"{100 * shares.max():.1f}" for name, shares in nets.items()}
        return html(WORDS, kept=self.kept, **said, **sure)

    def picture(self):
        figure, axes = theme.figure(12, 4.6, columns=2, width_ratios=(1, 2))
        figures.drawn_digit(*axes, drawn_digit.levels(self.drawing), {"dense": self.dense, "pruned": self.pruned})
        return figure


def cut(density):
    """(thresholds of the layers, what stays in words) for a density."""
    cuts = drawn_digit.thresholds(density)
    kept, size = drawn_digit.kept(cuts)
    return cuts, f"all {size:,}" if density == 1 else f"{kept:,} ({100 * density:.3g}%)"
