"""Fully connected layers of low rank: the singular value decomposition, cut off (Denton et al. 2014).

A layer's n x m weights become U (n x d) times V (d x m): (n + m) d weights and multiplications in place of n m. No
other product of that rank is closer (Eckart and Young), but closest in the weights is not closest in the answers:
fine-tuning moves both factors on.
"""

import numpy as np
import torch
from torch import nn

from dcviz import models
from dcviz.alternatives import rebuild
from dcviz.errors import NetError, RecipeError


def spectrum(weight):
    """Singular values of a matrix (n, m), largest first -> float array (min(n, m),)."""
    return torch.linalg.svdvals(_matrix(weight)).numpy()


def factors(weight, rank):
    """The two factors of the closest matrix of that rank: (n, m) -> float32 second (n, d), first (d, m).

    ``second @ first`` is the matrix; each gets the square roots of the singular values, so that both are of one
    scale. RecipeError unless 1 <= rank <= min(n, m).
    """
    matrix = _matrix(weight)
    if not 1 <= rank <= min(matrix.shape):
        raise RecipeError(f"the rank of a {matrix.shape[0]} x {matrix.shape[1]} matrix is 1 to {min(matrix.shape)}, "
                          f"not {rank}")  # fmt: skip
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    root = s[:rank].sqrt()
    return (u[:, :rank] * root).float().numpy(), (root[:, None] * v[:rank]).float().numpy()


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


def factorise(net, ranks):
    """A copy of ``net`` with fully connected layers split in two: {layer: rank}. The second part has the bias.

    NetError for a layer that the net lacks or that is a convolution; RecipeError for an impossible rank.
    """
    known, layers = models.weight_layers(net), {}
    for name, rank in ranks.items():
        if not isinstance(known.get(name), nn.Linear):
            linear = [key for key, layer in known.items() if isinstance(layer, nn.Linear)]
            raise NetError(f"{name!r} is no fully connected layer of the net; those are {', '.join(linear)}")
        weight = known[name].weight.detach()
        layers[name] = rebuild.split(*factors(weight, rank), known[name].bias)
    return rebuild.with_layers(net, layers)


def _matrix(weight):
    matrix = torch.as_tensor(weight).detach().double()
    if matrix.dim() != 2 or not matrix.numel():
        raise NetError(f"only a matrix has singular values, not weights of shape {tuple(matrix.shape)}")
    return matrix
