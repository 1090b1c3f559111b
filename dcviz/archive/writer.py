"""Writing a .dcz file: from a ``StoredNet`` to bytes. The layout is in docs/format.md."""

import functools
import itertools
import math
import zlib
from dataclasses import replace

import numpy as np

from dcviz.archive import live, planes, streams
from dcviz.archive.streams import Writer, write_symbols
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
    MAGIC,
    PARAMETERS,
    SEALED,
    SPARSE,
    VERSION,
    Kept,
    Layer,
    Lossless,
    More,
    Tie,
    narrowed,
    widened,
    working,
)
from dcviz.errors import CodebookError, CodeError, WeightError
from dcviz.ideas import relative_index


def pieces(net):
    """The bytes of the .dcz file of a ``StoredNet``, piece by piece: no more than one layer is in memory.

    Of version 1 if that can hold the net, else of version 2: with one checksum if it is small and has a live block.
    """
    if any(isinstance(layer, Layer) and layer.coding.live is not None for layer in net.layers):
        data = sealed(net)
        if len(data) <= streams.MAX_SEALED:
            yield data
            return
    if not fits_version_1(net):
        yield from record_pieces(net.name, len(net.layers), net.layers)
        return
    header = Writer()
    header.text(_name(net.name, "the net"))
    header.varint(len(net.layers))
    seen: set[str] = set()
    for layer in net.layers:
        check_layer(layer)
        if seen & set(layer.arrays()):
            raise WeightError(f"layer {layer.name!r} appears twice in net {net.name!r}")
        seen |= set(layer.arrays())
        _write_layer_record(header, layer)
    yield MAGIC + bytes([VERSION])
    yield from header.section()
    for layer in net.layers:
        yield from write_layer(layer).section()


def fits_version_1(net):
    """Whether all records are layers of float32 stored as float32 or float16, and neither they nor weights too many."""
    old = ("float32", "float16")
    plain = len(net.layers) <= streams.MAX_LAYERS and all(
        isinstance(layer, Layer)
        and isinstance(layer.weight, np.ndarray)
        and layer.dtype == "float32"
        and layer.coding.dtype in old
        and layer.coding.bias_dtype in old
        and layer.coding.live is None
        for layer in net.layers
    )
    return plain and sum(layer.weight.size for layer in net.layers) <= streams.MAX_WEIGHTS


def record_pieces(name, count, records):
    """The bytes of a .dcz file of version 2, piece by piece, out of any iterable of ``count`` records.

    No more than one record is in memory, if the iterable makes them one by one.
    """
    yield MAGIC + bytes([PARAMETERS])
    yield from _header(name, count, 0).section()
    added = itertools.count()  # a record in another's place is found
    for head, body in _sections(name, count, records):
        checksum = zlib.crc32(body, zlib.crc32(head)) + next(added) & 0xFFFFFFFF
        length = Writer()
        length.varint(len(head) + len(body))
        yield from (length, head, body, checksum.to_bytes(4, "little"))
        del head, body  # before the next one is made


def sealed(net):
    """The bytes of the .dcz file of version 2 of a ``StoredNet``, with one checksum for all of it."""
    file = Writer(MAGIC + bytes([PARAMETERS]))
    sections = _sections(net.name, len(net.layers), net.layers)
    for head, body in itertools.chain([(_header(net.name, len(net.layers), SEALED), b"")], sections):
        file.varint(len(head) + len(body))
        file.raw(head)
        file.raw(body)
    return bytes(file + zlib.crc32(file).to_bytes(4, "little"))


def _header(name, count, features):
    header = Writer()
    header.text(_name(name, "the net"))
    header.byte(features)
    header.varint(count)
    if count > streams.MAX_RECORDS:
        raise WeightError(f"net {name!r} has {count:,} records; at most {streams.MAX_RECORDS:,} are possible")
    return header


def _sections(name, count, records):
    """The head and the body of each record's section, both bytes, in turn."""
    keys: dict[str, int | None] = {}  # the number of each, None for a tie
    done = arrays = written = places = 0
    before = None
    for record in records:
        head, body = _write_record(record, keys, before)
        before = _rows(record)
        for key in _new_keys(record):
            if key in keys:
                raise WeightError(f"{_kind(record)} {record.name!r} appears twice in net {name!r}")
            keys[key] = None if isinstance(record, Tie) else len(keys)
        piece = record.piece if isinstance(record, More) else record
        if isinstance(piece, Layer):
            arrays += piece.weight.size * working(piece.dtype).itemsize
            if piece.coding.live is not None:
                places += live.block_of(piece.weight, piece.bias, piece.coding.live)[0].size
        elif isinstance(piece, Lossless):
            arrays += piece.array.nbytes
        written, done = written + len(head) + len(body), done + 1
        yield head, body
        del record, piece, head, body  # before the next one is made
    if done != count:
        raise WeightError(f"net {name!r} was to have {count:,} records, but {done:,} came")
    if places > live.MAX_LIVE:
        raise WeightError(
            f"net {name!r} has live blocks of {places:,} places together; at most {live.MAX_LIVE:,} are possible"
        )
    if arrays > max(streams.MAX_ARRAYS, streams.ARRAYS_PER_BYTE * written):
        raise WeightError(
            f"net {name!r} has layers of {arrays:,} bytes in a file of {written:,}; at most {streams.MAX_ARRAYS:,} "
            f"bytes, or {streams.ARRAYS_PER_BYTE:,} for each byte of the file, are possible"
        )


def _new_keys(record):
    if isinstance(record, More):
        return ()
    return (record.name,) if isinstance(record, Tie) else record.dtypes()


def _rows(record):
    """What more rows must agree with: key, dimensions after the first, and type; None for what has no rows."""
    record = record.piece if isinstance(record, More) else record
    if isinstance(record, Layer) and record.bare and record.coding.live is None:
        return record.name, record.weight.shape[1:], record.dtype
    if isinstance(record, Kept) and record.array.ndim:
        return record.name, record.array.shape[1:], record.dtype
    return None


def _kind(record):
    return {Layer: "layer", Kept: "tensor", Lossless: "tensor", Tie: "tie"}.get(type(record), "record")


def _write_record(record, keys, before):
    """The head of a record of version 2 and what follows it, bytes both; ``before``: ``_rows`` of the one before."""
    if isinstance(record, More):
        head, body = _write_record(record.piece, keys, None)
        if before is None or _rows(record) != before:
            raise WeightError(f"more of {record.name!r} does not follow on rows of the same tensor, shape and type")
        return Writer([4]) + head, body
    if isinstance(record, Layer):
        check_layer(record)
        _check_exact(record)
        return (_coded_head if record.coding.live is None else _live_head)(record), write_layer(record)
    if isinstance(record, Lossless):
        return _lossless(record)
    if isinstance(record, Kept):
        return _kept(record)
    if isinstance(record, Tie):
        return _tie(record, keys), b""
    raise WeightError(f"a net is stored as Layer, Kept, More and Tie records, not as {type(record).__name__}")


def _coded_head(layer):
    coding, kinds = layer.coding, list(FLOATS)
    bias = kinds.index(coding.bias_dtype) if layer.bias is not None else 0
    head = Writer([0])
    head.text(layer.name)
    head.byte(_flags(layer) & ~(HALF | BIAS_HALF))
    head.byte(kinds.index(layer.dtype) | kinds.index(coding.dtype) << 2 | bias << 4)
    _write_shape(head, layer.weight.shape)
    return head


def _live_head(layer):
    head = Writer([5])
    head.text(layer.name)
    form = layer.weight.ndim - 1 | 8 * (layer.bias is not None) | 16 * layer.bare
    head.byte(form | list(FLOATS).index(layer.dtype) << 5)
    for size in layer.weight.shape:
        head.varint(size)
    return head


def _kept(record):
    where = f"tensor {_name(record.name, 'a tensor')!r}"
    if record.dtype not in DTYPES:
        raise WeightError(f"{where}: dtype must be one of {', '.join(DTYPES)}, not {record.dtype!r}")
    array, held = record.array, np.dtype(DTYPES[record.dtype])
    if not isinstance(array, np.ndarray) or array.dtype.newbyteorder("<") != held:
        raise WeightError(f"{where}: {record.dtype} is held by a NumPy array of {held.name}")
    if array.ndim > 8:
        raise WeightError(f"{where}: an array of {array.ndim} dimensions; at most 8 are possible")
    if math.prod(size for size in array.shape if size) > streams.MAX_NUMBERS:
        raise WeightError(f"{where} has the shape {array.shape}; at most {streams.MAX_NUMBERS:,} numbers are possible")
    head = Writer([1])
    head.text(record.name)
    head.byte(list(DTYPES).index(record.dtype))
    _write_shape(head, array.shape)
    flat = np.ascontiguousarray(array, held).reshape(-1)
    if record.dtype == "bool" and flat.size and flat.view(np.uint8).max() > 1:
        raise WeightError(f"{where} has truth values other than 0 and 1")
    return head, memoryview(flat.view(np.uint8).data) if flat.size else b""


def _lossless(record):
    """Like a kept tensor, but its floats in planes."""
    head, body = _kept(record)
    if record.dtype not in FLOATS:
        raise WeightError(f"tensor {record.name!r}: exponents are coded of {', '.join(FLOATS)}, not of {record.dtype}")
    head[0] = 3
    payload = Writer()
    planes.write_planes(payload, np.frombuffer(body, planes.pattern_type(record.dtype)), record.dtype)
    return head, payload


def _tie(record, keys):
    if not isinstance(record.other, str) or keys.get(record.other) is None:
        raise WeightError(f"{record.name!r} is tied to {record.other!r}, which is no tensor that stands before it")
    head = Writer([2])
    head.text(_name(record.name, "a tie"))
    head.varint(keys[record.other])
    return head


def _check_exact(layer):
    """WeightError unless weights, bias and codebooks are exactly numbers of the layer's dtype."""
    coding, where = layer.coding, f"layer {layer.name!r}"
    for what, values in (
        (where, layer.weight),
        (f"bias of {where}", layer.bias),
        (f"codebook of {where}", _book(coding.codebook, layer)),
        (f"codebook of bias of {where}", None if layer.bias is None else _book(coding.bias_codebook, layer)),
    ):
        if values is not None:
            _exact_floats(values, layer.dtype, what)


def _book(codebook, layer):
    return None if codebook is None else _floats(codebook, layer.dtype)


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
    if layer.weight.size > streams.MAX_NUMBERS:
        raise WeightError(f"{where} has {layer.weight.size:,} weights; at most {streams.MAX_NUMBERS:,} are possible")
    for dtype in (layer.dtype, coding.dtype, coding.bias_dtype):
        if dtype not in FLOATS:
            raise WeightError(f"{where}: dtype must be one of {', '.join(FLOATS)}, not {dtype!r}")
    if coding.order not in ("C", "F"):
        raise WeightError(f"{where}: order must be C or F, not {coding.order!r}")
    if coding.live is not None and (not isinstance(coding.live, int) or coding.live < 1):
        raise WeightError(f"{where}: a column has one place or more, not {coding.live!r}")
    if layer.bias is not None:
        if layer.bare:
            raise WeightError(f"{where} is bare: it has no bias")
        if layer.bias.ndim != 1:
            raise WeightError(f"{where}: a bias must have one dimension, not the shape {layer.bias.shape}")
        if coding.live is not None and layer.bias.size != len(layer.weight):
            raise WeightError(f"{where}: beside a live block a bias has one value a row, not {layer.bias.size:,}")
        if coding.bias_codebook is not None and layer.bias.size > layer.weight.size:
            raise WeightError(
                f"{where}: a bias that shares values may be no longer than the weights, "
                f"but {layer.bias.size:,} is more than {layer.weight.size:,}"
            )


def _name(name, what):
    """A name that a file can hold: Unicode text of at most ``streams.MAX_NAME`` bytes as UTF-8."""
    if not isinstance(name, str):
        raise WeightError(f"the name of {what} must be text, not {type(name).__name__}")
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise WeightError(f"the name of {what}, {name!r}, is no Unicode text") from error
    if size > streams.MAX_NAME:
        raise WeightError(
            f"the name of {what}, {name[:40]!r}..., takes {size:,} bytes; at most {streams.MAX_NAME:,} are possible"
        )
    return name


def _flags(layer):
    coding = layer.coding
    return (
        SPARSE * (coding.index_bits is not None)
        | CODED * (coding.codebook is not None)
        | HALF * (coding.dtype == "float16")
        | COLUMNS * (coding.order == "F")
        | BIAS * (layer.bias is not None)
        | BIAS_HALF * (layer.bias is not None and coding.bias_dtype == "float16")
        | BIAS_CODED * (layer.bias is not None and coding.bias_codebook is not None)
        | BARE * layer.bare
    )


def _write_layer_record(header, layer):
    header.text(layer.name)
    header.byte(_flags(layer))
    _write_shape(header, layer.weight.shape)


def _write_shape(writer, shape):
    writer.byte(len(shape))
    for size in shape:
        writer.varint(size)


def write_layer(layer, kept=None):
    """The payload of a layer's section; ``kept`` is what ``walk`` gives, for who has it already."""
    coding = layer.coding
    payload = Writer()
    if coding.live is not None:
        check_layer(layer)
        live.write(payload, layer.weight, layer.bias, coding.live, f"layer {layer.name!r}")
        return payload
    index, values = entries(layer, kept)
    if index is not None:
        payload.byte(coding.index_bits)
        payload.varint(len(index.gaps))
        write_symbols(payload, index.gaps, coding.huffman, coding.index_bits)
    if coding.codebook is None:
        payload.raw(_exact_floats(values, coding.dtype, f"layer {layer.name!r}").tobytes())
    else:
        codebook = stored_codebook(coding, index, layer.dtype)
        _write_shared(payload, values, codebook, coding.dtype, coding.huffman, f"layer {layer.name!r}")
    payload.raw(_bias_bytes(layer))
    return payload


def _bias_bytes(layer):
    payload, coding, where = Writer(), layer.coding, f"bias of layer {layer.name!r}"
    if layer.bias is not None:
        bias = _working(layer.bias, layer.dtype, where)
        payload.varint(bias.size)
        if coding.bias_codebook is None:
            payload.raw(_exact_floats(bias, coding.bias_dtype, where).tobytes())
        else:
            codebook = _floats(coding.bias_codebook, layer.dtype)
            _write_shared(payload, bias, codebook, coding.bias_dtype, coding.huffman, where)
    return payload


def shortest(layer, codings):
    """A ``Layer`` with the one of some ``Coding``s that makes the file smallest, the first of equals.

    What trying each by ``write_layer`` gives. But gaps and codes are only counted at first, for all widths of a gap at
    once; what could be shortest by its counts is written, until the rest cannot be shorter.
    """
    if len(codings) == 1:
        return replace(layer, coding=codings[0])
    check_layer(layer)

    @functools.cache
    def walked(order):
        return walk(layer, order, walked("C") if order == "F" else None)

    @functools.cache
    def counted(order):
        """Positions skipped before each weight, and how often each of their low 16 bits occurs."""
        skipped = np.diff(walked(order)[0], prepend=-1) - 1
        return skipped, np.bincount(skipped & 0xFFFF, minlength=1 << 16)

    @functools.cache
    def repeated():
        """How often each value occurs, in whatever order."""
        return np.unique(_bits(walked("C")[1]), return_counts=True)[1]

    def least(coding):
        """No more bytes than a coding takes."""
        if coding.index_bits not in range(1, 17) or coding.live is not None:
            return 0
        skipped, low = counted(coding.order)
        fillers = int((skipped >> coding.index_bits).sum())
        gaps = low.reshape(-1, 1 << coding.index_bits).sum(0)
        gaps[-1] += fillers
        coded, floats = streams.least_bytes(gaps, coding.huffman, coding.index_bits), len(skipped) + fillers
        if coding.codebook is not None:
            values = np.append(repeated(), fillers) if fillers else repeated()
            floats = max(np.size(coding.codebook), values.size)
            coded += streams.least_bytes(values, coding.huffman, (floats - 1).bit_length())
        return (
            coded + floats * np.dtype(FLOATS[coding.dtype]).itemsize + len(_bias_bytes(replace(layer, coding=coding)))
        )

    best = math.inf, 0
    for bytes_, number in sorted((least(coding), number) for number, coding in enumerate(codings)):
        if (bytes_, number) > best:
            break
        tried = replace(layer, coding=codings[number])
        best = min(best, (len(write_layer(tried, tried.coding.index_bits and walked(tried.coding.order))), number))
    return replace(layer, coding=codings[best[1]])


def entries(layer, kept=None):
    """What a layer stores: its ``RelativeIndex``, or None if every position is stored, and the entries' values."""
    check_layer(layer)
    coding = layer.coding
    if coding.index_bits is None:
        return None, _working(layer.weight, layer.dtype, f"layer {layer.name!r}").ravel(order=coding.order)
    if not 1 <= coding.index_bits <= 16:
        raise CodeError(f"layer {layer.name!r}: index_bits must be 1 to 16, not {coding.index_bits}")
    positions, found = walk(layer, coding.order) if kept is None else kept
    index = relative_index.encode(positions, coding.index_bits)
    values = np.zeros(len(index.gaps), working(layer.dtype))
    values[index.real] = found
    return index, values


def walk(layer, order, rows=None):
    """Where weights are that are not zero, and their values, row by row ("C") or column by column ("F").

    rows: what ``walk`` gives row by row, for who has it already.
    """
    if rows is None:
        flat = _working(layer.weight, layer.dtype, f"layer {layer.name!r}").ravel()
        kept = np.flatnonzero(_bits(flat))  # by bit pattern: a -0.0 is an entry
        values = flat[kept]
    else:
        kept, values = rows
    if order != "F":
        return kept, values
    # move the few entries rather than the whole layer
    shape = layer.weight.shape
    positions = np.ravel_multi_index(np.unravel_index(kept, shape), shape, order="F")
    along = np.argsort(positions, kind="stable")
    return positions[along], values[along]


def stored_codebook(coding, index, dtype="float32"):
    """The codebook as the file holds it, (k,) of a layer's working type: with a zero in front if fillers lack one."""
    codebook = _floats(coding.codebook, dtype)
    if index is not None and index.fillers and not np.any(_bits(codebook) == 0):
        return np.concatenate([np.zeros(1, codebook.dtype), codebook])
    return codebook


def _floats(codebook, dtype):
    try:
        with np.errstate(over="ignore"):  # too large a value is refused as infinite
            return np.asarray(codebook, working(dtype)).reshape(-1)
    except (TypeError, ValueError) as error:
        raise CodebookError(f"a codebook cannot be read as numbers ({error})") from error


def _bits(floats):
    """The bit patterns of floats: -0.0 is another one than 0.0."""
    return floats.view(f"u{floats.itemsize}")


def _write_shared(payload, values, codebook, dtype, use_huffman, where):
    payload.varint(len(codebook))
    payload.raw(_exact_floats(codebook, dtype, f"codebook of {where}").tobytes())
    width = max(len(codebook) - 1, 0).bit_length()
    write_symbols(payload, codes_of(values, codebook, where), use_huffman, width)


def _working(values, dtype, where):
    """``values`` in the type in which a layer of a dtype has its numbers, refused unless that holds them exactly."""
    return _exact_floats(values, working(dtype).name, where)


def _exact_floats(values, dtype, where):
    """``values`` in the file's dtype, refused unless that holds them exactly."""
    values = np.asarray(values)
    if not np.isfinite(values).all():
        raise WeightError(f"{where} has {np.count_nonzero(~np.isfinite(values)):,} NaN or infinite values")
    if dtype != "bfloat16" and values.dtype == FLOATS[dtype]:
        return values
    stored = narrowed(values, dtype)
    if not np.array_equal(widened(stored, dtype).astype(values.dtype), values):
        raise WeightError(f"{where} has values that {dtype} cannot hold exactly; round them first")
    return stored


def codes_of(values, codebook, where):
    """The place of each value in a codebook, by bit pattern; CodebookError if one is not in it."""
    if values.size and not codebook.size:
        raise CodebookError(f"{where} has an empty codebook for {values.size:,} values")
    known, wanted = _bits(codebook), _bits(values)
    order = np.argsort(known, kind="stable")
    codes = order[np.minimum(np.searchsorted(known[order], wanted), len(codebook) - 1)]
    wrong = known[codes] != wanted
    if wrong.any():
        raise CodebookError(
            f"{where}: {np.count_nonzero(wrong):,} values are not in its codebook (first: {values[np.argmax(wrong)]!r})"
        )
    return codes
