"""Many bit fields at once: write and read words of a fixed width, and the parts any coder needs.

Bits are written from the most significant bit of each byte on, field after field, without gaps; the
last byte is filled with zeros. NumPy works on 64-bit words: a writer ORs fields into them, a reader
takes the 64 bits around a field and shifts.
"""

from operator import index

import numpy as np

from dcviz.errors import CodeError

FEW = 2048
"""So few symbols are packed bit by bit, in a tenth of the time that words of 64 bits take to set up."""


def pack_fixed(symbols, width):
    """Write ``symbols`` (n,) in ``width`` (0 to 32) bits each: -> ceil(n * width / 8) bytes.

    Width 0 is for symbols that are all zero, and takes no bytes. Raises CodeError for a symbol that
    does not fit.
    """
    width = check_integer(width, "width", 0, 32)
    symbols = check_integers(symbols, "symbols")
    if symbols.size and int(symbols.max()) >> width:
        raise CodeError(f"symbol {symbols.max()} does not fit into {width} bits")
    if width == 0 or symbols.size == 0:
        return b""
    if symbols.size <= FEW:
        fields = np.unpackbits(symbols.astype(">u4").view(np.uint8).reshape(-1, 4), axis=1)
        return np.packbits(fields[:, 32 - width :]).tobytes()
    group = 64 // width
    words = np.zeros(symbols.size * width // 64 + 2, np.uint64)
    whole = symbols.size // group * group
    value = np.zeros(whole // group, np.uint64)
    for column in symbols[:whole].reshape(-1, group).T:
        value <<= width
        value |= column.astype(np.uint64)
    rest = symbols[whole:].astype(np.uint64)
    value = np.append(value, rest)
    length = np.full(value.size, group * width, np.uint64)
    length[whole // group :] = width
    scatter(words, value, length, 0)
    return words.astype(">u8").tobytes()[: (symbols.size * width + 7) // 8]


def unpack_fixed(data, n, width):
    """Read ``n`` symbols of ``width`` (0 to 32) bits: -> symbols (n,) uint8, uint16 or uint32.

    Raises CodeError when ``data`` is not exactly as long as that takes, or its pad bits are not zero.
    With width 0 nothing bounds ``n``: check it first.
    """
    width = check_integer(width, "width", 0, 32)
    n = check_integer(n, "n", 0)
    data = check_data(data, n * width)
    dtype = np.uint8 if width <= 8 else np.uint16 if width <= 16 else np.uint32
    symbols = np.zeros(n, dtype)
    if width == 0:
        return symbols
    block = 1 << 16  # a multiple of 8, so blocks begin at whole bytes
    at = np.arange(min(block, n), dtype=np.uint64) * np.uint64(width)
    for start in range(0, n, block):
        out = symbols[start : start + block]
        windows = windows_of(data[start * width >> 3 : (start + out.size) * width + 7 >> 3], 1)
        value = windows.take((at[: out.size] >> 3).view(np.int64)) << (at[: out.size] & 7)
        np.copyto(out, value >> (64 - width), casting="unsafe")
    return symbols


def scatter(words, value, length, at):
    """OR fields into ``words`` (uint64), one after the other from bit ``at`` on: -> the bit after the last.

    Field i is the low ``length[i]`` (1 to 64) bits of ``value[i]``; both uint64, other bits zero.
    """
    ends = np.cumsum(length)
    first = ends - length + np.uint64(at)
    place = first & 63
    word = (first >> 6).view(np.int64)
    left = value << (64 - length)  # left-aligned
    # an item starts in every word, so the runs of equal `word` are consecutive words
    runs = np.flatnonzero(np.diff(word, prepend=-1))
    here = words[word[0] : word[-1] + 1]
    here |= np.bitwise_or.reduceat(left >> place, runs)
    # of the items that start in a word only the last can reach into the next
    last = np.append(runs[1:], word.size) - 1
    there = words[word[0] + 1 : word[-1] + 2]
    there |= left[last] << (64 - place[last])
    return at + int(ends[-1])


def windows_of(data, step):
    """The 64 bits from every ``step``-th (1 or 4) byte of ``data`` on: uint64; zeros after the end."""
    padded = bytes(data) + bytes(16)
    per_word = 8 // step
    words = len(data) // 8 + 1
    windows = np.empty(words * per_word, np.uint64)
    for i in range(per_word):
        windows[i::per_word] = np.frombuffer(padded, ">u8", words, i * step)
    return windows


def follow(jump, n):
    """Where one gets from place 0: the first ``n`` of 0, jump[0], jump[jump[0]], ... -> places (n,).

    Each round doubles the places known and the length of a jump, so a few looks at whole arrays take the place of n
    looks one after the other. Every jump must lead to a place of ``jump``.
    """
    places = np.zeros(1, np.intp)
    while places.size < n:
        places = np.concatenate([places, jump.take(places, mode="wrap")])
        if places.size < n:
            jump = jump.take(jump, mode="wrap")  # the quickest mode; nothing is out of range
    return places[:n]


def check_integer(value, name, low, high=None):
    """``value`` as an int from ``low`` to ``high``, or CodeError."""
    try:
        value = index(value)
    except TypeError:
        raise CodeError(f"{name} must be an integer, not {type(value).__name__}") from None
    if value < low or (high is not None and value > high):
        raise CodeError(f"{name} must be {low} {'or more' if high is None else f'to {high}'}, not {value}")
    return value


def check_integers(values, name):
    """``values`` as a vector of integers that are not negative, or CodeError."""
    try:
        values = np.asarray(values)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise CodeError(f"{name} must be a vector of integers") from None
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
        raise CodeError(f"{name} must be a vector of integers, not {values.dtype} {values.shape}")
    if values.size and values.min() < 0:
        raise CodeError(f"{name} must not be negative: found {values.min()}")
    return values if values.size else np.zeros(0, np.uint8)


def check_bytes(data):
    """``data`` as bytes, or CodeError."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise CodeError(f"data must be bytes, not {type(data).__name__}")
    return bytes(data)


def check_data(data, bits):
    """``data`` as bytes of exactly ``bits`` bits, padded with zeros to a whole byte, or CodeError."""
    data = check_bytes(data)
    if len(data) != (bits + 7) // 8:
        raise CodeError(f"{bits} bits take {(bits + 7) // 8} bytes, but there are {len(data)}")
    if bits % 8 and data[-1] & (0xFF >> bits % 8):
        raise CodeError("the pad bits after the last symbol are not zero")
    return data
