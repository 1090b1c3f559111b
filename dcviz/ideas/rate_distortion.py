"""Codes chosen for their length too: entropy-constrained assignment.

k-means gives every weight its nearest centroid and leaves the code lengths to chance. A weight that lies between two
centroids loses little by taking the other one, and if that is a frequent one its code word is shorter. So
minimise, over all weights w with codes z,

    sum (w - c[z])^2 + price * (bits of z),     bits of z = -log2(share of weights with code z),

by turns: assign with the bits held fixed, then count again. The price of 0 is nearest-centroid assignment.
"""

import numpy as np

from dcviz.errors import CodebookError
from dcviz.ideas.kmeans import assign

BLOCK = 1 << 12
"""Values compared with all centroids at once: what fits into the cache of a processor."""


def assign_by_rate(values, centroids, price, rounds=20):
    """Codes (n,) of ``values`` (n,) among ``centroids`` (k,) at ``price`` per bit, in units of squared values.

    A centroid that loses all its weights stays unused. price: one, or one a value, (n, 1). CodebookError for a negative
    price.
    """
    if not np.all(np.asarray(price) >= 0):
        raise CodebookError(f"the price of a bit must not be negative, but is {price}")
    values, centroids = np.asarray(values, np.float64).reshape(-1), np.asarray(centroids)
    price = np.asarray(price, np.float64)
    if not price.any() or not values.size:
        return assign(values, centroids).astype(np.intp)
    if price.size > 1:
        return _by_rate(values, np.ones(values.shape, np.intp), centroids, price, rounds)
    distinct, times = np.unique(values, return_counts=True)  # weights read from 16-bit floats are often equal
    return _by_rate(distinct, times, centroids, price, rounds)[np.searchsorted(distinct, values)]


def _by_rate(values, times, centroids, price, rounds):
    """Codes of ``values`` (n,) that occur so many ``times`` (n,)."""
    codes, price = assign(values, centroids).astype(np.intp), np.broadcast_to(price, (len(values), 1))
    for _ in range(rounds):
        counts = np.bincount(codes, times, len(centroids))
        used = np.flatnonzero(counts)  # an unused code has infinitely many bits: nobody can afford it
        near, bits = centroids[used], -np.log2(counts[used] / times.sum())
        new = np.concatenate(
            [
                used[np.argmin((values[at : at + BLOCK, None] - near) ** 2 + price[at : at + BLOCK] * bits, axis=1)]
                for at in range(0, len(values), BLOCK)
            ]
        )
        if np.array_equal(new, codes):
            break
        codes = new
    return codes
