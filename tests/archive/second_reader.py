"""A second reader of .dcz files, written from docs/format.md alone: no line of dcviz is used here.

``read(data)`` gives {key: float32 array}, or raises ``Refused``.
"""

import math
import zlib

import numpy as np


class Refused(Exception):
    """The bytes break a rule of the page."""


def need(true, rule):
    """Refuse the file unless the rule is kept."""
    if not true:
        raise Refused(rule)


class Bytes:
    """Bytes that are read one field after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        need(n <= len(self.data) - self.at, "cut short")
        self.at += n
        return self.data[self.at - n : self.at]

    def u8(self):
        return self.take(1)[0]

    def varint(self):
        groups = [self.u8()]
        while groups[-1] & 128:
            groups.append(self.u8())
        value = sum((group & 127) << 7 * i for i, group in enumerate(groups))
        need(value < 2**63 and (groups[-1] or len(groups) == 1), "varint")
        return value

    def text(self):
        length = self.varint()
        need(length <= 1024, "long name")
        text = self.take(length).decode("utf-8", "replace")
        need(text.encode() == self.data[self.at - length : self.at], "UTF-8")
        return text

    def floats(self, n, half):
        values = np.frombuffer(self.take(n * (2 if half else 4)), "<f2" if half else "<f4").astype(np.float32)
        need(np.isfinite(values).all(), "NaN or infinite")
        return values

    def room(self):
        return 8 * (len(self.data) - self.at)

    def bits(self, n):
        """The next n bits as text of 0 and 1; the rest of the last byte must be zeros."""
        data = self.take((n + 7) // 8)
        text = "".join(f"{byte:08b}" for byte in data)
        need("1" not in text[n:], "pad bits")
        return text[:n]

    def numbers(self, n, width):
        """n numbers of some bits each."""
        text = self.bits(n * width)
        return [int(text[i * width : (i + 1) * width], 2) for i in range(n)] if width else [0] * n

    def section(self):
        payload = self.take(self.varint())
        need(zlib.crc32(payload) == int.from_bytes(self.take(4), "little"), "checksum")
        return Bytes(payload)

    def end(self):
        need(self.at == len(self.data), "bytes too many")


def code_table(payload, alphabet):
    """{code word as text: symbol}."""
    n, width = payload.varint(), payload.u8()
    need(1 <= width <= 5, "field width")
    fields = payload.numbers(n, width)
    lengths, symbol, at = {}, 0, 0
    while at < n:
        if fields[at]:
            lengths[symbol] = fields[at]
            symbol, at = symbol + 1, at + 1
        else:
            need(at + 1 < n, "a length of 0 is followed by a field")
            symbol, at = symbol + 1 + fields[at + 1], at + 2
        need(symbol <= alphabet, "beyond the alphabet")
    need(lengths and max(lengths.values()) <= 20, "lengths")
    if len(lengths) == 1:
        need(set(lengths.values()) == {1}, "a single symbol has length 1")
    else:
        need(sum(2 ** (20 - length) for length in lengths.values()) == 2**20, "complete")
    words, at = {}, 0
    for length, symbol in sorted((length, symbol) for symbol, length in lengths.items()):
        words[f"{at >> 20 - length:0{length}b}"] = symbol
        at += 2 ** (20 - length)
    return words


def symbols(payload, n, alphabet):
    """n symbols below a number."""
    kind = payload.u8()
    need(kind in (0, 1), "kind")
    if kind == 0:
        width = payload.u8()
        need(width <= 32 and (width or n <= 2**20), "width")
        found = payload.numbers(n, width)
        need(max(found, default=-1) < alphabet, "symbol")
        return found
    words = code_table(payload, alphabet)
    chunk, fewest = payload.varint(), payload.varint()
    need(1 <= chunk <= 2**17, "chunk")
    chunks = -(-n // chunk)
    need(max(chunks, fewest) <= payload.room(), "cut short")
    extra = [0] * chunks
    if chunks > 1:
        width = payload.u8()
        extra = payload.numbers(chunks, width)
        need(width <= 32 and min(extra) == 0, "chunk table")
    elif chunks == 0:
        need(fewest == 0, "no chunk has no bits")
    text, at, found = payload.bits(fewest * chunks + sum(extra)), 0, []
    for i in range(chunks):
        end = at + fewest + extra[i]
        for _ in range(min(chunk, n - i * chunk)):
            length = 1
            while text[at : at + length] not in words:
                length += 1
                need(length <= 20 and at + length <= end, "no code word")
            found.append(words[text[at : at + length]])
            at += length
        need(at == end, "a chunk takes exactly its bits")
    return found


def shared(payload, n, half):
    """n values out of a codebook."""
    codebook = payload.floats(payload.varint(), half)
    return codebook[np.array(symbols(payload, n, len(codebook)), int)]


def layer(payload, flags, shape):
    """(weight, bias or None) of a layer's section."""
    size = entries = math.prod(shape)
    if flags & 1:
        b, entries = payload.u8(), payload.varint()
        need(1 <= b <= 16 and entries <= size, "index bits or entries")
        gaps = np.array(symbols(payload, entries, 2**b), np.int64)
    values = (shared if flags & 2 else Bytes.floats)(payload, entries, flags & 4)
    bias = None
    if flags & 16:
        length = payload.varint()
        need(not flags & 64 or length <= size, "bias")
        bias = (shared if flags & 64 else Bytes.floats)(payload, length, flags & 32)
    payload.end()
    order = "F" if flags & 8 else "C"
    if not flags & 1:
        return values.reshape(shape, order=order), bias
    fillers = values.view(np.uint32) == 0
    positions = np.cumsum(gaps + 1) - 1
    need((gaps[fillers] == 2**b - 1).all(), "a filler has the largest gap")
    need(not entries or (positions[-1] < size and not fillers[-1]), "past the end")
    flat = np.zeros(size, np.float32)
    flat[positions] = values
    return flat.reshape(shape, order=order), bias


def read(data):
    """{key: float32 array} of the bytes of a file."""
    file = Bytes(bytes(data))
    need(file.take(4) == b"\x89DCZ" and file.u8() == 1, "magic and version")
    header = file.section()
    header.text()
    count = header.varint()
    need(count <= 4096, "layers")
    records = []
    for _ in range(count):
        name, flags, dimensions = header.text(), header.u8(), header.u8()
        need(1 <= dimensions <= 8, "dimensions")
        records.append((name, flags, [header.varint() for _ in range(dimensions)]))
        need(not flags & (128 if flags & 16 else 96), "flags")
    header.end()
    sizes, tensors, keys = [math.prod(shape) for _, _, shape in records], {}, 0
    need(all(sizes) and sum(sizes) <= 2**28, "sizes")
    for name, flags, shape in records:
        weight, bias = layer(file.section(), flags, shape)
        tensors[name if flags & 128 else f"{name}.weight"] = weight
        if bias is not None:
            tensors[f"{name}.bias"] = bias
        keys += 1 + (bias is not None)
    file.end()
    need(len(tensors) == keys, "two tensors of one key")
    return tensors
