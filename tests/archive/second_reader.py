"""A second reader of .dcz files, written from docs/format.md alone: no line of dcviz is used here.

``read(data)`` gives {key: array, bfloat16 and float8 as their bits}, or raises ``Refused``.
"""

import math
import zlib

import numpy as np
from second_live import live_block
from second_streams import Bytes, Refused, need, symbols

__all__ = ["Refused", "read"]
TYPES = ["<f4", "<f2", "<u2", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1"]
TYPES += ["<c8", "<c16", "|u1", "|u1"]
PLANES = ((8, 23), (5, 10), (8, 7), (11, 52))


def narrowed(values, own):
    """float64 values in the type that a layer has; all must be numbers of it."""
    with np.errstate(over="ignore"):
        found = values.astype("f4" if own == 2 else TYPES[own])
    need((found == values).all() and not (own == 2 and (found.view("u4") & 0xFFFF).any()), "exact")
    return (found.view("u4") >> 16).astype("<u2") if own == 2 else found


def floats(payload, n, stored, own):
    """n floats of a type, as float64: exactly numbers of the layer's own type."""
    values = np.frombuffer(payload.take(n * (4, 2, 2, 8)[stored]), TYPES[stored])
    values = ((values.astype("u4") << 16).view("f4") if stored == 2 else values).astype(float)
    need(np.isfinite(values).all(), "NaN or infinite")
    narrowed(values, own)
    return values


def shared(payload, n, stored, own):
    """n values out of a codebook."""
    codebook = floats(payload, payload.varint(), stored, own)
    return codebook[np.array(symbols(payload, n, len(codebook)), int)]


def layer(payload, name, flags, shape, types):
    """{key: array} of a layer; types: its own, and those of its weights and its bias in the file."""
    own, weights_as, bias_as = types
    size = entries = math.prod(shape)
    if flags & 1:
        b, entries = payload.u8(), payload.varint()
        need(1 <= b <= 16 and entries <= size, "index bits or entries")
        gaps = np.array(symbols(payload, entries, 2**b), np.int64)
    values = (shared if flags & 2 else floats)(payload, entries, weights_as, own)
    found = {}
    if flags & 16:
        length = payload.varint()
        need(not flags & 64 or length <= size, "bias")
        found[f"{name}.bias"] = narrowed((shared if flags & 64 else floats)(payload, length, bias_as, own), own)
    payload.end()
    if flags & 1:
        fillers = values.view(np.uint64) == 0
        positions = np.cumsum(gaps + 1) - 1
        need((gaps[fillers] == 2**b - 1).all(), "a filler has the largest gap")
        need(not entries or (positions[-1] < size and not fillers[-1]), "past the end")
        entered, values = values, np.zeros(size)
        values[positions] = entered
    weight = narrowed(values, own).reshape(shape, order="F" if flags & 8 else "C")
    return {name if flags & 128 else f"{name}.weight": weight, **found}


def read(data):
    """{key: array, bfloat16 and float8 as their bits} of the bytes of a file."""
    file = Bytes(bytes(data))
    need(file.take(4) == b"\x89DCZ", "magic")
    version = file.u8()
    need(version in (1, 2), "version")
    if version == 2:
        return records(file, file.unchecked())
    header = file.section()
    header.text()
    count, tensors = header.varint(), {}
    need(count <= 4096, "layers")
    layers = [(header.text(), header.u8(), header.shape(1)) for _ in range(count)]
    header.end()
    sizes, keys = [math.prod(shape) for _, _, shape in layers], 0
    need(all(sizes) and sum(sizes) <= 2**28, "sizes")
    for name, flags, shape in layers:
        need(not flags & (128 if flags & 16 else 96), "flags")
        found = layer(file.section(), name, flags, shape, (0, flags >> 2 & 1, flags >> 5 & 1))
        tensors |= found
        keys += len(found)
    file.end()
    need(len(tensors) == keys, "two tensors of one key")
    return tensors


def records(file, header):
    """{key: array} of version 2."""
    tensors, places = {}, 2**18
    header.text()
    sealed, count, keys, rows, decoded = header.u8(), header.varint(), [], None, 0
    if sealed:
        need(sealed == 1 and len(file.data) <= 2**16, "features")
        file.data, checksum = file.data[:-4], file.data[-4:]
        need(zlib.crc32(file.data) == int.from_bytes(checksum, "little"), "checksum")
    else:
        need(zlib.crc32(header.data) == int.from_bytes(file.take(4), "little"), "checksum")
    need(count <= 2**16, "records")
    header.end()
    most = max(2**30, 4096 * (len(file.data) + 4 * sealed))
    for number in range(count):
        payload = file.unchecked() if sealed else file.section(number)
        kind = payload.u8()
        more = kind == 4
        kind = payload.u8() if more else kind
        need(kind in ((0, 1, 3) if more else (0, 1, 2, 3, 5)), "kind")
        key = payload.text()
        if kind == 2:
            number = payload.varint()
            payload.end()
            need(number < len(keys) and keys[number][1] is None and key not in tensors, "tie")
            tensors[key], rows = tensors[keys[number][0]], None
            keys.append((key, number))
            continue
        if kind == 5:
            found, takes, places = live(payload, key, most - decoded, places)
            has_rows = False
        else:
            found, takes, has_rows = (coded if kind == 0 else tensor)(payload, kind, key, most - decoded)
        decoded += takes
        piece = found.get(key)
        if more:
            whole = tensors.get(key)
            need(has_rows and rows == (key, piece.dtype, piece.shape[1:], payload.type), "more rows")
            shape = (len(whole) + len(piece), *whole.shape[1:])
            need(math.prod(side for side in shape if side) <= 2**40, "size")
            tensors[key] = np.concatenate([whole, piece])
            continue
        need(not found.keys() & tensors.keys(), "two tensors of one key")
        tensors |= found
        keys += [(each, None) for each in found]
        rows = (key, piece.dtype, piece.shape[1:], payload.type) if has_rows else None
    file.end()
    return tensors


def coded(payload, kind, key, most):
    """({key: array}, bytes that count, whether it has rows) of a coded layer."""
    flags, types, shape = payload.u8(), payload.u8(), payload.shape(1)
    need(types < 64 and not flags & 36 and not flags & (128 if flags & 16 else 64), "flags")
    need(flags & 16 or types < 16, "a type of no bias")
    own, takes = types & 3, math.prod(shape) * (8 if types & 3 == 3 else 4)
    need(0 < math.prod(shape) <= 2**40 and takes <= most, "size")
    payload.type = own
    return layer(payload, key, flags, shape, (own, types >> 2 & 3, types >> 4)), takes, flags & 128


def live(payload, key, most, places):
    """({key: array}, bytes that count, places that are left) of a live block."""
    form = payload.u8()
    need(form < 128 and form & 24 != 24, "form")
    shape = tuple(payload.varint() for _ in range(1 + form % 8))
    own, takes = form >> 5, math.prod(shape) * (8 if form >> 5 == 3 else 4)
    need(0 < math.prod(shape) <= 2**40 and takes <= most, "size")
    weight, bias, size = live_block(payload, shape, form & 8, places)
    found = {key if form & 16 else f"{key}.weight": narrowed(weight, own)}
    return found | ({f"{key}.bias": narrowed(bias, own)} if form & 8 else {}), takes, places - size


def tensor(payload, kind, key, most):
    """The same of a tensor that is kept, or in planes."""
    payload.type = number = payload.u8()
    need(number < (4 if kind == 3 else len(TYPES)), "type")
    shape = payload.shape(0)
    need(math.prod(side for side in shape if side) <= 2**40, "size")
    n = math.prod(shape)
    takes = n * np.dtype(TYPES[number]).itemsize
    if kind == 3:
        need(takes <= most, "size")
        data = planes(payload, n, number)
    else:
        data = payload.take(takes)
        need(number != 12 or not data.strip(b"\0\1"), "truth")
    payload.end()
    return {key: np.frombuffer(data, TYPES[number]).reshape(shape)}, takes * (kind == 3), bool(shape)


def planes(payload, n, own):
    """The bytes of n floats out of the streams of their planes."""
    (exponent, mantissa), found = PLANES[own], []
    for start in range(0, n, 2**20):
        size = min(2**20, n - start)
        numbers, left, rest = symbols(payload, size, 2**exponent), 1 + mantissa, [0] * size
        while left:
            width = min(left, 8)
            plane = symbols(payload, size, 2**width)
            rest = [before << width | part for before, part in zip(rest, plane, strict=True)]
            left -= width
        for e, r in zip(numbers, rest, strict=True):
            found.append(r >> mantissa << exponent + mantissa | e << mantissa | r % 2**mantissa)
    return np.array(found, f"<u{(1 + exponent + mantissa) // 8}").tobytes()
