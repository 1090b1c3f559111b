"""A small network in place of the inner product: neural network matrix factorisation (Dziugaite & Roy 2015).

SVD writes entry (i, j) of a matrix as the inner product of a vector for the row and one for the column. Here a
small network f, the same for all entries, is told more: the two vectors u_i, v_j as they are, and the products
u'_i * v'_j, entry by entry. If f only adds up the products, that *is* a matrix factorisation; it may do more.
The layer's weights exist no more in the file; they are computed once, when the net is opened.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from dcviz.archive import Layer, StoredNet
from dcviz.chapters.ch09_other_roads import rebuild
from dcviz.errors import NetError
from dcviz.nets import models, training
from dcviz.pipeline import stored_net

MARK = ".nnmf."


class Factors(nn.Module):
    """Weights of an n x m matrix, computed by a small network from vectors of rows and columns.

    own: length d of u_i and of v_j; shared: length d' of u'_i and v'_j; hidden: width of the network's hidden layer.
    """

    def __init__(self, n, m, own, shared, hidden, seed=0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.rows_own = nn.Parameter(0.3 * torch.randn(n, own))
            self.columns_own = nn.Parameter(0.3 * torch.randn(m, own))
            self.rows_shared = nn.Parameter(0.3 * torch.randn(n, shared))
            self.columns_shared = nn.Parameter(0.3 * torch.randn(m, shared))
            self.of_rows = nn.Parameter(torch.randn(own, hidden) / max(own, 1) ** 0.5)
            self.of_columns = nn.Parameter(torch.randn(own, hidden) / max(own, 1) ** 0.5)
            self.of_products = nn.Parameter(torch.randn(shared, hidden) / max(shared, 1) ** 0.5)
            self.offset = nn.Parameter(torch.zeros(hidden))
            self.out = nn.Parameter(torch.randn(hidden) / hidden**0.5)
            self.straight = nn.Parameter(torch.ones(shared))
            self.scale = nn.Parameter(torch.ones(1))

    def forward(self, rows=slice(None)):
        """The matrix's rows (n, m), or some of them; hidden units are worked through one at a time to save memory."""
        own, products = self.rows_own[rows] @ self.of_rows + self.offset, self.rows_shared[rows]
        from_columns = self.columns_own @ self.of_columns
        total = (products * self.straight) @ self.columns_shared.T
        for unit in range(len(self.out)):
            mixed = (products * self.of_products[:, unit]) @ self.columns_shared.T
            total = total + self.out[unit] * torch.tanh(mixed + own[:, unit, None] + from_columns[:, unit])
        return self.scale * total

    @torch.no_grad()
    def matrix(self):
        """The weights (n, m) as a float32 array; the same bits on the same machine."""
        with training.threads(1):
            return self().numpy()


@dataclass(frozen=True)
class Fit:
    """Factors and how well they did: length of what is missing over the matrix's (as ``svd.relative_error``)."""

    factors: Factors
    relative_error: float
    parameters: int


def fit(weight, own, shared, hidden=8, steps=400, lr=0.02, seed=0, start=None):
    """Fit ``Factors`` to a matrix (n, m) by least squares, all entries at once, Adam with cosine decay -> ``Fit``.

    start: (second, first) factors as of ``svd`` of rank ``shared`` to begin with, or None for random ones.
    """
    matrix = torch.as_tensor(weight).to(torch.float32)
    if matrix.dim() != 2:
        raise NetError(f"only a matrix can be factored, not weights of shape {tuple(matrix.shape)}")
    unit = matrix.std()
    factors = Factors(*matrix.shape, own, shared, hidden, seed)
    with torch.no_grad():
        factors.scale.fill_(unit)
        if start is not None:
            factors.rows_shared.copy_(torch.as_tensor(start[0]) / unit.sqrt())
            factors.columns_shared.copy_(torch.as_tensor(start[1]).T / unit.sqrt())
            factors.out.mul_(0.1)
    optimizer = training.Adam(factors.parameters(), lr=lr)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    with training.threads(1):
        for _ in range(steps):
            loss = ((factors() - matrix) / unit).square().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            decay.step()
    missing = np.linalg.norm(factors.matrix() - matrix.numpy()) / np.linalg.norm(matrix.numpy())
    return Fit(factors, float(missing), sum(p.numel() for p in factors.parameters()))


def store(net, layers):
    """A ``StoredNet`` in which some layers' weights are ``Factors``: {layer name: Factors}; all else as it is."""
    stored = []
    for layer in stored_net(net).layers:
        if layer.name not in layers:
            stored.append(layer)
            continue
        for key, value in layers[layer.name].state_dict().items():
            if value.numel():
                stored.append(Layer(layer.name + MARK + key, value.numpy().copy(), bare=True))
        stored.append(Layer(f"{layer.name}.bias", layer.bias.copy(), bare=True))
    return StoredNet(getattr(net, "name", type(net).__name__), tuple(stored))


def restore(stored):
    """The torch net of a ``StoredNet`` made by ``store``, its weights computed; errors as ``rebuild.restore``."""
    state, layers = stored.state_dict(), [layer for layer in stored.layers if not layer.bare]
    for name in dict.fromkeys(key.partition(MARK)[0] for key in state if MARK in key):
        parts = {key.partition(MARK)[2]: value for key, value in state.items() if key.startswith(name + MARK)}
        layers.append(Layer(name, _read(parts).matrix(), state[f"{name}.bias"]))
    order = list(models.weight_layers(models.build(stored.name)))
    layers.sort(key=lambda layer: order.index(layer.name) if layer.name in order else len(order))
    return rebuild.restore(replace(stored, layers=tuple(layers)))


def _read(parts):
    shapes = {key: value.shape for key, value in parts.items()}
    try:
        own = shapes.get("rows_own", (0, 0))[1]
        n, shared = shapes["rows_shared"]
        factors = Factors(n, shapes["columns_shared"][0], own, shared, len(parts["out"]))
        empty = {key: value for key, value in factors.state_dict().items() if not value.numel()}
        factors.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in parts.items()} | empty)
    except (KeyError, RuntimeError, ValueError) as error:
        raise NetError(f"the stored factors do not fit together: {error}") from error
    return factors
