"""Fully connected layers to time: the paper's sizes and densities, or any net's own, in three forms.

    layer = random_layer(paper_layers()["alexnet/fc6"])     dense, CSR and compressed, the same weights
    x = inputs(9216, batch=1, active=0.35)                  as after a ReLU: most are zero

Weights are drawn at random: the time depends on where weights are, not on their values.
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dcviz.errors import WeightError
from dcviz.evidence import paper, recordings
from dcviz.ideas import sparse_formats
from dcviz.nets import models
from dcviz.pipeline import sparse_kernels
from dcviz.without_torch import Later

if TYPE_CHECKING:
    import torch
else:
    torch = Later("torch")

_LARGE = ("alexnet", "vgg-16")
_SHAPES = {
    "alexnet": {"fc6": (4096, 9216), "fc7": (4096, 4096), "fc8": (1000, 4096)},
    "vgg-16": {"fc6": (4096, 25088), "fc7": (4096, 4096), "fc8": (1000, 4096)},
    "lenet-300-100": {"fc1": (300, 784), "fc2": (100, 300), "fc3": (10, 100)},
    "lenet-5": {"fc1": (500, 800), "fc2": (10, 500)},
}
"""{net: {layer: (rows, columns)}}, the large nets first: speed is about them. ``models.build`` would need torch."""


class Costs:
    """Bytes and operations of a layer with rows, columns, kept weights, compressed entries and codebook places."""

    def resident_bytes(self, method):
        """Bytes of memory that the weights take while in use -> float."""
        return {
            "dense": 4 * self.rows * self.columns,
            "csr": 8 * self.kept + 4 * (self.rows + 1),
            "compressed": 2 * self.entries + 4 * (self.columns + 1) + 4 * self.places,
        }[method]

    def moved_bytes(self, method, batch=1, active=1.0):
        """Bytes that one call has to read and write at least, weights once, activations once -> float.

        The compressed form passes over the columns of inputs that are zero in the whole batch.
        """
        skipped = 2 * self.entries * (1 - active) ** batch if method == "compressed" else 0
        return self.resident_bytes(method) - skipped + 4 * batch * (self.rows + self.columns)

    def operations(self, method, batch=1, active=1.0):
        """Multiplications and additions of one call, 2 per weight that is used -> float."""
        if method == "dense":
            return 2.0 * batch * self.rows * self.columns
        return 2.0 * batch * self.kept * (active if method == "compressed" and batch == 1 else 1)

    def intensity(self, method, batch=1, active=1.0):
        """Operations of one call per byte that it moves -> float."""
        return self.operations(method, batch, active) / self.moved_bytes(method, batch, active)

    def least_seconds(self, method, bandwidth, peak, batch=1, active=1.0):
        """The roofline's limit: the longer of moving the bytes and doing the operations -> float.

        bandwidth: bytes per second; peak: operations per second.
        """
        moved, operations = (count(method, batch, active) for count in (self.moved_bytes, self.operations))
        return max(moved / bandwidth, operations / peak)


def roof(intensity, bandwidth, peak):
    """The most operations per second at so many ``intensity`` operations per byte (Williams et al., 2009) -> array."""
    return np.minimum(bandwidth * np.asarray(intensity), peak)


@dataclass(frozen=True)
class FcLayer(Costs):
    """A fully connected layer of the paper: rows are outputs, columns inputs. Its costs are expected ones.

    density: share of weights kept (Tables 2 to 5); bits: of a weight code
    active: share of inputs that are not zero, or None for the LeNets (see ``activity``). AlexNet's were counted on the
        shipped net with the paper's densities; VGG-16's layers take those, as no trained VGG-16 is at hand
    cold: whether the rest of its net drives it out of all caches between two pictures
    """

    name: str
    rows: int
    columns: int
    density: float
    bits: int
    active: float | None = None
    cold: bool = False

    @property
    def kept(self):
        """Weights that are not zero, on average -> float."""
        return self.density * self.rows * self.columns

    @property
    def entries(self):
        """Compressed entries, on average, fillers for gaps beyond 256 among them -> float."""
        gap_bits = sparse_formats.KERNEL_GAP_BITS
        return sparse_formats.expected_entries(self.density, gap_bits) * self.rows * self.columns

    @property
    def places(self):
        """Places of the codebook -> int."""
        return 2**self.bits + 1


@dataclass(frozen=True, eq=False)
class Forms(Costs):
    """One layer in the three forms that are timed; ``compressed`` holds what the others unpack."""

    name: str
    dense: torch.Tensor
    csr: torch.Tensor
    compressed: sparse_kernels.CompressedLayer

    @property
    def rows(self):
        """Outputs -> int."""
        return self.dense.shape[0]

    @property
    def columns(self):
        """Inputs -> int."""
        return self.dense.shape[1]

    @property
    def kept(self):
        """Weights that are not zero -> int."""
        return self.csr.values().numel()

    @property
    def entries(self):
        """Compressed entries -> int."""
        return self.compressed.entries.size

    @property
    def places(self):
        """Places of the codebook -> int."""
        return self.compressed.codebook.size

    @property
    def density(self):
        """Share of weights that are not zero -> float."""
        return self.kept / self.dense.numel()


@functools.cache
def paper_layers():
    """{"alexnet/fc6": FcLayer, ...}: fully connected layers of the paper's four nets, with its densities.

    DataError if the recorded count of active inputs is missing.
    """
    counted, layers = _counted(), {}
    for net, shapes in _SHAPES.items():
        printed = paper.layers(net)
        for name, (rows, columns) in shapes.items():
            layers[f"{net}/{name}"] = FcLayer(
                f"{net}/{name}",
                rows,
                columns,
                printed[name]["weights_pct_P"] / 100,
                printed[name]["weight_bits_PQ"],
                counted.get(name),
                net in _LARGE,
            )
    return layers


def six_layers():
    """Names of the six layers of Tables 8 and 9, in their order -> list of str."""
    return [f"{net}/{name}" for net in _LARGE for name in ("fc6", "fc7", "fc8")]


def random_layer(layer, seed=0):
    """A layer of that size and density with random weights -> Forms.

    layer: FcLayer. Every weight is kept with probability ``density``; shared values are as many as the code
    has bits for, drawn from a bell.
    """
    random = np.random.default_rng(seed)
    n = layer.rows * layer.columns
    gaps = random.geometric(layer.density, int(1.02 * n * layer.density + 1000))
    places = np.cumsum(gaps) - 1  # column after column
    places = places[places < n]
    codebook = np.sort(random.normal(0, 0.02, 2**layer.bits)).astype(np.float32)
    codes = random.integers(0, codebook.size, places.size)
    counts = np.bincount(places // layer.rows, minlength=layer.columns)
    packed = sparse_kernels.pack(places % layer.rows, counts, codes, codebook, (layer.rows, layer.columns))
    return _forms(layer.name, packed)


def own_layer(name, weight):
    """A layer with your own pruned and shared weights, float (rows, columns) -> Forms. Errors as ``compress``."""
    return _forms(name, sparse_kernels.compress(weight))


def activity(net, images):
    """{layer: share of its inputs that are not zero}, for the Linear layers of a torch net on images (n, ...)."""
    shares = {}

    def keep(name, given):
        shares[name] = float((given != 0).float().mean())

    linear = {name: module for name, module in net.named_modules() if isinstance(module, torch.nn.Linear)}
    with models.watched(linear, keep, inputs=True), torch.no_grad():
        net(images)
    return shares


def inputs(columns, batch=1, active=1.0, seed=0, device="cpu"):
    """Activations after a ReLU: float32 (batch, columns), positive, a share ``active`` of them not zero."""
    if not 0 <= active <= 1 or batch < 1:
        raise WeightError(f"active must lie in 0..1 and batch be at least 1, not {active} and {batch}")
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(batch, columns, generator=generator) + 0.1
    return (values * (torch.rand(batch, columns, generator=generator) < active)).to(device)


def _counted():
    """{"fc6": share of inputs that are not zero, ...} in our AlexNet at the paper's densities, as recorded."""
    rows = recordings.load("alexnet_activity").rows
    return {row["layer"]: round(row["active"], 3) for row in rows if row["net"] == "alexnet-cifar10-paper"}


def _forms(name, packed):
    """All three forms of a packed layer; CSR gets 32-bit indices, half the bytes and what MKL takes directly."""
    rows, columns = packed.shape
    real = packed.entries >> sparse_kernels.GAP_BITS != packed.codebook.size - 1
    row = packed.rows_of_entries()[real].astype(np.int32)
    column = np.repeat(np.arange(columns, dtype=np.int32), np.diff(packed.starts.astype(np.int64)))[real]
    value = packed.codebook[packed.entries[real] >> sparse_kernels.GAP_BITS]
    order = np.argsort(row, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))]).astype(np.int32)
    dense = torch.zeros(rows, columns)
    dense.numpy()[row, column] = value
    parts = (torch.from_numpy(part) for part in (starts, column[order], value[order]))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")  # beta, and good enough to time
        csr = torch.sparse_csr_tensor(*parts, size=(rows, columns), check_invariants=True)
    return Forms(name, dense, csr, packed)
