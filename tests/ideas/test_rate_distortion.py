import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dcviz.errors import CodebookError
from dcviz.ideas.entropy import entropy
from dcviz.ideas.kmeans import assign
from dcviz.ideas.rate_distortion import assign_by_rate


def cost(values, centroids, codes, price):
    counts = np.bincount(codes, minlength=len(centroids))
    return np.sum((values - centroids[codes]) ** 2) + price * entropy(counts) * len(values)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 999), k=st.integers(1, 12), price=st.floats(0, 1), n=st.integers(1, 300))
def test_never_costs_more_than_the_nearest_centroids(seed, k, price, n):
    rng = np.random.default_rng(seed)
    values, centroids = rng.laplace(size=n), np.sort(rng.normal(size=k) * 2)
    codes = assign_by_rate(values, centroids, price)
    assert codes.shape == (n,)
    assert codes.min() >= 0
    assert codes.max() < k
    nearest = assign(values, centroids).astype(int)
    assert cost(values, centroids, codes, price) <= cost(values, centroids, nearest, price) + 1e-9


def test_a_price_of_nothing_is_the_nearest_centroid_and_a_high_one_leaves_a_single_code():
    values, centroids = np.linspace(-1, 1, 101), np.array([-0.8, 0.0, 0.8])
    np.testing.assert_array_equal(assign_by_rate(values, centroids, 0), assign(values, centroids))
    assert len(np.unique(assign_by_rate(values, centroids, 1e9))) == 1


def test_a_weight_between_two_centroids_takes_the_frequent_one():
    values = np.concatenate([np.full(90, 0.0), np.full(10, 1.0), [0.55]])
    assert assign(values, np.array([0.0, 1.0]))[-1] == 1
    assert assign_by_rate(values, np.array([0.0, 1.0]), 0.05)[-1] == 0


def test_bad_prices_are_refused():
    for price in (-1.0, float("nan")):
        with pytest.raises(CodebookError, match="price"):
            assign_by_rate(np.ones(3), np.ones(1), price)


def test_counts_of_one_need_a_code_and_a_price_of_one_is_a_price():
    values = np.array([0.0] * 9 + [0.6])
    assert assign_by_rate(values, [0.0, 1.0], 1.0).tolist() == [0] * 10


def test_narrow_floats_and_arrays_of_any_shape_are_compared_in_double_precision():
    values = np.array([[1e-4, 2e-4], [3e-4, 2.4e-4]], np.float16)  # squares of such numbers are zero in float16
    assert assign_by_rate(values, np.array([1e-4, 2e-4, 3e-4], np.float16), 1e-15).tolist() == [0, 1, 2, 1]


def test_an_unused_code_is_no_reason_to_warn():
    with np.errstate(all="raise"):
        assert assign_by_rate(np.zeros(5), np.array([0.0, 9.0]), 0.1).tolist() == [0] * 5


def test_a_value_whose_bits_cost_nothing_does_not_take_an_unused_code():
    prices = np.array([[0.0], [0.1], [0.1]])
    assert assign_by_rate([0.4, 0.0, 1.0], [0.0, 1.0, 9.0], prices, rounds=1).tolist() == [0, 0, 1]


@pytest.mark.parametrize("own_prices", [False, True])
def test_equal_values_count_as_often_as_they_are_there(own_prices):
    values, centroids = np.array([0.55] * 3 + [0.0] * 90 + [1.0] * 10), np.array([0.0, 1.0])
    prices = np.full((len(values), 1), 0.05) if own_prices else 0.05
    codes = assign_by_rate(values, centroids, prices)
    assert codes.tolist() == [0] * 93 + [1] * 10


def test_each_value_may_have_a_price_of_its_own():
    centroids, many = np.array([0.0, 1.0]), [1.0] * 95
    prices = np.array([[0.0], [0.1], [10.0]] + [[0.0]] * 95)
    assert assign_by_rate([0.4, 0.4, 0.4, *many], centroids, prices)[:3].tolist() == [0, 1, 1]
    with pytest.raises(CodebookError):
        assign_by_rate([0.4], centroids, np.array([[-1.0]]))
