"""The exercises of chapter 5: reduce a gradient, move the centroids, rebuild the weights."""

import numpy as np

from dcviz.chapters.ch05_trained_quantization.figures import reduced_bars
from dcviz.evidence import paper
from dcviz.labkit.check import Check


def _sums(gradient, codes, k):
    return np.bincount(np.ravel(codes), np.ravel(gradient), minlength=k)


def _counts(codes, k):
    return np.maximum(np.bincount(np.ravel(codes), minlength=k), 1)


def _figure3():
    quoted = paper.table("figure3_weight_sharing_example")
    return np.array(quoted["gradient"], float), np.array(quoted["cluster_index"])


def _gradients(rng):
    gradient, codes = _figure3()
    return [
        (gradient, codes, 4),
        (rng.normal(size=50), rng.integers(0, 7, 50), 8),  # the last cluster is empty
        (rng.normal(size=(3, 2, 2)), np.zeros((3, 2, 2), int), 1),
        (np.array([1.0, 2.0, 4.0, 8.0]), np.array([2, 0, 2, 2]), 3),
    ]


def _last_wins(gradient, codes, k):
    out = np.zeros(k)
    out[np.ravel(codes)] += np.ravel(gradient)  # NumPy adds to each place once, however often it is named
    return out


reduce_gradient = Check(
    "reduce_gradient",
    spec="Return k numbers: for each cluster the sum of the gradients of the weights with its code (equation 3).",
    solution=_sums,
    inputs=_gradients,
    mistakes={
        "you take the mean: the centroid moves all its weights, so their effects on the loss add up": (
            lambda g, codes, k: _sums(g, codes, k) / _counts(codes, k)
        ),
        "out[codes] += gradient adds only one gradient per cluster; use np.add.at or np.bincount": _last_wins,
        "an empty cluster at the end is missing: there are k sums, also if the last codes do not occur": (
            lambda g, codes, k: _sums(g, codes, 0)
        ),
        "np.unique(codes) knows only the codes that occur: there are k sums, one for each of range(k)": (
            lambda g, codes, k: np.array([np.sum(g[codes == c]) for c in np.unique(codes)])
        ),
        "you lost the signs: gradients of opposite sign cancel": lambda g, codes, k: _sums(np.abs(g), codes, k),
        "you turned the sign: return the gradient itself, the update subtracts it": (
            lambda g, codes, k: -_sums(g, codes, k)
        ),
        "you count the weights of each cluster; their gradients are to be added": (
            lambda g, codes, k: _sums(np.ones(np.shape(g)), codes, k)
        ),
    },
    draw=lambda arguments, yours, target: reduced_bars(*arguments, yours, target),
)


def _updates(rng):
    gradient, codes = _figure3()
    quoted = paper.table("figure3_weight_sharing_example")["centroids"]
    centroids = np.array([quoted[str(i)] for i in range(4)])
    return [
        (centroids, gradient, codes, 1.0),
        (rng.normal(size=5), rng.normal(size=(6, 4)), rng.integers(0, 5, (6, 4)), 0.1),
        (rng.normal(size=4), rng.normal(size=9), rng.integers(0, 3, 9), 0.01),
    ]


centroid_update = Check(
    "centroid_update",
    spec=(
        "Return the fine-tuned centroids: each minus learning_rate times the sum of the gradients of the weights with "
        "its code."
    ),
    solution=lambda centroids, gradient, codes, learning_rate: (
        centroids - learning_rate * _sums(gradient, codes, len(centroids))
    ),
    inputs=_updates,
    mistakes={
        "you add the gradient: that walks uphill, and the loss grows": (
            lambda c, g, codes, lr: c + lr * _sums(g, codes, len(c))
        ),
        "you forgot the learning rate": lambda c, g, codes, lr: c - _sums(g, codes, len(c)),
        "you take the mean of the gradients; equation 3 takes the sum": (
            lambda c, g, codes, lr: c - lr * _sums(g, codes, len(c)) / _counts(codes, len(c))
        ),
        "you return the step, not the centroids after it": lambda c, g, codes, lr: -lr * _sums(g, codes, len(c)),
        "the learning rate multiplies the centroid too": lambda c, g, codes, lr: lr * (c - _sums(g, codes, len(c))),
    },
)


def _codebooks(rng):
    return [
        (np.array([-1.0, 0.0, 1.5, 2.0]), _figure3()[1]),
        (rng.normal(size=6), rng.integers(0, 6, (2, 3, 4))),  # after training the values need not be sorted
        (np.array([0.25]), np.zeros(3, np.uint8)),
        (rng.normal(size=4), np.array([3, 3, 0], np.uint8)),
    ]


weights_from_codes = Check(
    "weights_from_codes",
    spec="Return the weights, in the shape of `codes`: each is the centroid that its code points to.",
    solution=lambda centroids, codes: centroids[codes],
    inputs=_codebooks,
    mistakes={
        "your weights have lost the shape of the codes": lambda c, codes: c[np.ravel(codes)],
        "you sorted the centroids, but a code points into the codebook as it is": lambda c, codes: np.sort(c)[codes],
        "your codes count from 1: code 0 is the first centroid": lambda c, codes: c[np.asarray(codes, int) - 1],
        "you return the codes, not the values they point to": lambda c, codes: np.asarray(codes, float),
        "you looked in the wrong direction: one weight per centroid instead of one per code": (
            lambda c, codes: np.array([np.count_nonzero(codes == i) for i in range(len(c))], float)
        ),
    },
)
