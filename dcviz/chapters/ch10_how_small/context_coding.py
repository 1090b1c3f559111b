"""Coding a mask by its neighbourhood: adaptive binary arithmetic coding, the step beyond gaps and Huffman codes.

A coder that takes weights one by one needs the entropy of the mask. But kept weights stand in crowds: next to a kept
pixel another one is likely. Here the neighbours that are known already (``offsets`` back in the order of the file)
choose one of a few counters; each counter learns how often a weight of its kind is kept, and an arithmetic coder
turns that chance into a fraction of a bit. Nothing is stored but the code: the decoder's counters learn the same.

Standards for coding video and neural nets (CABAC, and the NNC standard's DeepCABAC) rest on the same idea.
"""

import numpy as np

from dcviz.errors import CodeError
from dcviz.ideas.arithmetic import Decoder, Encoder, chance
from dcviz.ideas.entropy import entropy


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
