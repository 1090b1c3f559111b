"""Reading a .dcz file: from bytes to a ``StoredNet`` or its ``Breakdown``, trusting nothing. See docs/format.md.

A record is read in two steps. ``_read_layer`` and its like take the streams out of a section, hold them to every rule
and count what they take; that is all a ``Breakdown`` needs. ``record()`` of what they give then makes the arrays. Both
go through long streams block by block.
"""

import math
import os
import zlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from dcviz.archive import live, planes, streams
from dcviz.archive.streams import FileReader, Reader, Symbols, Writer, blocks, read_symbols
from dcviz.archive.types import (
    BARE,
    BIAS,
    BIAS_CODED,
    BIAS_HALF,
    CODED,
    COLUMNS,
    DTYPES,
    FLOATS,
    HALF,
    KEPT,
    MAGIC,
    PARAMETERS,
    PARTS,
    SEALED,
    SPARSE,
    VERSION,
    Breakdown,
    Coding,
    Entries,
    Kept,
    Layer,
    LayerBreakdown,
    Lossless,
    More,
    StoredNet,
    Tie,
    narrowed,
    widened,
    working,
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
    records = Records(file, where, max_bytes)
    return StoredNet(records.name, tuple(records))


def read_breakdown(file, where, max_bytes=None):
    """The ``Breakdown`` of a file given as a ``Reader``: all rules are checked, no array of weights is made."""
    with _named(where):
        contents = _contents(file, max_bytes)
        version, name, _ = next(contents)
        layers = tuple(content.breakdown for content in contents)
        totals = sum((Counter(layer.parts) for layer in layers), file.parts)
        dense = sum(layer.dense_bytes for layer in layers)
        return Breakdown(name, file.size, dense, _parts(totals, version), layers, version)


class Records:
    """The records of a file given as a ``Reader``, each read when its turn comes; all rules are checked on the way.

    ``name`` of the net, ``count`` of its records, format ``version``. entries: give float32 matrices that are stored
    as gaps and codes as ``Entries``, not as ``Layer``.
    """

    def __init__(self, file, where, max_bytes=None, entries=False):
        self._file, self._where, self._max_bytes, self._taken = file, where, max_bytes, 0
        self._entries = entries
        with _named(where):
            self._contents = _contents(file, max_bytes, self._allow)
            self.version, self.name, self.count = next(self._contents)

    def _allow(self, size):
        """Of the caller's bytes, ``size`` more are asked for."""
        self._taken += size
        _within(self._taken, self._max_bytes)

    def __iter__(self):
        return self

    def __next__(self):
        with _named(self._where):
            content = next(self._contents)
            if self._entries and isinstance(content, _Content) and content.is_sparse_matrix:
                return content.entries()
            return content.record()


def _within(size, max_bytes):
    if max_bytes is not None and size > max_bytes:
        raise ArchiveError(f"takes more than the {max_bytes:,} bytes that the caller allows")


def _parts(totals, version):
    return {part: totals[part] for part in (PARTS if version == VERSION else (*PARTS, KEPT))}


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


def _contents(file, max_bytes, allow=lambda size: None):
    """(Version, net's name, number of records), then each content: nothing is read before its turn.

    ``allow(size)`` is asked before arrays of so many bytes are made.
    """
    if file.left < len(MAGIC) or bytes(file.raw(len(MAGIC), "header")) != MAGIC:
        raise ArchiveError("not a .dcz file (it does not begin with the magic bytes)")
    version = file.byte("header")
    if version not in (VERSION, PARAMETERS):
        raise ArchiveError(
            f"format version {version} is not one that this dcviz reads (it reads {VERSION} and {PARAMETERS})"
        )
    _within(file.size, max_bytes)
    yield from (_contents_1 if version == VERSION else _contents_2)(file, allow)
    file.end("the file")


def _contents_1(file, allow):
    """Version 1: the header says what each section holds."""
    header = file.section("the header", streams.MAX_HEADER)
    name = header.text("header")
    records = _read_records(header)
    file.parts += header.parts
    yield VERSION, name, len(records)
    allow(sum(4 * record.size for record in records))
    for record in records:
        content = _read_layer(file.section(f"layer {record.name!r}"), record)
        allow(content.breakdown.dense_bytes - 4 * record.size)
        yield content


def _contents_2(file, allow):
    """Version 2: each section begins with what it holds."""
    header = file.section("the header", streams.MAX_HEADER, number=None)
    name, features, count = header.text("header"), header.byte("header"), header.varint("header")
    sections = _sealed(file, header) if features == SEALED else file
    if not features and zlib.crc32(header.whole) != int.from_bytes(file.raw(4, "checksums"), "little"):
        raise ArchiveError("the header is damaged: its checksum does not match")
    if features not in (0, SEALED):
        raise ArchiveError(f"the file has features ({features}) that this dcviz does not know")
    if count > streams.MAX_RECORDS:
        raise ArchiveError(f"the header declares {count:,} records; at most {streams.MAX_RECORDS:,} are possible")
    header.end("the header")
    file.parts += header.parts
    yield PARAMETERS, name, count
    seen: set[str] = set()
    met = _Met([])
    most, arrays = max(streams.MAX_ARRAYS, streams.ARRAYS_PER_BYTE * file.size), 0
    for number in range(count):
        payload = sections.section(f"record {number}", number=None if features else number)
        kind = payload.byte("header")
        if kind not in _KINDS:
            raise ArchiveError(f"record {number} is of a kind ({kind}) that this dcviz does not know")
        content = _KINDS[kind](payload, met)
        arrays += content.decoded
        if arrays > most:
            raise ArchiveError(f"its layers up to {content.name!r} declare {arrays:,} bytes of weights")
        for key, tensor in content.tensors():
            if key in seen:
                raise ArchiveError(f"two tensors have the key {key!r}")
            seen.add(key)
            met.tensors.append((key, tensor))
        allow(content.memory)
        yield content
        del content, payload
    if features:
        sections.end("the file")


def _sealed(file, header):
    """A ``Reader`` of the sections of a file with one checksum, once that is found right."""
    if file.size > streams.MAX_SEALED:
        raise ArchiveError(f"a file of {file.size:,} bytes has one checksum; at most {streams.MAX_SEALED:,} can")
    if file.left < 4:
        raise ArchiveError("cut short: 4 bytes of checksum expected")
    sections = bytes(file.raw(file.left - 4, "sections"))
    del file.parts["sections"]
    before = Writer(MAGIC + bytes([PARAMETERS]))
    before.varint(header.size)
    before.raw(header.whole)
    if zlib.crc32(sections, zlib.crc32(before)) != int.from_bytes(file.raw(4, "checksums"), "little"):
        raise ArchiveError("the file is damaged: its checksum does not match")
    return Reader(sections)


@dataclass
class _Met:
    """What was met in the records before: keys in their order, and places of live blocks."""

    tensors: list
    places: int = 0


@dataclass(frozen=True)
class _Tensor:
    """What is known of a key that was met."""

    shape: tuple[int, ...]
    dtype: str
    rows: bool  # whether more of them may follow
    tied: bool = False


@dataclass(frozen=True)
class _Record:
    """What the file says of a layer beside its section's streams."""

    name: str
    flags: int
    shape: tuple[int, ...]
    dtype: str = "float32"
    weights_as: str = "float32"
    bias_as: str = "float32"
    version: int = VERSION

    @property
    def size(self):
        return math.prod(self.shape)

    @property
    def type(self):
        """Of the arrays."""
        return working(self.dtype)

    @property
    def keys(self):
        """The tensors that the layer will hold, as in ``Layer.tensors``."""
        if self.flags & BARE:
            return (self.name,)
        return (f"{self.name}.weight", f"{self.name}.bias")[: 1 + bool(self.flags & BIAS)]


def _read_records(header):
    """The ``_Record`` of every layer of version 1; this ends the header."""
    count = header.varint("header")
    if count > streams.MAX_LAYERS:
        raise ArchiveError(f"the header declares {count:,} layers; at most {streams.MAX_LAYERS:,} are possible")
    records = [_read_record(header) for _ in range(count)]
    header.end("the header")
    if sum(record.size for record in records) > streams.MAX_WEIGHTS:
        raise ArchiveError(f"the header declares more than {streams.MAX_WEIGHTS:,} weights")
    keys = [key for record in records for key in record.keys]
    if len(set(keys)) < len(keys):
        raise ArchiveError("two layers have the same name")
    return records


def _read_record(header):
    name, flags = header.text("header"), header.byte("header")
    weights_as, bias_as = ("float16" if flags & bit else "float32" for bit in (HALF, BIAS_HALF))
    shape = _read_shape(header, name, streams.MAX_WEIGHTS)
    return _checked(_Record(name, flags, shape, "float32", weights_as, bias_as))


def _read_shape(reader, name, most):
    """The shape of a layer: 1 to 8 dimensions, 1 to ``most`` weights."""
    ndim = reader.byte("header")
    if not 1 <= ndim <= 8:
        raise ArchiveError(f"layer {name!r} declares {ndim} dimensions")
    return _sizes(reader, name, ndim, most)


def _sizes(reader, name, ndim, most):
    shape = tuple(reader.varint("header") for _ in range(ndim))
    if not 0 < math.prod(shape) <= most:
        raise ArchiveError(f"layer {name!r} declares the shape {shape}, beyond 1 to {most:,} weights")
    return shape


def _checked(record):
    """A ``_Record`` whose flags may stand together."""
    flags = record.flags
    if (flags & BARE and flags & BIAS) or (flags & (BIAS_HALF | BIAS_CODED) and not flags & BIAS):
        raise ArchiveError(f"layer {record.name!r} has flags that exclude each other")
    return record


def _read_coded(payload, met):
    """A coded layer's section of version 2."""
    name, flags, types = payload.text("header"), payload.byte("header"), payload.byte("header")
    if flags & (HALF | BIAS_HALF) or types >> 6 or (types >> 4 and not flags & BIAS):
        raise ArchiveError(f"layer {name!r} has flags that exclude each other")
    shape = _read_shape(payload, name, streams.MAX_NUMBERS)
    dtype, weights_as, bias_as = (list(FLOATS)[types >> at & 3] for at in (0, 2, 4))
    return _read_layer(payload, _checked(_Record(name, flags, shape, dtype, weights_as, bias_as, PARAMETERS)))


@dataclass(frozen=True, eq=False)
class _WholeContent:
    """The section of a kept tensor or a tie, whose record is there at once."""

    record_: Kept | Tie
    tensor: _Tensor
    breakdown: LayerBreakdown
    decoded = 0

    @property
    def name(self):
        return self.record_.name

    @property
    def memory(self):
        return self.breakdown.dense_bytes

    def tensors(self):
        return [(self.name, self.tensor)]

    def record(self):
        return self.record_


def _read_kept(payload, met):
    name, dtype, shape = _read_tensor(payload)
    held = np.dtype(DTYPES[dtype])
    data = payload.raw(math.prod(shape) * held.itemsize, KEPT)
    payload.end(f"tensor {name!r}")
    if dtype == "bool" and any(np.frombuffer(data[block], np.uint8).max() > 1 for block in blocks(len(data))):
        raise ArchiveError(f"tensor {name!r} has truth values other than 0 and 1")
    array = np.frombuffer(data, held).reshape(shape)
    breakdown = _whole(payload, name, shape, "kept", dtype, array.nbytes)
    return _WholeContent(Kept(name, array, dtype), _Tensor(shape, dtype, bool(shape)), breakdown)


def _read_tensor(payload):
    """Key, type and shape of a tensor that is no coded layer."""
    name, number = payload.text("header"), payload.byte("header")
    if number >= len(DTYPES):
        raise ArchiveError(f"tensor {name!r} is of a type ({number}) that this dcviz does not know")
    ndim = payload.byte("header")
    if ndim > 8:
        raise ArchiveError(f"tensor {name!r} declares {ndim} dimensions")
    shape = tuple(payload.varint("header") for _ in range(ndim))
    if math.prod(size for size in shape if size) > streams.MAX_NUMBERS:
        raise ArchiveError(f"tensor {name!r} declares the shape {shape}, beyond {streams.MAX_NUMBERS:,} numbers")
    return name, list(DTYPES)[number], shape


@dataclass(frozen=True, eq=False)
class _LosslessContent:
    """The section of a tensor in planes, which is decoded once: for its record, or for its breakdown."""

    payload: object
    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def memory(self):
        return math.prod(self.shape) * np.dtype(DTYPES[self.dtype]).itemsize

    decoded = memory

    def tensors(self):
        return [(self.name, _Tensor(self.shape, self.dtype, bool(self.shape)))]

    def record(self):
        patterns = np.empty(math.prod(self.shape), planes.pattern_type(self.dtype))
        at = 0
        for block in self._blocks():
            patterns[at : at + len(block)] = block
            at += len(block)
        return Lossless(self.name, patterns.view(DTYPES[self.dtype]).reshape(self.shape), self.dtype)

    @property
    def breakdown(self):
        for _ in self._blocks():
            pass
        return _whole(self.payload, self.name, self.shape, "lossless", self.dtype, self.memory)

    def _blocks(self):
        yield from planes.read_planes(self.payload, math.prod(self.shape), self.dtype)
        self.payload.end(f"tensor {self.name!r}")


def _read_lossless(payload, met):
    name, dtype, shape = _read_tensor(payload)
    if dtype not in FLOATS:
        raise ArchiveError(f"tensor {name!r} is of the type {dtype}, which has no exponents to be coded")
    return _LosslessContent(payload, name, dtype, shape)


@dataclass(frozen=True, eq=False)
class _MoreContent:
    """The section of more rows of the tensor before."""

    piece: object

    def __getattr__(self, name):  # what is not said here is as for the piece
        return getattr(self.piece, name)

    def tensors(self):
        return []

    def record(self):
        return More(self.piece.record())


def _read_more(payload, met):
    kind = payload.byte("header")
    if kind not in (0, 1, 3):
        raise ArchiveError(f"more of a tensor is of a kind ({kind}) that cannot be")
    content = _KINDS[kind](payload, met)
    found = content.tensors()
    key, tensor = met.tensors[-1] if met.tensors else ("", None)
    rows = found[0][1]
    if (
        tensor is None
        or (len(found), found[0][0]) != (1, key)
        or (rows.dtype, rows.shape[1:]) != (tensor.dtype, tensor.shape[1:])
        or not (rows.rows and tensor.rows)
    ):
        raise ArchiveError(f"more of {content.name!r} does not follow on rows of the same tensor, shape and type")
    shape = (tensor.shape[0] + rows.shape[0], *tensor.shape[1:])
    if math.prod(size for size in shape if size) > streams.MAX_NUMBERS:
        raise ArchiveError(f"tensor {key!r} declares the shape {shape}, beyond {streams.MAX_NUMBERS:,} numbers")
    met.tensors[-1] = (key, _Tensor(shape, tensor.dtype, True))
    return _MoreContent(content)


def _read_tie(payload, met):
    name, number = payload.text("header"), payload.varint("header")
    payload.end(f"tie {name!r}")
    if number >= len(met.tensors):
        raise ArchiveError(f"tie {name!r} is to tensor {number:,} of {len(met.tensors):,}")
    other, tensor = met.tensors[number]
    if tensor.tied:
        raise ArchiveError(f"tie {name!r} is to {other!r}, a tie itself")
    shape, dtype = tensor.shape, tensor.dtype
    breakdown = _whole(payload, name, shape, "tie", dtype, 0)
    return _WholeContent(Tie(name, other), _Tensor(shape, dtype, False, True), breakdown)


def _whole(payload, name, shape, kind, dtype, dense_bytes):
    """The ``LayerBreakdown`` of a record that is no coded layer."""
    size = math.prod(shape) if dense_bytes else 0
    return LayerBreakdown(
        name,
        shape,
        nonzeros=size,
        entries=size,
        fillers=0,
        codebook=0,
        weight_bits=8.0 * dense_bytes / max(size, 1),
        index_bits=0.0,
        parts=_parts(payload.parts, PARAMETERS),
        kind=kind,
        dtype=dtype,
        dense_bytes=dense_bytes,
    )


@dataclass(frozen=True, eq=False)
class _LayerContent:
    """What the section of any coded layer says of itself."""

    record_: _Record

    @property
    def name(self):
        return self.record_.name

    @property
    def decoded(self):
        """Bytes of the weights' array, which may be many more than the section's."""
        return self.record_.size * self.record_.type.itemsize

    def _tensors(self, biases, rows):
        """[(key, what is known of it)], with so many biases; rows: whether more of them may follow."""
        shapes = (self.record_.shape, (biases,))
        pairs = zip(self.record_.keys, shapes, strict=False)
        return [(key, _Tensor(shape, self.record_.dtype, rows)) for key, shape in pairs]


@dataclass(frozen=True, eq=False)
class _LiveContent(_LayerContent):
    """The section of a layer's live block, decoded; the layer's arrays are not made yet."""

    block: live.Block
    breakdown: LayerBreakdown

    @property
    def memory(self):
        return self.breakdown.dense_bytes * self.record_.type.itemsize // np.dtype(FLOATS[self.record_.dtype]).itemsize

    def tensors(self):
        return self._tensors(self.record_.shape[0], False)

    def record(self):
        said, block = self.record_, self.block
        has_bias = bool(said.flags & BIAS)
        tables = [table.astype(said.type) for table in (block.table, block.bias_table)]
        coding = Coding(codebook=tables[0], bias_codebook=tables[1] if has_bias else None, live=block.shape.places)
        bias = block.bias(said.type) if has_bias else None
        return Layer(said.name, block.weight(said.shape, said.type), bias, coding, bool(said.flags & BARE), said.dtype)


def _read_live(payload, met):
    """A live block's section."""
    name, form = payload.text("header"), payload.byte("header")
    has_bias, flags = bool(form & 8), BIAS * bool(form & 8) | BARE * bool(form & 16)
    if form >> 7:
        raise ArchiveError(f"layer {name!r} is of a form ({form}) that this dcviz does not know")
    shape = _sizes(payload, name, 1 + (form & 7), streams.MAX_NUMBERS)
    record = _checked(_Record(name, flags, shape, list(FLOATS)[form >> 5], version=PARAMETERS))
    block = live.read(payload, shape[0], record.size // shape[0], has_bias, live.MAX_LIVE - met.places, name)
    met.places += block.shape.size
    for table in (block.table, block.bias_table):
        _check_floats(table, record, "float64")
    whole, all_bits = payload.parts["weight_bits"], sum(block.bits.values())
    for part, walk in (("index_bits", "mask"), ("biases", "bias")):
        payload.reassign("weight_bits", part, 8 * whole * block.bits.get(walk, 0.0) / max(all_bits, 1e-9))
    size, width = record.size + has_bias * shape[0], np.dtype(FLOATS[record.dtype]).itemsize
    kept = len(block.at)
    breakdown = LayerBreakdown(
        name,
        shape,
        nonzeros=kept,
        entries=kept,
        fillers=0,
        codebook=len(block.table),
        weight_bits=block.bits.get("weights", 0.0) / max(kept, 1),
        index_bits=block.bits.get("mask", 0.0) / max(kept, 1),
        parts=_parts(payload.parts, PARAMETERS),
        kind="live",
        dtype=record.dtype,
        dense_bytes=size * width,
    )
    return _LiveContent(record, block, breakdown)


_KINDS = {0: _read_coded, 1: _read_kept, 2: _read_tie, 3: _read_lossless, 4: _read_more, 5: _read_live}
"""{kind of a record of version 2: what reads its section}; each is given what was met before, too."""


@dataclass(frozen=True, eq=False)
class _Values:
    """Numbers as a section holds them: floats (n,) of a type of ``FLOATS``, or codes into a codebook.

    type: NumPy's, in which they are given.
    """

    floats: np.ndarray | None
    stored_as: str
    type: np.dtype
    codebook: np.ndarray | None = None
    codes: Symbols | None = None

    def __len__(self):
        return len(self.floats if self.codes is None else self.codes.symbols)

    @property
    def free(self):
        """Whether they take no bits: all are the codebook's first."""
        return self.codes is not None and self.codes.free

    def __getitem__(self, block):
        """Those at a slice."""
        if self.codes is None:
            return widened(self.floats[block], self.stored_as).astype(self.type, copy=False)
        return self.codebook[self.codes.symbols[block]]

    def array(self):
        """All of them, as a new array."""
        if self.free and len(self):
            return np.full(len(self), self.codebook[0])
        out = np.empty(len(self), self.type)
        for block in blocks(len(self)):
            out[block] = self[block]
        return out


@dataclass(frozen=True, eq=False)
class _Content(_LayerContent):
    """A layer's section, read and found right, but no array made of it yet."""

    coding: Coding
    gaps: Symbols | None
    weights: _Values
    bias: _Values | None
    breakdown: LayerBreakdown

    @property
    def memory(self):
        """Bytes of the layer's arrays."""
        return (self.record_.size + (0 if self.bias is None else len(self.bias))) * self.record_.type.itemsize

    def tensors(self):
        """[(key, what is known of it)]."""
        return self._tensors(0 if self.bias is None else len(self.bias), bool(self.record_.flags & BARE))

    def record(self):
        """The ``Layer``."""
        bias = None if self.bias is None else self.bias.array()
        said = self.record_
        return Layer(said.name, self._weight(), bias, self.coding, bool(said.flags & BARE), said.dtype)

    @property
    def is_sparse_matrix(self):
        """Whether ``entries`` can tell all of it."""
        said = self.record_
        coded = self.gaps is not None and self.weights.codes is not None
        return coded and said.dtype == "float32" and len(said.shape) == 2 and said.size < 2**31

    def entries(self):
        """The ``Entries``."""
        said, codes, codebook = self.record_, self.weights.codes.symbols, self.weights.codebook
        used = codebook != 0  # a filler is a zero
        at, last, ends = 0, -1, sum(np.count_nonzero(used[codes[block]]) for block in blocks(len(codes)))
        rows, columns, kept = np.empty(ends, np.int32), np.empty(ends, np.int32), np.empty(ends, codes.dtype)
        for block in blocks(len(codes)):
            positions = last + np.cumsum(self.gaps.symbols[block].astype(np.int64) + 1)
            last, real = positions[-1], used[codes[block]]
            here = slice(at, at + np.count_nonzero(real))
            rows[here], columns[here] = np.unravel_index(positions[real], said.shape, self.coding.order)
            kept[here], at = codes[block][real], here.stop
        bias = None if self.bias is None else self.bias.array()
        return Entries(said.name, said.shape, rows, columns, kept, codebook, bias, bool(said.flags & BARE))

    def _weight(self):
        shape, n, order = self.record_.shape, len(self.weights), self.coding.order
        if self.gaps is None:
            if self.weights.free:
                return np.full(shape, self.weights.codebook[0])
            return _in_rows(self.weights.array(), shape, order)
        if self.gaps.free and self.weights.free:
            weight = np.zeros(shape, self.record_.type)
            _fill(weight if order == "F" else weight.T, n, self.weights[:1])
            return weight
        flat = np.zeros(self.record_.size, self.record_.type)
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
    weight = np.empty(shape, flat.dtype)
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
    weights = _read_values(payload, record, entries, record.weights_as, flags & CODED, "weight_bits")
    if flags & BIAS:
        length = payload.varint("biases")
        if flags & BIAS_CODED and length > size:
            raise ArchiveError(f"layer {name!r} declares {length:,} biases for {size:,} weights")
        bias = _read_values(payload, record, length, record.bias_as, flags & BIAS_CODED, "biases")
    payload.end(f"layer {name!r}")
    coded = any(s is not None and s.coded for s in (gaps, weights.codes, None if bias is None else bias.codes))
    order = "F" if flags & COLUMNS else "C"
    bias_codebook = None if bias is None else bias.codebook
    coding = Coding(index_bits, weights.codebook, bias_codebook, coded, record.weights_as, record.bias_as, order)
    breakdown = _count(payload, record, coding, gaps, weights, bias)
    return _Content(record, coding, gaps, weights, bias, breakdown)


def _read_values(payload, record, n, stored_as, shared, part):
    floats = payload.floats(
        payload.varint("codebooks") if shared else n, FLOATS[stored_as], "codebooks" if shared else part
    )
    for block in blocks(len(floats)):
        _check_floats(widened(floats[block], stored_as), record, stored_as)
    if not shared:
        return _Values(floats, stored_as, record.type)
    codebook = widened(floats, stored_as).astype(record.type)
    return _Values(None, stored_as, record.type, codebook, read_symbols(payload, n, len(codebook), part))


def _check_floats(values, record, stored_as):
    """ArchiveError unless all are finite, and exactly numbers of the type that the layer's tensors have."""
    if not np.isfinite(values).all():
        raise ArchiveError(f"layer {record.name!r} holds NaN or infinite values")
    dtype = record.dtype
    if dtype in ("float64", stored_as) or (dtype == "float32" and stored_as != "float64"):
        return
    if not np.array_equal(widened(narrowed(values, dtype), dtype), values):
        raise ArchiveError(f"layer {record.name!r} holds values that are not exactly {dtype}")


def _count(payload, record, coding, gaps, weights, bias):
    """The ``LayerBreakdown`` of a layer, whose relative index is checked on the way."""
    name, entries = record.name, len(weights)
    free = weights.free and (gaps is None or gaps.free)
    at, nonzeros, fillers, gap_bits, value_bits, ends = -1, 0, 0, 0, 0, False
    for part in blocks(min(entries, 1) if free else entries):  # what takes no bits is the same at all places
        values = weights[part]
        nonzeros += int(np.count_nonzero(values))
        if gaps is None:
            continue
        steps, filler = gaps.symbols[part], values.view(f"u{values.itemsize}") == 0
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
        parts=_parts(payload.parts, record.version),
        dtype=record.dtype,
        dense_bytes=(record.size + (0 if bias is None else len(bias))) * np.dtype(FLOATS[record.dtype]).itemsize,
    )


def _width(dtype):
    return 8 * np.dtype(FLOATS[dtype]).itemsize
