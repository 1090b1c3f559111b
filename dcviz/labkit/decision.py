"""Exercises with many right answers: choices that make a real file, scored by its bytes and improved for ever."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from dcviz.errors import DcvizError
from dcviz.labkit import learner
from dcviz.labkit.check import Check, CheckFailed, Result, short


@dataclass(frozen=True, repr=False)
class Scored(Result):
    """A ``Result`` with its score, in bytes: fewer is better. None where the exercise is not passed."""

    score: int | None = None


def by_layer(fc1, fc2, fc3):
    """The answer of a learner who chose these for the layers of LeNet-300-100: a function that returns them."""
    return lambda: {"fc1": fc1, "fc2": fc2, "fc3": fc3}


class Decision(Check):
    """An exercise that is passed when a real file has at most ``budget`` bytes and its net at most ``limit`` % errors.

    outcome(answers) -> ``choices.Outcome`` of what the learner's function gave for each input; a DcvizError of it says
    what is wrong with the choice. The smallest file is kept in the learner's own file, and told with the next try.

    ``solution`` is one right answer, not the best one. ``score`` says in words what the bytes are.
    """

    def __init__(self, name, *, spec, solution, mistakes, outcome, budget, limit=None, inputs=None, **more):
        self.score = more.pop("score", "the file has")
        self.outcome, self.budget, self.limit = outcome, budget, limit
        super().__init__(
            name, spec=spec, solution=solution, inputs=inputs or (lambda rng: [()]), mistakes=mistakes, **more
        )

    def __call__(self, function):
        """``Scored``, as ``Check``; a score that is better than any before is kept."""
        result, key = super().__call__(function), self.key
        if not result.passed or key is None:
            return result
        best = learner.recorded(learner.BEST).get(key)
        best = best if type(best) is int else None  # the file is the learner's to edit
        if best is not None and best <= result.score:
            told = "as good as your best" if best == result.score else f"your best is {best:,} bytes"
        else:
            told = "your best so far" if best is None else f"your new best; it was {best:,} bytes"
            learner.record(learner.BEST, key, result.score)
        return dataclasses.replace(result, message=f"{result.message} That is {told}. Can you do with fewer?")

    def verdict(self, function):
        """``Scored`` if the choice is good enough or not made yet; CheckFailed if it is not. Nothing is kept."""
        cases, answers = self.inputs(np.random.default_rng(0)), []
        for number, arguments in enumerate(cases):
            yours = self._run(function, arguments)
            if self._untried(function, number, yours, arguments):
                return Scored(self.name, False, f"not tried yet. {self.spec}")
            answers.append(yours)
        try:
            found = self.outcome(answers)
        except DcvizError as error:
            self._reject(function, cases, answers, f"{error}")
        text = f"{self.score} {found.file_bytes:,} bytes (at most {self.budget:,})"
        if self.limit is not None:
            text += f", the error is {found.error_percent:.1f}% (at most {self.limit:.1f}%)"
        if found.file_bytes > self.budget or (self.limit is not None and found.error_percent > self.limit):
            self._reject(function, cases, answers, text)
        return Scored(self.name, True, f"{text}.", score=int(found.file_bytes))

    def _reject(self, function, cases, answers, text):
        why = self._diagnosis(function, cases)
        message = [f"{why}: {text}." if why else f"not good enough: {text}.", f"  task:   {self.spec}"]
        message.append(f"  yours:  {short(answers[0] if len(answers) == 1 else answers)}")
        raise CheckFailed("\n".join(message))
