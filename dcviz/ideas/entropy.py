"""How many bits a symbol needs: counts, entropy, and the mean length of a code.

Section 4 of the paper codes the shared-weight indices and the position gaps with Huffman codes,
because both are far from uniform. Shannon's entropy is the floor that no such code can go below;
a Huffman code stays less than one bit above it.
"""

import numpy as np

from dcviz.errors import CodeError


def histogram(symbols, size=0):
    """How often each symbol occurs: ``symbols`` (n,) integers >= 0 -> int64 counts (alphabet,).

    The alphabet ends at the largest symbol, but holds at least ``size`` symbols.
    Raises CodeError for negative or non-integer symbols.
    """
    symbols = np.asarray(symbols).reshape(-1)
    if symbols.size == 0:
        return np.zeros(size, np.int64)
    if symbols.dtype.kind not in "iu":
        raise CodeError(f"symbols must be integers, not {symbols.dtype}")
    if symbols.min() < 0:
        raise CodeError(f"symbols must not be negative: found {symbols.min()}")
    return np.bincount(symbols.astype(np.intp), minlength=size).astype(np.int64)


def entropy(counts):
    """Shannon entropy of ``counts`` (alphabet,) in bits per symbol; 0.0 when there are no symbols.

    H = sum over symbols of p * log2(1/p), with p = count / total. Raises CodeError for negative counts.
    """
    counts = _counts(counts)
    present = counts[counts > 0]
    if present.size < 2:
        return 0.0
    p = present / present.sum()
    return float(-(p * np.log2(p)).sum())


def mean_length(counts, lengths):
    """Mean bits per symbol when symbol i, seen ``counts[i]`` times, takes ``lengths[i]`` bits.

    0.0 when there are no symbols. Raises CodeError when the shapes differ, a count is negative, or a
    symbol that occurs has no code (length 0).
    """
    counts = _counts(counts)
    lengths = np.asarray(lengths)
    if counts.shape != lengths.shape:
        raise CodeError(f"{counts.size} counts but {lengths.size} lengths")
    without = np.flatnonzero((counts > 0) & (lengths <= 0))
    if without.size:
        raise CodeError(f"symbol {without[0]} occurs but has no code")
    total = counts.sum()
    return float((counts * lengths).sum() / total) if total else 0.0


def _counts(counts):
    """``counts`` as a float64 vector; float, so that counts of any size keep their proportions."""
    counts = np.asarray(counts, np.float64).reshape(-1)
    if not (np.isfinite(counts).all() and (counts >= 0).all()):
        raise CodeError("counts must be finite and not negative")
    return counts
