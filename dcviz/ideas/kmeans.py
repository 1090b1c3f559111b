"""k-means in one dimension: weight sharing (section 3, equation 2; initialisation: section 3.2, Fig. 4).

The n weights of a layer are split into k clusters C_1 .. C_k, each weight is replaced by the centroid
of its cluster, and the file stores k centroids and log2(k) bits per weight. The clusters should make

    sum over clusters i, sum over w in C_i of |w - c_i|^2        (equation 2; called inertia below)

small. Lloyd's algorithm repeats two steps: give every weight to its nearest centroid, then move each
centroid to the mean of its weights. In one dimension this needs no distances. Sort the weights once;
then a cluster is a run between two midpoints of neighbouring centroids, found by binary search, and
its mean is a difference of two running sums. A step costs k binary searches, not n * k distances.

The start matters, since Lloyd only finds a local optimum. The paper compares three: *forgy* and
*density* put most centroids where most weights are, near zero, and large weights, few but important,
are then represented poorly; *linear* treats all sizes alike and kept the best accuracy (Fig. 8).
`kmeans_optimal.optimal` finds the global optimum and shows how far the others are from it.

Inputs are float arrays of any shape and are never changed. NaN, infinity and empty arrays raise
WeightError; a k that cannot be served raises CodebookError. Centroids are float64, sorted, shape (k,).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dcviz.errors import CodebookError, WeightError
from dcviz.ideas.pruning import check_weights

INITS = ("linear", "density", "forgy")
_LARGEST = 1e150  # squares of float64 values beyond this would overflow


@dataclass(frozen=True, eq=False)
class KMeans:
    """A finished clustering.

    centroids: float64, sorted, shape (k,);  inertia: equation 2, in squared units of the weights
    iterations: Lloyd steps made;  empty: clusters that own no weight at the end
    """

    centroids: np.ndarray
    inertia: float
    iterations: int
    empty: int


class Lloyd:
    """Weights prepared for Lloyd steps: sorted, with running sums. Costs one sort; each step is then cheap.

    An empty cluster keeps its centroid where it is: nothing says where else it should go, and the
    workbook can show that it happened. Centroids stay sorted from step to step.
    """

    def __init__(self, values):
        self.values = _sorted(values)
        # running sums of centred values, so that a large common offset does not eat the digits
        self.centre = self.values.mean()
        centred = self.values - self.centre
        self._sums = np.concatenate([[0.0], np.cumsum(centred)])
        self._squares = np.concatenate([[0.0], np.cumsum(np.square(centred))])

    def edges(self, centroids):
        """Cluster i owns values[edges[i]:edges[i + 1]] -> int64 array (k + 1,). On a midpoint: the lower."""
        inner = np.searchsorted(self.values, _midpoints(centroids), side="right")
        return np.concatenate([[0], inner, [self.values.size]])

    def assign_sizes(self, centroids):
        """How many weights each centroid owns -> int64 array (k,), adding up to n."""
        return np.diff(self.edges(_check_centroids(centroids)))

    def step(self, centroids):
        """Assign all weights, then move each centroid to the mean of its own -> new centroids (k,)."""
        centroids = _check_centroids(centroids)
        return self._means(centroids, self.edges(centroids))

    def _means(self, centroids, edges):
        first, last, sizes = edges[:-1], edges[1:], np.diff(edges)
        full = sizes > 0
        moved = centroids.copy()
        means = (self._sums[last] - self._sums[first])[full] / sizes[full] + self.centre
        # rounding must not push a mean out of its own cluster
        moved[full] = np.clip(means, self.values[first[full]], self.values[last[full] - 1])
        return moved

    def path(self, centroids, most=300):
        """All steps from a start -> list of (centroids, sizes, inertia), the start first.

        It ends where nothing moves any more, or after ``most`` steps. Inertias are from running sums.
        """
        found, now = [], _check_centroids(centroids)
        while True:
            edges = self.edges(now)
            found.append((now, np.diff(edges), float(self._costs(now, edges[:-1], edges[1:]).sum())))
            following = self._means(now, edges)
            if len(found) > most or np.array_equal(following, now):
                return found
            now = following

    def inertia(self, centroids):
        """Equation 2: squared distance of each weight to its nearest centroid, added up -> float."""
        centroids = _check_centroids(centroids)
        runs = zip(centroids, pairwise(self.edges(centroids)), strict=True)
        return float(sum(np.square(self.values[a:b] - c).sum() for c, (a, b) in runs))

    def inertia_below(self, centroids, positions):
        """Equation 2 for the first of the sorted weights only, as many as each of ``positions`` says -> float64 array.

        From running sums, so it costs k steps, not n; ``inertia`` adds up the squares themselves.
        """
        centroids = _check_centroids(centroids)
        edges = self.edges(centroids)
        whole = np.concatenate([[0.0], np.cumsum(self._costs(centroids, edges[:-1], edges[1:]))])
        positions = np.asarray(positions)
        cluster = np.clip(np.searchsorted(edges, positions, side="right") - 1, 0, centroids.size - 1)
        return whole[cluster] + self._costs(centroids[cluster], edges[cluster], positions)

    def _costs(self, centroids, first, last):
        """Equation 2 for each centroid and the sorted weights from its ``first`` up to its ``last``, from sums."""
        centred = centroids - self.centre
        sums, squares = (array[last] - array[first] for array in (self._sums, self._squares))
        return np.maximum(squares - 2 * centred * sums + np.square(centred) * (last - first), 0)

    def below(self, limits):
        """How many weights are at most each limit, their sum, their squares' sum (about ``centre``) -> three arrays.

        What lies between two limits is a difference of two of them: size, mean and inertia of any cluster.
        """
        counts = np.searchsorted(self.values, limits, side="right")
        return counts, self._sums[counts], self._squares[counts]

    def start(self, k, method="linear", seed=0):
        """Starting centroids, as `initialise` gives them."""
        return _initialise(self.values, k, method, seed)

    def settle(self, centroids, max_iterations=300, tolerance=0):
        """Steps until no centroid moves by more than tolerance, or max_iterations of them -> (centroids, steps)."""
        steps, moved = 0, np.inf
        while steps < max_iterations and moved > tolerance:
            previous, centroids = centroids, self.step(centroids)
            moved = np.abs(centroids - previous).max()
            steps += 1
        return centroids, steps


def kmeans(values, k, init="linear", seed=0, max_iterations=300, tolerance=0):
    """Lloyd's algorithm from one start -> KMeans.

    values: the kept weights of a layer, n numbers;  k: number of centroids, 2**bits in the paper
    init: a name from INITS, or k centroids to start from;  seed: used by "forgy" only
    It stops when no centroid moves by more than tolerance (units of the weights; 0: until nothing
    changes any more), or after max_iterations steps.
    Raises CodebookError for k < 1, for k above the number of distinct values, and for a bad init.

        kmeans([.0, .1, .9, 1.1], k=2) -> centroids [0.05, 1.0], inertia 0.025
    """
    lloyd = Lloyd(values)
    if isinstance(init, str):
        centroids = lloyd.start(k, init, seed)
    else:
        check_k(lloyd.values, k)
        centroids = np.sort(_check_centroids(init, ordered=False))
        if centroids.size != k:
            raise CodebookError(f"init: expected {k} centroids, got {centroids.size}")
    centroids, iterations = lloyd.settle(centroids, max_iterations, tolerance)
    empty = int(np.count_nonzero(lloyd.assign_sizes(centroids) == 0))
    return KMeans(centroids, lloyd.inertia(centroids), iterations, empty)


def initialise(values, k, method="linear", seed=0):
    """Starting centroids (section 3.2, Fig. 4) -> sorted float64 array (k,).

    "linear"   evenly spaced between the smallest and the largest weight
    "density"  evenly spaced in the cumulative distribution: the middles of k equally likely slices
    "forgy"    k weights picked at random (deterministic for a given seed)
    Where density or forgy hit one value twice, the next free distinct value is taken instead.
    Raises CodebookError for k < 1, for k above the number of distinct values, for an unknown method.

        initialise([0, .1, .2, .3, 1.], k=2) -> [0, 1]
    """
    return _initialise(_sorted(values), k, method, seed)


def assign(values, centroids):
    """Index of the nearest centroid for every value, same shape; halfway between two: the lower one.

    centroids: sorted, shape (k,). The indices are uint8 for k <= 256, uint16 for k <= 65536, else uint32.
    Raises CodebookError for centroids that are unsorted, not finite, or not one-dimensional.

        assign([-.2, .4, .5, .6], [0, 1]) -> [0, 0, 0, 1]
    """
    values = check_weights(values, "values")
    middles = _midpoints(_check_centroids(centroids))
    k = middles.size + 1
    dtype = np.uint8 if k <= 2**8 else np.uint16 if k <= 2**16 else np.uint32
    return np.searchsorted(middles, values, side="left").astype(dtype)


def compression_rate(n, bits, k):
    """Section 3: r = n*b / (n*log2(k) + k*b) -> float, original size / size with shared weights.

    n connections of `bits` (b) bits each become n cluster numbers of log2(k) bits and k centroids.
    Fig. 3's worked example, a 4 x 4 matrix of 32-bit weights sharing 4 values:

        compression_rate(16, 32, 4) -> 16*32 / (4*32 + 2*16) = 3.2

    Raises CodebookError unless n, bits and k are all at least 1.
    """
    if not (n >= 1 and bits >= 1 and k >= 1):
        raise CodebookError(f"n, bits and k must be at least 1, got n={n}, bits={bits}, k={k}")
    return float(n * bits / (n * np.log2(float(k)) + k * bits))


def check_values(values):
    """Weights as check_weights returns them; WeightError also if they are too large to square."""
    values = check_weights(values, "values")
    if max(-float(values.min()), float(values.max())) > _LARGEST:
        raise WeightError(f"values: magnitudes above {_LARGEST:g} are too large to square")
    return values


def _sorted(values):
    """All values in order, float64; sorted before they are widened, which is faster."""
    return np.sort(check_values(values), axis=None).astype(np.float64)


def _initialise(ordered, k, method, seed):
    """initialise() for values that are sorted already."""
    distinct = check_k(ordered, k)
    if method == "linear":
        low, high = ordered[0], ordered[-1]
        return np.linspace(low, high, k) if k > 1 else np.array([0.5 * low + 0.5 * high])
    if method == "density":
        picks = ((np.arange(k) + 0.5) / k * ordered.size).astype(np.int64)
    elif method == "forgy":
        picks = np.sort(np.random.default_rng(seed).choice(ordered.size, k, replace=False))
    else:
        raise CodebookError(f"unknown initialisation {method!r}, expected one of {', '.join(INITS)}")
    at = np.searchsorted(distinct, ordered[picks])
    step = np.arange(k)
    at = np.maximum.accumulate(at - step) + step  # push repeats up to the next free value ...
    return distinct[np.minimum(at, distinct.size - k + step)]  # ... but leave room for those above


def check_k(ordered, k):
    """The distinct values of a sorted array; CodebookError if k is below 1 or above their number."""
    if not isinstance(k, (int, np.integer)) or k < 1:
        raise CodebookError(f"k must be an integer of at least 1, got {k!r}")
    distinct = ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])]
    if k > distinct.size:
        raise CodebookError(f"k = {k} centroids for only {distinct.size} distinct values: use fewer")
    return distinct


def _check_centroids(centroids, ordered=True):
    try:
        centroids = np.asarray(centroids, np.float64)
    except (TypeError, ValueError) as error:
        raise CodebookError(f"centroids: cannot be read as numbers ({error})") from error
    if centroids.ndim != 1 or centroids.size == 0 or not np.isfinite(centroids).all():
        raise CodebookError(f"centroids: expected finite numbers of shape (k,), got {centroids}")
    if ordered and (np.diff(centroids) < 0).any():
        raise CodebookError("centroids: must be sorted")
    return centroids


def _midpoints(centroids):
    return 0.5 * centroids[:-1] + 0.5 * centroids[1:]
