"""Code construction against an independent implementation (bitarray) and against first principles."""

from itertools import pairwise

import numpy as np
import pytest
from bitarray.util import canonical_huffman, huffman_code
from hypothesis import given, settings, strategies as st

from dcviz.errors import CodeError
from dcviz.ideas import huffman
from dcviz.ideas.entropy import entropy
from dcviz.ideas.huffman import MAX_LENGTH, canonical_codes, check_lengths, code_lengths, merges, tree

counts_lists = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 10**4), st.integers(0, 2**80)), max_size=120)


def fibonacci(n):
    """Counts that give the deepest tree there is: n symbols, depth n-1."""
    counts = [1, 1]
    while len(counts) < n:
        counts.append(counts[-1] + counts[-2])
    return counts[:n]


def cost(counts, lengths):
    return sum(c * int(length) for c, length in zip(counts, lengths, strict=True))


def reference_cost(counts):
    """Total bits of bitarray's Huffman code."""
    present = {s: c for s, c in enumerate(counts) if c}
    return sum(present[s] * len(word) for s, word in huffman_code(present).items()) if present else 0


def words(lengths):
    """Code words as bit strings, of the symbols that have one."""
    codes = canonical_codes(lengths)
    return {s: f"{int(codes[s]):0{int(n)}b}" for s, n in enumerate(lengths) if n}


# ---------------------------------------------------------------- tree


@given(counts_lists)
def test_tree_costs_what_an_independent_huffman_code_costs(counts):
    t = tree(counts)
    present = [s for s, c in enumerate(counts) if c]
    if len(present) > 1:
        assert sum(counts[s] * int(t.depth[s]) for s in present) == reference_cost(counts)
        assert sum(m.count for m in t.merges) == reference_cost(counts)  # another way to add it up


@given(counts_lists)
def test_tree_hangs_together(counts):
    t = tree(counts)
    assert (t.depth[: len(counts)] >= 0).tolist() == [c > 0 for c in counts]
    for i, merge in enumerate(t.merges):
        assert (merge.step, merge.node) == (i, len(counts) + i)
        assert t.children(merge.node) == (merge.left, merge.right)
        assert t.counts[merge.left] + t.counts[merge.right] == merge.count == t.counts[merge.node]
        for child in t.children(merge.node):
            assert t.parent[child] == merge.node
            assert t.depth[child] == t.depth[merge.node] + 1
    weights = [m.count for m in t.merges]
    assert weights == sorted(weights)
    if any(counts):
        assert t.parent[t.root] == -1
        assert t.depth[t.root] == 0
        assert t.counts[t.root] == sum(counts)
    else:
        assert t.root == -1


def test_merges_of_a_small_example_are_as_done_by_hand():
    steps = merges([5, 2, 0, 1, 1])
    assert [(m.left, m.right, m.count) for m in steps] == [(3, 4, 2), (1, 5, 4), (6, 0, 9)]
    t = tree([5, 2, 0, 1, 1])
    assert [t.path(s) for s in (0, 1, 3, 4)] == ["1", "00", "010", "011"]
    assert t.children(0) == ()


def test_path_of_an_absent_symbol_is_refused():
    for symbol in (1, 2, -1):
        with pytest.raises(CodeError, match="not in the tree"):
            tree([3, 0]).path(symbol)


def test_ties_are_broken_the_same_way_and_give_the_shallowest_tree():
    assert tree([1] * 6).merges == tree(np.ones(6, np.int64)).merges
    assert tree([1] * 6).depth.max() == 3
    assert tree([2, 1, 1, 2]).depth[:4].tolist() == [2, 2, 2, 2]  # 1 2 3 3 would cost the same


def test_a_very_deep_tree_needs_no_recursion():
    t = tree(fibonacci(3000))
    assert t.depth.max() == 2999
    assert len(t.path(0)) == 2999


# ---------------------------------------------------------------- lengths


@given(counts_lists)
def test_lengths_are_optimal(counts):
    lengths = code_lengths(counts)
    assert lengths.dtype == np.uint8
    assert [n > 0 for n in lengths] == [c > 0 for c in counts]
    check_lengths(lengths)
    best = reference_cost(counts)
    plain = tree(counts).depth.max(initial=0) <= MAX_LENGTH
    assert cost(counts, lengths) == best if plain else cost(counts, lengths) > best


def shortest_limited(counts, limit):
    """Cheapest prefix code of words up to ``limit`` bits, by trying all multisets of lengths."""
    counts = sorted((c for c in counts if c), reverse=True)
    best = None

    def fill(i, shortest, room, total):
        nonlocal best
        if i == len(counts):
            best = total if best is None else min(best, total)
            return
        for length in range(shortest, limit + 1):
            if room >= 1 << (limit - length):
                fill(i + 1, length, room - (1 << (limit - length)), total + counts[i] * length)

    fill(0, 1, 1 << limit, 0)
    return best


@settings(max_examples=60)
@given(st.lists(st.one_of(st.integers(1, 5), st.integers(1, 10**6)), min_size=2, max_size=8), st.integers(3, 5))
def test_limited_lengths_are_the_cheapest_there_are(counts, limit):
    lengths = code_lengths(counts, limit)
    assert lengths.max() <= limit
    check_lengths(lengths)
    assert cost(counts, lengths) == shortest_limited(counts, limit)


@pytest.mark.parametrize("limit", [3, 4, 5, 6, 7])
def test_limiting_a_skewed_code(limit):
    counts = fibonacci(8)
    lengths = code_lengths(counts, limit)
    assert lengths.max() == limit
    assert cost(counts, lengths) == shortest_limited(counts, limit)


def test_deep_counts_are_limited_to_the_longest_word_allowed():
    lengths = code_lengths(fibonacci(200))
    assert lengths.max() == MAX_LENGTH
    check_lengths(lengths)


def test_two_to_the_sixteen_symbols():
    counts = np.random.default_rng(0).geometric(1e-3, 2**16).tolist()  # plain words would be too long
    best = sum(m.count for m in merges(counts))
    assert best == reference_cost(counts)
    lengths = code_lengths(counts)
    assert check_lengths(lengths).max() == MAX_LENGTH
    assert best < cost(counts, lengths) < 1.001 * best
    assert code_lengths(np.ones(2**16, int)).tolist() == [16] * 2**16
    assert code_lengths(np.ones(2**16, int), 16).max() == 16


@pytest.mark.parametrize(
    ("counts", "lengths"), [([], []), ([0, 0], [0, 0]), ([0, 9], [0, 1]), ([1, 1], [1, 1]), ([8, 1, 1], [1, 2, 2])]
)
def test_small_alphabets(counts, lengths):
    assert code_lengths(counts).tolist() == lengths


@pytest.mark.parametrize("counts", [[1, -1], [1.5, 2], np.array([1.0, 2.0]), ["a"], [None], 7, [[1, 2], [3]]])
@pytest.mark.parametrize("function", [code_lengths, tree, merges])
def test_bad_counts_are_refused(function, counts):
    with pytest.raises(CodeError, match="counts"):
        function(counts)


@pytest.mark.parametrize("limit", [0, -1, MAX_LENGTH + 1])
def test_bad_limits_are_refused(limit):
    with pytest.raises(CodeError, match="max_length"):
        code_lengths([1, 1], limit)


def test_too_many_symbols_for_the_limit_are_refused():
    with pytest.raises(CodeError, match="5 symbols"):
        code_lengths([1] * 5, 2)


# ---------------------------------------------------------------- canonical codes


@given(counts_lists)
def test_canonical_codes_are_prefix_free_and_in_order(counts):
    lengths = code_lengths(counts)
    code = words(lengths)
    in_order = sorted(code.values())
    assert all(not b.startswith(a) for a, b in pairwise(in_order))
    assert [code[s] for s in sorted(code, key=lambda s: (lengths[s], s))] == in_order
    assert not canonical_codes(lengths)[lengths == 0].any()


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=100).filter(lambda c: tree(c).depth.max() <= 20))
def test_canonical_words_and_cost_equal_bitarrays(counts):
    theirs, per_length, _ = canonical_huffman(dict(enumerate(counts)))
    lengths = [len(theirs[s]) for s in range(len(counts))]
    check_lengths(lengths)
    # same words; which symbol of a length comes first is a convention (ours: the smaller)
    assert sorted(words(lengths).values()) == sorted(word.to01() for word in theirs.values())
    assert np.bincount(lengths).tolist() == list(per_length)
    assert cost(counts, code_lengths(counts)) == cost(counts, lengths)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1, 1, 1], "over-full"),
        ([1, 2], "incomplete"),
        ([2], "incomplete"),
        ([1, MAX_LENGTH], "incomplete"),
        ([1, MAX_LENGTH + 1], "0 to 20"),
        ([1, -1], "code lengths must not be negative: found -1"),
        ([1, 255], "0 to 20"),
        ([2**70], "vector of integers"),
        ([0.5, 1], "vector of integers"),
        ([[1, 1]], "vector of integers"),
        ([[1], [1, 1]], "vector of integers"),
        (1, "vector of integers"),
        ("ab", "vector of integers"),
        (None, "vector of integers"),
    ],
)
@pytest.mark.parametrize("function", [check_lengths, canonical_codes])
def test_lengths_that_are_no_code_are_refused(function, lengths, message):
    with pytest.raises(CodeError, match=message):
        function(lengths)


@given(st.lists(st.integers(0, 4), max_size=20))
def test_kraft_decides(lengths):
    used = [n for n in lengths if n]
    kraft = sum(16 >> n for n in used)
    if kraft == 16 or used in ([], [1]):
        assert check_lengths(lengths).tolist() == lengths
    else:
        with pytest.raises(CodeError, match="over-full" if kraft > 16 else "incomplete"):
            check_lengths(lengths)


def test_canonical_order_is_by_length_then_symbol():
    assert huffman.canonical_order(np.array([2, 0, 1, 2])).tolist() == [2, 0, 3]


def test_the_longest_word_alone_is_no_code_and_two_symbols_take_one_bit():
    with pytest.raises(CodeError, match="incomplete"):
        check_lengths([MAX_LENGTH])
    assert code_lengths([3, 1], max_length=1).tolist() == [1, 1]


def test_a_block_code_by_hand():
    assert huffman.block_code_length(0.1, 1) == 1, "no code of single weights goes below one bit"
    assert huffman.block_code_length(0.1, 2) == pytest.approx((0.81 + 2 * 0.09 + 3 * 0.09 + 3 * 0.01) / 2)


@pytest.mark.parametrize("density", [0.01, 0.08, 0.3])
def test_longer_blocks_come_down_towards_the_entropy(density):
    lengths = [huffman.block_code_length(density, block) for block in (1, 2, 4, 8)]
    least = entropy([density, 1 - density])
    assert lengths == sorted(lengths, reverse=True)
    for block, length in zip((1, 2, 4, 8), lengths, strict=True):
        assert least <= length < least + 1 / block


@pytest.mark.parametrize(("density", "block"), [(-0.1, 2), (1.1, 2), (0.5, 0), (0.5, 17)])
def test_no_block_code_for_other_numbers(density, block):
    with pytest.raises(CodeError, match=rf"got {density} and {block}"):
        huffman.block_code_length(density, block)
