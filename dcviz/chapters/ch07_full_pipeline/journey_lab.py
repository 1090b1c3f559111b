"""One weight of fc1 from the dense net to its bits in the file and back, on one screen."""

from pathlib import Path

import anywidget
import traitlets

from dcviz.chapters.ch07_full_pipeline import figures, journey
from dcviz.labkit import theme
from dcviz.labkit.base import Lab, html, labelled_slider
from dcviz.labkit.controls import SVG, css, script


class JourneyView(anywidget.AnyWidget):
    """The chosen weight's stages, path and bits, drawn in the browser from what Python has tabulated.

    table   one dict for each weight, as `journey.table` makes them;  chosen: which of them is shown
    """

    _esm = script(SVG, Path(__file__).parent / "journey_view.js", style=css())
    table = traitlets.List().tag(sync=True)
    chosen = traitlets.Int(0).tag(sync=True)


class JourneyLab(Lab):
    """Follow one weight through prune, retrain, share, fine-tune and code, to its bits in the shipped file and back.

        JourneyLab()
        JourneyLab(weight=40)          # another of the 64 weights, in the order of the layer

    weight   which of the recorded weights of LeNet-300-100's fc1; three of four are in the file, the others were pruned

    `journey`, a `Journey`, holds the numbers on show. Values on the way are recorded; the dense value, entry, words,
    bits and centroid are read from the shipped files now.
    """

    heading = html("One weight's journey <small>from the dense net to its bits, and back</small>")
    state_names = ("weight",)
    weight = traitlets.Int(5, min=0, max=63)

    def build(self):
        self.slider = labelled_slider("weight", self.weight, 0, len(journey.journeys()) - 1)
        self.bind(self.slider, "weight")
        self.view = JourneyView(table=journey.table())
        self.bind(self.view, "weight", "chosen")
        return [self.slider, self.view]

    def update(self):
        self.journey = journey.journeys()[self.weight]

    def describe(self):
        return journey.story(self.journey)

    def picture(self):
        figure, (top, low) = theme.figure(14, 7.4, rows=2, gridspec_kw={"height_ratios": [3, 2]})
        one = journey.table()[self.weight]
        figures.journey_path(top, one)
        figures.journey_bits(low, one)
        return figure
