"""Coding a mask by its neighbourhood: adaptive binary arithmetic coding, the step beyond gaps and Huffman codes.

A coder that takes weights one by one needs the entropy of the mask. But kept weights stand in crowds: next to a kept
pixel another one is likely. Here the neighbours that are known already (``offsets`` back in the order of the file)
choose one of a few counters; each counter learns how often a weight of its kind is kept, and an arithmetic coder
turns that chance into a fraction of a bit. Nothing is stored but the code: the decoder's counters learn the same.

Standards for coding video and neural nets (CABAC, and the NNC standard's DeepCABAC) rest on the same idea.
"""

import numpy as np

from dcviz.errors import CodeError
from dcviz.ideas.entropy import entropy

_ONE = 1 << 16  # probabilities are multiples of 2**-16
_TOP = 1 << 32


def contexts(bits, offsets):
    """Which counter each bit of ``bits`` (n,) belongs to -> ints (n,): one binary digit for each neighbour.

    offsets: how far back the neighbours stand; beyond the beginning they count as 0.

        contexts([1, 1, 0], offsets=(1,)) -> [0, 1, 1]
    """
    bits = _checked(bits)
    found = np.zeros(bits.size, np.int64)
    for digit, offset in enumerate(_checked_offsets(offsets)):
        found[offset:] |= bits[: max(bits.size - offset, 0)] << digit
    return found


def conditional_entropy(bits, conditions):
    """Bits per symbol of ``bits`` (n,) for one who knows ``conditions`` (n,), ints -> float.

    The mean of the entropies under each condition, weighted by how often it holds. Never above the entropy.
    """
    bits = _checked(bits)
    _, conditions = np.unique(conditions, return_inverse=True)
    if bits.size != conditions.size:
        raise CodeError(f"{bits.size} bits, but {conditions.size} conditions")
    n = np.bincount(conditions)
    ones = np.bincount(conditions, weights=bits)
    return sum(m * entropy([k, m - k]) for k, m in zip(ones, n, strict=True)) / max(bits.size, 1)


class Encoder:
    """Bits, each with its own chance, into one arithmetic code: the bytes of a number inside an ever smaller interval.

    ``chance`` is that of a 1, in multiples of 2**-16, from 1 to 2**16 - 1.
    """

    def __init__(self):
        self._low, self._width, self._out = 0, _TOP - 1, bytearray()

    def put(self, bit, chance):
        """Code one bit; returns it."""
        split = (self._width >> 16) * chance
        if bit:
            self._width = split
        else:
            self._low += split
            self._width -= split
        if self._low >= _TOP:  # a carry runs through the bytes that are out already
            self._low -= _TOP
            self._carry()
        while self._width < 1 << 24:
            self._out.append(self._low >> 24)
            self._low = self._low << 8 & _TOP - 1
            self._width <<= 8
        return bit

    def _carry(self):
        at = len(self._out) - 1
        while self._out[at] == 255:
            self._out[at] = 0
            at -= 1
        self._out[at] += 1

    def bytes(self):
        """The code, to its last digit."""
        return bytes(self._out + self._low.to_bytes(4, "big"))

    def shortest(self):
        """The code in as few bytes as tell its interval, for a ``Decoder`` that goes on with zeros. Ends the coding."""
        for zeros in (32, 24, 16, 8, 0):
            last = -(-self._low >> zeros) << zeros
            if last < self._low + self._width:
                break
        if last >= _TOP:
            self._carry()
        return bytes(self._out + (last & _TOP - 1).to_bytes(4, "big")).rstrip(b"\0")


class Decoder:
    """The inverse of ``Encoder``: asked with the same chances it gives the same bits.

    With ``padded`` the code goes on with zeros where the bytes end, else their end is a CodeError.
    """

    def __init__(self, data, padded=False):
        if len(data) < 4 and not padded:
            raise CodeError(f"{len(data)} bytes are not a context-coded stream")
        self._data, self._at, self._padded = data, 4, padded
        self._code, self._width = int.from_bytes(bytes(data[:4]).ljust(4, b"\0"), "big"), _TOP - 1

    def get(self, chance):
        """The next bit."""
        split = (self._width >> 16) * chance
        bit = self._code < split
        if bit:
            self._width = split
        else:
            self._code -= split
            self._width -= split
        while self._width < 1 << 24:
            if self._at < len(self._data):
                byte = self._data[self._at]
            elif self._padded:
                byte = 0
            else:
                raise CodeError("damaged context-coded stream: it ends before its bits")
            self._code = (self._code << 8 | byte) & _TOP - 1
            self._at += 1
            self._width <<= 8
        return int(bit)

    def check_end(self):
        """CodeError unless the bytes end with the bits."""
        if self._at != len(self._data) or self._code >= self._width:
            raise CodeError("damaged context-coded stream: it does not end where it should")


def encode(bits, offsets=(1,)):
    """Bits (n,) of 0 and 1 -> bytes; n and the offsets are not stored. CodeError for anything but 0 and 1."""
    which = contexts(bits, offsets).tolist()
    seen = [[0, 0] for _ in range(1 << len(offsets))]
    coder = Encoder()
    for bit, context in zip(_checked(bits).tolist(), which, strict=True):
        coder.put(bit, chance(seen[context]))
        seen[context][bit] += 1
    return coder.bytes()


def decode(data, n, offsets=(1,)):
    """Bytes -> ``n`` bits as uint8, the inverse of ``encode``. CodeError if the bytes do not end with the bits."""
    offsets = _checked_offsets(offsets)
    coder = Decoder(data)
    seen = [[0, 0] for _ in range(1 << len(offsets))]
    places = list(enumerate(offsets))
    bits = bytearray(n)
    for i in range(n):
        context = 0
        for digit, offset in places:
            if i >= offset:
                context |= bits[i - offset] << digit
        counter = seen[context]
        bits[i] = coder.get(chance(counter))
        counter[bits[i]] += 1
    coder.check_end()
    return np.frombuffer(bytes(bits), np.uint8)


def chance(counter):
    """That of a 1 after a counter has seen so many [zeros, ones], in multiples of 2**-16 (Krichevsky, Trofimov)."""
    zeros, ones = counter
    return min(max((2 * ones + 1) * _ONE // (2 * (zeros + ones) + 2), 1), _ONE - 1)


def _checked(bits):
    bits = np.asarray(bits).reshape(-1)
    if not np.isin(bits, (0, 1)).all():
        raise CodeError("only bits, 0 and 1, can be coded by context")
    return bits.astype(np.int64)


def _checked_offsets(offsets):
    offsets = tuple(offsets)
    if len(offsets) > 12 or any(offset < 1 for offset in offsets):
        raise CodeError(f"at most 12 neighbours, each at least 1 back, not {offsets}")
    return offsets
