"""Weight sharing in groups: few bits a weight, and a table of values for each layer, each row or each few neighbours.

The paper has one codebook a layer. Today's formats for language models have one for every row (SqueezeLLM) or, in
place of a codebook, an evenly spaced grid with one scale for every few neighbours (the formats that local runners use).
Whatever the values are, the file holds codes and tables, and its length is what counts.

    group   "layer", "row", or how many neighbours of a row share a table
    method  "k-means", "k-means, weighted" (by how much the loss feels each weight), "grid"
"""

import copy
from dataclasses import dataclass

import numpy as np

from dcviz.archive import Coding, Layer, StoredNet
from dcviz.errors import RecipeError
from dcviz.without_torch import Later

torch = Later("torch")

METHODS = ("k-means", "k-means, weighted", "grid")
GROUPS = ("layer", "row", 64, 32)
STEPS = 25
"""Lloyd steps; more change little."""
TABLE, APART = ".table", ".apart"
"""What the tensors of tables and of weights kept apart are called, after their layer."""


@dataclass(frozen=True, eq=False)
class Shared:
    """A matrix (rows, columns) as codes and tables.

    codes: int64 (groups, n), every group's weights in order; table: float32 (groups, k), or (groups, 1) for a grid of
    scale x (code - 2**(bits-1)); apart: float32 (rows, columns), the weights that keep their value, else 0, or None.
    """

    codes: np.ndarray
    table: np.ndarray
    bits: int
    grid: bool
    shape: tuple
    apart: np.ndarray | None = None

    def values(self):
        """The matrix that the codes stand for, float32 (rows, columns)."""
        if self.grid:
            values = self.table * (self.codes - 2 ** (self.bits - 1))
        else:
            values = np.take_along_axis(self.table, self.codes, axis=1)
        values = values.reshape(self.shape).astype(np.float32)
        return values if self.apart is None else np.where(self.apart != 0, self.apart, values)

    def layers(self, name, huffman=False):
        """The ``archive.Layer``s of a file: codes, tables in float16, and weights apart as float16 with gaps."""
        codes = self.codes.reshape(self.shape).astype(np.float32)
        every = np.arange(2**self.bits, dtype=np.float32)
        coding = Coding(codebook=every, dtype="float16", huffman=huffman)
        parts = [
            Layer(name, codes, coding=coding),
            Layer(name + TABLE, self.table, None, Coding(dtype="float16"), True),
        ]
        if self.apart is not None:
            parts.append(Layer(name + APART, self.apart, None, Coding(index_bits=8, dtype="float16"), True))
        return parts


def share(weight, bits, method="k-means", group="layer", importance=None, apart=0.0):
    """A matrix (rows, columns) -> ``Shared``.

    importance: positive, shape of the weights, for "k-means, weighted". apart: this share of the weights, the largest,
    keeps its value. RecipeError for an unknown method or a group that does not divide a row.
    """
    weight = np.asarray(weight, np.float32)
    if method not in METHODS or not 1 <= bits <= 8:
        raise RecipeError(f"method must be one of {', '.join(METHODS)} and bits 1 to 8, not {method!r} and {bits}")
    loud = None
    if apart:
        limit = np.partition(np.abs(weight).ravel(), -max(1, round(apart * weight.size)))[
            -max(1, round(apart * weight.size))
        ]
        loud = np.where(np.abs(weight) >= limit, weight, 0).astype(np.float16).astype(np.float32)
        weight = np.where(loud != 0, 0, weight)
    rows = grouped(weight, group)
    if method == "grid":
        codes, table = grid(rows, bits)
    else:
        felt = np.ones_like(rows) if method == "k-means" else grouped(np.asarray(importance, np.float32), group)
        codes, table = codebooks(rows, 2**bits, felt)
    return Shared(codes, table, bits, method == "grid", weight.shape, loud)


def grouped(weight, group):
    """(rows, columns) -> (groups, n): the weights that share a table, side by side. RecipeError if they do not fit."""
    if group == "layer":
        return weight.reshape(1, -1)
    n = weight.shape[1] if group == "row" else group
    if weight.shape[1] % n:
        raise RecipeError(f"groups of {n} do not fill rows of {weight.shape[1]}")
    return weight.reshape(-1, n)


def grid(rows, bits):
    """Codes int64 (groups, n) and scales float32 (groups, 1), rounded to float16: an evenly spaced grid for each group.

    The value farthest from zero gets the lowest code, 0; weight = scale x (code - 2**(bits-1)). This is the rule of the
    format Q4_0 of llama.cpp, there with 4 bits and groups of 32.
    """
    half = 2 ** (bits - 1)
    far = np.take_along_axis(rows, np.abs(rows).argmax(1)[:, None], axis=1)
    scale = (far / -half).astype(np.float16).astype(np.float32)
    steps = np.divide(rows, scale, out=np.zeros_like(rows), where=scale != 0)
    return np.clip(np.rint(steps) + half, 0, 2 * half - 1).astype(np.int64), scale


def codebooks(rows, k, importance):
    """Codes int64 (groups, n) and codebooks float32 (groups, k): Lloyd's algorithm in every group at once.

    rows, importance: float (groups, n). Each centroid moves to the mean of its weights, weighted by importance; one
    that owns none stays. The start is linear (section 3.2), the values are rounded to float16.
    """
    groups = len(rows)
    low, high = rows.min(1, keepdims=True).astype(np.float64), rows.max(1, keepdims=True).astype(np.float64)
    scale = np.where(high > low, high - low, 1)
    lanes = 2.0 * np.arange(groups)[:, None]  # each group gets an interval of its own: one search then serves all
    x = (rows - low) / scale
    felt = np.maximum(importance, 1e-12 * importance.max(1, keepdims=True) + 1e-30).astype(np.float64)
    table = np.tile(np.linspace(0, 1, k), (groups, 1))
    for _ in range(STEPS):
        cells = _nearest(x + lanes, table + lanes)
        mass = np.bincount(cells.ravel(), felt.ravel(), groups * k)
        moved = np.bincount(cells.ravel(), (felt * x).ravel(), groups * k)
        new = np.where(mass > 0, moved / np.where(mass > 0, mass, 1), table.ravel()).reshape(groups, k)
        if np.allclose(new, table, rtol=0, atol=1e-7):
            break
        table = np.sort(new, axis=1)
    table = (table * scale + low).astype(np.float16).astype(np.float32)
    cells = _nearest((rows - low) / scale + lanes, (table - low) / scale + lanes)
    return cells - k * np.arange(groups)[:, None], table


def _nearest(x, table):
    """Place of the nearest of all centroids (groups, k) for each x (groups, n); both rise from group to group."""
    groups, k = table.shape
    if k == 1:
        return np.zeros(x.shape, np.int64) + np.arange(groups)[:, None]
    middles = (table[:, 1:] + table[:, :-1]) / 2
    places = np.searchsorted(middles.ravel(), x)
    own = np.arange(groups)[:, None]
    return np.clip(places - own * (k - 1), 0, k - 1) + own * k


def share_net(net, bits, method="k-means", group="layer", importance=None, apart=0.0, report=lambda done, total: None):
    """Every Linear layer of a net shared alike -> {layer: Shared}. importance: {layer: array}, or None.

    report(done, total) is called before each layer, and may raise.
    """
    layers = {name: module for name, module in net.named_modules() if isinstance(module, torch.nn.Linear)}
    shared = {}
    for name, module in layers.items():
        report(len(shared), len(layers))
        weights, felt = module.weight.detach().numpy(), importance and importance[name]
        shared[name] = share(weights, bits, method, group, felt, apart)
    return shared


def with_values(net, values):
    """A copy of a net whose Linear layers hold {layer: float array} in place of their weights."""
    net = copy.deepcopy(net)
    with torch.no_grad():
        for name, value in values.items():
            net.get_submodule(name).weight.copy_(torch.from_numpy(np.asarray(value, np.float32)))
    return net


def stored(name, shared, huffman=False):
    """The ``StoredNet`` of {layer: Shared}; ``read`` brings its values back."""
    return StoredNet(name, tuple(part for key, layer in shared.items() for part in layer.layers(key, huffman)))


def read(net):
    """{layer: float32 matrix} of a ``StoredNet`` made by ``stored``."""
    tensors = {layer.name: layer.weight for layer in net.layers}
    found = {}
    for layer in net.layers:
        if layer.bare:
            continue
        table = tensors[layer.name + TABLE]
        bits = (len(layer.coding.codebook) - 1).bit_length()
        codes = layer.weight.astype(np.int64).reshape(len(table), -1)
        apart = tensors.get(layer.name + APART)
        found[layer.name] = Shared(codes, table, bits, table.shape[1] == 1, layer.weight.shape, apart).values()
    return found
