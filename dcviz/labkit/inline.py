"""Controls that stand side by side in a row, only as wide as they need to be."""

import math

import ipywidgets as widgets
import traitlets

from dcviz.labkit.base import LabelledSlider, labelled_slider
from dcviz.labkit.controls import NumberEntry


def inline_slider(label, value, low, high, step=None, **more):
    """`labelled_slider` with a label as short as its text."""
    return _short(labelled_slider(label, value, low, high, step, **more))


def choice_buttons(options, description):
    """A few options as buttons beside their label."""
    layout = {"width": "max-content", "flex_flow": "row nowrap"}
    buttons = widgets.ToggleButtons(options=options, description=description, layout=layout)
    buttons.style.description_width = "initial"
    buttons.style.button_width = "auto"
    return buttons


class LogSlider(LabelledSlider):
    """A whole number over many powers of ten: the slider moves its logarithm, the entry takes it exactly."""

    STEPS = 50  # of the slider in a power of ten

    def __init__(self, label, value, low, high, width="300px"):
        self.low, self.high = low, high
        slider = widgets.IntSlider(
            self._place(value),
            self._place(low),
            self._place(high),
            readout=False,
            layout={"width": width},
            tooltip=label,
        )
        entry = NumberEntry(value, low, high, whole=True, field="130px", tooltip=f"{label}, as a number")
        widgets.HBox.__init__(self, [widgets.Label(label), slider, entry])
        self.slider, self.entry, self.value = slider, entry, value
        self.add_class("dcviz-row")
        self.add_class("dcviz-slider")
        traitlets.link((self, "value"), (entry, "value"))
        self.observe(lambda change: slider.set_trait("value", self._place(change["new"])), "value")
        slider.observe(self._slid, "value")
        _short(self)

    @property
    def ends(self):
        """The widget that holds the number itself; the slider holds its logarithm."""
        return [self.entry]

    def _place(self, value):
        return round(self.STEPS * math.log10(value))

    def at(self, place):
        """The number that a place of the slider stands for."""
        value = 10 ** (place / self.STEPS)
        return min(max(round(float(f"{value:.3g}")), self.low), self.high)

    def _slid(self, change):
        if change["new"] != self._place(self.value):  # else it only follows the value
            self.value = self.at(change["new"])


def _short(slider):
    slider.children[0].layout = {"width": "auto", "min_width": "0"}
    return slider
