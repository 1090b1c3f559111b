"""A digit that somebody draws, and what LeNet-300-100 says to it, dense and pruned.

A drawing is a text of 784 hexadecimal digits, the 28 x 28 pixels row by row: 0 for paper, f for ink. The net is small
enough to go to a browser, which has to say the same: so its weights are rounded to 16 bits here, too.
"""

import functools
import re
from dataclasses import dataclass

import numpy as np

from dcviz.ideas import pruning
from dcviz.nets import datasets, dense_files

SIDE = 28
INK = 15  # the highest level
EMPTY = "0" * SIDE**2


@dataclass(eq=False)
class Layer:
    """A fully connected layer. codes: int16 (outputs, inputs), in steps of `step`; bias: float64 (outputs,)."""

    name: str
    codes: np.ndarray
    step: float
    bias: np.ndarray

    @property
    def weights(self):
        """The weights that the codes mean, float64 (outputs, inputs)."""
        return self.codes * self.step

    @functools.cached_property
    def magnitudes(self):
        """The magnitudes of the weights in order, float64, to count from."""
        return np.sort(np.abs(self.weights), axis=None)


@functools.cache
def layers(net="lenet-300-100"):
    """The layers of a shipped net of fully connected layers, weights rounded to 16 bits -> tuple of Layer."""
    state = dense_files.state(net)
    found = []
    for name in dense_files.weights(net):
        weights, bias = (state[f"{name}.{part}"].astype(np.float64) for part in ("weight", "bias"))
        step = float(np.abs(weights).max()) / (2**15 - 1)
        found.append(Layer(name, np.round(weights / step).astype(np.int16), step, bias))
    return tuple(found)


def thresholds(density):
    """The magnitude that a weight of each layer needs to be among the share `density` that stays -> [float]."""
    return [0.0 if density == 1 else pruning.threshold_from_density(layer.magnitudes, density) for layer in layers()]


def kept(cuts):
    """How many weights stay at the `thresholds` -> (kept, all)."""
    masks = [pruning.mask_from_threshold(layer.magnitudes, cut) for layer, cut in zip(layers(), cuts, strict=True)]
    return sum(int(mask.sum()) for mask in masks), sum(mask.size for mask in masks)


def probabilities(drawing, cuts):
    """What the net, pruned at `thresholds`, makes of a drawing -> float64 (10,), adds up to 1."""
    values = levels(drawing).ravel() / INK
    for layer, cut in zip(layers(), cuts, strict=True):
        weights = layer.weights
        values = (weights * pruning.mask_from_threshold(weights, cut)) @ np.maximum(values, 0) + layer.bias
    return np.exp(values - values.max()) / np.exp(values - values.max()).sum()


def is_drawing(text):
    """Whether a text is 784 hexadecimal digits."""
    return re.fullmatch(rf"[0-9a-f]{{{SIDE**2}}}", text) is not None


def levels(drawing):
    """A drawing's pixels, 0 to INK -> int array (28, 28)."""
    return np.array([int(level, 16) for level in drawing]).reshape(SIDE, SIDE)


def from_image(image):
    """An image of a digit, uint8 (28, 28), as a drawing."""
    return "".join(f"{level:x}" for level in np.round(np.asarray(image) / 255 * INK).astype(int).ravel())


@functools.cache
def examples():
    """The first held-out digit of each class -> ten drawings."""
    images, labels = datasets.digits().test.images, datasets.digits().test.labels
    return [from_image(images[int(np.argmax(labels == digit))]) for digit in range(10)]
