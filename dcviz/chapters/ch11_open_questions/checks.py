"""The exercises of chapter 11: the step that a file allows, mean and spread, folding batch normalisation."""

import numpy as np

from dcviz.labkit.check import Check
from dcviz.nets.batchnorm import folded


def _allowed(weights, gradient):
    out = np.zeros(np.shape(weights))
    for value in np.unique(weights):
        if value != 0:
            out[weights == value] = gradient[weights == value].sum()
    return out


def _mean_of_cluster(weights, gradient):
    out = np.zeros(np.shape(weights))
    for value in np.unique(weights):
        if value != 0:
            out[weights == value] = gradient[weights == value].mean()
    return out


def _zeros_too(weights, gradient):
    out = np.zeros(np.shape(weights))
    for value in np.unique(weights):
        out[weights == value] = gradient[weights == value].sum()
    return out


def _layers(rng):
    values = np.array([-0.5, 0.0, 0.25, 1.0])
    return [
        (values[np.array([[0, 1, 2], [2, 1, 3]])], np.array([[1.0, 9.0, 2.0], [3.0, -9.0, -1.0]])),
        (values[rng.integers(0, 4, (5, 3, 2))], rng.normal(size=(5, 3, 2))),
        (rng.normal(size=6), rng.normal(size=6)),  # no two weights share
        (np.zeros(4), rng.normal(size=4)),  # nothing is left to move
        (np.full(5, 0.7), rng.normal(size=5)),
    ]


allowed_gradient = Check(
    "allowed_gradient",
    spec=(
        "Return a gradient of the weights' shape that keeps mask and codes: 0 where the weight is 0, elsewhere the sum "
        "of the gradients of all weights that have the same value."
    ),
    solution=_allowed,
    inputs=_layers,
    mistakes={
        "your pruned weights have a gradient: after one step the mask, and with it the file, is gone": _zeros_too,
        "this keeps the mask, but weights that share a value get different gradients, so the codes are lost": (
            lambda w, g: np.where(w != 0, g, 0)
        ),
        "you take the mean of the cluster; a shared value's gradient is the sum (chapter 05)": _mean_of_cluster,
        "you return the gradient as it came: mask and codes are both lost": lambda w, g: np.array(g),
        "you return one number for each value, not one for each weight": (
            lambda w, g: np.array([g[w == v].sum() for v in np.unique(w) if v != 0])
        ),
    },
)


def _samples(rng):
    return [(np.array([2.0, 4.0, 9.0]),), (rng.normal(5, 1, size=10),), (np.array([3.0, 3.0]),), ([1.5, 2.5],)]


mean_and_spread = Check(
    "mean_and_spread",
    spec="Return (mean, standard deviation) of the errors of several runs; divide the squares by n - 1.",
    solution=lambda errors: (float(np.mean(errors)), float(np.std(errors, ddof=1))),
    inputs=_samples,
    mistakes={
        "you divide by n: the mean was estimated from the same runs, so divide by n - 1 (np.std(..., ddof=1))": (
            lambda errors: (float(np.mean(errors)), float(np.std(errors)))
        ),
        "you return the variance; its square root has the unit of the errors": (
            lambda errors: (float(np.mean(errors)), float(np.var(errors, ddof=1)))
        ),
        "you return the best run as if it were the mean: the luckiest seed is no result": (
            lambda errors: (float(np.min(errors)), float(np.std(errors, ddof=1)))
        ),
        "you return the range from best to worst; it grows with the number of runs": (
            lambda errors: (float(np.mean(errors)), float(np.max(errors) - np.min(errors)))
        ),
        "return a pair: mean and deviation": lambda errors: float(np.mean(errors)),
    },
)


def _normalised_layers(rng):
    def case(*shape, bias=True):
        n = shape[0]
        return (
            rng.normal(size=shape),
            rng.normal(size=n) if bias else np.zeros(n),
            rng.normal(size=n),
            rng.normal(size=n),
            rng.normal(size=n),
            rng.uniform(0, 2, n),
            0.01,
        )

    dead = case(2, 3, 2, 2)
    dead[2][0], dead[5][1] = 0.0, 0.0  # a channel that is switched off, and one that never varied
    return [case(3, 4, 3, 3), case(5, 5, bias=False), dead]


def _scale(gamma, variance, eps):
    with np.errstate(divide="ignore", invalid="ignore"):  # one of the mistakes below
        return gamma / np.sqrt(variance + eps)


def _wide(scale, weight):
    return scale.reshape(-1, *[1] * (weight.ndim - 1))


fold_batchnorm = Check(
    "fold_batchnorm",
    spec=(
        "Return (weight, bias) of one layer that gives gamma * (w x + b - mean) / sqrt(variance + eps) + beta; weight "
        "has shape (outputs, ...), the other arrays (outputs,)."
    ),
    solution=folded,
    inputs=_normalised_layers,
    mistakes={
        "the old bias passes through the normalisation too: scale (bias - mean), then add beta": (
            lambda w, b, g, be, m, v, e: (w * _wide(_scale(g, v, e), w), be + b - _scale(g, v, e) * m)
        ),
        "you forgot eps, and a channel that never varied divides by zero": (
            lambda w, b, g, be, m, v, e: (w * _wide(_scale(g, v, 0), w), be + _scale(g, v, 0) * (b - m))
        ),
        "you divide by the variance; normalisation divides by its square root": (
            lambda w, b, g, be, m, v, e: (w * _wide(g / (v + e), w), be + g / (v + e) * (b - m))
        ),
        "you scale along the inputs; there is one factor for each output, the first axis": (
            lambda w, b, g, be, m, v, e: (w * _scale(g, v, e), be + _scale(g, v, e) * (b - m))
        ),
        "you folded the weights but kept the old bias": (
            lambda w, b, g, be, m, v, e: (w * _wide(_scale(g, v, e), w), np.array(b))
        ),
        "beta is lost": lambda w, b, g, be, m, v, e: (w * _wide(_scale(g, v, e), w), _scale(g, v, e) * (b - m)),
    },
)
