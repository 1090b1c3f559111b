"""Fields and symbol streams of .dcz files for second_reader.py, from docs/format.md alone: no line of dcviz is used."""

import zlib


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
        data = self.take(min(self.varint(), 1025))
        need(len(data) <= 1024 and data.decode("utf-8", "replace").encode() == data, "name")
        return data.decode()

    def shape(self, least):
        dimensions = self.u8()
        need(least <= dimensions <= 8, "dimensions")
        return tuple(self.varint() for _ in range(dimensions))

    def bits(self, n):
        """The next n bits as text of 0 and 1; the rest of the last byte must be zeros."""
        text = "".join(f"{byte:08b}" for byte in self.take((n + 7) // 8))
        need("1" not in text[n:], "pad bits")
        return text[:n]

    def numbers(self, n, width):
        """n numbers of some bits each."""
        text = self.bits(n * width)
        return [int(text[i * width : (i + 1) * width], 2) for i in range(n)] if width else [0] * n

    def unchecked(self):
        return Bytes(self.take(self.varint()))

    def section(self, number=0):
        payload = self.unchecked()
        need((zlib.crc32(payload.data) + number) % 2**32 == int.from_bytes(self.take(4), "little"), "checksum")
        return payload

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
    whole = sum(2.0**-length for length in lengths.values())
    need(whole == 1 or list(lengths.values()) == [1], "complete, or a single symbol of length 1")
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
    need(max(chunks, fewest) <= 8 * (len(payload.data) - payload.at), "cut short")
    extra = [0] * chunks
    if chunks > 1:
        width = payload.u8()
        extra = payload.numbers(chunks, width)
        need(width <= 32 and min(extra) == 0, "chunk table")
    need(chunks or fewest == 0, "no chunk has no bits")
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
