"""Writing a .dcz file: from a ``StoredNet`` to bytes. The layout is in docs/format.md."""

import numpy as np

from dcviz.archive.streams import MAX_LAYERS, MAX_NAME, MAX_WEIGHTS, Writer, write_symbols
from dcviz.archive.types import BARE, BIAS, BIAS_CODED, BIAS_HALF, CODED, COLUMNS, FLOATS, HALF, MAGIC, SPARSE, VERSION
from dcviz.errors import CodebookError, CodeError, WeightError
from dcviz.ideas import relative_index


def pieces(net):
    """The bytes of the .dcz file of a ``StoredNet``, piece by piece: no more than one layer is in memory."""
    header = Writer()
    header.text(_name(net.name, "the net"))
    header.varint(len(net.layers))
    if len(net.layers) > MAX_LAYERS:
        raise WeightError(f"net {net.name!r} has {len(net.layers):,} layers; at most {MAX_LAYERS:,} are possible")
    seen: set[str] = set()
    weights = 0
    for layer in net.layers:
        check_layer(layer)
        if seen & set(layer.tensors()):
            raise WeightError(f"layer {layer.name!r} appears twice in net {net.name!r}")
        seen |= set(layer.tensors())
        weights += layer.weight.size
        _write_layer_record(header, layer)
    if weights > MAX_WEIGHTS:
        raise WeightError(f"net {net.name!r} has {weights:,} weights; at most {MAX_WEIGHTS:,} are possible")
    yield MAGIC + bytes([VERSION])
    yield from header.section()
    for layer in net.layers:
        yield from write_layer(layer).section()


def check_layer(layer):
    """WeightError for a ``Layer`` that no file can hold as it is, whatever its numbers are."""
    coding, where = layer.coding, f"layer {_name(layer.name, 'a layer')!r}"
    for what, array in (("weights", layer.weight), ("a bias", layer.bias)):
        if array is not None and not (isinstance(array, np.ndarray) and array.dtype.kind in "fiub"):
            raise WeightError(f"{where}: {what} must be a NumPy array of real numbers")
    if layer.weight is None or not 1 <= layer.weight.ndim <= 8:
        raise WeightError(f"{where}: weights must be an array of 1 to 8 dimensions")
    if not layer.weight.size:
        raise WeightError(f"{where} is empty")
    if layer.weight.size > MAX_WEIGHTS:
        raise WeightError(f"{where} has {layer.weight.size:,} weights; at most {MAX_WEIGHTS:,} are possible")
    for dtype in (coding.dtype, coding.bias_dtype):
        if dtype not in FLOATS:
            raise WeightError(f"{where}: dtype must be one of {', '.join(FLOATS)}, not {dtype!r}")
    if coding.order not in ("C", "F"):
        raise WeightError(f"{where}: order must be C or F, not {coding.order!r}")
    if layer.bias is not None:
        if layer.bare:
            raise WeightError(f"{where} is bare: it has no bias")
        if layer.bias.ndim != 1:
            raise WeightError(f"{where}: a bias must have one dimension, not the shape {layer.bias.shape}")
        if coding.bias_codebook is not None and layer.bias.size > layer.weight.size:
            raise WeightError(
                f"{where}: a bias that shares values may be no longer than the weights, "
                f"but {layer.bias.size:,} is more than {layer.weight.size:,}"
            )


def _name(name, what):
    """A name that a file can hold: Unicode text of at most ``MAX_NAME`` bytes as UTF-8."""
    if not isinstance(name, str):
        raise WeightError(f"the name of {what} must be text, not {type(name).__name__}")
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise WeightError(f"the name of {what}, {name!r}, is no Unicode text") from error
    if size > MAX_NAME:
        raise WeightError(
            f"the name of {what}, {name[:40]!r}..., takes {size:,} bytes; at most {MAX_NAME:,} are possible"
        )
    return name


def _write_layer_record(header, layer):
    coding = layer.coding
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
        bias = _exact_floats(layer.bias, "float32", where)
        payload.varint(bias.size)
        if coding.bias_codebook is None:
            payload.raw(_exact_floats(bias, coding.bias_dtype, where).tobytes())
        else:
            _write_shared(payload, bias, _floats(coding.bias_codebook), coding.bias_dtype, coding.huffman, where)
    return payload


def entries(layer, kept=None):
    """What a layer stores: its ``RelativeIndex``, or None if every position is stored, and the entries' values."""
    check_layer(layer)
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
    codebook = _floats(coding.codebook)
    if index is not None and index.fillers and not np.any(codebook.view(np.uint32) == 0):
        return np.concatenate([np.zeros(1, np.float32), codebook])
    return codebook


def _floats(codebook):
    try:
        with np.errstate(over="ignore"):  # too large a value is refused as infinite
            return np.asarray(codebook, np.float32).reshape(-1)
    except (TypeError, ValueError) as error:
        raise CodebookError(f"a codebook cannot be read as numbers ({error})") from error


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
    known, wanted = codebook.view(np.uint32), values.view(np.uint32)
    order = np.argsort(known, kind="stable")
    codes = order[np.minimum(np.searchsorted(known[order], wanted), len(codebook) - 1)]
    wrong = known[codes] != wanted
    if wrong.any():
        raise CodebookError(
            f"{where}: {np.count_nonzero(wrong):,} values are not in its codebook (first: {values[np.argmax(wrong)]!r})"
        )
    return codes
