"""Reader for the compressed net that the paper's authors published: SqueezeNet.

Their layout, all numbers little-endian, no Huffman coding:

    file     entry counts, uint32, one per layer; then the layers
    layer    codebook    2**bits float32; bits = 8 in convolutional, 4 in fully connected layers
             biases      float32, one per output
             codes       bits each, two to a byte when bits = 4, first entry in the low half
             gaps        4 bits each, two to a byte, likewise; gap - 1, from position -1

Code 0 stands for 0.0: weights that are not stored have it, and fillers carry it. The files hold no
shapes and no names: those come from the nets' published definitions and are listed here. Layer and
weight order are Caffe's: (outputs, inputs, rows, columns), row by row.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcviz import files
from dcviz.archive import Coding, Layer, StoredNet, shortest
from dcviz.errors import ArchiveError, DataError
from dcviz.ideas import relative_index

INDEX_BITS = 4


@dataclass(frozen=True, eq=False)
class AuthorsLayer:
    """One decoded layer.

    name: the authors' name; key: torchvision's, or the same where torchvision's net differs
    weight: float32, of the layer's shape; bias: float32 (outputs,)
    codebook: float32 (16 or 256,), entry 0 is 0.0
    codes, gaps: uint8 (n_entries,), as stored, fillers included
    """

    name: str
    key: str
    weight: np.ndarray
    bias: np.ndarray
    codebook: np.ndarray
    codes: np.ndarray
    gaps: np.ndarray

    @property
    def shape(self):
        """Shape of the weights."""
        return self.weight.shape

    @property
    def n_entries(self):
        """Stored entries, fillers included."""
        return self.codes.size

    @property
    def n_fillers(self):
        """Entries with code 0: they hold no weight, they bridge a gap of more than 16."""
        return int(np.count_nonzero(self.codes == 0))


@dataclass(frozen=True, eq=False)
class AuthorsNet:
    """A net as published: its name (as for ``models.build``) and its layers in order."""

    name: str
    layers: tuple[AuthorsLayer, ...]

    def state_dict(self):
        """{key.weight / key.bias: float32 array}, torchvision's names for SqueezeNet."""
        pairs = [(layer.key, layer.weight, layer.bias) for layer in self.layers]
        return {f"{key}.{what}": x for key, w, b in pairs for what, x in (("weight", w), ("bias", b))}


@dataclass(frozen=True)
class _Plan:
    """What the file does not say about a layer."""

    name: str
    key: str
    shape: tuple[int, ...]

    @property
    def bits(self):
        return 8 if len(self.shape) == 4 else 4

    def length(self, entries):
        """Bytes of this layer when it has that many entries."""
        floats = 2**self.bits + self.shape[0]
        return 4 * floats + math.ceil(entries * self.bits / 8) + math.ceil(entries * INDEX_BITS / 8)


# fire modules 2 to 9: place in torchvision's features, squeezed width, width of each expanded half
_FIRES = (
    (3, 16, 64),
    (4, 16, 64),
    (5, 32, 128),
    (7, 32, 128),
    (8, 48, 192),
    (9, 48, 192),
    (10, 64, 256),
    (12, 64, 256),
)


def _squeezenet():
    layers, inputs = [_Plan("conv1", "features.0", (96, 3, 7, 7))], 96
    for module, (place, squeeze, expand) in enumerate(_FIRES, start=2):
        name, key = f"fire{module}", f"features.{place}"
        layers += [
            _Plan(f"{name}/conv1x1_1", f"{key}.squeeze", (squeeze, inputs, 1, 1)),
            _Plan(f"{name}/conv1x1_2", f"{key}.expand1x1", (expand, squeeze, 1, 1)),
            _Plan(f"{name}/conv3x3_2", f"{key}.expand3x3", (expand, squeeze, 3, 3)),
        ]
        inputs = 2 * expand
    return [*layers, _Plan("conv_final", "classifier.1", (1000, inputs, 1, 1))]


SQUEEZENET = tuple(_squeezenet())


def read_squeezenet(path):
    """The authors' ``compressed_SqueezeNet.net`` (675,763 bytes) as an ``AuthorsNet`` of 26 layers.

    ``state_dict()`` fits ``models.build("squeezenet")``. Pictures must be as in Caffe: channels blue,
    green, red, values 0 to 255 less the mean. Raises ArchiveError as ``read`` does.
    """
    return read(path, "squeezenet", SQUEEZENET)


def read(path, name, plan):
    """Decode a file laid out as above; every byte is used, or ArchiveError says which layer is wrong.

    Refused: what is no regular file, a file longer than the net can be, another length than the entry counts call for,
    more entries than weights, positions outside the layer, a codebook without the zero, numbers that are not finite, a
    used half-byte of padding. A codebook's -0.0 is read as 0.0.
    """
    path = Path(path)
    most = sum(4 + layer.length(math.prod(layer.shape)) for layer in plan)
    try:
        with files.regular(path) as file:
            data = file.read(most + 1)  # a larger file is refused by its length, unread
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(data) < 4 * len(plan):
        raise ArchiveError(f"{path}: {len(data)} bytes cannot hold the entry counts of {len(plan)} layers")
    counts = [int(n) for n in np.frombuffer(data, "<u4", len(plan))]
    for layer, entries in zip(plan, counts, strict=True):
        if entries > (weights := math.prod(layer.shape)):
            raise ArchiveError(f"{path}: {layer.name} has {weights:,} weights, {entries:,} entries do not fit")
    expected = 4 * len(plan) + sum(layer.length(n) for layer, n in zip(plan, counts, strict=True))
    if expected != len(data):
        found = f"{len(data):,}" if len(data) <= most else f"more than {most:,}"
        raise ArchiveError(f"{path}: {found} bytes, but its entry counts call for {expected:,}")
    at, layers = 4 * len(plan), []
    for layer, entries in zip(plan, counts, strict=True):
        end = at + layer.length(entries)
        try:
            layers.append(_decode(layer, entries, data[at:end]))
        except ArchiveError as error:
            raise ArchiveError(f"{path}: {layer.name} (bytes {at:,} to {end:,}): {error}") from None
        at = end
    return AuthorsNet(name, tuple(layers))


def as_stored(net, index_bits=None):
    """An ``AuthorsNet`` as a ``StoredNet`` for a .dcz file: the same weights and biases, Huffman-coded.

    index_bits: of a gap, such as the 4 of the authors' file; None takes the width and the walking order, layer by
    layer, that give the fewest bytes.
    """
    layers = []
    for layer in net.layers:
        codebook = np.unique(layer.weight[layer.weight != 0])
        plans = [(index_bits, "C")] if index_bits else [(b, order) for b in range(2, 9) for order in ("C", "F")]
        codings = [Coding(bits, codebook, huffman=True, order=order) for bits, order in plans]
        layers.append(shortest(Layer(layer.key, layer.weight, layer.bias), codings))
    return StoredNet(net.name, tuple(layers))


def _decode(plan, entries, data):
    """One layer from exactly its bytes."""
    floats = 2**plan.bits + plan.shape[0]
    codebook, bias = np.split(np.frombuffer(data, "<f4", floats).astype(np.float32), [2**plan.bits])
    stream = np.frombuffer(data, np.uint8, offset=4 * floats)
    code_bytes = math.ceil(entries * plan.bits / 8)
    codes = _unpack(stream[:code_bytes], entries, plan.bits)
    gaps = _unpack(stream[code_bytes:], entries, INDEX_BITS)
    if not (np.isfinite(codebook).all() and np.isfinite(bias).all()):
        raise ArchiveError("codebook or bias holds a number that is not finite")
    codebook = codebook + np.float32(0)  # -0.0 is a zero like any other
    if codebook[0] != 0:
        raise ArchiveError(f"code 0 stands for {codebook[0]}, not for zero")
    positions = relative_index.decode(gaps)
    weight = np.zeros(math.prod(plan.shape), np.float32)
    if entries and positions[-1] >= weight.size:
        raise ArchiveError(f"its last entry is for weight {positions[-1]:,} of {weight.size:,}")
    weight[positions] = codebook[codes]
    return AuthorsLayer(plan.name, plan.key, weight.reshape(plan.shape), bias, codebook, codes, gaps)


def _unpack(data, n, bits):
    """n numbers of 4 or 8 bits from bytes, the low half first -> uint8 (n,)."""
    if bits == 8:
        return data.copy()
    halves = np.stack([data & 15, data >> 4], axis=1).ravel()
    if halves[n:].any():
        raise ArchiveError("the unused last half-byte is not zero")
    return halves[:n].copy()


def squeezenet_path():
    """Where the authors' file lies; DataError without it."""
    path = Path(os.environ.get("DCVIZ_DATA") or ".") / "authors" / "compressed_SqueezeNet.net"
    if not path.exists():
        raise DataError(f"{path} is missing; it is in github.com/songhan/SqueezeNet-Deep-Compression")
    return path
