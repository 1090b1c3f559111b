"""How long and how hard a net is trained, in numbers: without torch, which only the training itself needs."""

import math
from dataclasses import dataclass
from numbers import Integral, Real

from dcviz.errors import RecipeError

MOST_SHIFT = 28
"""Pixels that an image may be moved by: a digit is 28 wide, further out there is only background."""


def is_finite(value):
    """True for a real number that is neither NaN nor infinite, and no bool."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def is_whole(value, low, high=math.inf):
    """True for an integer in low..high that is no bool."""
    return isinstance(value, Integral) and not isinstance(value, bool) and low <= value <= high


def check_seed(seed):
    """The seed as an int; RecipeError unless it is a whole number that both NumPy and torch take, 0 to 2**63 - 1."""
    if not is_whole(seed, 0, 2**63 - 1):
        raise RecipeError(f"a seed is a whole number of 0 to 2**63 - 1, not {seed!r}")
    return int(seed)


@dataclass(frozen=True)
class Schedule:
    """How long and how hard to train.

    Adam with a cosine decay from ``lr`` to nothing over ``epochs``. ``shift``: each image is moved by up to
    that many pixels in x and y. ``teacher_weight``: part of the loss that compares with the dense net's softened
    outputs (distillation) in place of the labels. ``l1``, ``l2``: penalties on the weights (section 2 of the
    NIPS'15 paper compares the two).
    """

    epochs: float = 1
    lr: float = 1e-3
    batch_size: int = 128
    shift: int = 0
    teacher_weight: float = 0.0
    temperature: float = 4.0
    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self):
        finite = all(is_finite(getattr(self, name)) for name in ("epochs", "lr", "teacher_weight", "l1", "l2"))
        if not (finite and self.epochs >= 0 and self.lr > 0 and 0 <= self.teacher_weight <= 1):
            raise RecipeError(f"a schedule needs finite epochs >= 0, lr > 0 and a teacher_weight in 0..1: {self}")
        if not (self.l1 >= 0 and self.l2 >= 0 and is_finite(self.temperature) and self.temperature > 0):
            raise RecipeError(f"a schedule needs finite l1 and l2 >= 0 and a temperature > 0: {self}")
        if not (is_whole(self.batch_size, 1) and is_whole(self.shift, 0, MOST_SHIFT)):
            raise RecipeError(
                f"a schedule needs a whole batch_size >= 1 and a whole shift of 0 to {MOST_SHIFT} pixels: {self}"
            )

    def steps(self, images):
        """Training steps that it takes on so many images."""
        return round(self.epochs * self.steps_per_epoch(images))

    def steps_per_epoch(self, images):
        """Steps of one pass over so many images; the last batch may be small."""
        return -(-images // self.batch_size)
