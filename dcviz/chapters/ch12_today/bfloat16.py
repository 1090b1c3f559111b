"""Huffman coding of bfloat16 weights: the exponents are worth a few bits each, signs and mantissas all of theirs.

A bfloat16 is the upper half of a float32: one bit of sign, eight of exponent, seven of mantissa. Trained weights crowd
around zero, so a few exponents occur again and again. Code these by section 4 of the paper and leave the other eight
bits as they are: nothing is lost. A .dcz file does so with its ``Lossless`` tensors.
"""

import numpy as np

from dcviz.archive import Lossless, StoredNet
from dcviz.errors import WeightError
from dcviz.ideas.entropy import entropy, histogram

FIELDS = {"sign": 2, "exponent": 256, "mantissa": 128}
"""{part of a bfloat16: how many values it can take}."""


def patterns(weights):
    """The 16 bits of each bfloat16 weight: float array of any shape -> uint16 (n,).

    WeightError for weights that a bfloat16 cannot hold exactly, or that are not finite.
    """
    weights = np.ascontiguousarray(weights, np.float32).ravel()
    bits = weights.view(np.uint32)
    if (bits & 0xFFFF).any() or not np.isfinite(weights).all():
        raise WeightError("these weights are not finite bfloat16 numbers; round them first")
    return (bits >> 16).astype(np.uint16)


def nearest(weights):
    """The 16 bits of the bfloat16 nearest to each weight, of two the even one: finite floats -> uint16 (n,)."""
    bits = np.ascontiguousarray(weights, np.float32).ravel().view(np.uint32)
    return (bits + 0x7FFF + (bits >> 16 & 1) >> 16).astype(np.uint16)


def split(bits):
    """{"sign", "exponent", "mantissa": uint8 (n,)} of bit patterns uint16 (n,)."""
    bits = np.asarray(bits, np.uint16)
    parts = {"sign": bits >> 15, "exponent": bits >> 7 & 255, "mantissa": bits & 127}
    return {name: part.astype(np.uint8) for name, part in parts.items()}


def counts(bits):
    """{part: how often each of its values occurs, int64} of bit patterns (n,)."""
    return {name: histogram(part, FIELDS[name]) for name, part in split(bits).items()}


def entropies(bits):
    """{part: Shannon's bound in bits a weight} of bit patterns (n,)."""
    return {name: entropy(found) for name, found in counts(bits).items()}


def stored(name, tensors):
    """A ``StoredNet`` that keeps every bit of {key: float array of bfloat16 numbers}, the exponents Huffman-coded."""
    records = (Lossless(key, patterns(v).reshape(np.shape(v)), "bfloat16") for key, v in tensors.items())
    return StoredNet(name, tuple(records))
