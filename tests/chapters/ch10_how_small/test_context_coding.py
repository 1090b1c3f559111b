import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dcviz.chapters.ch10_how_small import context_coding as coding
from dcviz.errors import CodeError
from dcviz.ideas.entropy import entropy


def adaptive_bits(bits, conditions):
    """Bits that counters learning as they go need for all of ``bits`` -> float: conditional entropy plus the learning.

    A counter that has seen k ones among m bits expects a one with chance (k + 1/2) / (m + 1) (Krichevsky, Trofimov).
    The product of all chances does not depend on the order, so it can be summed up by gamma functions.
    """
    _, conditions = np.unique(conditions, return_inverse=True)
    counts = zip(np.bincount(conditions, weights=bits), np.bincount(conditions), strict=True)
    log = sum(
        math.lgamma(k + 0.5) + math.lgamma(m - k + 0.5) - math.lgamma(m + 1) - math.log(math.pi) for k, m in counts
    )
    return -log / math.log(2)


@given(st.lists(st.integers(0, 1), max_size=400), st.sampled_from([(), (1,), (1, 7), (2, 3, 300)]))
@settings(max_examples=80, deadline=None)
def test_bits_come_back(bits, offsets):
    data = coding.encode(bits, offsets)
    assert coding.decode(data, len(bits), offsets).tolist() == bits


@pytest.mark.parametrize("density", [0, 0.001, 0.03, 0.5, 0.97, 1])
def test_the_code_is_as_long_as_the_counters_say(density):
    bits = (np.random.default_rng(0).random(30_000) < density).astype(int)
    for offsets in ((), (1, 28)):
        ideal = adaptive_bits(bits, coding.contexts(bits, offsets)) / 8
        data = coding.encode(bits, offsets)
        assert ideal - 1 <= len(data) <= ideal * 1.002 + 8
        assert np.array_equal(coding.decode(data, bits.size, offsets), bits)


def test_carries_run_through():
    rng = np.random.default_rng(1)
    for _ in range(30):  # rare ones after long runs: the low end of the interval moves most
        bits = (rng.random(3000) < rng.choice([0.002, 0.9, 0.999])).astype(int)
        assert np.array_equal(coding.decode(coding.encode(bits), bits.size), bits)


def test_a_clustered_mask_costs_less_than_its_entropy():
    mask = np.repeat(np.random.default_rng(0).random(2000) < 0.05, 8).astype(int)
    apart = np.random.default_rng(1).permutation(mask)
    least = mask.size * entropy(np.bincount(mask)) / 8
    assert len(coding.encode(mask)) < 0.5 * least
    assert len(coding.encode(apart)) > 0.99 * least


def test_contexts_are_the_neighbours_before():
    assert coding.contexts([1, 1, 0, 1], (1,)).tolist() == [0, 1, 1, 0]
    assert coding.contexts([1, 1, 0, 1], (1, 3)).tolist() == [0, 1, 1, 2]
    assert coding.contexts([1, 0], (5,)).tolist() == [0, 0]


def test_conditional_entropy():
    assert coding.conditional_entropy([0, 1, 0, 1], [0, 1, 0, 1]) == 0
    assert coding.conditional_entropy([0, 1, 0, 1], [0, 0, 1, 1]) == 1
    assert coding.conditional_entropy([0, 1, 1, 1], [7, 7, 9, 9]) == 0.5
    assert coding.conditional_entropy([], []) == 0
    bits = np.random.default_rng(0).integers(0, 2, 500)
    assert coding.conditional_entropy(bits, bits * 0) == pytest.approx(entropy(np.bincount(bits)))
    with pytest.raises(CodeError, match="3 bits, but 2 conditions"):
        coding.conditional_entropy([0, 1, 0], [0, 0])


def test_what_learning_costs():
    bits = [1, 1, 0, 1]  # 1/2, then 1.5/2, 0.5/3, 2.5/4
    chances = 0.5 * 0.75 * (0.5 / 3) * (2.5 / 4)
    assert adaptive_bits(bits, [0, 0, 0, 0]) == pytest.approx(-math.log2(chances))


def test_damage_and_misuse_are_refused():
    bits = (np.random.default_rng(0).random(2000) < 0.2).astype(int)
    data = coding.encode(bits)
    for bad, n in ((data[:-1], 2000), (data + b"\0", 2000), (b"", 0), (data, 3000), (data, 1000)):
        with pytest.raises(CodeError):
            coding.decode(bad, n)
    with pytest.raises(CodeError, match="0 and 1"):
        coding.encode([0, 2])
    with pytest.raises(CodeError, match="neighbours"):
        coding.encode([0, 1], (0,))
