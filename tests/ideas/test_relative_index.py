"""The relative index against a plain Python reference, over nasty positions and all widths."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dcviz.errors import CodeError
from dcviz.evidence import paper
from dcviz.ideas import relative_index as ri


def reference(positions, bits):
    """Entry by entry, as a reader of section 2 would write it -> list of (stored gap, real)."""
    entries, previous = [], -1
    for position in positions:
        while position - previous > 2**bits:
            entries.append((2**bits - 1, False))
            previous += 2**bits
        entries.append((position - previous - 1, True))
        previous = position
    return entries


# small gaps, gaps at the border of every width, and gaps far beyond
GAPS = st.integers(1, 5) | st.integers(0, 12).flatmap(lambda b: st.integers(max(1, 2**b - 1), 2**b + 1))
POSITIONS = st.lists(GAPS, max_size=40).map(lambda gaps: np.cumsum([0, *gaps])[1:] - 1)
BITS = st.integers(1, 16)


@given(POSITIONS, BITS)
def test_encode_equals_the_reference_and_decodes_back(positions, bits):
    before = positions.copy()
    index = ri.encode(positions, bits)
    expected = reference(positions.tolist(), bits)
    assert list(zip(index.gaps.tolist(), index.real.tolist(), strict=True)) == expected
    assert index.fillers == sum(not real for _, real in expected)
    decoded = ri.decode(index.gaps)
    assert decoded.dtype == np.int64
    np.testing.assert_array_equal(decoded[index.real], positions)
    np.testing.assert_array_equal(positions, before)
    assert ri.total_bits(positions, bits, 5) == len(expected) * (bits + 5)


@given(st.lists(st.booleans(), max_size=300), BITS)
def test_any_mask_comes_back(mask, bits):
    mask = np.array(mask, bool)
    index = ri.encode(np.flatnonzero(mask), bits)
    restored = np.zeros_like(mask)
    restored[ri.decode(index.gaps)[index.real]] = True
    np.testing.assert_array_equal(restored, mask)


@given(POSITIONS, st.integers(0, 32))
def test_best_bits_is_the_minimum(positions, value_bits):
    totals = {bits: len(reference(positions.tolist(), bits)) * (bits + value_bits) for bits in range(1, 17)}
    best = ri.best_bits(positions, value_bits)
    assert totals[best] == min(totals.values())
    assert best == min(bits for bits in totals if totals[bits] == totals[best])


def test_figure_2():
    figure = paper.table("figure2_relative_index_example")
    positions = [i for i in figure["idx"] if i != figure["filler_at"]]
    index = ri.encode(positions, figure["bits"])
    assert index.gaps.tolist() == [1, 2, 7, 2]
    assert index.real.tolist() == [True, True, False, True]
    assert ri.decode(index.gaps).tolist() == figure["idx"]
    # the figure prints gaps, its first counted from 0 where we count from -1
    assert (index.gaps.astype(int) + 1 - [1, 0, 0, 0]).tolist() == figure["diff"]
    assert ri.total_bits(positions, 3, 5) == 32


@pytest.mark.parametrize("bits", range(1, 17))
def test_empty_dense_and_far(bits):
    for empty in ([], np.flatnonzero(np.zeros(1000))):
        index = ri.encode(empty, bits)
        assert index.gaps.size == index.real.size == index.fillers == 0
        assert ri.decode(index.gaps).size == 0
        assert ri.total_bits(empty, bits, 8) == 0
    dense = ri.encode(np.arange(1000), bits)
    assert not dense.gaps.any()
    assert dense.fillers == 0
    far = ri.encode([10 * 2**bits + 1], bits)
    assert far.fillers == 10
    assert far.gaps.tolist() == [2**bits - 1] * 10 + [1]
    assert far.gaps.dtype == (np.uint8 if bits <= 8 else np.uint16)


def test_the_largest_gap_needs_no_filler_and_one_more_does():
    assert ri.encode([7], 3).gaps.tolist() == [7]
    assert ri.encode([8], 3).gaps.tolist() == [7, 0]
    assert ri.encode([2**32 - 1], 32).gaps.tolist() == [2**32 - 1]


def test_total_bits_does_not_build_the_fillers():
    assert ri.total_bits([2**50], 1, 0) == 2**49 + 1
    assert ri.count_entries([2**50], 1) == 2**49 + 1


@given(st.lists(st.integers(0, 3000), unique=True).map(sorted), st.integers(1, 6))
def test_entries_are_counted_as_they_are_encoded(positions, bits):
    assert ri.count_entries(positions, bits) - len(positions) == ri.encode(positions, bits).fillers


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([3, 3], "increase"),
        ([3, 2], "entry 1 is 2, after 3"),
        ([-1, 2], "positions must not be negative: found -1"),
        ([0.0, 1.0], "integers"),
        ([[1, 2]], r"vector of integers, not int64 \(1, 2\)"),
        ([True, False], "integers"),
        (np.array([2**63], np.uint64), "0..2"),
        ([2**70], "integers"),
        ([[1], [2, 3]], "vector of integers"),
        ("12", "vector of integers, not <U2"),
    ],
)
def test_bad_positions(positions, message):
    with pytest.raises(CodeError, match=message):
        ri.encode(positions, 4)


@pytest.mark.parametrize("bits", [0, -1, 33, 2.5, None, "4"])
def test_bad_bits(bits):
    for call in (lambda: ri.encode([1], bits), lambda: ri.best_bits([1], 5, [bits])):
        with pytest.raises(CodeError, match="bits per gap"):
            call()


def test_fillers_that_would_fill_the_memory_are_refused():
    with pytest.raises(CodeError, match="use more bits"):
        ri.encode([2**40], 1)


def test_bad_value_bits_and_no_candidates():
    with pytest.raises(CodeError, match="bits per weight"):
        ri.total_bits([1], 4, -1)
    with pytest.raises(CodeError, match="candidate"):
        ri.best_bits([1], 5, [])


@pytest.mark.parametrize(
    "gaps", [[-1], [2**32], np.array([2**64 - 1], np.uint64), [0.5], [[1]], [True], np.array(["1"])]
)
def test_bad_gaps(gaps):
    with pytest.raises(CodeError, match="gaps"):
        ri.decode(gaps)


def test_decode_does_not_wrap_around_in_the_gaps_own_type():
    gaps = np.full(1000, 255, np.uint8)
    assert ri.decode(gaps)[-1] == 256 * 1000 - 1
    assert ri.decode(np.full(3, 2**32 - 1, np.uint32)).tolist() == [2**32 * i - 1 for i in (1, 2, 3)]


def test_the_most_entries_are_allowed_and_one_more_is_not(monkeypatch):
    monkeypatch.setattr(ri, "MAX_ENTRIES", 4)
    index = ri.encode([0, 1, 5], 1)  # one filler
    assert len(index.gaps) == 4
    assert ri.decode(index.gaps).tolist() == [0, 1, 3, 5]
    with pytest.raises(CodeError, match="more than 4: use more bits"):
        ri.encode([0, 1, 5, 6], 1)
    with pytest.raises(CodeError, match=r"^5 entries, more than 4$"):
        ri.decode([0, 0, 0, 0, 0])


def test_gaps_have_the_smallest_type_that_holds_their_bits():
    for bits, dtype in ((8, np.uint8), (9, np.uint16), (16, np.uint16), (17, np.uint32), (32, np.uint32)):
        assert ri.encode([3], bits).gaps.dtype == dtype


def test_the_first_position_that_does_not_increase_is_named():
    with pytest.raises(CodeError, match=r"entry 3 is 4, after 6$"):
        ri.encode([4, 5, 6, 4, 3], 4)
    with pytest.raises(CodeError, match=r"^no candidate widths to choose from$"):
        ri.best_bits([1], 5, [])


def test_refusals_name_what_was_given():
    for function, name in ((lambda one: ri.encode(one, 3), "positions"), (ri.decode, "gaps")):
        with pytest.raises(CodeError, match=f"^{name} must be a vector of integers"):
            function([[1]])


@pytest.mark.parametrize("block", [1, 7, ri.BLOCK])
def test_many_thresholds_at_once_count_as_one_by_one(block, monkeypatch):
    monkeypatch.setattr(ri, "BLOCK", block)
    weights = np.random.default_rng(3).normal(size=(20, 31)).round(1).astype(np.float32)
    weights[3:17] *= 0.1  # a long stretch without large ones: fillers across blocks
    thresholds = [0, 0, 0.1, 0.5, 1.7, 9]
    kept, entries = ri.count_entries_by_threshold(weights, thresholds, 3)
    for at, threshold in enumerate(thresholds):
        positions = np.flatnonzero((np.abs(weights) >= threshold) & (weights != 0))
        assert kept[at] == positions.size
        assert entries[at] == ri.count_entries(positions, 3)
