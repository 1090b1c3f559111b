"""Predict first: a question keeps its answer back until there is a guess, then shows both side by side."""

import inspect
import numbers

import ipywidgets as widgets
import traitlets

from dcviz.labkit import learner
from dcviz.labkit.controls import Caption, labelled_slider, row
from dcviz.labkit.lifetime import held_weakly, hold_shown
from dcviz.labkit.markup import html, number, words

ASKED = "The question: "
"""What a cell that waits says before the words of its question."""


class Prediction(widgets.VBox):
    """A question to answer before using a lab; text, or Markup made by `html`.

        Prediction("What share of fc1 can go, at no loss?", low=0, high=100, unit="%", key="ch2-fc1")
        Prediction("Which layer suffers first?", options=["conv1", "fc1"], truth=measure.first, key="ch2-layer")

    Give it to a lab, `PruningLab(..., prediction=p)`: the lab waits, its controls switched off, until the learner
    records a guess or asks to be shown without one. Then guess and truth stand side by side. `truth` is a number or
    option, or a function that gives one (or None for "not yet"): of the lab, None if the question stands alone, or of
    nothing. It answers the question's own setting, whatever the lab is at. `at` is that setting, {state: value}: the
    lab opens elsewhere, where it does not tell, and goes there with the answer.

    `guess` is None until the learner records one; it is kept under `key` in the learner's own file. `answered` says
    that the truth may be shown. What a cell after the question tells goes through `then`.
    """

    guess = traitlets.Any(None, allow_none=True)
    answered = traitlets.Bool(False, help="True once there is a guess, or the learner asked to be shown")
    all_answered = False
    """True in editions that show everything; set by `open_all`."""

    @held_weakly()
    def __init__(self, question, *, options=None, low=0, high=100, step=None, unit="", key=None, truth=None, at=None):
        self.question, self.unit, self.key, self.truth, self.at = question, unit, key, truth, at or {}
        self.options = None if options is None else list(options)
        if self.options is None:
            if unit == "%":
                low, high = float(low), float(high)  # half a percent is a guess, too
            start = type(low)((low + high) / 2)
            self.entry = labelled_slider("Your guess", start, low, high, step, unit=unit)
        else:
            self.entry = widgets.RadioButtons(options=self.options, value=None, layout=widgets.Layout(width="auto"))
        self.record = widgets.Button(description="Record my guess", button_style="primary")
        self.show = widgets.Button(description="Show me without guessing")
        self.show.add_class("dcviz-show")
        for part in self.entry.ends if self.options is None else [self.entry]:  # what can be moved is no guess any more
            traitlets.dlink((self.record, "disabled"), (part, "disabled"))
        self.note = Caption(kind="truth")
        self.lab = self._told = None
        super().__init__(
            [
                Caption(html("<b>Predict:</b> {}", words(question)), kind="question"),
                self.entry,
                row(self.record, self.show),
                self.note,
            ]
        )
        self.add_class("dcviz")
        self.add_class("dcviz-prediction")
        self.record.on_click(lambda _: self.record.disabled or self.commit())  # a double click guesses once
        self.show.on_click(lambda _: self.give_up())
        before = learner.recorded(learner.PREDICTIONS).get(key)
        if before is not None and self._possible(before):
            self.entry.value = self.guess = before
            self.note.value = f"You said {self._say(self.guess)} before."
        if self.guess is not None or key in learner.recorded(learner.SHOWN):
            self.record.disabled = True  # the truth was to be seen then
            self.note.value = self.note.value or "You have seen the answer before."
            self._answer()
            if not callable(truth):  # else it may be a lab's
                self.reveal()
        elif self.all_answered:
            self.answered = True

    @classmethod
    def open_all(cls):
        """Show every answer from the start: for the editions of instructors."""
        cls.all_answered = True

    @classmethod
    def told(cls, key):
        """Whether a question of another chapter has its answer: for one number of a table there that gives it."""
        kept = learner.recorded(learner.PREDICTIONS).keys() | learner.recorded(learner.SHOWN).keys()
        return cls.all_answered or key in kept

    def commit(self, guess=None):
        """Record `guess`, or what the entry shows now; once the truth was shown, no more: the button is off."""
        if self.record.disabled:
            self.note.value = "You have seen the answer: a guess now would be none."
            return
        if guess is not None:
            self.entry.value = guess
        if self.entry.value is None:
            self.note.value = "Choose one first."
            return
        self.guess = self.entry.value
        why = "" if self.key is None else learner.record(learner.PREDICTIONS, self.key, self.guess)
        lost = f" (Only until the kernel stops: {why}.)" if why else ""
        self.note.value = f"Recorded: {self._say(self.guess)}.{lost}"
        self._answer()
        self.reveal(self.lab, more=lost)

    def give_up(self):
        """Show the answer without a guess."""
        self.record.disabled = True
        if self.key is not None:
            learner.record(learner.SHOWN, self.key, True)
        self._answer()
        self.reveal(self.lab)

    def then(self, show):
        """What ``show()`` gives, once the question is answered; before that, one line that says what to do.

        For cells that tell the answer: ``guess.then(lambda: tables.reading())``.
        """
        if self.answered:
            return show()
        print("Record your guess above (or press “Show me without guessing”), then run this cell again.")
        print(f"{ASKED}{self.question}")
        return None

    def tell(self):
        """Print the truth, once the question is answered and there is one."""

        def say():
            truth = self._truth_of(self.lab)
            if truth is not None:
                self.reveal(self.lab)
                print(f"It is {self._say(truth)}.")

        self.then(say)

    def reveal(self, lab=None, more=""):
        """Show the truth beside the guess, if the question is answered; labs call it when they are used."""
        truth = self._truth_of(lab) if self.answered else None
        unasked = self.guess is None and not self.show.disabled  # all answers are open: this one waits for its button
        if truth is None or unasked:
            return
        if self.guess is None:
            text = f"It is {self._say(truth)}. (You made no guess.)"
        else:
            text = f"You guessed {self._say(self.guess)}; it is {self._say(truth)}{self._off_by(truth)}"
        self.note.value = text + more
        self.record.disabled = True

    def __repr__(self):
        return f"Prediction({self.question!r})"

    def _repr_mimebundle_(self, **kwargs):
        hold_shown(self)
        return {**super()._repr_mimebundle_(**kwargs), "text/plain": repr(self)}

    def _answer(self):
        self.show.disabled = True
        self.answered = True

    def _truth_of(self, lab):
        if not callable(self.truth):
            return self.truth
        if self._told is None or not self.at:  # at the question's setting, where the lab is now; it may be moved later
            self._told = self.truth(lab) if inspect.signature(self.truth).parameters else self.truth()
        return self._told

    def _off_by(self, truth):
        if not isinstance(truth, numbers.Number):
            return ". ✓ right" if truth == self.guess else ". ✗ not this time"
        off = float(f"{self.guess - truth:.4g}")
        way = f"too {'high' if off > 0 else 'low'}"
        by = f"{abs(off):g} points" if self.unit == "%" else self._say(abs(off))
        return ", exactly." if off == 0 else f": {by} {way}."

    def _possible(self, guess):
        if self.options is not None:
            return guess in self.options
        low, high = self.entry.slider.min, self.entry.slider.max
        return isinstance(guess, numbers.Real) and low <= guess <= high

    def _say(self, value):
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            return f"“{value}”"
        space = "" if self.unit in ("", "%", "x", "×") else " "
        unit = self.unit[:-1] if value == 1 and self.unit in ("bits", "bytes", "steps", "times") else self.unit
        return f"{number(value, 4) if abs(float(value)) < 1e4 else format(value, ',.0f')}{space}{unit}"
