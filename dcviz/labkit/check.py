"""Exercises' checkers: try a learner's function on random and nasty inputs, and name the likely mistake.

A check in ten lines::

    prune = Check(
        "prune",
        spec="Return a copy of `weights` with everything smaller than `threshold` in magnitude set to zero.",
        solution=lambda weights, threshold: np.where(np.abs(weights) >= threshold, weights, 0),
        inputs=lambda rng: [(rng.normal(size=(3, 4)), 0.5), (np.zeros(3), 0.1)],
        mistakes={"you compare the weight, not its magnitude": lambda w, t: np.where(w >= t, w, 0)},
    )

Then ``checks.prune(my_prune)`` is a ``Result`` that shows itself: passed, not tried yet, or a lesson with the spec,
the input, what came out, what was meant, and the mistake if it is a known one. The mistakes are also the wrong
answers that the check must reject; a test holds every check to that.

A wrong answer does not stop "Run all": the lesson is the cell's output, and the cells after it that would use the
function ask ``checks.prune.trusted(my_prune)`` first. With DCVIZ_CHECKS=raise a wrong answer raises ``CheckFailed``
instead, for tests, for the making of editions, and for whoever grades by errors.
"""

import copy
import dataclasses
import dis
import os
import re
import sys
from dataclasses import dataclass

import numpy as np

from dcviz.errors import DcvizError
from dcviz.labkit import learner
from dcviz.labkit.markup import coded, html, joined, words
from dcviz.labkit.picture import Picture, img

_STUB = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE", "POP_TOP", "COPY_FREE_VARS"}
"""Instructions of a function that does nothing: a docstring, ``...``, ``pass``."""


def prefix(room):
    """What the keys of a chapter's exercises begin with: prefix("ch02_pruning") -> "pruning"."""
    name = re.sub(r"^ch\d\d_", "", room)
    return {"speed_and_energy": "speed"}.get(name, name)  # as the files of earlier learners have it


class CheckFailed(DcvizError, AssertionError):
    """An exercise's answer is wrong; the message says how and, where it is known, why. ``picture``: or None."""

    picture = None

    def _render_traceback_(self):  # IPython shows the lesson, not our stack
        return [f"Not yet: {self}"]


@dataclass(frozen=True)
class Result:
    """Outcome of a check: ``passed``, or else ``wrong`` (a lesson, maybe with a ``picture``), or not tried yet."""

    name: str
    passed: bool
    message: str
    wrong: bool = False
    picture: Picture | None = None

    @property
    def mark(self):
        """One character for the outcome."""
        return "✔" if self.passed else "✘" if self.wrong else "○"

    def __repr__(self):
        return f"{self.mark} {self.name}: {self.message}"

    def _repr_html_(self):
        first, _, rest = self.message.partition("\n")
        page = [html("<p><strong>{} {}</strong>: {}</p>", self.mark, self.name, coded(first))]
        if rest:
            page.append(html("<pre>{}</pre>", words(rest)))
        if self.picture is not None:
            page.append(html('<div class="dcviz-picture">{}</div>', img(self.picture.png(), self.picture.text)))
        return joined("", page)


class Check:
    """One exercise. ``inputs(rng)`` gives argument tuples, ``mistakes`` maps a diagnosis to a wrong function.

    ``draw(arguments, yours, target)``, if given, returns a matplotlib Figure with spec, yours and target, shown
    beside the message of a failure; one that cannot be drawn is left out. Floats are compared with relative tolerance
    ``rtol``. ``exact_kind`` accepts only arrays, of the target's kind: bools where bools are asked for.
    """

    def __init__(self, name, *, spec, solution, inputs, mistakes, rtol=1e-6, draw=None, exact_kind=False):
        self.name, self.spec, self.solution, self.inputs = name, spec, solution, inputs
        self.mistakes, self.rtol, self.draw, self.exact_kind = mistakes, rtol, draw, exact_kind
        self.__doc__ = spec

    def __repr__(self):
        return f"Check({self.name!r}: {self.spec})"

    @property
    def key(self):
        """The exercise's name in the learner's file, like "pruning.mask"; None for one outside a chapter's checks."""
        for name, module in sorted(sys.modules.items()):
            home = re.fullmatch(r"dcviz\.chapters\.(\w+)\.checks", name)
            if home is not None:
                for attribute, value in vars(module).items():
                    if value is self:
                        return f"{prefix(home[1])}.{attribute}"
        return None

    def __call__(self, function):
        """``Result``: right, not written yet, or wrong (CheckFailed if DCVIZ_CHECKS is "raise").

        Passed or tried, it is kept in the learner's file; passed stays passed.
        """
        key = self.key
        try:
            result = self.verdict(function)
        except CheckFailed as failure:
            if key and key not in learner.recorded(learner.EXERCISES):
                learner.record(learner.EXERCISES, key, False)
            if os.environ.get("DCVIZ_CHECKS") == "raise":
                raise
            return Result(self.name, False, str(failure), True, failure.picture)
        if result.passed and key:
            why = learner.record(learner.EXERCISES, key, True)
            if why and learner.path() is not None:
                return dataclasses.replace(result, message=f"{result.message} (Not kept: {why}.)")
        return result

    def trusted(self, function):
        """``function`` if it is right, else None: for cells that go on with it. Nothing is shown or kept."""
        try:
            return function if self.verdict(function).passed else None
        except CheckFailed:
            return None

    def verdict(self, function):
        """``Result`` if the function is right or not written yet; CheckFailed if it is wrong. Nothing is kept."""
        cases = self.inputs(np.random.default_rng(0))
        for number, arguments in enumerate(cases):
            yours = self._run(function, arguments)
            if self._untried(function, number, yours, arguments):
                return Result(self.name, False, f"not tried yet. {self.spec}")
            target = self.solution(*copy.deepcopy(arguments))
            if not self._same(yours, target):
                self._fail(function, cases, arguments, yours, target)
        return Result(self.name, True, f"right, on {len(cases)} inputs.")

    def _untried(self, function, number, yours, arguments):
        """True for a stub; CheckFailed for a function that computes and returns nothing."""
        if yours is not None and yours is not NotImplemented:
            return False
        if number == 0 and (yours is NotImplemented or _is_stub(function)):
            return True
        raise CheckFailed(
            f"{self.name} returns nothing here. It computes, but the result has to be handed back with "
            f"`return`; to print it is not enough.\n  task:   {self.spec}\n{self._case(arguments)}"
        )

    def _run(self, function, arguments):
        given = copy.deepcopy(arguments)
        try:
            yours = function(*given)
        except NotImplementedError:
            return NotImplemented
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
        message += [f"  yours:  {short(yours)}", f"  target: {short(target)}"]
        failure = CheckFailed("\n".join(message))
        failure.picture = self._picture(arguments, yours, target, why)
        raise failure

    def _picture(self, arguments, yours, target, why):
        """The drawing of yours beside the target, or None: whatever a wrong answer holds, the lesson is shown."""
        if self.draw is None:
            return None
        text = f"{self.name}, your answer beside the target: {why or 'the answer differs'}."
        try:
            picture = Picture(self.draw(arguments, yours, target), text)
            picture.png()
        except Exception:  # an answer of any shape and type was to be drawn
            return None
        return picture

    def _diagnosis(self, function, cases):
        """The first known mistake that gives what the learner's function gives on every input.

        If there is none: the first that does so wherever the learner's function is wrong, on two inputs or more.
        """
        given = [self._try(function, case) for case in cases]
        targets = [self.solution(*copy.deepcopy(case)) for case in cases]
        failed = [not self._same(yours, target) for yours, target in zip(given, targets, strict=True)]
        second = None
        for why, wrong in self.mistakes.items():
            same = [self._same(yours, self._try(wrong, case)) for yours, case in zip(given, cases, strict=True)]
            if all(same):
                return why
            if second is None and sum(failed) > 1 and all(s for s, bad in zip(same, failed, strict=True) if bad):
                second = why
        return second

    def _try(self, function, arguments):
        try:
            return function(*copy.deepcopy(arguments))
        except Exception as error:
            return type(error).__name__

    def _case(self, arguments):
        return f"  input:  {', '.join(short(argument) for argument in arguments)}"

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
            if self.exact_kind and (type(first) is not type(second) or ours.dtype.kind != theirs.dtype.kind):
                return False
            close = {"rtol": self.rtol, "atol": 1e-12, "equal_nan": True}
            return ours.shape == theirs.shape and bool(np.allclose(ours, theirs, **close))
        except (TypeError, ValueError):
            return False


def _is_stub(function):
    """True if the function's body does nothing, or if it cannot be told."""
    code = getattr(function, "__code__", None)
    return code is None or all(step.opname in _STUB for step in dis.get_instructions(code))


def short(value, most=300):
    """A value as text of at most ``most`` characters, whatever it is."""
    try:
        with np.printoptions(precision=4, threshold=40, edgeitems=5, suppress=True):
            text = repr(value) if not isinstance(value, np.ndarray) else np.array2string(value, separator=", ")
    except Exception as error:  # a learner's own class
        text = f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
    return text if len(text) <= most else f"{text[: most - 1]}…"
