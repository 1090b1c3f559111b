"""Cut a language model without retraining it: which score, how many weights, and what it still writes."""

import ipywidgets as widgets
import traitlets

from dcviz.chapters.ch12_today import figures, measure, scores
from dcviz.evidence import recordings
from dcviz.labkit import theme
from dcviz.labkit.base import FigureImage, Lab, html, row, words
from dcviz.labkit.markup import coded, signed

MOST = 3.0
"""Largest error on the axis, bits a character; beyond it a point stands at the edge, and the caption says where."""


class WandaLab(Lab):
    """The language model, pruned at once in the way that you choose: its error, and a sentence that it writes.

        WandaLab()                                          # by magnitude, 80% of the weights kept
        WandaLab(way="Wanda, each output", kept=50)
        WandaLab(way="corrected", two_of_four=True)

    State: ``way``, one of ``scores.WAYS``; ``kept``, percent of every layer's weights; ``two_of_four``: two of every
    four neighbours stay. ``point`` is the recorded row, None where none was recorded.
    """

    heading = html("Pruned at once <small>a score, a share, and no retraining</small>")
    state_names = ("way", "kept", "two_of_four")

    way = traitlets.Enum(scores.WAYS, scores.WAYS[0])
    kept = traitlets.Enum(tuple(round(100 * density) for density in measure.DENSITIES), 80)
    two_of_four = traitlets.Bool(False)

    def __init__(self, **state):
        self.recorded = recordings.load("today_pruning")
        self.dense = self.recorded.rows[0]
        super().__init__(**state)

    def build(self):
        choose = {"style": {"description_width": "initial"}, "layout": {"width": "auto"}}
        way = widgets.Dropdown(options=scores.WAYS, description="score", value=self.way, **choose)
        options = [(f"{kept}%", kept) for kept in self.traits()["kept"].values]
        self.kept_choice = widgets.Dropdown(options=options, description="weights kept", value=self.kept, **choose)
        pattern = widgets.Checkbox(self.two_of_four, description="2:4 sparsity", indent=False, **choose)
        self.bind_all(way=way, kept=self.kept_choice, two_of_four=pattern)
        figure = self._figure()
        self.view = FigureImage(figure, alt="bits a character against the share of weights kept, for the chosen score")
        return [row(way, self.kept_choice, pattern), self.view]

    def rows_of(self, way):
        """The recorded rows of a way with free choice of weights."""
        return [row for row in self.recorded.rows if row["way"] == way and row["pattern"] == "free"]

    @property
    def point(self):
        """The recorded row of what is chosen, or None."""
        wanted = ("2:4", 0.5) if self.two_of_four else ("free", self.kept / 100)
        rows = (row for row in self.recorded.rows if row["way"] == self.way)
        return next((row for row in rows if (row["pattern"], row["density"]) == wanted), None)

    def best(self, kept=50):
        """The way with the smallest recorded error at ``kept`` percent, among those that move no weight."""
        errors = {
            way: row["bits_per_character"]
            for way in scores.WAYS[:-1]
            for row in self.rows_of(way)
            if row["density"] == kept / 100
        }
        return min(errors, key=errors.get)

    def update(self):
        self.kept_choice.disabled = self.two_of_four  # of every four two stay: half
        self.view.adopt(self._figure())

    def _figure(self):
        figure, axes = theme.figure(11, 4.8)
        figures.pruning_axes(axes, self.dense["bits_per_character"], MOST)
        figures.pruning_curve(axes, self.rows_of(self.way), self.way)
        if self.point is not None:
            at = self.point["density"], min(self.point["bits_per_character"], 0.98 * MOST)
            axes.plot(*at, label="here", **theme.line_style("guess", linestyle="", markersize=18))
        axes.legend(loc="upper left")
        return figure

    def describe(self):
        what = "2:4, two of every four" if self.two_of_four else f"{self.kept}% of the weights"
        text = html("<b>{}</b>, {} kept: ", self.way, what)
        if self.point is None:
            return text + f"not recorded with 2:4; {len(self.recorded.rows)} other ways are. "
        error = self.point["bits_per_character"]
        return text + html(
            "<b>{error:.3f} bits a character</b>, {more} to the whole model ({note}). It writes: <i>{sentence}</i>",
            error=error,
            more=signed(error - self.dense["bits_per_character"]),
            note=coded(self.recorded.note),
            sentence=words(self.point["sentence"]),
        )

    def picture(self):
        return self._figure()
