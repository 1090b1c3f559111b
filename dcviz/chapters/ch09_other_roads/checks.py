"""Checks of chapter 09: the closest matrix of a rank, Taylor scores, answers at a temperature."""

import numpy as np

from dcviz.chapters.ch09_other_roads import distillation, taylor
from dcviz.labkit.check import Check


def _low_rank(weight, rank):
    u, s, v = np.linalg.svd(weight, full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ v[:rank]


def _with_parts(build):
    """A wrong answer made of the parts that np.linalg.svd returns."""

    def wrong(weight, rank):
        return build(*np.linalg.svd(weight, full_matrices=False), rank)

    return wrong


low_rank = Check(
    "low_rank",
    spec="Return the (n, m) matrix of rank `rank` that is closest to `weight`: keep its largest singular values. "
    "np.linalg.svd(weight, full_matrices=False) gives u, s, v with weight = u @ np.diag(s) @ v, largest s first.",
    solution=_low_rank,
    inputs=lambda rng: [
        (rng.normal(size=(4, 4)), 2),
        (rng.normal(size=(3, 7)), 1),
        (rng.normal(size=(8, 5)), 4),
        (np.outer([1.0, 2.0, 3.0], [1.0, 0.0, -1.0]) + 0.1 * rng.normal(size=(3, 3)), 3),
    ],
    mistakes={
        "numpy's third matrix has the singular vectors in its rows: keep rows, not columns": _with_parts(
            lambda u, s, v, d: (u[:, :d] * s[:d]) @ v[:, :d].T if v.shape[0] == v.shape[1] else u
        ),
        "the singular values are missing: u and v alone have length 1 in every direction": _with_parts(
            lambda u, s, v, d: u[:, :d] @ v[:d]
        ),
        "you keep the smallest singular values; they come largest first": _with_parts(
            lambda u, s, v, d: (u[:, -d:] * s[-d:]) @ v[-d:]
        ),
        "that is one rank too many: s[:rank] has rank of them": _with_parts(
            lambda u, s, v, d: (u[:, : d + 1] * s[: d + 1]) @ v[: d + 1]
        ),
        "you scale with the square roots once; both factors need them, or one needs s itself": _with_parts(
            lambda u, s, v, d: (u[:, :d] * np.sqrt(s[:d])) @ v[:d]
        ),
        "that is a corner of the matrix, with the rest set to zero; no singular values in it": lambda w, d: np.pad(
            w[:d, :d], [(0, max(n - d, 0)) for n in w.shape]
        ),
    },
)


def _scores(activation, gradient):
    return taylor.normalised(taylor.channel_scores(activation, gradient))


def _unit(scores):
    return scores / np.linalg.norm(scores)


def _maps(rng, *shape):
    return rng.normal(size=shape), rng.normal(size=shape) + 0.3


taylor_scores = Check(
    "taylor_scores",
    spec="`activation` and `gradient` have shape (pictures, channels, height, width). Multiply them, take the mean "
    "over height and width, then the magnitude, then the mean over pictures; divide the scores (channels,) by "
    "their l2 norm.",
    solution=_scores,
    inputs=lambda rng: [
        _maps(rng, 5, 3, 4, 4),
        _maps(rng, 1, 2, 1, 1),
        _maps(rng, 8, 6, 2, 3),
        (np.abs(rng.normal(size=(4, 3, 2, 2))), rng.normal(size=(4, 3, 2, 2))),
    ],
    mistakes={
        "within a channel the places may cancel: take the mean first, then the magnitude": lambda a, g: _unit(
            np.abs(a * g).mean((0, 2, 3))
        ),
        "the magnitude is taken last; pictures that pull in opposite directions must not cancel": lambda a, g: _unit(
            np.abs((a * g).mean((0, 2, 3)))
        ),
        "the gradient is missing: this says how active a channel is, not whether the loss would notice": lambda a, g: (
            _unit(np.abs(a.mean((2, 3))).mean(0))
        ),
        "the activation is missing: a channel that is hardly ever on costs little": lambda a, g: _unit(
            np.abs(g.mean((2, 3))).mean(0)
        ),
        "the l2 norm is missing: without it, layers cannot be compared": taylor.channel_scores,
        "that is the sum of the scores, not their l2 norm, that you divide by": lambda a, g: (
            taylor.channel_scores(a, g) / taylor.channel_scores(a, g).sum()
        ),
        "those are scores of pictures, not of channels": lambda a, g: _unit(np.abs((a * g).mean((2, 3))).mean(1)),
    },
)


def _too_large(logits, temperature):
    with np.errstate(over="ignore", invalid="ignore"):
        powers = np.exp(logits / temperature)
        return powers / powers.sum()


soften = Check(
    "soften",
    spec="Return the softmax of `logits` (a 1-D array) at `temperature` T: exp(z / T), divided by the sum of them all. "
    "Logits may be large: subtract the largest first, which changes nothing else.",
    solution=distillation.soften,
    inputs=lambda rng: [
        (np.array([2.0, 1.0, -1.0]), 1.0),
        (rng.normal(size=10) * 5, 4.0),
        (np.array([3000.0, 2999.0, 10.0]), 2.0),
        (rng.normal(size=10), 0.5),
        (np.zeros(4), 7.0),
    ],
    mistakes={
        "a higher temperature makes the answer softer: divide by T, do not multiply": lambda z, t: distillation.soften(
            z * t
        ),
        "T is missing": lambda z, t: distillation.soften(z),
        "T divides the probabilities, where it does nothing but shrink them; it divides the logits": lambda z, t: (
            distillation.soften(z) / t
        ),
        "exp of large logits overflows: subtract the largest logit first": _too_large,
        "they do not add up to 1: divide by the sum": lambda z, t: np.exp((z - z.max()) / t),
    },
)
