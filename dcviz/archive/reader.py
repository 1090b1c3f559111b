"""Reading a .dcz file: from bytes to a ``StoredNet`` and its ``Breakdown``, trusting nothing. See docs/format.md."""

import math
from collections import Counter

import numpy as np

from dcviz.archive.streams import MAX_WEIGHTS, Reader, read_symbols
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
from dcviz.ideas import relative_index


def parse(data, where):
    """(StoredNet, Breakdown) of a file's bytes; ``where`` names the file in an ArchiveError."""
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
    if (flags & BARE and flags & BIAS) or (flags & (BIAS_HALF | BIAS_CODED) and not flags & BIAS):
        raise ArchiveError(f"layer {name!r} has flags that exclude each other")
    return name, flags, shape


def _read_layer(payload, name, flags, shape):
    """(Layer, LayerBreakdown) from a layer's section."""
    dtype, bias_dtype = ("float16" if flags & bit else "float32" for bit in (HALF, BIAS_HALF))
    order = "F" if flags & COLUMNS else "C"
    size = entries = math.prod(shape)
    index_bits = gaps = codebook = codes = bias = bias_codebook = bias_codes = None
    if flags & SPARSE:
        index_bits = payload.byte("index_bits")
        if not 1 <= index_bits <= 16:
            raise ArchiveError(f"layer {name!r} declares {index_bits} index bits; 1 to 16 are possible")
        entries = payload.varint("index_bits")
        if entries > size:
            raise ArchiveError(f"layer {name!r} declares {entries:,} entries for {size:,} weights")
        gaps = read_symbols(payload, entries, 1 << index_bits, "index_bits")
    if flags & CODED:
        codebook = payload.floats(payload.varint("codebooks"), FLOATS[dtype], "codebooks")
        codes = read_symbols(payload, entries, len(codebook), "weight_bits")
        values = codebook[codes.symbols]
    else:
        values = payload.floats(entries, FLOATS[dtype], "weight_bits")
    if flags & BIAS:
        length = payload.varint("biases")
        if flags & BIAS_CODED:
            if length > size:
                raise ArchiveError(f"layer {name!r} declares {length:,} biases for {size:,} weights")
            bias_codebook = payload.floats(payload.varint("codebooks"), FLOATS[bias_dtype], "codebooks")
            bias_codes = read_symbols(payload, length, len(bias_codebook), "biases")
            bias = bias_codebook[bias_codes.symbols]
        else:
            bias = payload.floats(length, FLOATS[bias_dtype], "biases")
    payload.end(f"layer {name!r}")

    flat, fillers = values, np.zeros(entries, bool)
    if flags & SPARSE:
        positions = relative_index.decode(gaps.symbols)
        fillers = values.view(np.uint32) == 0
        if entries and (positions[-1] >= size or fillers[-1]):
            raise ArchiveError(f"layer {name!r}: its relative index runs past the last weight")
        if np.any(gaps.symbols[fillers] != (1 << index_bits) - 1):
            raise ArchiveError(f"layer {name!r}: a filler zero stands where none is needed")
        if flags & COLUMNS:  # move the few entries rather than the whole layer
            positions = np.ravel_multi_index(np.unravel_index(positions, shape, "F"), shape)
        flat = np.zeros(size, np.float32)
        flat[positions] = values
        payload.reassign("index_bits", "index_bits_fillers", gaps.bits(fillers))
        payload.reassign(
            "weight_bits", "weight_bits_fillers", codes.bits(fillers) if codes else fillers.sum() * _width(dtype)
        )
    if not (np.isfinite(values).all() and (bias is None or np.isfinite(bias).all())):
        raise ArchiveError(f"layer {name!r} holds NaN or infinite values")
    coded = any(stream is not None and stream.coded for stream in (gaps, codes, bias_codes))
    coding = Coding(index_bits, codebook, bias_codebook, coded, dtype, bias_dtype, order)
    walked = "C" if flags & SPARSE else order
    weight = np.ascontiguousarray(flat.reshape(shape, order=walked))
    everything = np.ones(entries, bool)
    breakdown = LayerBreakdown(
        name,
        shape,
        nonzeros=int(np.count_nonzero(values)),
        entries=entries,
        fillers=int(fillers.sum()),
        codebook=0 if codebook is None else len(codebook),
        weight_bits=(codes.bits(everything) / max(entries, 1)) if codes else float(_width(dtype)),
        index_bits=gaps.bits(everything) / max(entries, 1) if gaps else 0.0,
        parts={part: payload.parts[part] for part in PARTS},
    )
    return Layer(name, weight, bias, coding, bool(flags & BARE)), breakdown


def _width(dtype):
    return 8 * np.dtype(dtype).itemsize
