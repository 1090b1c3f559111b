"""Huffman coding of bfloat16 weights: the exponents are worth a few bits each, signs and mantissas all of theirs.

A bfloat16 is the upper half of a float32: one bit of sign, eight of exponent, seven of mantissa. Trained weights crowd
around zero, so a few exponents occur again and again. Code these by section 4 of the paper and leave the other eight
bits as they are: nothing is lost.
"""

import math

import numpy as np

from dcviz.archive.streams import Reader, Writer, read_symbols, write_symbols
from dcviz.errors import ArchiveError, WeightError
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


def weights_of(bits):
    """The inverse of ``patterns``: uint16 (n,) -> float32 (n,)."""
    return (np.asarray(bits, np.uint32) << 16).view(np.float32)


def split(bits):
    """{"sign", "exponent", "mantissa": uint8 (n,)} of bit patterns uint16 (n,)."""
    bits = np.asarray(bits, np.uint16)
    parts = {"sign": bits >> 15, "exponent": bits >> 7 & 255, "mantissa": bits & 127}
    return {name: part.astype(np.uint8) for name, part in parts.items()}


def join(sign, exponent, mantissa):
    """Bit patterns uint16 (n,) from their three parts."""
    sign, exponent, mantissa = (np.asarray(part, np.uint16) for part in (sign, exponent, mantissa))
    return sign << 15 | exponent << 7 | mantissa


def counts(bits):
    """{part: how often each of its values occurs, int64} of bit patterns (n,)."""
    return {name: histogram(part, FIELDS[name]) for name, part in split(bits).items()}


def entropies(bits):
    """{part: Shannon's bound in bits a weight} of bit patterns (n,)."""
    return {name: entropy(found) for name, found in counts(bits).items()}


def encode(bits):
    """Bit patterns (n,) -> bytes: how many, a byte of sign and mantissa for each, then Huffman-coded exponents.

    The exponents come in chunks whose lengths are stored, as in a .dcz file: many can be decoded at once.
    """
    parts = split(bits)
    writer = Writer()
    writer.varint(len(parts["sign"]))
    writer.raw((parts["sign"] << 7 | parts["mantissa"]).tobytes())
    write_symbols(writer, parts["exponent"], True, 8)
    return bytes(writer)


def decode(data):
    """What ``encode`` was given -> uint16 (n,). ArchiveError or CodeError for damaged bytes."""
    reader = Reader(data)
    n = reader.varint("header")
    rest = np.frombuffer(reader.raw(n, "weight_bits"), np.uint8)
    exponents = read_symbols(reader, n, 256, "weight_bits").symbols
    reader.end("the coded weights")
    return join(rest >> 7, exponents, rest & 127)


def pack(tensors):
    """{name: float array of bfloat16 numbers} -> bytes of a file with all of them, each by ``encode``."""
    writer = Writer()
    writer.varint(len(tensors))
    for name, values in tensors.items():
        values = np.asarray(values, np.float32)
        writer.text(name)
        writer.varint(values.ndim)
        for size in values.shape:
            writer.varint(size)
        data = encode(patterns(values))
        writer.varint(len(data))
        writer.raw(data)
    return bytes(writer)


def unpack(data):
    """What ``pack`` was given, float32. ArchiveError or CodeError for damaged bytes."""
    reader, tensors = Reader(data), {}
    for _ in range(reader.varint("header")):
        name = reader.text("header")
        shape = tuple(reader.varint("header") for _ in range(reader.varint("header")))
        values = weights_of(decode(reader.raw(reader.varint("header"), "weight_bits")))
        if values.size != math.prod(shape):
            raise ArchiveError(f"tensor {name!r} has {values.size:,} values for the shape {shape}")
        tensors[name] = values.reshape(shape)
    reader.end("the file")
    return tensors
