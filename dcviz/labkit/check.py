"""Exercises' checkers: try a learner's function on random and nasty inputs, and name the likely mistake.

A check in ten lines::

    prune = Check(
        "prune",
        spec="Return a copy of `weights` with everything smaller than `threshold` in magnitude set to zero.",
        solution=lambda weights, threshold: np.where(np.abs(weights) >= threshold, weights, 0),
        inputs=lambda rng: [(rng.normal(size=(3, 4)), 0.5), (np.zeros(3), 0.1)],
        mistakes={"you compare the weight, not its magnitude": lambda w, t: np.where(w >= t, w, 0)},
    )

Then ``checks.prune(my_prune)`` passes, says that nothing has been tried yet, or raises ``CheckFailed`` with the
spec, the input, what came out, what was meant, and the mistake if it is a known one. The mistakes are also the
wrong answers that the check must reject; a test holds every check to that.
"""

import copy
import re
import sys
from dataclasses import dataclass

import numpy as np

from dcviz.errors import DcvizError
from dcviz.labkit import learner
from dcviz.labkit.markup import html, words


def prefix(room):
    """What the keys of a chapter's exercises begin with: prefix("ch02_pruning") -> "pruning"."""
    name = re.sub(r"^ch\d\d_", "", room)
    return {"speed_and_energy": "speed"}.get(name, name)  # as the files of earlier learners have it


class CheckFailed(DcvizError, AssertionError):
    """An exercise's answer is wrong; the message says how and, where it is known, why."""

    def _render_traceback_(self):  # IPython shows the lesson, not our stack
        return [f"Not yet: {self}"]


@dataclass(frozen=True)
class Result:
    """Outcome of a check that did not fail: ``passed`` is True, or False if nothing was tried yet."""

    name: str
    passed: bool
    message: str

    def __repr__(self):
        return f"{'✔' if self.passed else '○'} {self.name}: {self.message}"

    def _repr_html_(self):
        mark = "✔" if self.passed else "○"
        return html("<p><strong>{} {}</strong>: {}</p>", mark, self.name, words(self.message))


class Check:
    """One exercise. ``inputs(rng)`` gives argument tuples, ``mistakes`` maps a diagnosis to a wrong function.

    ``draw(arguments, yours, target)``, if given, returns a matplotlib Figure with spec, yours and target, shown
    beside the message of a failure. Floats are compared with relative tolerance ``rtol``.
    """

    def __init__(self, name, *, spec, solution, inputs, mistakes, rtol=1e-6, draw=None):
        self.name, self.spec, self.solution, self.inputs = name, spec, solution, inputs
        self.mistakes, self.rtol, self.draw = mistakes, rtol, draw
        self.__doc__ = spec

    def __repr__(self):
        return f"Check({self.name!r}: {self.spec})"

    @property
    def key(self):
        """The exercise's name in the learner's file, like "pruning.mask"; None for one outside a chapter's checks."""
        for name, module in sorted(sys.modules.items()):
            home = re.fullmatch(r"dcviz\.chapters\.(\w+)\.checks", name)
            for attribute, value in vars(module).items() if home else ():
                if value is self:
                    return f"{prefix(home[1])}.{attribute}"
        return None

    def __call__(self, function):
        """``Result`` if the function is right or not written yet; CheckFailed if it is wrong.

        Passed or tried, it is kept in the learner's file; passed stays passed.
        """
        key = self.key
        try:
            result = self._check(function)
        except CheckFailed:
            if key and key not in learner.recorded(learner.EXERCISES):
                learner.record(learner.EXERCISES, key, False)
            raise
        if result.passed and key:
            why = learner.record(learner.EXERCISES, key, True)
            if why and learner.path() is not None:
                return Result(self.name, True, f"{result.message} (Not kept: {why}.)")
        return result

    def _check(self, function):
        cases = self.inputs(np.random.default_rng(0))
        for arguments in cases:
            yours = self._run(function, arguments)
            if yours is None or yours is NotImplemented:
                return Result(self.name, False, f"not tried yet. {self.spec}")
            target = self.solution(*copy.deepcopy(arguments))
            if not self._same(yours, target):
                self._fail(function, cases, arguments, yours, target)
        return Result(self.name, True, f"right, on {len(cases)} inputs.")

    def _run(self, function, arguments):
        given = copy.deepcopy(arguments)
        try:
            yours = function(*given)
        except NotImplementedError:
            return None
        except Exception as error:
            raise CheckFailed(f"{self.name} raised {type(error).__name__}: {error}\n{self._case(arguments)}") from error
        if not self._same(given, arguments):
            raise CheckFailed(
                f"{self.name} changes its input; work on a copy (np.array(x) or x.copy()).\n{self._case(arguments)}"
            )
        return yours

    def _fail(self, function, cases, arguments, yours, target):
        why = self._diagnosis(function, cases)
        message = [why + "." if why else "the answer differs.", f"  task:   {self.spec}", self._case(arguments)]
        message += [f"  yours:  {_short(yours)}", f"  target: {_short(target)}"]
        if self.draw is not None:
            from IPython.display import display

            display(self.draw(arguments, yours, target))
        raise CheckFailed("\n".join(message))

    def _diagnosis(self, function, cases):
        """The first known mistake that gives what the learner's function gives on every input."""
        for why, wrong in self.mistakes.items():
            if all(self._same(self._try(function, case), self._try(wrong, case)) for case in cases):
                return why
        return None

    def _try(self, function, arguments):
        try:
            return function(*copy.deepcopy(arguments))
        except Exception as error:
            return type(error).__name__

    def _case(self, arguments):
        return f"  input:  {', '.join(_short(argument) for argument in arguments)}"

    def _same(self, first, second):
        if isinstance(first, dict) or isinstance(second, dict):
            return (
                isinstance(first, dict)
                and isinstance(second, dict)
                and first.keys() == second.keys()
                and all(self._same(first[key], second[key]) for key in first)
            )
        if isinstance(first, str | bytes | bool | None) or isinstance(second, str | bytes | bool | None):
            return type(first) is type(second) and first == second
        if isinstance(first, tuple | list) and isinstance(second, tuple | list):
            if len(first) != len(second):
                return False
            return all(self._same(ours, theirs) for ours, theirs in zip(first, second, strict=True))
        try:
            ours, theirs = np.asarray(first), np.asarray(second)
            close = {"rtol": self.rtol, "atol": 1e-12, "equal_nan": True}
            return ours.shape == theirs.shape and bool(np.allclose(ours, theirs, **close))
        except (TypeError, ValueError):
            return False


def _short(value, most=300):
    with np.printoptions(precision=4, threshold=40, edgeitems=5, suppress=True):
        text = repr(value) if not isinstance(value, np.ndarray) else np.array2string(value, separator=", ")
    return text if len(text) <= most else f"{text[: most - 1]}…"
