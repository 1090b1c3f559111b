"""Reading a .dcz file: from bytes to a ``StoredNet`` or its ``Breakdown``, trusting nothing. See docs/format.md.

A layer is read in two steps. ``_read_layer`` takes its streams out of the section, holds them to every rule and counts
what they take; that is all a ``Breakdown`` needs. ``_Content.layer`` then makes the arrays. Both go through long
streams block by block.
"""

import math
import os
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from dcviz.archive.streams import MAX_HEADER, MAX_LAYERS, MAX_WEIGHTS, FileReader, Symbols, blocks, read_symbols
from dcviz.archive.types import (
    BARE,
    BIAS,
    BIAS_CODED,
    BIAS_HALF,
    CODED,
    COLUMNS,
    FLOATS,
    HALF,
    MAGIC,
    PARTS,
    SPARSE,
    VERSION,
    Breakdown,
    Coding,
    Layer,
    LayerBreakdown,
    StoredNet,
)
from dcviz.errors import ArchiveError, CodebookError, CodeError, WeightError
from dcviz.files import regular


@contextmanager
def opened(path):
    """A ``FileReader`` of a regular file; ArchiveError for anything else, without waiting for a pipe."""
    try:
        file = regular(path)
    except (OSError, TypeError) as error:
        raise ArchiveError(f"{path} cannot be read: {error}") from error
    with file:
        yield FileReader(file, os.fstat(file.fileno()).st_size)


def read_net(file, where, max_bytes=None):
    """The ``StoredNet`` of a file given as a ``Reader``; ``where`` names it in an ArchiveError."""
    with _named(where):
        contents, layers, biases = _contents(file, max_bytes), [], 0
        name, weights = next(contents)
        _within(4 * weights, max_bytes)
        for content in contents:
            biases += content.values - content.record.size
            _within(4 * (weights + biases), max_bytes)
            layers.append(content.layer())
        return StoredNet(name, tuple(layers))


def read_breakdown(file, where, max_bytes=None):
    """The ``Breakdown`` of a file given as a ``Reader``: all rules are checked, no array of weights is made."""
    with _named(where):
        contents = _contents(file, max_bytes)
        (name, _), values, layers = next(contents), 0, []
        for content in contents:
            values += content.values
            layers.append(content.breakdown)
        totals = sum((Counter(layer.parts) for layer in layers), file.parts)
        return Breakdown(name, file.size, 4 * values, {part: totals[part] for part in PARTS}, tuple(layers))


def _within(size, max_bytes):
    if max_bytes is not None and size > max_bytes:
        raise ArchiveError(f"takes more than the {max_bytes:,} bytes that the caller allows")


@contextmanager
def _named(where):
    """Every fault of a file as an ArchiveError that names it."""
    try:
        yield
    except ArchiveError as error:
        raise ArchiveError(f"{where}: {error}") from None
    except (CodeError, CodebookError, WeightError) as error:
        raise ArchiveError(f"{where} is damaged: {error}") from error
    except MemoryError as error:
        raise ArchiveError(f"{where} declares more weights than this machine's memory holds") from error


def _contents(file, max_bytes):
    """(Net's name, number of weights), then the ``_Content`` of each layer: nothing is read before its turn."""
    if file.left < len(MAGIC) or bytes(file.raw(len(MAGIC), "header")) != MAGIC:
        raise ArchiveError("not a .dcz file (it does not begin with the magic bytes)")
    version = file.byte("header")
    if version != VERSION:
        raise ArchiveError(f"format version {version} is not one that this dcviz reads (it reads {VERSION})")
    _within(file.size, max_bytes)
    header = file.section("the header", MAX_HEADER)
    name = header.text("header")
    records = _read_records(header)
    file.parts += header.parts
    yield name, sum(record.size for record in records)
    for record in records:
        yield _read_layer(file.section(f"layer {record.name!r}"), record)
    file.end("the file")


@dataclass(frozen=True)
class _Record:
    """What the header says of a layer."""

    name: str
    flags: int
    shape: tuple[int, ...]

    @property
    def size(self):
        return math.prod(self.shape)

    @property
    def keys(self):
        """The tensors that the layer will hold, as in ``Layer.tensors``."""
        if self.flags & BARE:
            return {self.name}
        return {f"{self.name}.weight"} | ({f"{self.name}.bias"} if self.flags & BIAS else set())


def _read_records(header):
    """The ``_Record`` of every layer; this ends the header."""
    count = header.varint("header")
    if count > MAX_LAYERS:
        raise ArchiveError(f"the header declares {count:,} layers; at most {MAX_LAYERS:,} are possible")
    records = [_read_record(header) for _ in range(count)]
    header.end("the header")
    if sum(record.size for record in records) > MAX_WEIGHTS:
        raise ArchiveError(f"the header declares more than {MAX_WEIGHTS:,} weights")
    if len(set().union(*(record.keys for record in records))) < sum(len(record.keys) for record in records):
        raise ArchiveError("two layers have the same name")
    return records


def _read_record(header):
    name = header.text("header")
    flags = header.byte("header")
    ndim = header.byte("header")
    if not 1 <= ndim <= 8:
        raise ArchiveError(f"layer {name!r} declares {ndim} dimensions")
    shape = tuple(header.varint("header") for _ in range(ndim))
    if not 0 < math.prod(shape) <= MAX_WEIGHTS:
        raise ArchiveError(f"layer {name!r} declares the shape {shape}, beyond 1 to {MAX_WEIGHTS:,} weights")
    if (flags & BARE and flags & BIAS) or (flags & (BIAS_HALF | BIAS_CODED) and not flags & BIAS):
        raise ArchiveError(f"layer {name!r} has flags that exclude each other")
    return _Record(name, flags, shape)


@dataclass(frozen=True, eq=False)
class _Values:
    """Numbers as a section holds them: floats (n,), or codes into a codebook."""

    floats: np.ndarray | None
    codebook: np.ndarray | None
    codes: Symbols | None

    def __len__(self):
        return len(self.floats if self.codes is None else self.codes.symbols)

    @property
    def free(self):
        """Whether they take no bits: all are the codebook's first."""
        return self.codes is not None and self.codes.free

    def __getitem__(self, block):
        """Those at a slice, float32."""
        if self.codes is None:
            return self.floats[block].astype(np.float32)
        return self.codebook[self.codes.symbols[block]]

    def array(self):
        """All of them, as a new float32 array."""
        if self.free and len(self):
            return np.full(len(self), self.codebook[0])
        out = np.empty(len(self), np.float32)
        for block in blocks(len(self)):
            out[block] = self[block]
        return out


@dataclass(frozen=True, eq=False)
class _Content:
    """A layer's section, read and found right, but no array made of it yet."""

    record: _Record
    coding: Coding
    gaps: Symbols | None
    weights: _Values
    bias: _Values | None
    breakdown: LayerBreakdown

    @property
    def values(self):
        """How many numbers the layer's arrays hold."""
        return self.record.size + (0 if self.bias is None else len(self.bias))

    def layer(self):
        """The ``Layer``."""
        bias = None if self.bias is None else self.bias.array()
        return Layer(self.record.name, self._weight(), bias, self.coding, bool(self.record.flags & BARE))

    def _weight(self):
        shape, n, order = self.record.shape, len(self.weights), self.coding.order
        if self.gaps is None:
            if self.weights.free:
                return np.full(shape, self.weights.codebook[0])
            return _in_rows(self.weights.array(), shape, order)
        if self.gaps.free and self.weights.free:
            weight = np.zeros(shape, np.float32)
            _fill(weight if order == "F" else weight.T, n, self.weights[:1])
            return weight
        flat = np.zeros(self.record.size, np.float32)
        few = order == "F" and n * len(shape) < flat.size  # then it is quicker to move them than to turn the layer
        last = -1
        for block in blocks(n):
            positions = last + np.cumsum(self.gaps.symbols[block].astype(np.int64) + 1)
            last = positions[-1]
            if few:
                positions = np.ravel_multi_index(np.unravel_index(positions, shape, "F"), shape)
            flat[positions] = self.weights[block]
        return _in_rows(flat, shape, "C" if few else order)


def _in_rows(flat, shape, order):
    """Weights in walking order as an array whose rows lie one after the other in memory."""
    walked = flat.reshape(shape, order=order)
    if walked.flags.c_contiguous:
        return walked
    weight = np.empty(shape, np.float32)
    for rows in blocks(shape[0], 32):  # few enough rows for the cache to keep what lies beside each other in columns
        weight[rows] = walked[rows]
    return weight


def _fill(weight, n, value):
    """Put ``value`` at the first n places, first index fastest."""
    while n:
        whole, n = divmod(n, weight.size // weight.shape[-1])
        weight[..., :whole] = value
        if n:
            weight = weight[..., whole]


def _read_layer(payload, record):
    """The ``_Content`` of a layer's section."""
    name, flags, size = record.name, record.flags, record.size
    dtype, bias_dtype = ("float16" if flags & bit else "float32" for bit in (HALF, BIAS_HALF))
    entries = size
    index_bits = gaps = bias = None
    if flags & SPARSE:
        index_bits = payload.byte("index_bits")
        if not 1 <= index_bits <= 16:
            raise ArchiveError(f"layer {name!r} declares {index_bits} index bits; 1 to 16 are possible")
        entries = payload.varint("index_bits")
        if entries > size:
            raise ArchiveError(f"layer {name!r} declares {entries:,} entries for {size:,} weights")
        gaps = read_symbols(payload, entries, 1 << index_bits, "index_bits")
    weights = _read_values(payload, name, entries, dtype, flags & CODED, "weight_bits")
    if flags & BIAS:
        length = payload.varint("biases")
        if flags & BIAS_CODED and length > size:
            raise ArchiveError(f"layer {name!r} declares {length:,} biases for {size:,} weights")
        bias = _read_values(payload, name, length, bias_dtype, flags & BIAS_CODED, "biases")
    payload.end(f"layer {name!r}")
    coded = any(s is not None and s.coded for s in (gaps, weights.codes, None if bias is None else bias.codes))
    order = "F" if flags & COLUMNS else "C"
    bias_codebook = None if bias is None else bias.codebook
    coding = Coding(index_bits, weights.codebook, bias_codebook, coded, dtype, bias_dtype, order)
    breakdown = _count(payload, record, coding, gaps, weights)
    return _Content(record, coding, gaps, weights, bias, breakdown)


def _read_values(payload, name, n, dtype, shared, part):
    floats = payload.floats(
        payload.varint("codebooks") if shared else n, FLOATS[dtype], "codebooks" if shared else part
    )
    if not all(np.isfinite(floats[block]).all() for block in blocks(len(floats))):
        raise ArchiveError(f"layer {name!r} holds NaN or infinite values")
    if not shared:
        return _Values(floats, None, None)
    codebook = floats.astype(np.float32)
    return _Values(None, codebook, read_symbols(payload, n, len(codebook), part))


def _count(payload, record, coding, gaps, weights):
    """The ``LayerBreakdown`` of a layer, whose relative index is checked on the way."""
    name, entries = record.name, len(weights)
    free = weights.free and (gaps is None or gaps.free)
    at, nonzeros, fillers, gap_bits, value_bits, ends = -1, 0, 0, 0, 0, False
    for part in blocks(min(entries, 1) if free else entries):  # what takes no bits is the same at all places
        values = weights[part]
        nonzeros += int(np.count_nonzero(values))
        if gaps is None:
            continue
        steps, filler = gaps.symbols[part], values.view(np.uint32) == 0
        if np.any(steps[filler] != (1 << coding.index_bits) - 1):
            raise ArchiveError(f"layer {name!r}: a filler zero stands where none is needed")
        at += int(steps.sum(dtype=np.int64)) + len(steps)
        fillers, ends = fillers + int(np.count_nonzero(filler)), bool(filler[-1])
        gap_bits += gaps.bits(filler, part)
        coded = weights.codes is not None
        value_bits += weights.codes.bits(filler, part) if coded else np.count_nonzero(filler) * _width(coding.dtype)
    if at >= record.size or ends:
        raise ArchiveError(f"layer {name!r}: its relative index runs past the last weight")
    if gaps is not None:
        payload.reassign("index_bits", "index_bits_fillers", gap_bits)
        payload.reassign("weight_bits", "weight_bits_fillers", value_bits)
    return LayerBreakdown(
        name,
        record.shape,
        nonzeros=nonzeros * (entries if free else 1),
        entries=entries,
        fillers=fillers,
        codebook=0 if coding.codebook is None else len(coding.codebook),
        weight_bits=weights.codes.total_bits / max(entries, 1) if weights.codes else float(_width(coding.dtype)),
        index_bits=gaps.total_bits / max(entries, 1) if gaps else 0.0,
        parts={part: payload.parts[part] for part in PARTS},
    )


def _width(dtype):
    return 8 * np.dtype(dtype).itemsize
