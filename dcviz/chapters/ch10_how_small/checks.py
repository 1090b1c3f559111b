"""Checks of chapter 10: what a mask costs, what a neighbour tells, and codes that pay for their length."""

import numpy as np

from dcviz.chapters.ch10_how_small import context_coding
from dcviz.ideas.entropy import entropy
from dcviz.labkit.check import Check
from dcviz.labkit.decision import Decision


def _mask_bytes(kept, weights):
    return weights * entropy([kept, weights - kept]) / 8


def _log(x):
    return np.log2(x) if x > 0 else 0.0


mask_bound = Check(
    "mask_bound",
    spec="Bytes that say which `kept` of `weights` weights were kept, if they are kept independently of each other: "
    "weights x H(p) / 8 with p = kept / weights. Nothing or everything kept costs nothing.",
    solution=lambda kept, weights: float(_mask_bytes(kept, weights)),
    inputs=lambda rng: [
        (18_816, 235_200),
        (7_056, 235_200),
        (0, 1000),
        (1000, 1000),
        (1, 2),
        (int(rng.integers(1, 500)), 1000),
    ],
    mistakes={
        "that is bits, not bytes": lambda kept, n: 8.0 * _mask_bytes(kept, n),
        "a pruned weight costs bits too: the entropy has two terms": lambda kept, n: float(-kept * _log(kept / n) / 8),
        "the entropy is of one weight; there are many": lambda kept, n: float(entropy([kept, n - kept])),
        "that is one bit for every weight, as Huffman coding would have it": lambda kept, n: n / 8,
    },
)


def _conditional(bits, left):
    return float(context_coding.conditional_entropy(bits, left))


def _unweighted(bits, left):
    groups = [bits[left == c] for c in np.unique(left)]
    return float(np.mean([entropy(np.bincount(group, minlength=2)) for group in groups]))


def _masks(rng):
    crowds = np.repeat((rng.random(40) < 0.2).astype(int), 5)
    return [
        (np.array([0, 0, 1, 1, 1, 0, 0, 0]), np.array([0, 0, 0, 1, 1, 1, 0, 0])),
        (crowds, np.concatenate([[0], crowds[:-1]])),
        (np.array([0, 0, 0, 0]), np.array([0, 0, 1, 1])),
        (np.array([0, 1, 0, 1]), np.array([0, 0, 0, 0])),
        (rng.integers(0, 2, 50), rng.integers(0, 2, 50)),
    ]


conditional_entropy = Check(
    "conditional_entropy",
    spec="Bits per weight that say which are kept, to one who knows whether the neighbour on the left is: the entropy "
    "among the weights with left = 0 and among those with left = 1, each weighted by how many weights there are.",
    solution=_conditional,
    inputs=_masks,
    mistakes={
        "that ignores the neighbour": lambda bits, left: float(entropy(np.bincount(bits, minlength=2))),
        "weigh the two entropies by how many weights are in each group": _unweighted,
        "that is the sum over all weights; divide by how many there are": lambda bits, left: (
            _conditional(bits, left) * bits.size
        ),
        "that is the entropy of pairs; the neighbour is known already, take its entropy away": lambda bits, left: float(
            entropy(np.bincount(2 * left + bits, minlength=4))
        ),
    },
)


def _choose(weight, centroids, bits, price):
    return int(np.argmin((weight - centroids) ** 2 + price * bits))


assign_with_price = Check(
    "assign_with_price",
    spec="The code of one weight: the centroid for which (distance squared) + price x (bits of its code word) is "
    "smallest; the first one if several are. At price 0 that is the nearest.",
    solution=_choose,
    inputs=lambda rng: [
        (0.06, np.array([-0.1, 0.0, 0.1]), np.array([2.0, 1.0, 2.0]), 0.0),
        (0.06, np.array([-0.1, 0.0, 0.1]), np.array([2.0, 1.0, 2.0]), 0.01),
        (-0.4, np.array([-0.5, -0.2, 0.3]), np.array([6.0, 1.0, 3.0]), 0.05),
        (0.5, np.array([0.0, 1.0]), np.array([3.0, 3.0]), 0.2),
        (0.5, np.array([0.2, 0.45]), np.array([4.0, np.inf]), 0.001),
        (0.0, np.array([-0.2, 0.0, 0.5]), np.array([9.0, 1.0, 2.0]), 0.02),
        (float(rng.normal()), rng.normal(size=6), rng.uniform(1, 6, 6), 0.1),
    ],
    mistakes={
        "the price is ignored: that is the nearest centroid": lambda w, c, bits, price: int(np.argmin((w - c) ** 2)),
        "distances are squared": lambda w, c, bits, price: int(np.argmin(np.abs(w - c) + price * bits)),
        "long words must cost, not win": lambda w, c, bits, price: int(
            np.argmin((w - c) ** 2 - price * np.where(np.isinf(bits), 0, bits))
        ),
        "return the code, not the centroid": lambda w, c, bits, price: float(c[_choose(w, c, bits, price)]),
    },
)


def _file(answers):
    from dcviz.errors import RecipeError
    from dcviz.pipeline import choices  # torch only when it is needed

    if not isinstance(answers[0], tuple | list) or len(answers[0]) != 2:
        raise RecipeError("a pair is asked for: the price of a bit, and k")
    return choices.priced(*answers[0])


price = Decision(
    "price",
    spec="Return (price, k). LeNet-300-100 is cut to 20, 40 and 60%, not retrained, and shares k values a layer, with "
    "codes that pay `price` for a bit (in units of the layer's variance): at most 3.5% errors on the 1,000 held-out "
    "digits, in at most 34,700 bytes.",
    solution=lambda: (0.2, 4),
    outcome=_file,
    budget=34_700,
    limit=3.5,
    mistakes={
        "a price of 0 takes the nearest value, whatever its word costs": lambda: (0, 4),
        "31 values without a price: every weight pays for a choice it does not need": lambda: (0, 31),
        "the price is so high that nearly all weights take the most frequent value": lambda: (0.4, 15),
        "a price cannot be negative: long words would win": lambda: (-0.1, 4),
        "the two are in the wrong order: the price first, then k": lambda: (4, 0.2),
        "k is missing": lambda: 0.2,
    },
)
