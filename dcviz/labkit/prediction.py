"""Predict first: a question with the learner's guess, kept and later shown beside the truth."""

import numbers

import ipywidgets as widgets
import traitlets

from dcviz.labkit import learner
from dcviz.labkit.controls import Caption, labelled_slider, row
from dcviz.labkit.lifetime import held_weakly, hold_shown
from dcviz.labkit.markup import html, words


class Prediction(widgets.VBox):
    """A question to answer before using a lab; text, or Markup made by `html`.

        Prediction("What share of fc1 can go, at no loss?", low=0, high=100, unit="%", key="ch2-fc1")
        Prediction("Which layer suffers first?", options=["conv1", "fc1"], truth="conv1", key="ch2-layer")

    Give it to a lab, `PruningLab(..., prediction=p)`; the lab reveals the truth once it is used. `truth` is
    a number or option, or a function of the lab that gives one (or None for "not yet").
    `guess` is None until the learner records one; it is kept under `key` in the learner's own file.
    """

    guess = traitlets.Any(None, allow_none=True)

    @held_weakly()
    def __init__(self, question, *, options=None, low=0, high=100, step=None, unit="", key=None, truth=None):
        self.question, self.unit, self.key, self.truth = question, unit, key, truth
        self.options = None if options is None else list(options)
        if self.options is None:
            start = type(low)((low + high) / 2)
            self.entry = labelled_slider("Your guess", start, low, high, step, unit=unit)
        else:
            self.entry = widgets.RadioButtons(options=self.options, layout=widgets.Layout(width="auto"))
        self.record = widgets.Button(description="Record my guess", button_style="primary")
        self.note = Caption(kind="truth")
        super().__init__(
            [
                Caption(html("<b>Predict:</b> {}", words(question)), kind="question"),
                self.entry,
                row(self.record),
                self.note,
            ]
        )
        self.add_class("dcviz")
        self.add_class("dcviz-prediction")
        self.record.on_click(lambda _: self.commit())
        before = None if key is None else learner.recorded(learner.PREDICTIONS).get(key)
        if before is not None and self._possible(before):
            self.entry.value = self.guess = before
            self.note.value = f"You said {self._say(self.guess)} before; record again to change it."

    def commit(self, guess=None):
        """Record `guess`, or what the entry shows now."""
        if guess is not None:
            self.entry.value = guess
        self.guess = self.entry.value
        why = "" if self.key is None else learner.record(learner.PREDICTIONS, self.key, self.guess)
        lost = f" (Only until the kernel stops: {why}.)" if why else ""
        self.note.value = f"Recorded: {self._say(self.guess)}.{lost}"

    def tell(self, lab=None):
        """Reveal the truth and print it; print nothing while there is none. For lectures."""
        truth = self._truth_of(lab)
        if truth is not None:
            self.reveal(lab)
            print(f"It is {self._say(truth)}.")

    def reveal(self, lab):
        """Show the truth beside the guess; labs call it once they are used."""
        truth = self._truth_of(lab)
        if truth is None:
            return
        if self.guess is None:
            text = f"It is {self._say(truth)}. (You made no guess.)"
        elif isinstance(truth, numbers.Number):
            text = f"You guessed {self._say(self.guess)}; it is {self._say(truth)}."
        else:
            sign = "✓ right" if truth == self.guess else "✗ not this time"
            text = f"You guessed {self._say(self.guess)}; it is {self._say(truth)}. {sign}"
        self.note.value = text

    def __repr__(self):
        return f"Prediction({self.question!r})"

    def _repr_mimebundle_(self, **kwargs):
        hold_shown(self)
        return {**super()._repr_mimebundle_(**kwargs), "text/plain": repr(self)}

    def _truth_of(self, lab):
        return self.truth(lab) if callable(self.truth) else self.truth

    def _possible(self, guess):
        if self.options is not None:
            return guess in self.options
        low, high = self.entry.slider.min, self.entry.slider.max
        return isinstance(guess, numbers.Real) and low <= guess <= high

    def _say(self, value):
        if not isinstance(value, numbers.Number) or isinstance(value, bool):
            return f"“{value}”"
        return f"{value:.4g} {self.unit}".strip()
