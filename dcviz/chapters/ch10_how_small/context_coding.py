"""Coding a mask by its neighbourhood: adaptive binary arithmetic coding, the step beyond gaps and Huffman codes.

A coder that takes weights one by one needs the entropy of the mask. But kept weights stand in crowds: next to a kept
pixel another one is likely. Here the neighbours that are known already (``offsets`` back in the order of the file)
choose one of a few counters; each counter learns how often a weight of its kind is kept, and an arithmetic coder
turns that chance into a fraction of a bit. Nothing is stored but the code: the decoder's counters learn the same.

Standards for coding video and neural nets (CABAC, and the NNC standard's DeepCABAC) rest on the same idea.
"""

import math

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


def adaptive_bits(bits, conditions):
    """Bits that counters learning as they go need for all of ``bits`` -> float: conditional entropy plus the learning.

    A counter that has seen k ones among m bits expects a one with chance (k + 1/2) / (m + 1) (Krichevsky, Trofimov).
    The product of all chances does not depend on the order, so it can be summed up by gamma functions.
    """
    bits = _checked(bits)
    _, conditions = np.unique(conditions, return_inverse=True)
    counts = zip(np.bincount(conditions, weights=bits), np.bincount(conditions), strict=True)
    log = sum(
        math.lgamma(k + 0.5) + math.lgamma(m - k + 0.5) - math.lgamma(m + 1) - math.log(math.pi) for k, m in counts
    )
    return -log / math.log(2)


def encode(bits, offsets=(1,)):
    """Bits (n,) of 0 and 1 -> bytes; n and the offsets are not stored. CodeError for anything but 0 and 1."""
    which = contexts(bits, offsets).tolist()
    seen = [[0, 0] for _ in range(1 << len(offsets))]
    low, width, out = 0, _TOP - 1, bytearray()
    for bit, context in zip(_checked(bits).tolist(), which, strict=True):
        counter = seen[context]
        split = _split(width, counter)
        counter[bit] += 1
        if bit:
            width = split
        else:
            low += split
            width -= split
        if low >= _TOP:  # a carry runs through the bytes that are out already
            low -= _TOP
            at = len(out) - 1
            while out[at] == 255:
                out[at] = 0
                at -= 1
            out[at] += 1
        while width < 1 << 24:
            out.append(low >> 24)
            low = low << 8 & _TOP - 1
            width <<= 8
    return bytes(out + low.to_bytes(4, "big"))


def decode(data, n, offsets=(1,)):
    """Bytes -> ``n`` bits as uint8, the inverse of ``encode``. CodeError if the bytes do not end with the bits."""
    offsets = _checked_offsets(offsets)
    if len(data) < 4:
        raise CodeError(f"{len(data)} bytes are not a context-coded stream")
    seen = [[0, 0] for _ in range(1 << len(offsets))]
    places = list(enumerate(offsets))
    code, at, width = int.from_bytes(data[:4], "big"), 4, _TOP - 1
    bits = bytearray(n)
    for i in range(n):
        context = 0
        for digit, offset in places:
            if i >= offset:
                context |= bits[i - offset] << digit
        counter = seen[context]
        split = _split(width, counter)
        if code < split:
            width = split
            bits[i] = 1
        else:
            code -= split
            width -= split
        counter[bits[i]] += 1
        while width < 1 << 24:
            if at == len(data):
                raise CodeError("damaged context-coded stream: it ends before its bits")
            code = (code << 8 | data[at]) & _TOP - 1
            at += 1
            width <<= 8
    if at != len(data) or code >= width:
        raise CodeError("damaged context-coded stream: it does not end where it should")
    return np.frombuffer(bytes(bits), np.uint8)


def _split(width, counter):
    """The part of an interval that stands for a 1, after what the counter has seen."""
    zeros, ones = counter
    chance = (2 * ones + 1) * _ONE // (2 * (zeros + ones) + 2)
    return (width >> 16) * min(max(chance, 1), _ONE - 1)


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
