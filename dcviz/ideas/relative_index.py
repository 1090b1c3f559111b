"""Relative index: where the surviving weights sit, a few bits for each (section 2 and Fig. 2).

A pruned layer, read row by row, is a list of positions that hold a weight. Instead of positions we
store the gap to the previous one, which is small and fits a few bits (the paper: 8 bits for
convolutional layers, 5 for fully connected ones). A gap that does not fit is bridged by *fillers*:
entries whose weight is zero, put in every 2**bits positions until the rest fits.

The convention here is that of the decoder which the paper's authors published: count starts at
position -1 and an entry stores gap - 1, since a gap of 0 cannot occur. So `bits` bits reach gaps of
1 to 2**bits. The example of Fig. 2, with 3 bits and weights at positions 1, 4 and 15:

    position      1    4   12*  15       * filler: from 4 to 15 is 11 steps, more than 8
    gap           2    3    8    3       counted from -1, so the first gap is 2
    stored        1    2    7    2       gap - 1; a filler always stores 2**bits - 1

The figure itself prints the differences 1, 3, 8, 3: it counts the first from position 0 and shows gaps
rather than what is stored (an 8 does not fit in 3 bits). Both put the filler at position 12.

A real entry may store 2**bits - 1 as well; only its weight tells it from a filler. Nothing follows the
last weight, so decoding yields the positions and the layer's shape says where it ends.
"""

from dataclasses import dataclass

import numpy as np

from dcviz.errors import CodeError
from dcviz.ideas.bits import check_integer, check_integers

MAX_BITS = 32
MAX_ENTRIES = 2**30  # ten times the largest layer of VGG-16; a typing error should not fill the memory
BLOCK = 2**17  # weights that are counted at a time: what fits into the cache of a processor


@dataclass(frozen=True, eq=False)
class RelativeIndex:
    """Stored entries of one layer, in order.

    gaps: gap - 1 of every entry, values 0 .. 2**bits - 1; uint8, uint16 or uint32, shape (entries,)
    real: bool, shape (entries,): True for a weight, False for a filler
    """

    gaps: np.ndarray
    real: np.ndarray

    @property
    def fillers(self):
        """How many entries are fillers -> int."""
        return self.real.size - int(np.count_nonzero(self.real))


def encode(positions, bits):
    """Positions of the kept weights -> RelativeIndex.

    positions: integers >= 0, strictly increasing, shape (n,), such as np.flatnonzero(mask); may be empty
    bits: width of a gap, 1 to 32
    Raises CodeError for other positions or widths, and when fillers would make more than 2**30 entries.

        encode([1, 4, 15], bits=3) -> gaps [1, 2, 7, 2], real [True, True, False, True]
    """
    bits = check_integer(bits, "bits per gap", 1, MAX_BITS)
    jumps = _jumps(positions)
    fillers = jumps >> bits
    entries = _count_entries(jumps, bits)
    if entries > MAX_ENTRIES:
        raise CodeError(f"{entries} entries at {bits} bits per gap, more than {MAX_ENTRIES}: use more bits")
    dtype = np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32
    gaps = np.full(entries, 2**bits - 1, dtype)
    real = np.zeros(entries, bool)
    at = np.cumsum(fillers + 1) - 1  # each weight comes after its own fillers
    gaps[at] = jumps & (2**bits - 1)
    real[at] = True
    return RelativeIndex(gaps, real)


def decode(gaps):
    """Stored gaps -> positions of all entries, real and filler, int64, shape (entries,).

    A running sum: position = previous position + stored + 1, starting at -1.
    gaps: integers 0 .. 2**32 - 1, shape (entries,), at most 2**30 of them. Raises CodeError otherwise.

        decode([1, 2, 7, 2]) -> [1, 4, 12, 15]
    """
    gaps = check_integers(gaps, "gaps")
    if gaps.size == 0:
        return np.zeros(0, np.int64)
    if gaps.size > MAX_ENTRIES:  # together with MAX_BITS this keeps every position below 2**63
        raise CodeError(f"{gaps.size} entries, more than {MAX_ENTRIES}")
    if gaps.max() >= 2**MAX_BITS:
        raise CodeError(f"gaps must lie in 0..2**32 - 1, found {gaps.min()} to {gaps.max()}")
    return np.cumsum(gaps.astype(np.int64) + 1) - 1


def count_entries(positions, bits):
    """Entries of a layer with `bits` per gap, kept weights and fillers, without building them -> int.

    Raises CodeError as encode does, but however many fillers there are. The fillers are what exceeds len(positions).

        count_entries([1, 4, 15], bits=3) -> 4, one of them a filler
    """
    return _count_entries(_jumps(positions), check_integer(bits, "bits per gap", 1, MAX_BITS))


def count_entries_by_threshold(weights, thresholds, bits):
    """What pruning at |w| < t leaves, for many thresholds in one go -> (kept, entries), int64, shape (thresholds,).

    weights: any shape, exact zeros are never kept;  thresholds: ascending numbers >= 0
    Each threshold looks only at what the one before it left of a block. Raises CodeError unless thresholds ascend from
    0 or more.

        count_entries_by_threshold([.1, 0, .2, -.4], [0, .3], bits=1) -> kept [3, 1], entries [3, 2]
    """
    bits = check_integer(bits, "bits per gap", 1, MAX_BITS)
    thresholds = np.asarray(thresholds, np.float64)
    if thresholds.ndim != 1 or not (np.diff(thresholds, prepend=0) >= 0).all():
        raise CodeError("thresholds: expected ascending numbers >= 0 in one dimension")
    weights = np.asarray(weights).reshape(-1)
    kept, entries = np.zeros((2, thresholds.size), np.int64)
    last = np.full(thresholds.size, -1)
    for first in range(0, weights.size, BLOCK):
        magnitudes = np.abs(weights[first : first + BLOCK])
        positions = np.flatnonzero(magnitudes)
        magnitudes = magnitudes[positions]
        positions += first
        for i, threshold in enumerate(thresholds):
            above = magnitudes >= threshold
            positions, magnitudes = positions[above], magnitudes[above]
            if not positions.size:
                break
            kept[i] += positions.size
            entries[i] += _count_entries(np.diff(positions, prepend=last[i]) - 1, bits)
            last[i] = positions[-1]
    return kept, entries


def total_bits(positions, bits, value_bits):
    """Bits for all entries, fillers included, before Huffman coding -> int.

    Each entry costs `bits` for its gap and `value_bits` for its weight or weight code, because a filler
    stores a zero as weight. Few bits per gap make many fillers, many bits are wasted on small gaps.
    Raises CodeError as encode does, and for a negative value_bits.

        total_bits([1, 4, 15], bits=3, value_bits=5) -> 4 * (3 + 5) = 32
    """
    check_integer(value_bits, "bits per weight", 0)
    return count_entries(positions, bits) * (int(bits) + int(value_bits))


def best_bits(positions, value_bits, candidates=range(1, 17)):
    """The gap width with the fewest total bits -> int; the smaller width wins a tie.

    candidates: widths to try. Raises CodeError as total_bits does, and when there are no candidates.
    """
    check_integer(value_bits, "bits per weight", 0)
    widths = sorted({check_integer(bits, "bits per gap", 1, MAX_BITS) for bits in candidates})
    if not widths:
        raise CodeError("no candidate widths to choose from")
    jumps = _jumps(positions)
    return min(widths, key=lambda bits: _count_entries(jumps, bits) * (bits + int(value_bits)))


def _count_entries(jumps, bits):
    """Real entries and fillers: every full 2**bits positions that a jump skips need one filler."""
    return jumps.size + int((jumps >> bits).sum())


def _jumps(positions):
    """Positions skipped before each weight (gap - 1), int64; CodeError unless strictly increasing from 0."""
    positions = check_integers(positions, "positions")
    if positions.size == 0:
        return np.zeros(0, np.int64)
    if positions.max() >= 2**62:
        raise CodeError(f"positions must lie in 0..2**62 - 1, found {positions.min()} to {positions.max()}")
    jumps = np.diff(positions.astype(np.int64), prepend=-1) - 1
    if jumps.min() < 0:
        at = int(np.argmax(jumps < 0))
        raise CodeError(f"positions must increase: entry {at} is {positions[at]}, after {positions[at - 1]}")
    return jumps
