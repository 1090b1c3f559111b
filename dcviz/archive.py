"""The .dcz file: a compressed net that decodes bit for bit, with every byte accounted for.

    file     magic, version, section(header), one section per layer
    section  varint length, payload, CRC-32 of the payload
    header   net name; per layer its name, what its payload holds, and its shape
    layer    [gaps]  [codebook]  values  [bias]

A layer is coded by what its ``Coding`` says, so one format holds every stage of the paper's pipeline: all weights as
floats (dense), relative index + floats (pruned), relative index + codes (shared), both Huffman-coded (coded).
The specification is docs/format.md.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dcviz import relative_index
from dcviz.archive_streams import MAX_WEIGHTS, Reader, Writer, read_symbols, write_symbols
from dcviz.errors import ArchiveError, CodebookError, CodeError, WeightError
from dcviz.files import atomic_write

MAGIC = b"\x89DCZ"
VERSION = 1
PARTS = (
    "header", "checksums", "codebooks", "code_tables", "weight_bits", "weight_bits_fillers",
    "index_bits", "index_bits_fillers", "lane_starts", "biases",
)  # fmt: skip
"""What a byte of the file can be for: the keys of ``Breakdown.parts``."""

_FLOATS = {"float32": "<f4", "float16": "<f2"}
_SPARSE, _CODED, _HALF, _COLUMNS, _BIAS, _BIAS_HALF, _BIAS_CODED, _BARE = (1 << i for i in range(8))


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


def save(path, net):
    """Write a ``StoredNet`` to ``path`` in one step; returns the file's length in bytes.

    WeightError for NaN, infinite or empty weights or values that the dtype cannot hold exactly; CodebookError
    if a weight is not in its codebook. Nothing is written in either case.
    """
    data = dumps(net)
    atomic_write(path, lambda file: file.write(data))
    return len(data)


def load(path):
    """Read the ``StoredNet`` in the file at ``path``; ArchiveError names what is wrong with it."""
    return loads(_contents(path), path)


def describe(path):
    """The ``Breakdown`` of the file at ``path`` (which is fully decoded for it)."""
    data = _contents(path)
    return _parse(data, path)[1]


def breakdown(net):
    """The ``Breakdown`` of the file that a ``StoredNet`` would make."""
    return _parse(dumps(net), net.name)[1]


def dumps(net):
    """The bytes of the .dcz file of a ``StoredNet``."""
    header = Writer()
    header.text(net.name)
    header.varint(len(net.layers))
    sections = []
    seen = set()
    for layer in net.layers:
        if seen & set(layer.tensors()):
            raise WeightError(f"layer {layer.name!r} appears twice in net {net.name!r}")
        seen |= set(layer.tensors())
        _write_layer_record(header, layer)
        sections.append(_write_layer(layer))
    file = Writer()
    file.raw(MAGIC + bytes([VERSION]))
    for payload in (header, *sections):
        file.section(payload)
    return bytes(file)


def loads(data, where="these bytes"):
    """The ``StoredNet`` in the bytes of a .dcz file; ArchiveError names what is wrong."""
    return _parse(data, where)[0]


def layer_bytes(layer):
    """Bytes that a ``Layer`` takes in a file, without its record in the header."""
    return len(_write_layer(layer))


def _contents(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read: {error}") from error


# --- writing -----------------------------------------------------------------------------------------------


def _write_layer_record(header, layer):
    coding = layer.coding
    if not isinstance(layer.weight, np.ndarray) or layer.weight.ndim == 0 or layer.weight.ndim > 8:
        raise WeightError(f"layer {layer.name!r}: weights must be an array of 1 to 8 dimensions")
    for dtype in (coding.dtype, coding.bias_dtype):
        if dtype not in _FLOATS:
            raise WeightError(f"layer {layer.name!r}: dtype must be one of {', '.join(_FLOATS)}, not {dtype!r}")
    flags = (
        _SPARSE * (coding.index_bits is not None)
        | _CODED * (coding.codebook is not None)
        | _HALF * (coding.dtype == "float16")
        | _COLUMNS * (coding.order == "F")
        | _BIAS * (layer.bias is not None)
        | _BIAS_HALF * (layer.bias is not None and coding.bias_dtype == "float16")
        | _BIAS_CODED * (layer.bias is not None and coding.bias_codebook is not None)
        | _BARE * layer.bare
    )
    header.text(layer.name)
    header.byte(flags)
    header.byte(layer.weight.ndim)
    for size in layer.weight.shape:
        header.varint(size)


def _write_layer(layer):
    coding = layer.coding
    if not layer.weight.size:
        raise WeightError(f"layer {layer.name!r} is empty")
    flat = _exact_floats(layer.weight, "float32", f"layer {layer.name!r}").ravel(order=coding.order)
    payload = Writer()
    values = flat
    if coding.index_bits is not None:
        if not 1 <= coding.index_bits <= 16:
            raise CodeError(f"layer {layer.name!r}: index_bits must be 1 to 16, not {coding.index_bits}")
        positions = np.flatnonzero(flat.view(np.uint32))  # by bit pattern: a -0.0 is an entry
        index = relative_index.encode(positions, coding.index_bits)
        values = np.zeros(len(index.gaps), np.float32)
        values[index.real] = flat[positions]
        payload.byte(coding.index_bits)
        payload.varint(len(index.gaps))
        write_symbols(payload, index.gaps, coding.huffman, coding.index_bits)
    if coding.codebook is None:
        payload.raw(_exact_floats(values, coding.dtype, f"layer {layer.name!r}").tobytes())
    else:
        codebook = np.asarray(coding.codebook, np.float32).reshape(-1)
        if coding.index_bits is not None and not index.real.all() and not np.any(codebook.view(np.uint32) == 0):
            codebook = np.concatenate([np.zeros(1, np.float32), codebook])
        _write_shared(payload, values, codebook, coding.dtype, coding.huffman, f"layer {layer.name!r}")
    if layer.bias is not None:
        where = f"bias of layer {layer.name!r}"
        bias = _exact_floats(layer.bias, "float32", where).reshape(-1)
        payload.varint(bias.size)
        if coding.bias_codebook is None:
            payload.raw(_exact_floats(bias, coding.bias_dtype, where).tobytes())
        else:
            codebook = np.asarray(coding.bias_codebook, np.float32).reshape(-1)
            _write_shared(payload, bias, codebook, coding.bias_dtype, coding.huffman, where)
    return payload


def _write_shared(payload, values, codebook, dtype, use_huffman, where):
    payload.varint(len(codebook))
    payload.raw(_exact_floats(codebook, dtype, f"codebook of {where}").tobytes())
    width = max(len(codebook) - 1, 0).bit_length()
    write_symbols(payload, _codes(values, codebook, where), use_huffman, width)


def _exact_floats(values, dtype, where):
    """``values`` in the file's dtype, refused unless that holds them exactly."""
    values = np.asarray(values)
    if not np.isfinite(values).all():
        raise WeightError(f"{where} has {np.count_nonzero(~np.isfinite(values)):,} NaN or infinite values")
    with np.errstate(over="ignore"):
        stored = values.astype(_FLOATS[dtype])
    if not np.array_equal(stored.astype(values.dtype), values):
        raise WeightError(f"{where} has values that {dtype} cannot hold exactly; round them first")
    return stored


def _codes(values, codebook, where):
    if values.size and not codebook.size:
        raise CodebookError(f"{where} has an empty codebook for {values.size:,} values")
    order = np.argsort(codebook, kind="stable")
    ranks = np.searchsorted(codebook[order], values)
    codes = order[np.minimum(ranks, len(codebook) - 1)]
    wrong = codebook[codes].view(np.uint32) != values.view(np.uint32)
    if wrong.any():
        raise CodebookError(f"{where}: {np.count_nonzero(wrong):,} values are not in its codebook "
                            f"(first: {values[np.argmax(wrong)]!r})")  # fmt: skip
    return codes


# --- reading -----------------------------------------------------------------------------------------------


def _parse(data, where):
    """(StoredNet, Breakdown) of a file's bytes."""
    try:
        return _parse_checked(data)
    except ArchiveError as error:
        raise ArchiveError(f"{where}: {error}") from None
    except (CodeError, CodebookError, WeightError) as error:
        raise ArchiveError(f"{where} is damaged: {error}") from error
    except MemoryError as error:
        raise ArchiveError(f"{where} declares more weights than this machine's memory holds") from error


def _parse_checked(data):
    file = Reader(data)
    if bytes(data[: len(MAGIC)]) != MAGIC:
        raise ArchiveError("not a .dcz file (it does not begin with the magic bytes)")
    file.raw(len(MAGIC), "header")
    version = file.byte("header")
    if version != VERSION:
        raise ArchiveError(f"format version {version} is not one that this dcviz reads (it reads {VERSION})")
    header = file.section("the header")
    name = header.text("header")
    count = header.varint("header")
    if count > len(data):
        raise ArchiveError(f"the header declares {count:,} layers in a file of {len(data):,} bytes")
    records = [_read_layer_record(header) for _ in range(count)]
    header.end("the header")
    if sum(math.prod(shape) for _, _, shape in records) > MAX_WEIGHTS:
        raise ArchiveError(f"the header declares more than {MAX_WEIGHTS:,} weights")
    layers, breakdowns = [], []
    for record in records:
        layer, breakdown = _read_layer(file.section(f"layer {record[0]!r}"), *record)
        layers.append(layer)
        breakdowns.append(breakdown)
    file.end("the file")
    net = StoredNet(name, tuple(layers))
    if len(net.state_dict()) != sum(len(layer.tensors()) for layer in layers):
        raise ArchiveError("two layers have the same name")
    totals = sum((Counter(b.parts) for b in breakdowns), file.parts + header.parts)
    parts = {part: totals[part] for part in PARTS}
    return net, Breakdown(name, len(data), net.dense_bytes(), parts, tuple(breakdowns))


def _read_layer_record(header):
    name = header.text("header")
    flags = header.byte("header")
    ndim = header.byte("header")
    if not 1 <= ndim <= 8:
        raise ArchiveError(f"layer {name!r} declares {ndim} dimensions")
    shape = tuple(header.varint("header") for _ in range(ndim))
    if not 0 < math.prod(shape) <= MAX_WEIGHTS:
        raise ArchiveError(f"layer {name!r} declares the shape {shape}, beyond 1 to {MAX_WEIGHTS:,} weights")
    if (flags & _BARE and flags & _BIAS) or (flags & (_BIAS_HALF | _BIAS_CODED) and not flags & _BIAS):
        raise ArchiveError(f"layer {name!r} has flags that exclude each other")
    return name, flags, shape


def _read_layer(payload, name, flags, shape):
    """(Layer, LayerBreakdown) from a layer's section."""
    dtype, bias_dtype = ("float16" if flags & bit else "float32" for bit in (_HALF, _BIAS_HALF))
    order = "F" if flags & _COLUMNS else "C"
    size = entries = math.prod(shape)
    index_bits = gaps = codebook = codes = bias = bias_codebook = bias_codes = None
    if flags & _SPARSE:
        index_bits = payload.byte("index_bits")
        if not 1 <= index_bits <= 16:
            raise ArchiveError(f"layer {name!r} declares {index_bits} index bits; 1 to 16 are possible")
        entries = payload.varint("index_bits")
        if entries > size:
            raise ArchiveError(f"layer {name!r} declares {entries:,} entries for {size:,} weights")
        gaps = read_symbols(payload, entries, 1 << index_bits, "index_bits")
    if flags & _CODED:
        codebook = payload.floats(payload.varint("codebooks"), _FLOATS[dtype], "codebooks")
        codes = read_symbols(payload, entries, len(codebook), "weight_bits")
        values = codebook[codes.symbols] if entries else np.zeros(0, np.float32)
    else:
        values = payload.floats(entries, _FLOATS[dtype], "weight_bits")
    if flags & _BIAS:
        length = payload.varint("biases")
        if flags & _BIAS_CODED:
            if length > size:
                raise ArchiveError(f"layer {name!r} declares {length:,} biases for {size:,} weights")
            bias_codebook = payload.floats(payload.varint("codebooks"), _FLOATS[bias_dtype], "codebooks")
            bias_codes = read_symbols(payload, length, len(bias_codebook), "biases")
            bias = bias_codebook[bias_codes.symbols] if length else np.zeros(0, np.float32)
        else:
            bias = payload.floats(length, _FLOATS[bias_dtype], "biases")
    payload.end(f"layer {name!r}")

    flat, fillers = values, np.zeros(entries, bool)
    if flags & _SPARSE:
        positions = relative_index.decode(gaps.symbols)
        fillers = values.view(np.uint32) == 0
        if entries and (positions[-1] >= size or fillers[-1]):
            raise ArchiveError(f"layer {name!r}: its relative index runs past the last weight")
        if np.any(gaps.symbols[fillers] != (1 << index_bits) - 1):
            raise ArchiveError(f"layer {name!r}: a filler zero stands where none is needed")
        flat = np.zeros(size, np.float32)
        flat[positions] = values
        payload.reassign("index_bits", "index_bits_fillers", gaps.bits(fillers))
        payload.reassign(
            "weight_bits", "weight_bits_fillers", codes.bits(fillers) if codes else fillers.sum() * _width(dtype)
        )
    if not (np.isfinite(flat).all() and (bias is None or np.isfinite(bias).all())):
        raise ArchiveError(f"layer {name!r} holds NaN or infinite values")
    coded = any(stream is not None and stream.coded for stream in (gaps, codes, bias_codes))
    coding = Coding(index_bits, codebook, bias_codebook, coded, dtype, bias_dtype, order)
    weight = np.ascontiguousarray(flat.reshape(shape, order=order))
    everything = np.ones(entries, bool)
    breakdown = LayerBreakdown(
        name,
        shape,
        nonzeros=int(np.count_nonzero(flat)),
        entries=entries,
        fillers=int(fillers.sum()),
        codebook=0 if codebook is None else len(codebook),
        weight_bits=(codes.bits(everything) / max(entries, 1)) if codes else float(_width(dtype)),
        index_bits=gaps.bits(everything) / max(entries, 1) if gaps else 0.0,
        parts={part: payload.parts[part] for part in PARTS},
    )
    return Layer(name, weight, bias, coding, bool(flags & _BARE)), breakdown


def _width(dtype):
    return 8 * np.dtype(dtype).itemsize
