"""Writing a .dcz file: from a ``StoredNet`` to bytes. The layout is in docs/format.md."""

import numpy as np

from dcviz import relative_index
from dcviz.archive_streams import Writer, write_symbols
from dcviz.archive_types import BARE, BIAS, BIAS_CODED, BIAS_HALF, CODED, COLUMNS, FLOATS, HALF, MAGIC, SPARSE, VERSION
from dcviz.errors import CodebookError, CodeError, WeightError


def pieces(net):
    """The bytes of the .dcz file of a ``StoredNet``, piece by piece: no more than one layer is in memory."""
    header = Writer()
    header.text(net.name)
    header.varint(len(net.layers))
    seen = set()
    for layer in net.layers:
        if seen & set(layer.tensors()):
            raise WeightError(f"layer {layer.name!r} appears twice in net {net.name!r}")
        seen |= set(layer.tensors())
        _write_layer_record(header, layer)
    yield MAGIC + bytes([VERSION])
    yield from header.section()
    for layer in net.layers:
        yield from write_layer(layer).section()


def _write_layer_record(header, layer):
    coding = layer.coding
    if not isinstance(layer.weight, np.ndarray) or layer.weight.ndim == 0 or layer.weight.ndim > 8:
        raise WeightError(f"layer {layer.name!r}: weights must be an array of 1 to 8 dimensions")
    for dtype in (coding.dtype, coding.bias_dtype):
        if dtype not in FLOATS:
            raise WeightError(f"layer {layer.name!r}: dtype must be one of {', '.join(FLOATS)}, not {dtype!r}")
    flags = (
        SPARSE * (coding.index_bits is not None)
        | CODED * (coding.codebook is not None)
        | HALF * (coding.dtype == "float16")
        | COLUMNS * (coding.order == "F")
        | BIAS * (layer.bias is not None)
        | BIAS_HALF * (layer.bias is not None and coding.bias_dtype == "float16")
        | BIAS_CODED * (layer.bias is not None and coding.bias_codebook is not None)
        | BARE * layer.bare
    )
    header.text(layer.name)
    header.byte(flags)
    header.byte(layer.weight.ndim)
    for size in layer.weight.shape:
        header.varint(size)


def write_layer(layer, kept=None):
    """The payload of a layer's section; ``kept`` is what ``walk`` gives, for who has it already."""
    coding = layer.coding
    if not layer.weight.size:
        raise WeightError(f"layer {layer.name!r} is empty")
    index, values = entries(layer, kept)
    payload = Writer()
    if index is not None:
        payload.byte(coding.index_bits)
        payload.varint(len(index.gaps))
        write_symbols(payload, index.gaps, coding.huffman, coding.index_bits)
    if coding.codebook is None:
        payload.raw(_exact_floats(values, coding.dtype, f"layer {layer.name!r}").tobytes())
    else:
        codebook = stored_codebook(coding, index)
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


def entries(layer, kept=None):
    """What a layer stores: its ``RelativeIndex``, or None if every position is stored, and the entries' values."""
    coding = layer.coding
    if coding.index_bits is None:
        return None, _exact_floats(layer.weight, "float32", f"layer {layer.name!r}").ravel(order=coding.order)
    if not 1 <= coding.index_bits <= 16:
        raise CodeError(f"layer {layer.name!r}: index_bits must be 1 to 16, not {coding.index_bits}")
    positions, found = walk(layer, coding.order) if kept is None else kept
    index = relative_index.encode(positions, coding.index_bits)
    values = np.zeros(len(index.gaps), np.float32)
    values[index.real] = found
    return index, values


def walk(layer, order):
    """Where weights are that are not zero, and their values, row by row ("C") or column by column ("F")."""
    weight = _exact_floats(layer.weight, "float32", f"layer {layer.name!r}")
    flat = weight.ravel()
    kept = np.flatnonzero(flat.view(np.uint32))  # by bit pattern: a -0.0 is an entry
    if order != "F":
        return kept, flat[kept]
    # move the few entries rather than the whole layer
    positions = np.ravel_multi_index(np.unravel_index(kept, weight.shape), weight.shape, order="F")
    along = np.argsort(positions, kind="stable")
    return positions[along], flat[kept[along]]


def stored_codebook(coding, index):
    """The codebook as the file holds it, float32 (k,): with a zero in front if fillers need one that it lacks."""
    codebook = np.asarray(coding.codebook, np.float32).reshape(-1)
    if index is not None and index.fillers and not np.any(codebook.view(np.uint32) == 0):
        return np.concatenate([np.zeros(1, np.float32), codebook])
    return codebook


def _write_shared(payload, values, codebook, dtype, use_huffman, where):
    payload.varint(len(codebook))
    payload.raw(_exact_floats(codebook, dtype, f"codebook of {where}").tobytes())
    width = max(len(codebook) - 1, 0).bit_length()
    write_symbols(payload, codes_of(values, codebook, where), use_huffman, width)


def _exact_floats(values, dtype, where):
    """``values`` in the file's dtype, refused unless that holds them exactly."""
    values = np.asarray(values)
    if not np.isfinite(values).all():
        raise WeightError(f"{where} has {np.count_nonzero(~np.isfinite(values)):,} NaN or infinite values")
    if values.dtype == FLOATS[dtype]:
        return values
    with np.errstate(over="ignore"):
        stored = values.astype(FLOATS[dtype])
    if not np.array_equal(stored.astype(values.dtype), values):
        raise WeightError(f"{where} has values that {dtype} cannot hold exactly; round them first")
    return stored


def codes_of(values, codebook, where):
    """The place of each value in a codebook, by bit pattern; CodebookError if one is not in it."""
    if values.size and not codebook.size:
        raise CodebookError(f"{where} has an empty codebook for {values.size:,} values")
    order = np.argsort(codebook, kind="stable")
    ranks = np.searchsorted(codebook[order], values)
    codes = order[np.minimum(ranks, len(codebook) - 1)]
    wrong = codebook[codes].view(np.uint32) != values.view(np.uint32)
    if wrong.any():
        raise CodebookError(
            f"{where}: {np.count_nonzero(wrong):,} values are not in its codebook (first: {values[np.argmax(wrong)]!r})"
        )
    return codes
