"""Sizes of the sparse formats against files that hold the arrays, and the random mask against a simulation."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dcviz.errors import CodeError
from dcviz.evidence import paper
from dcviz.ideas import bits, relative_index, sparse_formats

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=4, max_side=6))


@given(MASKS)
def test_compressed_rows_gives_the_mask_back(mask):
    columns, pointers = sparse_formats.compressed_rows(mask)
    matrix = mask.reshape(len(mask), -1)
    again = np.zeros_like(matrix)
    for i, row in enumerate(again):
        row[columns[pointers[i] : pointers[i + 1]]] = True
    np.testing.assert_array_equal(again, matrix)


@given(MASKS)
def test_csr_and_csc_bits_are_those_of_packed_arrays(mask):
    matrix = mask.reshape(len(mask), -1)
    for size, lines in ((sparse_formats.csr_bits(mask, 5), matrix), (sparse_formats.csc_bits(mask, 5), matrix.T)):
        columns, pointers = sparse_formats.compressed_rows(lines)
        wide, long = sparse_formats.width(lines.shape[1]), sparse_formats.width(columns.size + 1)
        bits.pack_fixed(columns, wide), bits.pack_fixed(pointers, long)  # CodeError if one does not fit
        assert size == columns.size * (5 + wide) + pointers.size * long
        assert sparse_formats.paper_numbers(columns.size, len(lines)) == 2 * columns.size + pointers.size


def test_width_is_the_least_that_fits():
    assert [sparse_formats.width(n) for n in (1, 2, 3, 256, 257, 784)] == [1, 1, 2, 8, 9, 10]


def test_small_layer_by_hand():
    mask = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], bool)
    columns, pointers = sparse_formats.compressed_rows(mask)
    assert columns.tolist() == [0, 2, 1]
    assert pointers.tolist() == [0, 2, 2, 3]
    assert sparse_formats.bitmap_bits(mask, 5) == 9 + 3 * 5
    assert sparse_formats.absolute_bits(mask, 5) == 3 * (4 + 5)
    assert sparse_formats.csr_bits(mask, 5) == 3 * (5 + 2) + 4 * 2
    assert sparse_formats.sizes(mask, 5, 2) == {
        "dense": 288,
        "bitmap": 24,
        "absolute": 27,
        "CSR": 29,
        "CSC": 29,
        "relative": relative_index.total_bits([0, 2, 7], 2, 5),
    }


@given(MASKS, st.integers(1, 6))
def test_walking_by_columns_is_walking_the_transposed_layer(mask, b):
    by_columns = sparse_formats.relative_bits(mask, 5, b, order="F")
    assert by_columns == sparse_formats.relative_bits(mask.reshape(len(mask), -1).T, 5, b)


@pytest.mark.parametrize("density", [0.03, 0.09, 0.3])
@pytest.mark.parametrize("b", [2, 4])
def test_expected_entries_agree_with_a_random_mask(density, b):
    mask = np.random.default_rng(1).random(400_000) < density
    entries = relative_index.encode(np.flatnonzero(mask), b).gaps.size / mask.size
    assert sparse_formats.expected_entries(density, b) == pytest.approx(entries, rel=0.02)


def test_expected_entries_are_those_of_the_derived_table():
    for row in paper.table("derived_layer_checks")["nets"]["AlexNet"]["rows"]:
        expected = 100 * sparse_formats.expected_entries(row["density_pct"] / 100, 4)
        assert expected == pytest.approx(row["entries_pct_expected_random_mask"], abs=0.06)


def test_expected_entries_at_the_ends():
    assert sparse_formats.expected_entries(0, 4) == 0
    assert sparse_formats.expected_entries(1, 4) == 1
    assert sparse_formats.expected_entries(1e-12, 4) == pytest.approx(1 / 16)  # nothing but fillers


def test_expected_bits_agree_with_a_random_mask():
    mask = np.random.default_rng(2).random(400_000) < 0.09
    expected = sparse_formats.expected_bits(0.09, mask.size, 32, 4)
    assert expected == pytest.approx(sparse_formats.relative_bits(mask, 32, 4), rel=0.02)
    assert sparse_formats.expected_bits(1, 10, 6, 2) == 80


@given(arrays(bool, st.integers(20, 200)))
def test_the_random_mask_bound_is_the_entropy(mask):
    p = mask.mean()
    entropy = -sum(q * np.log2(q) for q in (p, 1 - p) if q)
    assert sparse_formats.random_mask_bits(mask, 3) == pytest.approx(mask.size * entropy + 3 * mask.sum())


def test_no_format_beats_the_bound_on_a_random_mask():
    mask = np.random.default_rng(0).random((300, 300)) < 0.1
    bound = sparse_formats.random_mask_bits(mask, 5)
    best = relative_index.best_bits(np.flatnonzero(mask), 5)
    assert bound < min(sparse_formats.sizes(mask, 5, best).values())


@pytest.mark.parametrize("bad", [np.zeros((0, 3), bool), np.zeros(3), np.array(["a"])])
def test_bad_masks(bad):
    with pytest.raises(CodeError, match="mask"):
        sparse_formats.bitmap_bits(bad, 5)


def test_bad_numbers():
    for value_bits in (-1, 2.5, None):
        with pytest.raises(CodeError, match="bits per weight"):
            sparse_formats.csr_bits(np.ones((2, 2), bool), value_bits)
    with pytest.raises(CodeError, match="density"):
        sparse_formats.expected_entries(1.5, 4)


def test_a_vector_is_one_row_and_values_may_cost_nothing():
    mask = np.array([1, 0, 0, 1], bool)
    for size in (sparse_formats.csr_bits, sparse_formats.csc_bits):
        assert size(mask, 5) == size(mask[None], 5)
    assert sparse_formats.compressed_rows(mask)[1].tolist() == [0, 2]
    assert sparse_formats.bitmap_bits(mask, 0) == 4
