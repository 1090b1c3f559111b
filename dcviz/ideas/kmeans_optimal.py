"""The best codebook there is: exact k-means in one dimension (the optimum of equation 2, section 3).

Lloyd's algorithm stops at a local optimum that depends on the start, which is why section 3.2 compares
three of them. In one dimension the global optimum can be had: every cluster is a run of the sorted
values, and the best way to cut i values into j runs is made of a best way to cut fewer values into
j - 1 runs. That is dynamic programming; it tells how much a start leaves on the table.
"""

from itertools import pairwise

import numpy as np

from dcviz.errors import CodebookError
from dcviz.ideas.kmeans import KMeans, check_k, check_values

MAX_DISTINCT = 50_000  # a second or so at k = 64


def optimal(values, k, counts=None):
    """The best k centroids there are: the global minimum of equation 2, by dynamic programming -> KMeans.

    best[j][i] = min over m of best[j-1][m] + cost of making one cluster of the distinct values m .. i-1.
    The best m grows with i, so the middle i of a range halves the search for all others (divide and
    conquer); all ranges of a level are worked in one go. About k * d * log(d) operations.
    counts: how often each value occurs, same shape, positive; for histograms of large layers.
    Raises CodebookError for a bad k or counts, and for more than MAX_DISTINCT distinct values.

        optimal([0, .1, .9, 1.1], k=2) -> centroids [0.05, 1.0], inertia 0.025
    """
    return optima(values, [k], counts)[k]


def optima(values, ks, counts=None):
    """`optimal` for several k, for the price of the largest -> {k: KMeans}."""
    k = max(ks)
    values = check_values(values).astype(np.float64).ravel()
    counts = np.ones(values.size) if counts is None else np.asarray(counts, np.float64).ravel()
    if counts.size != values.size or not (np.isfinite(counts).all() and (counts > 0).all()):
        raise CodebookError("counts: expected one positive number for each value")
    distinct, inverse = np.unique(values, return_inverse=True)
    check_k(distinct, k)
    d = distinct.size
    if d > MAX_DISTINCT:
        raise CodebookError(
            f"{d} distinct values, more than {MAX_DISTINCT}: pass bin centres of a histogram and its counts"
        )
    weight = np.bincount(inverse, counts)
    x = distinct - np.average(distinct, weights=weight)
    w, wx, wxx = (np.concatenate([[0.0], np.cumsum(weight * x**p)]) for p in range(3))

    def cost(m, i):
        return np.maximum(wxx[i] - wxx[m] - (wx[i] - wx[m]) ** 2 / (w[i] - w[m]), 0.0)

    best = np.concatenate([[0.0], cost(0, np.arange(1, d + 1))])
    cuts = np.zeros((k + 1, d + 1), np.int32)  # cuts[j, i]: where the last of j clusters of i values begins
    for j in range(2, k + 1):
        best, cuts[j] = _next_row(best, cost, j, d)
    return {k: _kmeans(k, cuts, distinct, weight) for k in ks}


def _kmeans(k, cuts, distinct, weight):
    """The best k clusters, read back from where each of them begins."""
    edges = [distinct.size]
    for j in range(k, 0, -1):
        edges.append(int(cuts[j, edges[-1]]))
    runs = list(pairwise(edges[::-1]))
    means = np.array([np.average(distinct[a:b], weights=weight[a:b]) for a, b in runs])
    nearest = np.repeat(means, np.diff(edges[::-1]))
    return KMeans(means, float((weight * (distinct - nearest) ** 2).sum()), 0, 0)


def _next_row(best, cost, j, d):
    """best[j-1] -> best[j] and its cuts, for i = j .. d values; smaller i cannot fill j clusters."""
    row, cut = np.full(d + 1, np.inf), np.full(d + 1, j - 1, np.int32)
    lows, highs = np.array([j]), np.array([d])  # ranges of i still open, each between two known cuts
    from_, to = np.array([j - 1]), np.array([d - 1])
    while lows.size:
        i = (lows + highs) // 2
        ends = np.minimum(to, i - 1)
        widths = ends - from_ + 1
        starts = np.cumsum(widths) - widths
        m = np.arange(widths.sum()) - np.repeat(starts - from_, widths)
        totals = best[m] + cost(m, np.repeat(i, widths))
        row[i] = np.minimum.reduceat(totals, starts)
        hit = np.flatnonzero(totals == np.repeat(row[i], widths))
        first = hit[np.searchsorted(hit, starts)]  # the first m that reaches the minimum, for each i
        cut[i] = m[first]
        lows, highs, from_, to = (
            np.concatenate(pair) for pair in ((lows, i + 1), (i - 1, highs), (from_, cut[i]), (cut[i], to))
        )
        open_ = lows <= highs
        lows, highs, from_, to = lows[open_], highs[open_], from_[open_], to[open_]
    return row, cut
