"""Floats without loss: Huffman codes for their exponents, the other bits as they are.

A float is a sign, an exponent and a mantissa. Trained weights crowd around zero, so a few exponents occur again and
again, and section 4 of the paper codes them in a few bits. Signs and mantissas are close to random; they are cut into
planes of eight bits, and a plane is coded only where that is shorter, as where a float32 was once a bfloat16.
Numbers are bit patterns here: NaN, infinity and -0.0 come back as they went in.
"""

import numpy as np

from dcviz.archive.streams import MAX_FREE, blocks, read_symbols, write_symbols
from dcviz.ideas.entropy import entropy, histogram

FORMATS = {"bfloat16": (8, 7), "float16": (5, 10), "float32": (8, 23), "float64": (11, 52)}
"""{dtype: bits of its exponent and of its mantissa}."""

BLOCK = MAX_FREE
"""Numbers that are coded together: planes of zeros then cost nothing, and little memory is in use at a time."""

_WORTH = 0.99  # a plane is coded if that may save a hundredth of it


def pattern_type(dtype):
    """The NumPy unsigned integers that hold the bit patterns of a dtype of ``FORMATS``."""
    return np.dtype(f"u{(1 + sum(FORMATS[dtype])) // 8}").newbyteorder("<")


def write_planes(writer, patterns, dtype):
    """Append bit patterns, unsigned integers (n,), of floats of a dtype of ``FORMATS``."""
    for block in blocks(len(patterns), BLOCK):
        for plane, width in zip(_cut(patterns[block], dtype), _widths(dtype), strict=True):
            used = int(plane.max()).bit_length()
            coded = entropy(histogram(plane, 1 << width)) < _WORTH * used
            write_symbols(writer, plane, coded, used)


def read_planes(reader, n, dtype):
    """What ``write_planes`` was given, from a ``Reader``, block by block; its errors for damaged bytes."""
    for block in blocks(n, BLOCK):
        size = block.stop - block.start
        yield _join([read_symbols(reader, size, 1 << width, "weight_bits").symbols for width in _widths(dtype)], dtype)


def _widths(dtype):
    """Bits of each plane: the exponent, then sign and mantissa in eights, the highest first."""
    exponent, mantissa = FORMATS[dtype]
    whole, rest = divmod(1 + mantissa, 8)
    return [exponent, *([8] * whole), *([rest] if rest else [])]


def _cut(patterns, dtype):
    exponent, mantissa = FORMATS[dtype]
    patterns = np.asarray(patterns, pattern_type(dtype))
    below = (1 << mantissa) - 1
    yield (patterns >> mantissa & ((1 << exponent) - 1)).astype(np.uint16 if exponent > 8 else np.uint8)
    rest = patterns >> (exponent + mantissa) << mantissa | patterns & below
    left = 1 + mantissa
    for width in _widths(dtype)[1:]:
        left -= width
        yield (rest >> left & ((1 << width) - 1)).astype(np.uint8)


def _join(planes, dtype):
    exponent, mantissa = FORMATS[dtype]
    wide = pattern_type(dtype)
    rest = np.zeros(len(planes[0]), wide)
    for plane, width in zip(planes[1:], _widths(dtype)[1:], strict=True):
        rest = rest << width | plane.astype(wide)
    sign = rest >> mantissa
    return sign << (exponent + mantissa) | planes[0].astype(wide) << mantissa | rest & ((1 << mantissa) - 1)
