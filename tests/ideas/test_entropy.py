import numpy as np
import pytest
from hypothesis import given, strategies as st

from dcviz.errors import CodeError
from dcviz.ideas.entropy import entropy, histogram, mean_length
from dcviz.ideas.huffman import code_lengths


@pytest.mark.parametrize(
    ("counts", "bits"), [([], 0), ([0, 0], 0), ([7], 0), ([0, 7, 0], 0), ([5, 5], 1), ([1] * 32, 5), ([2, 1, 1], 1.5)]
)
def test_entropy_of_known_counts(counts, bits):
    assert entropy(counts) == pytest.approx(bits, abs=1e-12)


def test_entropy_takes_counts_beyond_64_bits():
    assert entropy([2**70, 2**70]) == pytest.approx(1)


@pytest.mark.parametrize("counts", [[1, -1], [1.0, float("nan")], [float("inf")]])
def test_bad_counts_are_refused(counts):
    with pytest.raises(CodeError):
        entropy(counts)


@given(st.lists(st.integers(0, 50), max_size=200))
def test_histogram_counts_each_symbol(symbols):
    counts = histogram(symbols)
    assert counts.dtype == np.int64
    assert counts.tolist() == [symbols.count(s) for s in range(max(symbols, default=-1) + 1)]


def test_histogram_covers_the_alphabet_asked_for():
    assert histogram(np.array([1, 1], np.uint8), size=4).tolist() == [0, 2, 0, 0]
    assert histogram([], size=3).tolist() == [0, 0, 0]


@pytest.mark.parametrize("symbols", [[0, -1], [0.5], ["a"]])
def test_histogram_refuses_what_is_no_symbol(symbols):
    with pytest.raises(CodeError):
        histogram(symbols)


def test_mean_length_weighs_by_count():
    assert mean_length([6, 2, 0], [1, 3, 0]) == 1.5
    assert mean_length([], []) == 0
    assert mean_length([0, 0], [1, 1]) == 0


@pytest.mark.parametrize(("counts", "lengths"), [([1, 2], [1]), ([1, 2], [1, 0])])
def test_mean_length_refuses_symbols_without_code(counts, lengths):
    with pytest.raises(CodeError):
        mean_length(counts, lengths)


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=300).filter(lambda c: sum(map(bool, c)) >= 2))
def test_huffman_is_within_a_bit_of_entropy(counts):
    h, mean = entropy(counts), mean_length(counts, code_lengths(counts))
    assert h - 1e-9 <= mean < h + 1


def test_refusals_say_what_is_wrong():
    for call, words in (
        (lambda: histogram([0.5]), "^symbols must be integers, not float64$"),
        (lambda: histogram([3, -2]), "^symbols must not be negative: found -2$"),
        (lambda: entropy([1, -1]), "^counts must be finite and not negative$"),
        (lambda: entropy([1, float("inf")]), "^counts must be finite and not negative$"),
        (lambda: mean_length([1, 2], [1]), "^2 counts but 1 lengths$"),
        (lambda: mean_length([0, 1, 2], [0, 1, 0]), "^symbol 2 occurs but has no code$"),
        (lambda: mean_length([2, 1], [1, 0]), "^symbol 1 occurs but has no code$"),
    ):
        with pytest.raises(CodeError, match=words):
            call()


def test_counts_of_any_shape_and_size():
    assert entropy(np.array([[1, 1], [1, 1]])) == 2.0
    assert entropy([2.0**70, 2.0**70]) == 1.0
    assert entropy([7]) == entropy([]) == entropy([0, 0]) == 0.0
    assert histogram(np.array([[0, 2], [2, 2]])).tolist() == [1, 0, 3]
    assert histogram([5], size=3).tolist() == [0, 0, 0, 0, 0, 1]
