"""What a sparse layer costs in other formats: bitmap, absolute positions, CSR, CSC; a random mask's least.

Section 2 of *Deep Compression* starts from compressed sparse row or column format, which takes 2a + n + 1
numbers, and then replaces the absolute indices by differences (`relative_index`). This module counts the
bits of the formats left behind, with every index as narrow as it can be, so that the comparison is fair.

    mask        bool array of the weights' shape, True where a weight is stored; filters count as a matrix of
                one row per output
    value_bits  bits per stored weight: 32 for a float, 5 for a code of 32 shared weights

All sizes are in bits, before Huffman coding, and without a header.
"""

import math

import numpy as np

from dcviz.errors import CodeError
from dcviz.ideas import relative_index
from dcviz.ideas.bits import check_integer

KERNEL_GAP_BITS = 8
"""Bits of a gap where a layer is multiplied from its compressed form (chapter 08); the code has as many."""


def width(count):
    """Bits that tell `count` values apart, at least 1 -> int: width(784) -> 10."""
    return max(1, (int(count) - 1).bit_length())


def bitmap_bits(mask, value_bits):
    """One bit per weight that says whether it is stored, then the stored ones -> int."""
    mask = _mask(mask)
    return mask.size + np.count_nonzero(mask) * check_integer(value_bits, "bits per weight", 0)


def absolute_bits(mask, value_bits):
    """Each stored weight with its position in the whole layer -> int."""
    mask = _mask(mask)
    return int(np.count_nonzero(mask)) * (width(mask.size) + check_integer(value_bits, "bits per weight", 0))


def compressed_rows(mask):
    """The index arrays of compressed sparse row format -> (columns, pointers).

    columns: column of each stored weight, row after row, int64, shape (a,)
    pointers: where each row starts in `columns`, and where the last ends, int64, shape (rows + 1,)

        compressed_rows([[1, 0, 1], [0, 0, 0], [0, 1, 0]]) -> [0, 2, 1], [0, 2, 2, 3]
    """
    matrix = _matrix(mask)
    counts = np.count_nonzero(matrix, axis=1)
    return np.nonzero(matrix)[1], np.concatenate([[0], np.cumsum(counts)])


def csr_bits(mask, value_bits):
    """Compressed sparse row: value and column per stored weight, a pointer per row and one more -> int."""
    columns, pointers = compressed_rows(mask)
    a, wide = columns.size, width(_matrix(mask).shape[1])
    return int(a * (check_integer(value_bits, "bits per weight", 0) + wide) + pointers.size * width(a + 1))


def csc_bits(mask, value_bits):
    """Compressed sparse column: the same, column by column -> int."""
    return csr_bits(_matrix(mask).T, value_bits)


def paper_numbers(stored, lines):
    """The count that section 2 gives for CSR (lines = rows) or CSC (columns): 2a + n + 1 numbers -> int."""
    return 2 * stored + lines + 1


def relative_bits(mask, value_bits, bits, order="C"):
    """The relative index with `bits` per gap, walking row by row ("C") or column by column ("F") -> int."""
    flat = np.flatnonzero(_matrix(mask).ravel(order=order))
    return relative_index.total_bits(flat, bits, value_bits)


def sizes(mask, value_bits, bits):
    """Bits of one layer in every format -> {name: bits}: dense, bitmap, absolute, CSR, CSC, relative."""
    return {
        "dense": _mask(mask).size * 32,  # what is being replaced: float32
        "bitmap": bitmap_bits(mask, value_bits),
        "absolute": absolute_bits(mask, value_bits),
        "CSR": csr_bits(mask, value_bits),
        "CSC": csc_bits(mask, value_bits),
        "relative": relative_bits(mask, value_bits, bits),
    }


def expected_entries(density, bits):
    """Entries per weight of the layer, fillers included, if the kept ones lie at random -> float.

    With the share p kept independently, a gap exceeds m = 2**bits with probability q = (1 - p)**m, twice m
    with q**2, and so on: one filler each. So entries = p (1 + q + q**2 + ...) = p / (1 - q).

        expected_entries(0.09, 4) -> 0.1155      AlexNet fc6 with 4-bit gaps, were its mask random
    """
    if not 0 <= density <= 1:
        raise CodeError(f"density must lie between 0 and 1, got {density}")
    if density in (0, 1):
        return float(density)
    return density / -math.expm1(2**bits * math.log1p(-density))


def expected_bits(density, n, value_bits, bits):
    """Bits of the relative index that a random mask of `n` weights needs on average, fillers included -> float.

    expected_bits(0.09, 37_748_736, value_bits=5, bits=4) -> 39.25e6, 4.9 MB for AlexNet fc6
    """
    return expected_entries(density, bits) * n * (int(bits) + check_integer(value_bits, "bits per weight", 0))


def random_mask_bits(mask, value_bits):
    """The fewest bits that any format needs on average for a *random* mask of this density -> float.

    n H(p) for the positions, H the entropy of one coin toss, and the stored values. A mask that has a pattern
    can go below it.
    """
    mask = _mask(mask)
    n, a = mask.size, np.count_nonzero(mask)
    positions = sum(k * math.log2(n / k) for k in (a, n - a) if k)
    return positions + a * check_integer(value_bits, "bits per weight", 0)


def _mask(mask):
    mask = np.asarray(mask)
    if mask.size == 0 or mask.dtype.kind not in "biu":
        raise CodeError(f"expected a mask of at least one bool, got {mask.dtype} of shape {mask.shape}")
    return mask


def _matrix(mask):
    """A mask as rows and columns: one row per output neuron or filter."""
    mask = _mask(mask)
    return mask.reshape(mask.shape[0], -1) if mask.ndim > 1 else mask.reshape(1, -1)
