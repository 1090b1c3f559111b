"""What a .dcz file is about: nets, layers, how they are coded, and what became of every byte."""

import math
from dataclasses import dataclass, field

import numpy as np

MAGIC = b"\x89DCZ"
VERSION, PARAMETERS = 1, 2
"""Format versions: 1 holds layers of float32; 2 any tensor of a state dict. What 1 can hold is written as 1."""
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
KEPT = "kept"
"""One more part in files of version 2: tensors that are stored as they are."""

FLOATS = {"float32": "<f4", "float16": "<f2", "bfloat16": "<u2", "float64": "<f8"}
"""{float type of a coded layer: how NumPy holds its bytes}, in the order of their numbers in a file."""
DTYPES = FLOATS | {
    "int8": "|i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "uint8": "|u1",
    "uint16": "<u2",
    "uint32": "<u4",
    "uint64": "<u8",
    "bool": "|b1",
    "complex64": "<c8",
    "complex128": "<c16",
    "float8_e4m3fn": "|u1",
    "float8_e5m2": "|u1",
}
"""{type of a kept tensor: how NumPy holds its bytes}, in the order of their numbers in a file.

NumPy has no bfloat16 and no float8: unsigned integers of the same width carry their bits.
"""
SEALED = 1
"""A feature of version 2: one checksum for the whole file."""
SPARSE, CODED, HALF, COLUMNS, BIAS, BIAS_HALF, BIAS_CODED, BARE = (1 << i for i in range(8))


@dataclass(frozen=True, eq=False)
class Coding:
    """How one layer's weights are written.

    index_bits: None stores every position; b stores only non-zero weights with relative indices of at most 2**b
    codebook: float values the weights take, or None for plain floats; if fillers occur, 0.0 is added in front
    huffman: Huffman-code gaps and codes (where that is shorter than fixed-length); else fixed-length bits
    bias_codebook: float values the bias takes, or None for plain floats
    dtype, bias_dtype: of the codebook (or plain weights) and of the bias (or its codebook), one of ``FLOATS``
    order: "C" walks the weights row by row, "F" column by column
    live: None, or how many weights of a row make one column (a filter's pixels, or what a map feeds to a unit): only
      the live block is written, in one arithmetic code, for very small files (``live``); nothing else counts then.
      Weights and bias must be few multiples, of up to 127, of a power of two each (``live.rounded``)
    """

    index_bits: int | None = None
    codebook: np.ndarray | None = None
    bias_codebook: np.ndarray | None = None
    huffman: bool = False
    dtype: str = "float32"
    bias_dtype: str = "float32"
    order: str = "C"
    live: int | None = None


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer as stored: float32 ``weight`` of any shape, ``bias`` (n,) or None, and its ``Coding``.

    ``bare`` layers are single tensors that are no weight-and-bias pair; their name is their whole key.
    ``dtype``: the float type, one of ``FLOATS``, that weight and bias had in the net and get back; it must hold them
    exactly. Their arrays here are float32, or float64 for "float64".
    """

    name: str
    weight: np.ndarray
    bias: np.ndarray | None = None
    coding: Coding = field(default_factory=Coding)
    bare: bool = False
    dtype: str = "float32"

    def arrays(self):
        """{state-dict key: array}, as the fields hold them."""
        if self.bare:
            return {self.name: self.weight}
        pair = {f"{self.name}.weight": self.weight}
        return pair if self.bias is None else {**pair, f"{self.name}.bias": self.bias}

    def tensors(self):
        """{state-dict key: array of the layer's dtype, held as ``DTYPES`` says}."""
        return {key: narrowed(array, self.dtype) for key, array in self.arrays().items()}

    def dtypes(self):
        """{state-dict key: name of the float type}."""
        return dict.fromkeys(self.arrays(), self.dtype)


@dataclass(frozen=True, eq=False)
class Entries:
    """A float32 matrix as its gaps and codes say, for who computes with these: no array of its weights is made.

    name, bias, bare: as in ``Layer``; shape: (rows, columns) of the matrix
    rows, columns: int32 (n,), of each weight that is not zero, in walking order; codes: integers (n,), their places in
    ``codebook``, float32 (k,).
    """

    name: str
    shape: tuple[int, int]
    rows: np.ndarray
    columns: np.ndarray
    codes: np.ndarray
    codebook: np.ndarray
    bias: np.ndarray | None = None
    bare: bool = False

    def layer(self):
        """The ``Layer``, its weights as plain floats."""
        weight = np.zeros(self.shape, np.float32)
        weight[self.rows, self.columns] = self.codebook[self.codes]
        return Layer(self.name, weight, self.bias, bare=self.bare)


@dataclass(frozen=True, eq=False)
class Kept:
    """A tensor that is stored as it is, bit for bit: its state-dict key, and an array of 0 to 8 dimensions.

    ``dtype``: one of ``DTYPES``, which says how the array holds it; None takes the array's own.
    """

    name: str
    array: np.ndarray
    dtype: str | None = None

    def __post_init__(self):
        if self.dtype is None:
            object.__setattr__(self, "dtype", str(np.asarray(self.array).dtype))

    def tensors(self):
        """{state-dict key: array}."""
        return {self.name: self.array}

    def dtypes(self):
        """{state-dict key: name of the type}."""
        return {self.name: self.dtype}


@dataclass(frozen=True, eq=False)
class Lossless(Kept):
    """A ``Kept`` tensor of a type of ``FLOATS``, its exponents Huffman-coded (``planes``): no bit is lost."""


@dataclass(frozen=True, eq=False)
class More:
    """More rows of the tensor before it: ``piece``, a bare ``Layer``, a ``Kept`` or a ``Lossless`` of the same key.

    Its first dimension follows on that of the record before; the other dimensions and the type are the same. So a
    tensor that is too large for memory is coded piece by piece.
    """

    piece: Layer | Kept

    @property
    def name(self):
        """The key of the tensor."""
        return self.piece.name

    def tensors(self):
        """{state-dict key: array} of the piece alone."""
        return self.piece.tensors()

    def dtypes(self):
        """{state-dict key: name of the type}."""
        return self.piece.dtypes()


@dataclass(frozen=True)
class Tie:
    """A key of the state dict whose tensor is that of an earlier key, ``other``: stored once."""

    name: str
    other: str

    def tensors(self):
        """No array of its own."""
        return {}

    def dtypes(self):
        """No array of its own."""
        return {}


@dataclass(frozen=True, eq=False)
class StoredNet:
    """A net as a .dcz file holds it: its name (as for ``models.build``), and its records.

    They are ``Layer``, ``Kept``, ``More`` and ``Tie``, in the order of the net's state dict.
    """

    name: str
    layers: tuple[Layer | Kept | More | Tie, ...]

    def state_dict(self):
        """{key: array, held as ``DTYPES`` says} of all tensors; tied keys have the same array."""
        pieces: dict[str, list[np.ndarray]] = {}
        for record in self.layers:
            for key, array in record.tensors().items():
                pieces.setdefault(key, []).append(array)
        state: dict[str, np.ndarray] = {}
        for record in self.layers:
            if isinstance(record, Tie):
                state[record.name] = state[record.other]
            for key in record.dtypes():
                if key not in state:
                    found = pieces.pop(key)
                    state[key] = found[0] if len(found) == 1 else np.concatenate(found)
        return state

    def dtypes(self):
        """{key: name of the type} of all tensors."""
        found: dict[str, str] = {}
        for record in self.layers:
            found |= {record.name: found[record.other]} if isinstance(record, Tie) else record.dtypes()
        return found

    def ties(self):
        """{key: the earlier key whose tensor it is}."""
        return {record.name: record.other for record in self.layers if isinstance(record, Tie)}

    def dense_bytes(self):
        """Bytes of all tensors in their own types, biases included, tied ones once."""
        return sum(array.nbytes for record in self.layers for array in record.tensors().values())


def narrowed(values, dtype):
    """float32 or float64 ``values`` in a float type of ``FLOATS``, as NumPy holds it; nearest even, as torch rounds."""
    with np.errstate(over="ignore"):
        if dtype != "bfloat16":
            return np.asarray(values).astype(FLOATS[dtype], copy=False)
        bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    nearest = bits + (np.uint32(0x7FFF) + (bits >> 16 & 1))
    return np.where(np.isnan(bits.view(np.float32)), bits >> 16 | 64, nearest >> 16).astype("<u2")


def widened(stored, dtype):
    """What ``narrowed`` gave as float32, or float64 for "float64": exactly."""
    if dtype == "bfloat16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(working(dtype), copy=False)


def working(dtype):
    """The NumPy type in which a ``Layer`` of a dtype has its numbers."""
    return np.dtype(np.float64 if dtype == "float64" else np.float32)


@dataclass(frozen=True)
class LayerBreakdown:
    """One record of a file: entry counts, mean bits per entry, and its bytes by part.

    kind: "coded", "live", "kept", "lossless" or "tie"; dtype: of the tensor; dense_bytes: of its tensors, bias
    included, 0 for a tie. In a kept tensor every number counts as one that is not zero.
    """

    name: str
    shape: tuple[int, ...]
    nonzeros: int
    entries: int
    fillers: int
    codebook: int
    weight_bits: float
    index_bits: float
    parts: dict[str, int]
    kind: str = "coded"
    dtype: str = "float32"
    dense_bytes: int = 0

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
    """Every byte of a .dcz file by what it is for; ``sum(parts.values()) == file_bytes``.

    dense_bytes: of all tensors in their own types, tied ones once. version: of the format.
    """

    net: str
    file_bytes: int
    dense_bytes: int
    parts: dict[str, int]
    layers: tuple[LayerBreakdown, ...]
    version: int = VERSION

    @property
    def ratio(self):
        """Dense bytes / file bytes."""
        return self.dense_bytes / self.file_bytes

    @property
    def sentence(self):
        """The file's length beside what the tensors take as they are, in words, also where nothing was gained."""
        types = dict.fromkeys(layer.dtype for layer in self.layers if layer.dense_bytes) or {"nothing": None}
        dense = f"{self.dense_bytes:,} bytes of {', '.join(types)}"
        if self.file_bytes < self.dense_bytes:
            return f"{self.file_bytes:,} bytes, {self.ratio:.1f}x smaller than {dense}"
        frame = self.parts["header"] + self.parts["checksums"]
        small = frame > self.file_bytes - self.dense_bytes
        return f"{self.file_bytes:,} bytes, not smaller than {dense}: " + (
            f"names, shapes and checksums alone take {frame:,}; so small a net has nothing to gain from a file"
            if small
            else "codebooks and gaps take more than they save here"
        )
