"""The exercises of chapter 4: codebooks for a budget, a start, codes, one Lloyd update, the rate."""

import numpy as np

from dcviz.chapters.ch04_weight_sharing.figures import rugs
from dcviz.ideas.kmeans import compression_rate as rate
from dcviz.labkit.check import Check
from dcviz.labkit.decision import Decision, by_layer


def _layers(rng):
    """(weights, k) to start from: a bell, a pruned layer, a tiny one, one with a single large weight."""
    bell = rng.normal(scale=0.1, size=200)
    pruned = np.concatenate([rng.normal(0.3, 0.05, 40), rng.normal(-0.25, 0.04, 61)])
    skewed = np.append(np.abs(bell[:30]) + 0.01, 2.0)
    return [(bell, 8), (pruned.reshape(1, 101), 5), (np.array([0.5, -0.1, 0.2]), 2), (skewed, 3)]


def _file(answers):
    from dcviz.pipeline import choices  # torch only when it is needed

    return choices.codebooks(answers[0])


codebooks = Decision(
    "codebooks",
    spec='Return {layer: (k, init)} for the unpruned LeNet-300-100; init is "linear", "density" or "forgy". Without '
    "fine-tuning: at most 3% errors on the 1,000 held-out digits, in a file of at most 70,000 bytes.",
    solution=by_layer((4, "density"), (6, "density"), (8, "linear")),
    outcome=_file,
    budget=70_000,
    limit=3.0,
    mistakes={
        "two values for each layer: the pruned net could live with that, this one has no zeros": (
            by_layer(*[(2, "linear")] * 3)
        ),
        "the paper's 32 values serve a net that must lose nothing; here they cost twice the budget": (
            by_layer(*[(32, "linear")] * 3)
        ),
        "that is bits, not values: k = 2**bits, and 3 values for each layer are too few": by_layer(
            *[(3, "linear")] * 3
        ),
        "the same k everywhere: fc1 pays for every value, the small layers hardly": by_layer(*[(8, "linear")] * 3),
        "k is a whole number of values": by_layer((4.0, "density"), (6, "density"), (8, "linear")),
        "a start has to be named for each layer": by_layer(4, 6, 8),
        "no start has that name": by_layer(*[(6, "random")] * 3),
    },
)


def _middles(ordered, k):
    """The middle members of k equally full slices of sorted numbers."""
    return ordered[((np.arange(k) + 0.5) / k * ordered.size).astype(int)]


density_init = Check(
    "density_init",
    spec=(
        "Sort all n weights, cut them into k slices of equal count, and return the weight in the middle of each "
        "slice: the one at position int((i + 0.5) / k * n) for i = 0 .. k-1."
    ),
    solution=lambda weights, k: _middles(np.sort(weights, axis=None), k),
    inputs=_layers,
    mistakes={
        "you go by the rank of |w|: sort the weights themselves, negative ones first": (
            lambda w, k: _middles(np.sort(np.abs(w), axis=None), k)
        ),
        "you did not sort the weights": lambda w, k: _middles(np.ravel(w), k),
        "your slices run from end to end: take the middle of each slice, not its edge": (
            lambda w, k: np.sort(w, axis=None)[np.linspace(0, np.size(w) - 1, k).astype(int)]
        ),
        "you take the first weight of each slice, not the middle one": (
            lambda w, k: np.sort(w, axis=None)[(np.arange(k) / k * np.size(w)).astype(int)]
        ),
        "np.quantile interpolates between two weights, and the middle of a slice is a weight itself: index the sorted "
        "weights": lambda w, k: np.quantile(w, (np.arange(k) + 0.5) / k),
        "np.quantile from 0 to 1 runs from end to end: take the middle of each slice, a weight itself": (
            lambda w, k: np.quantile(w, np.linspace(0, 1, k))
        ),
        "you space the weights evenly: that is the linear start": (lambda w, k: np.linspace(np.min(w), np.max(w), k)),
    },
    draw=lambda arguments, yours, target: rugs(arguments[0], yours, target),
)


def _nearest(weights, centroids):
    return np.abs(np.asarray(weights)[..., None] - centroids).argmin(-1)


def _assignments(rng):
    w = rng.normal(scale=0.2, size=(4, 5))
    return [
        (w, np.array([-0.3, -0.1, 0.1, 0.3])),
        (w, np.array([0.31, -0.29, 0.11, -0.12])),  # in no order
        (rng.normal(size=30), np.array([0.05])),
        (np.array([-9.0, 9.0, 0.4]), np.array([-1.0, 0.0, 1.0])),
    ]


def _below(w, c):
    return np.clip(np.searchsorted(np.sort(c), w, side="right") - 1, 0, len(c) - 1)


assign = Check(
    "assign",
    spec=(
        "Return the code of every weight, an array of the weights' shape: the index of the nearest centroid. "
        "The centroids may stand in any order."
    ),
    solution=_nearest,
    inputs=_assignments,
    mistakes={
        "searchsorted needs sorted centroids, and these are not": (
            lambda w, c: np.searchsorted((c[1:] + c[:-1]) / 2, w)
        ),
        "you sorted the centroids: your codes count in the sorted order, not in the given one": (
            lambda w, c: _nearest(w, np.sort(c))
        ),
        "you round down to the centroid below; the nearest may be the one above": _below,
        "you round up to the centroid above; the nearest may be the one below": (
            lambda w, c: np.clip(np.searchsorted(np.sort(c), w), 0, len(c) - 1)
        ),
        "you return the centroids themselves, not their indices": lambda w, c: c[_nearest(w, c)],
        "your codes have lost the shape of the weights": lambda w, c: _nearest(w, c).ravel(),
    },
)


def _update(weights, codes, centroids):
    moved = np.array(centroids, float)
    for i in range(len(moved)):
        members = weights[codes == i]
        if members.size:
            moved[i] = members.mean()
    return moved


def _clusters(rng):
    w = rng.normal(size=24)
    full = np.arange(24) % 4
    return [
        (w, full, np.array([-1.0, 0.0, 0.5, 1.0])),
        (w, np.where(full == 2, 3, full), np.array([-1.0, 0.0, 0.7, 1.0])),  # cluster 2 is empty
        (w.reshape(4, 6), np.full((4, 6), 1), np.array([-0.4, 0.1])),
        (np.array([0.1, 0.2, 0.9]), np.array([0, 0, 0]), np.array([0.3])),
    ]


def _means(weights, codes, k):
    sums = np.bincount(np.ravel(codes), np.ravel(weights), minlength=k)
    return sums, np.bincount(np.ravel(codes), minlength=k)


def _nan_where_empty(weights, codes, centroids):
    sums, counts = _means(weights, codes, len(centroids))
    with np.errstate(invalid="ignore"):
        return sums / counts


def _median(weights, codes, centroids):
    members = [weights[codes == i] for i in range(len(centroids))]
    return np.array([np.median(m) if m.size else c for m, c in zip(members, centroids, strict=True)])


def _zero_where_empty(weights, codes, centroids):
    sums, counts = _means(weights, codes, len(centroids))
    return sums / np.maximum(counts, 1)


lloyd_update = Check(
    "lloyd_update",
    spec=(
        "Return new centroids: each is the mean of the weights that have its code. A centroid whose cluster is empty "
        "stays where it is."
    ),
    solution=_update,
    inputs=_clusters,
    mistakes={
        "an empty cluster became NaN: the mean of no numbers; leave its centroid where it is": _nan_where_empty,
        "an empty cluster's centroid jumped to zero; leave it where it is": _zero_where_empty,
        "you take the median: equation 2 squares the distances, and the mean makes their sum smallest": _median,
        "you return the sums of the clusters, not their means": lambda w, codes, c: _means(w, codes, len(c))[0],
        "nothing moved: you return the old centroids": lambda w, codes, c: np.array(c, float),
    },
    draw=lambda arguments, yours, target: rugs(arguments[0], yours, target),
)

compression_rate = Check(
    "compression_rate",
    spec="Return r = n b / (n log2(k) + k b): n weights of b bits become n codes and a codebook of k values.",
    solution=rate,
    inputs=lambda rng: [(16, 32, 4), (32_000, 32, 32), (330, 32, 256), (1_000, 16, 2), (5_000, 32, 13)],
    mistakes={
        "you forgot the codebook: its k values of b bits are stored too": lambda n, b, k: n * b / (n * np.log2(k)),
        "you forgot the logarithm: one of k codes needs log2(k) bits, not k": lambda n, b, k: n * b / (n * k + k * b),
        "b is in bits, and you count the codebook in bytes": lambda n, b, k: n * b / (n * np.log2(k) + k * b / 8),
        "you take the natural logarithm; bits need log2": lambda n, b, k: n * b / (n * np.log(k) + k * b),
        "you round log2(k) down; the formula takes it as it is, 3.7 for k = 13": lambda n, b, k: (
            n * b / (n * int(np.log2(k)) + k * b)
        ),
        "you round log2(k) up, to whole bits; the formula takes it as it is, 3.7 for k = 13": lambda n, b, k: (
            n * b / (n * np.ceil(np.log2(k)) + k * b)
        ),
        "you take log10; bits need log2": lambda n, b, k: n * b / (n * np.log10(k) + k * b),
        "you divide the new size by the old: r says how many times smaller": lambda n, b, k: 1 / rate(n, b, k),
        "you count log2(k) bits for each value of the codebook: it holds full values of b bits": (
            lambda n, b, k: n * b / (n * np.log2(k) + k * np.log2(k))
        ),
    },
)
