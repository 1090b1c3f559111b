"""Fully connected layers of low rank: the singular value decomposition, cut off (Denton et al. 2014).

A layer's n x m weights become U (n x d) times V (d x m): (n + m) d weights and multiplications in place of n m. No
other product of that rank is closer (Eckart and Young), but closest in the weights is not closest in the answers:
fine-tuning moves both factors on.
"""

import numpy as np

from dcviz.chapters.ch09_other_roads import rebuild
from dcviz.errors import NetError, RecipeError
from dcviz.nets import models


def spectrum(weight):
    """Singular values of a matrix (n, m), largest first -> float array (min(n, m),)."""
    return np.linalg.svd(_matrix(weight), compute_uv=False)


def factors(weight, rank):
    """The two factors of the closest matrix of that rank: (n, m) -> float32 second (n, d), first (d, m).

    ``second @ first`` is the matrix; each gets the square roots of the singular values, so that both are of one
    scale. RecipeError unless 1 <= rank <= min(n, m).
    """
    matrix = _matrix(weight)
    if not 1 <= rank <= min(matrix.shape):
        raise RecipeError(
            f"the rank of a {matrix.shape[0]} x {matrix.shape[1]} matrix is 1 to {min(matrix.shape)}, not {rank}"
        )
    return Decomposed(matrix).factors(rank)


def relative_error(singular_values, rank):
    """Length of what is cut off over the length of all (Frobenius norms), 0..1, from the spectrum alone."""
    squares = np.asarray(singular_values, np.float64) ** 2
    return float(np.sqrt(squares[rank:].sum() / squares.sum()))


def parameters(n, m, rank):
    """Weights of the two factors: (n + m) d."""
    return (n + m) * rank


def break_even(n, m):
    """The largest rank at which the factors have fewer weights than the matrix."""
    return max((n * m - 1) // (n + m), 0)


class Decomposed:
    """A matrix (n, m), decomposed once; every rank of it is then a slice. NetError for other shapes."""

    def __init__(self, weight):
        matrix = _matrix(weight)
        self.shape = matrix.shape
        u, self.spectrum, v = np.linalg.svd(matrix, full_matrices=False)
        root = np.sqrt(self.spectrum)
        self._second, self._first = (u * root).astype(np.float32), (root[:, None] * v).astype(np.float32)

    def factors(self, rank):
        """float32 second (n, d), first (d, m), as the function ``factors``."""
        return self._second[:, :rank], self._first[:rank]

    def matrix(self, rank):
        """The matrix at that rank: (n, m)."""
        second, first = self.factors(rank)
        return second @ first


class LowRank(Decomposed):
    """One fully connected layer of a torch net, decomposed, and the nets that it makes.

    NetError for a layer that the net lacks or that is a convolution.
    """

    def __init__(self, net, layer):
        from torch import nn

        known = models.weight_layers(net)
        if not isinstance(known.get(layer), nn.Linear):
            linear = [name for name, module in known.items() if isinstance(module, nn.Linear)]
            raise NetError(f"{layer!r} is no fully connected layer of the net; those are {', '.join(linear)}")
        self.net, self.layer, self.module = net, layer, known[layer]
        super().__init__(self.module.weight)

    def split(self, rank):
        """The layer as two layers in a row, with its bias; RecipeError unless 1 <= rank <= min(n, m)."""
        if not 1 <= rank <= min(self.shape):
            raise RecipeError(f"the rank of {self.layer} is 1 to {min(self.shape)}, not {rank}")
        return rebuild.split(*self.factors(rank), self.module.bias)

    def cut(self, rank):
        """A copy of the net with this layer at that rank."""
        return rebuild.with_layers(self.net, {self.layer: self.split(rank)})


def factorise(net, ranks):
    """A copy of ``net`` with fully connected layers split in two: {layer: rank}. Errors as ``LowRank``."""
    return rebuild.with_layers(net, {name: LowRank(net, name).split(rank) for name, rank in ranks.items()})


def _matrix(weight):
    matrix = np.asarray(weight.detach() if hasattr(weight, "detach") else weight, np.float64)
    if matrix.ndim != 2 or not matrix.size:
        raise NetError(f"only a matrix has singular values, not weights of shape {matrix.shape}")
    return matrix
