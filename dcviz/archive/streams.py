"""The bricks of a .dcz file: bytes that know what they are for, sections with checksums, symbol streams."""

import zlib
from collections import Counter
from dataclasses import dataclass

import numpy as np

from dcviz.errors import ArchiveError
from dcviz.ideas import bits, bitstream, huffman
from dcviz.ideas.entropy import histogram

MAX_WEIGHTS = 1 << 28
"""More weights than this in one file of version 1 are taken for damage: 268 million, twice VGG-16."""
MAX_LAYERS = 1 << 12
"""Most layers in one file of version 1: each costs some time to read, however little it holds."""
MAX_RECORDS = 1 << 16
"""Most records in one file of version 2."""
MAX_NUMBERS = 1 << 40
"""Most numbers in one tensor of a file of version 2."""
MAX_ARRAYS, ARRAYS_PER_BYTE = 1 << 30, 1 << 12
"""Bytes that the arrays of all coded layers of a file of version 2 may take: so many, or so many a byte of the file."""
MAX_NAME = 1 << 10
"""Longest name of a net or layer, in bytes of UTF-8."""
MAX_HEADER = 1 << 23
"""Longest header in bytes, above what the most layers with the longest names take."""
MAX_SEALED = 1 << 16
"""Longest file with one checksum for all of it."""
MAX_FREE = 1 << 20
"""Most symbols that may stand in no bits at all, so that a few bytes cannot ask for much memory."""

MAX_CHUNK = 1 << 17
"""Longest chunk of Huffman-coded symbols: a simple decoder takes one step per symbol of a chunk."""

_FIXED, _HUFFMAN = 0, 1


class Writer(bytearray):
    """Bytes under construction."""

    def raw(self, data):
        """Append bytes as they are."""
        self.extend(data)

    def byte(self, value):
        """Append one byte."""
        self.append(value)

    def varint(self, value):
        """Append a non-negative integer, seven bits a byte, low bits first, high bit = more follows."""
        while value > 0x7F:
            self.append(value & 0x7F | 0x80)
            value >>= 7
        self.append(value)

    def text(self, text):
        """Append UTF-8 text with its length in front."""
        data = text.encode()
        self.varint(len(data))
        self.raw(data)

    def section(self):
        """The three pieces of the section with these bytes as payload: their length, the bytes, their CRC-32."""
        length = Writer()
        length.varint(len(self))
        return length, self, zlib.crc32(self).to_bytes(4, "little")


class Reader:
    """Bytes being read, each charged to the part of the file that it is for (``parts``: {part: bytes})."""

    def __init__(self, data, parts=()):
        self._data = memoryview(data)
        self._at = 0
        self.size = len(self._data)
        self.parts = Counter(parts)

    @property
    def whole(self):
        """All the bytes, read or not."""
        return self._data

    @property
    def left(self):
        """Bytes not yet read."""
        return self.size - self._at

    def raw(self, n, part):
        """The next n bytes."""
        if n > self.left:
            raise ArchiveError(f"cut short: {n:,} more bytes of {part} expected, {self.left:,} left")
        self._at += n
        self.parts[part] += n
        return self._next(n)

    def _next(self, n):
        return self._data[self._at - n : self._at]

    def byte(self, part):
        """The next byte as an integer."""
        return self.raw(1, part)[0]

    def varint(self, part):
        """The next variable-length integer, below 2**63 and in its shortest form."""
        value = 0
        for shift in range(0, 63, 7):
            byte = self.byte(part)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    break
                return value
        raise ArchiveError(f"a number among the {part} is malformed")

    def text(self, part):
        """The next UTF-8 text."""
        size = self.varint(part)
        if size > MAX_NAME:
            raise ArchiveError(f"a name of {size:,} bytes in the {part}; at most {MAX_NAME:,} are possible")
        try:
            return bytes(self.raw(size, part)).decode()
        except UnicodeDecodeError as error:
            raise ArchiveError(f"a name in the {part} is not UTF-8") from error

    def floats(self, n, dtype, part):
        """The next n floats of a little-endian dtype, where they lie: not copied."""
        return np.frombuffer(self.raw(n * np.dtype(dtype).itemsize, part), dtype)

    def section(self, what, longest=None, number: int | None = 0):
        """A Reader of the next section's payload, its checksum verified; it is charged for its own frame.

        number: of the record, which is added to its checksum, so that a record in another's place is found; None for
        a section without a checksum.
        """
        before, self.parts = self.parts, Counter()
        size = self.varint("header")
        if longest is not None and size > longest:
            raise ArchiveError(f"{what} would take {size:,} bytes; at most {longest:,} are possible")
        payload = self.raw(size, "payload")
        checksum = None if number is None else int.from_bytes(self.raw(4, "checksums"), "little") - number & 0xFFFFFFFF
        frame, self.parts = self.parts, before
        if checksum is not None and zlib.crc32(payload) != checksum:
            raise ArchiveError(f"{what} is damaged: its checksum does not match")
        del frame["payload"]
        return Reader(payload, frame)

    def reassign(self, part, other, bits):
        """Charge ``bits`` of one part, rounded to bytes, to another part."""
        n = min(round(int(bits) / 8), self.parts[part])
        self.parts[part] -= n
        self.parts[other] += n

    def end(self, what):
        """ArchiveError unless everything was read."""
        if self.left:
            raise ArchiveError(f"{self.left:,} bytes too many at the end of {what}")


class FileReader(Reader):
    """A Reader of an open binary file of ``size`` bytes, which takes no more of it into memory than is asked for."""

    def __init__(self, file, size):
        super().__init__(b"")
        self._file, self.size = file, size

    def _next(self, n):
        try:
            data = self._file.read(n)
        except OSError as error:
            raise ArchiveError(f"cannot be read: {error}") from error
        if len(data) < n:
            raise ArchiveError("cut short while it was read")
        return memoryview(data)


def blocks(n, size=1 << 16):
    """Slices that cover n places in order: what is done block by block takes no memory to speak of."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


@dataclass(frozen=True, eq=False)
class Symbols:
    """Decoded symbols (n,), the bits that all of them take, and what each takes.

    ``costs`` is an integer if all take the same (fixed-length), else the bits of each symbol of the code. Symbols of
    no bits are all zero, and one byte of memory stands for them all.
    """

    symbols: np.ndarray
    total_bits: int
    costs: int | np.ndarray

    @property
    def coded(self):
        """Whether a Huffman code says what symbols cost."""
        return not isinstance(self.costs, int)

    @property
    def free(self):
        """Whether the symbols take no bits: they are all zero."""
        return not self.coded and self.costs == 0

    def bits(self, which, block=slice(None)):
        """Bits that the symbols at ``which`` (boolean mask) of a block take in the stream."""
        if self.coded:
            return int(self.costs[self.symbols[block][which]].sum(dtype=np.int64))
        return self.costs * int(np.count_nonzero(which))


def write_symbols(writer, symbols, use_huffman, width):
    """Append symbols: fixed-length codes of ``width`` bits, or a Huffman code if that is asked for and shorter."""
    width = max(width, 1) if len(symbols) > MAX_FREE else width
    coded = _huffman_stream(symbols) if use_huffman and len(symbols) and _codable(symbols) else None
    if coded is not None and len(coded) < 2 + (len(symbols) * width + 7) // 8:
        writer.raw(coded)
    else:
        writer.raw([_FIXED, width])
        writer.raw(bits.pack_fixed(symbols, width))


def least_bytes(counts, use_huffman, width):
    """No more than ``write_symbols`` takes for symbols that occur ``counts`` (alphabet,) times.

    Exact but for numbers of more than one byte and what more than one chunk takes.
    """
    n, present = int(counts.sum()), np.count_nonzero(counts)
    fixed = 2 + (n * width + 7) // 8
    if not use_huffman or not 0 < present <= 1 << huffman.MAX_LENGTH:
        return fixed
    lengths, table = huffman.code_lengths(counts), Writer()
    _write_table(table, lengths)
    return min(fixed, 3 + len(table) + (int(counts @ lengths) + 7) // 8)


def _codable(symbols):
    """Whether code words of the greatest length are enough for all symbols that occur."""
    most = 1 << huffman.MAX_LENGTH
    return int(symbols.max()) < most or len(np.unique(symbols)) <= most


def _huffman_stream(symbols):
    lengths = huffman.code_lengths(histogram(symbols))
    stream = bitstream.encode(symbols, lengths)
    writer = Writer([_HUFFMAN])
    _write_table(writer, lengths)
    writer.varint(stream.chunk)
    if len(stream.chunk_bits) > 1:  # a single chunk has all the bits
        least = int(stream.chunk_bits.min())
        extra = stream.chunk_bits - least
        width = int(extra.max()).bit_length()
        writer.varint(least)
        writer.byte(width)
        writer.raw(bits.pack_fixed(extra, width))
    else:
        writer.varint(int(stream.chunk_bits.sum()))
    writer.raw(stream.data)
    return writer


def read_symbols(reader, n, alphabet, part):
    """The next ``n`` symbols, each below ``alphabet``, as ``Symbols``; ArchiveError or CodeError if damaged."""
    kind = reader.byte(part)
    if kind == _FIXED:
        found = _read_fixed(reader, n, part)
    elif kind == _HUFFMAN:
        found = _read_huffman(reader, n, alphabet, part)
    else:
        raise ArchiveError(f"{part} are coded in a way ({kind}) that this dcviz does not know")
    if n and (0 if found.free else int(found.symbols.max())) >= alphabet:
        raise ArchiveError(f"a symbol among the {part} lies outside its alphabet of {alphabet:,}")
    return found


def _read_fixed(reader, n, part):
    width = reader.byte(part)
    if width > 32:
        raise ArchiveError(f"fixed-length codes of {width} bits among the {part}")
    if width == 0:
        if n > MAX_FREE:
            raise ArchiveError(f"{n:,} {part} in no bits; at most {MAX_FREE:,} are possible")
        return Symbols(np.broadcast_to(np.uint8(0), n), 0, 0)
    return Symbols(bits.unpack_fixed(reader.raw((n * width + 7) // 8, part), n, width), n * width, width)


def _read_huffman(reader, n, alphabet, part):
    lengths = _read_table(reader, alphabet)
    if not lengths.any():
        raise ArchiveError(f"a code table of the {part} has no symbols")
    chunk, least = reader.varint("lane_starts"), reader.varint("lane_starts")
    chunks = -(-n // max(chunk, 1))
    if not 1 <= chunk <= MAX_CHUNK or chunks * max(least, 1) > 8 * reader.left:
        raise ArchiveError(f"{chunks:,} chunks of {chunk:,} symbols and {least:,} bits or more of {part} cannot be")
    chunk_bits = np.full(min(chunks, 1), least, np.int64)
    if chunks > 1:
        chunk_bits = _read_chunk_table(reader, chunks, chunk, least)
    elif not chunks and least:
        raise ArchiveError(f"{least:,} bits for no {part}")
    total = int(chunk_bits.sum(dtype=np.int64))
    data = reader.raw((total + 7) // 8, part)
    symbols = bitstream.decode(bitstream.BitStream(bytes(data), n, chunk, chunk_bits), lengths)
    return Symbols(symbols, total, lengths)


def _read_chunk_table(reader, chunks, chunk, least):
    """The bits of each of several chunks."""
    width = reader.byte("lane_starts")
    if width > 32:
        raise ArchiveError(f"a chunk table of {width} bits a chunk; at most 32 are possible")
    extra = bits.unpack_fixed(reader.raw((chunks * width + 7) // 8, "lane_starts"), chunks, width)
    most = least + int(extra.max())
    if extra.min() or most > chunk * huffman.MAX_LENGTH:
        raise ArchiveError(f"a chunk table of {least + int(extra.min()):,} to {most:,} bits a chunk cannot be")
    return extra.astype(np.min_scalar_type(most)) + np.min_scalar_type(most).type(least)


def _write_table(writer, lengths):
    """Code lengths of symbols 0, 1, ...: bit-packed; a zero is followed by how many more zeros follow it."""
    used = int(np.flatnonzero(lengths)[-1]) + 1
    width = int(lengths.max()).bit_length()
    longest = 1 << width
    fields, at = [], 0
    while at < used:
        fields.append(int(lengths[at]))
        at += 1
        if fields[-1] == 0:
            run = 1
            while run < longest and lengths[at] == 0:
                run += 1
                at += 1
            fields.append(run - 1)
    writer.varint(len(fields))
    writer.byte(width)
    writer.raw(bits.pack_fixed(np.array(fields, np.uint32), width))


def _read_table(reader, alphabet):
    """Code lengths, uint8, up to the last symbol that the table names; whether they make a code the decoder checks."""
    part = "code_tables"
    n, width = reader.varint(part), reader.byte(part)
    if not 1 <= width <= 5 or n > 2 * alphabet:
        raise ArchiveError(f"a code table of {n:,} fields of {width} bits for {alphabet:,} symbols")
    fields = bits.unpack_fixed(reader.raw((n * width + 7) // 8, part), n, width)
    fields = np.append(fields, np.zeros(2, fields.dtype)).astype(np.intp)
    jump = np.arange(n + 2)  # from a length to the next: over the run that follows a zero
    jump[:n] += 1 + (fields[:n] == 0)
    at = bits.follow(jump, n + 1)
    if at[-1] > n:
        raise ArchiveError("a code table ends in the middle of a run of absent symbols")
    at = at[at < n]
    named = 1 + np.where(fields[at] == 0, fields[at + 1], 0)
    total = int(named.sum())
    if total > alphabet:
        raise ArchiveError(f"a code table has more than the {alphabet:,} symbols of its alphabet")
    lengths = np.zeros(total, np.uint8)
    lengths[np.cumsum(named) - named] = fields[at]
    return lengths
