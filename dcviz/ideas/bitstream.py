"""Symbols to bits and back, many at a time: Huffman code words, and words of one fixed width.

Bits are written from the most significant bit of each byte on, code word after code word, without
gaps; the last byte is filled with zeros. A Huffman stream is cut into *chunks* of equally many
symbols whose lengths in bits are kept, so that NumPy can decode all chunks side by side, one symbol
of each per step. The chunks themselves need no alignment and cost no bits in the stream.

A stream of few chunks, where that would be many steps for few symbols, is decoded in another way: look up
what word would begin at every bit, then follow the words from the first bit on. So the time grows with the
bits of the stream, however it is cut.
"""

from dataclasses import dataclass

import numpy as np

from dcviz.errors import CodeError
from dcviz.ideas.bits import (
    check_bytes,
    check_data,
    check_integer,
    check_integers,
    follow,
    pack_fixed,
    scatter,
    unpack_fixed,
    windows_of,
)
from dcviz.ideas.huffman import canonical_codes, canonical_order, check_lengths

__all__ = ["BitStream", "decode", "default_chunk", "encode", "pack_fixed", "unpack_fixed"]

CHUNK = 1024  # symbols per chunk; more when that would make over LANES chunks
LANES = 4096  # chunks decoded side by side: enough to hide NumPy's overhead, few enough for the cache
TILE = 64  # steps decoded before their symbols are put in order
STEP = 256  # a step of all lanes costs about as much as a look at the words that begin at so many bits
BLOCK = 1 << 15  # bits looked at together
SPARE = 16  # table entries that a bit of the stream pays for; longer words are found by bisection
WINDOW = 33  # bits sure to be left of a 64-bit window once it is shifted to a bit of its first half
SYMBOL_BITS = 26  # a table entry is length << 26 | symbol


@dataclass(frozen=True, eq=False)
class BitStream:
    """Huffman-coded symbols: ``data`` bytes, ``n`` symbols, ``chunk`` symbols per chunk (the last chunk
    may hold fewer), ``chunk_bits`` integers (chunks,) the bits of each chunk.
    """

    data: bytes
    n: int
    chunk: int
    chunk_bits: np.ndarray

    @property
    def bits(self):
        """Length of all code words together, in bits."""
        return int(np.sum(self.chunk_bits, dtype=np.int64))


def default_chunk(n):
    """Symbols per chunk for a stream of ``n`` symbols."""
    return max(CHUNK, -(-n // LANES))


# ---------------------------------------------------------------- encode


def encode(symbols, lengths, chunk=None):
    """Write ``symbols`` (n,) with the canonical code of ``lengths`` (alphabet,): -> BitStream.

    Raises CodeError for lengths that are no prefix code, symbols without a code, and chunk < 1.
    """
    lengths = check_lengths(lengths)
    symbols = check_integers(symbols, "symbols")
    n = symbols.size
    chunk = default_chunk(n) if chunk is None else check_integer(chunk, "chunk", 1)
    if n == 0:
        return BitStream(b"", 0, chunk, np.zeros(0, np.int64))
    if symbols.max() >= lengths.size:
        raise CodeError(f"symbol {symbols.max()} is outside the alphabet of {lengths.size}")
    if symbols.dtype == np.uint64:
        symbols = symbols.astype(np.int64)  # take wants signed indices
    symbol_bits = lengths.take(symbols)
    if not symbol_bits.all():
        raise CodeError(f"symbol {symbols[symbol_bits.argmin()]} has no code")
    starts = np.arange(0, n, min(chunk, n))
    chunk_bits = np.add.reduceat(symbol_bits, starts, dtype=np.int64)
    # one table for word and length; the extra entry, of no bits, fills up the last group
    entries = np.append(canonical_codes(lengths).astype(np.uint64) << 6 | lengths, np.uint64(0))
    data = _write(symbols, entries, int(lengths.max()), int(chunk_bits.sum()))
    return BitStream(data, n, chunk, chunk_bits)


def _write(symbols, entries, longest, bits, block=1 << 14):
    """Concatenate the words ``entries[symbols]`` (word << 6 | length): -> bytes, ``bits`` long."""
    words = np.zeros(bits // 64 + 2, np.uint64)
    group = 64 // longest  # neighbours that fit into one 64-bit word, whatever they are
    at = 0
    for start in range(0, symbols.size, block * group):
        part = symbols[start : start + block * group]
        if part.size % group:
            part = np.append(part.astype(np.intp), np.full(-part.size % group, entries.size - 1))
        columns = part.reshape(-1, group)
        entry = entries.take(columns[:, 0])
        value, length = entry >> 6, entry & 63
        for column in columns.T[1:]:
            entry = entries.take(column)
            step = entry & 63
            value <<= step
            value |= entry >> 6
            length += step
        at = scatter(words, value, length, at)
    return words.astype(">u8").tobytes()[: (bits + 7) // 8]


# ---------------------------------------------------------------- decode


def decode(stream, lengths):
    """Read a BitStream back: -> symbols (n,), of the smallest unsigned type that holds the alphabet.

    Raises CodeError for lengths that are no prefix code and for any damage that leaves the stream
    inconsistent: numbers that do not fit together, a chunk that does not end where it should, pad bits
    that are not zero. Time and memory stay in proportion to the data and the alphabet, whatever the
    numbers claim.
    """
    lengths = check_lengths(lengths)
    if lengths.size > 1 << SYMBOL_BITS:
        raise CodeError(f"an alphabet of {lengths.size} symbols is too large")
    dtype = np.min_scalar_type(max(lengths.size - 1, 0))
    data, n, chunk, chunk_bits = _check_stream(stream, lengths)
    symbols = np.empty(n, dtype)
    if n == 0:
        return symbols
    order = canonical_order(lengths)
    sizes = lengths[order].astype(np.int64)
    table = _table(order, sizes) if 1 << int(sizes[-1]) <= max(SPARE * 8 * len(data), 2) else None
    at = 0
    for lane in range(0, chunk_bits.size, LANES):
        end = at + np.cumsum(chunk_bits[lane : lane + LANES], dtype=np.int64)
        begin = np.concatenate([[at], end[:-1]])
        out = symbols[lane * chunk : (lane + LANES) * chunk]
        if table is None or min(chunk, out.size) * STEP > int(end[-1]) - at:
            wrong = _decode_words(data, begin, end, order, sizes, table, out, chunk)
        else:
            wrong = _decode_lanes(data, begin, end, table, int(sizes[-1]), out, chunk)
        if wrong >= 0:
            raise CodeError(f"damaged bits: chunk {lane + wrong} does not end where it should")
        at = int(end[-1])
    return symbols


def _table(order, sizes):
    """Look-up table (2**width,) uint32 of length << SYMBOL_BITS | symbol, by the next ``width`` bits."""
    width = int(sizes[-1])
    table = np.zeros(1 << width, np.uint32)  # entries never filled (lone symbol) have length 0
    entries = np.repeat(sizes << SYMBOL_BITS | order, 1 << (width - sizes))
    table[: entries.size] = entries
    return table


def _decode_words(data, begin, end, order, sizes, table, out, chunk):
    """Decode all words from the first ``begin`` to the last ``end`` into ``out``: -> index of a bad chunk, or -1.

    Look up at every bit of a block what word would begin there, then keep those that follow upon each other.
    """
    width, at, last, done = int(sizes[-1]), int(begin[0]), int(end[-1]), 0
    if table is None:  # the first word of each symbol, as the number that its bits and more zeros make
        room = 1 << (width - sizes)
        firsts, entries = np.cumsum(room) - room, (sizes << SYMBOL_BITS | order).astype(np.uint32)
    while done < out.size and at < last:
        bits, first = min(BLOCK, last - at), at >> 3
        places = np.arange(at, at + bits)
        windows = windows_of(data[first : (at + bits + width + 7) >> 3], 1)
        number = (
            windows.take((places >> 3) - first, mode="wrap") << (places & 7).astype(np.uint64) >> np.uint64(64 - width)
        )
        number = number.view(np.int64)
        entry = (
            entries[np.searchsorted(firsts, number, "right") - 1] if table is None else table.take(number, mode="wrap")
        )
        jump = np.arange(bits + width + 1)  # past the block one stays where one is
        jump[:bits] += entry >> SYMBOL_BITS
        words = follow(jump, min(out.size - done, bits) + 1)
        n = min(int(np.searchsorted(words, bits)), words.size - 1)
        if words[n] == 0:  # a bit that begins no word: the code is that of a lone symbol
            break
        np.copyto(out[done : done + n], entry[words[:n]] & (1 << SYMBOL_BITS) - 1, casting="unsafe")
        starts = np.arange(-(-done // chunk), -(-(done + n) // chunk))  # chunks that begin in this block
        wrong = at + words[starts * chunk - done] != begin[starts]
        if wrong.any():
            return max(int(starts[wrong.argmax()]) - 1, 0)
        done, at = done + n, at + int(words[n])
    return -1 if done == out.size and at == last else min(done // chunk, begin.size - 1)


def _decode_lanes(data, begin, end, table, width, out, chunk):
    """Decode chunks at bits ``begin`` to ``end`` into ``out``: -> index of the first bad one, or -1."""
    first = int(begin[0]) >> 3
    windows = windows_of(data[first : (int(end[-1]) + 7) >> 3], 4)
    at = (begin - 8 * first).astype(np.uint64)
    full, rest = divmod(out.size, chunk)
    rows = out[: full * chunk].reshape(full, chunk)
    if not rest:
        _run(windows, at, table, width, rows)
    else:  # the last lane stops after `rest` steps: keep its neighbours in step with it till then
        both = np.empty((full + 1, rest), out.dtype)
        _run(windows, at, table, width, both)
        rows[:, :rest] = both[:full]
        out[full * chunk :] = both[full]
        _run(windows, at[:full], table, width, rows[:, rest:])
    bad = at != (end - 8 * first).astype(np.uint64)
    return int(bad.argmax()) if bad.any() else -1


def _run(windows, at, table, width, rows):
    """Decode ``rows.shape[1]`` symbols of each lane into ``rows``; move the bit positions ``at`` on.

    Each step looks one symbol up in every lane. Positions that run off the end are clipped: such a
    lane reads rubbish, and ends at a wrong place.
    """
    lanes, steps = rows.shape
    if not lanes:
        return
    window, number, length = (np.empty(lanes, np.uint64) for _ in range(3))
    entry = np.empty(lanes, np.uint32)
    tile = np.empty((TILE, lanes), rows.dtype)
    place = number.view(np.int64)  # take wants signed indices
    per_window = WINDOW // width
    for start in range(0, steps, TILE):
        for step in range(min(TILE, steps - start)):
            if step % per_window == 0:
                np.right_shift(at, 5, out=number)
                windows.take(place, mode="clip", out=window)
                np.bitwise_and(at, 31, out=length)
                np.left_shift(window, length, out=window)
            np.right_shift(window, 64 - width, out=number)
            table.take(place, mode="clip", out=entry)
            np.copyto(tile[step], entry, casting="unsafe")
            np.right_shift(entry, SYMBOL_BITS, out=entry)
            np.copyto(length, entry)
            np.left_shift(window, length, out=window)
            np.add(at, length, out=at)
        rows[:, start : start + TILE] = tile[: steps - start].T
    if rows.dtype.itemsize > 2:  # a table entry keeps its length above the symbol
        rows &= (1 << SYMBOL_BITS) - 1


def _check_stream(stream, lengths):
    """Check that the numbers of ``stream`` fit together, before anything is allocated by them."""
    n = check_integer(stream.n, "n", 0)
    chunk = check_integer(stream.chunk, "chunk", 1)
    chunk_bits = check_integers(stream.chunk_bits, "chunk_bits")
    chunks = -(-n // chunk)
    if chunk_bits.size != chunks:
        raise CodeError(f"{n} symbols in chunks of {chunk} make {chunks} chunks, not {chunk_bits.size}")
    room = 8 * len(check_bytes(stream.data))
    if n > room:
        raise CodeError(f"{n} symbols take {n} bits at least, but there are {room}")
    if n and not lengths.any():
        raise CodeError(f"{n} symbols, but the code has no words")
    chunk = max(min(chunk, n), 1)
    if n and int(chunk_bits.max()) > chunk * int(lengths.max()):
        raise CodeError(f"a chunk of {chunk} symbols cannot take {chunk_bits.max()} bits")
    return check_data(stream.data, int(chunk_bits.sum(dtype=np.int64))), n, chunk, chunk_bits
