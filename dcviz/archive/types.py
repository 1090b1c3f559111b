"""What a .dcz file is about: nets, layers, how they are coded, and what became of every byte."""

import math
from dataclasses import dataclass, field

import numpy as np

MAGIC = b"\x89DCZ"
VERSION = 1
PARTS = (
    "header",
    "checksums",
    "codebooks",
    "code_tables",
    "weight_bits",
    "weight_bits_fillers",
    "index_bits",
    "index_bits_fillers",
    "lane_starts",
    "biases",
)
"""What a byte of the file can be for: the keys of ``Breakdown.parts``."""

FLOATS = {"float32": "<f4", "float16": "<f2"}
SPARSE, CODED, HALF, COLUMNS, BIAS, BIAS_HALF, BIAS_CODED, BARE = (1 << i for i in range(8))


@dataclass(frozen=True, eq=False)
class Coding:
    """How one layer's weights are written.

    index_bits: None stores every position; b stores only non-zero weights with relative indices of at most 2**b
    codebook: float values the weights take, or None for plain floats; if fillers occur, 0.0 is added in front
    huffman: Huffman-code gaps and codes (where that is shorter than fixed-length); else fixed-length bits
    bias_codebook: float values the bias takes, or None for plain floats
    dtype, bias_dtype: "float32" or "float16", of the codebook (or plain weights) and of the bias (or its codebook)
    order: "C" walks the weights row by row, "F" column by column
    """

    index_bits: int | None = None
    codebook: np.ndarray | None = None
    bias_codebook: np.ndarray | None = None
    huffman: bool = False
    dtype: str = "float32"
    bias_dtype: str = "float32"
    order: str = "C"


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer as stored: float32 ``weight`` of any shape, ``bias`` (n,) or None, and its ``Coding``.

    ``bare`` layers are single tensors that are no weight-and-bias pair; their name is their whole key.
    """

    name: str
    weight: np.ndarray
    bias: np.ndarray | None = None
    coding: Coding = field(default_factory=Coding)
    bare: bool = False

    def tensors(self):
        """{state-dict key: float32 array}."""
        if self.bare:
            return {self.name: self.weight}
        pair = {f"{self.name}.weight": self.weight}
        return pair if self.bias is None else {**pair, f"{self.name}.bias": self.bias}


@dataclass(frozen=True, eq=False)
class StoredNet:
    """A net as a .dcz file holds it: its name (as for ``models.build``) and its layers in order."""

    name: str
    layers: tuple[Layer, ...]

    def state_dict(self):
        """{key: float32 array} of all tensors."""
        return {key: value for layer in self.layers for key, value in layer.tensors().items()}

    def dense_bytes(self):
        """Bytes of all parameters as float32, biases included."""
        return 4 * sum(value.size for value in self.state_dict().values())


@dataclass(frozen=True)
class LayerBreakdown:
    """One layer of a file: entry counts, mean bits per entry, and its bytes by part."""

    name: str
    shape: tuple[int, ...]
    nonzeros: int
    entries: int
    fillers: int
    codebook: int
    weight_bits: float
    index_bits: float
    parts: dict[str, int]

    @property
    def weights(self):
        """Number of weights, zero or not."""
        return math.prod(self.shape)

    @property
    def file_bytes(self):
        """Bytes of this layer's section."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Breakdown:
    """Every byte of a .dcz file by what it is for; ``sum(parts.values()) == file_bytes``."""

    net: str
    file_bytes: int
    dense_bytes: int
    parts: dict[str, int]
    layers: tuple[LayerBreakdown, ...]

    @property
    def ratio(self):
        """Dense float32 bytes / file bytes."""
        return self.dense_bytes / self.file_bytes
