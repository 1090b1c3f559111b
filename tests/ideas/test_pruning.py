"""Pruning masks and thresholds: exact counts, ties, borders, hostile input."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dcviz.errors import WeightError
from dcviz.ideas import pruning

# few different magnitudes, so that ties and zeros are common
FEW = st.sampled_from([0.0, -0.0, 0.25, -0.25, 0.1, -3.0, 3.0, float(np.float32(1e-40))])
WEIGHTS = st.sampled_from([np.float32, np.float64]).flatmap(
    lambda dtype: arrays(
        dtype, array_shapes(max_dims=4, max_side=6), elements=FEW | st.floats(-(2.0**100), 2.0**100, width=32)
    )
)


def brute_force_mask(weights, kept):
    """The kept largest magnitudes by a stable sort; earlier positions first."""
    magnitudes = np.abs(weights).ravel().tolist()
    order = sorted(range(len(magnitudes)), key=lambda i: (-magnitudes[i], i))
    mask = np.zeros(len(magnitudes), bool)
    mask[order[:kept]] = True
    return mask.reshape(weights.shape)


@given(WEIGHTS, st.floats(0, 1))
def test_mask_from_density_keeps_exactly_the_largest(weights, density):
    before = weights.copy()
    mask = pruning.mask_from_density(weights, density)
    np.testing.assert_array_equal(mask, brute_force_mask(weights, round(density * weights.size)))
    np.testing.assert_array_equal(weights, before)


@given(WEIGHTS, st.floats(0, 1))
def test_threshold_from_density_keeps_at_least_that_many_nonzeros(weights, density):
    threshold = pruning.threshold_from_density(weights, density)
    kept = np.count_nonzero(pruning.mask_from_threshold(weights, threshold))
    wanted = round(density * weights.size)
    assert kept >= min(wanted, np.count_nonzero(weights))
    # more only through ties with the smallest kept weight
    assert np.count_nonzero(np.abs(weights.astype(np.float64)) > threshold) <= wanted
    if wanted == 0:
        assert kept == 0


@given(WEIGHTS, st.floats(0, 1e30))
def test_mask_from_threshold_compares_exactly(weights, threshold):
    expected = [abs(float(w)) >= threshold and float(w) != 0 for w in weights.ravel()]
    assert pruning.mask_from_threshold(weights, threshold).ravel().tolist() == expected


def test_threshold_just_above_a_float32_is_not_rounded_down_to_it():
    weights = np.array([0.1], np.float32)
    just_above = float(np.nextafter(float(weights[0]), 1.0))  # NumPy would round a float to float32
    assert pruning.mask_from_threshold(weights, float(weights[0])).tolist() == [True]
    assert pruning.mask_from_threshold(weights, just_above).tolist() == [False]


def test_docstring_examples():
    assert pruning.threshold_from_density(np.array([0.1, -0.4, 0.3, 0.2]), 0.5) == 0.3
    mask = pruning.mask_from_threshold(np.array([0.1, -0.4, 0]), 0.2)
    assert mask.tolist() == [False, True, False]
    assert pruning.mask_from_density(np.array([0.3, -0.4, 0.3, 0.2]), 0.5).tolist() == [True, True, False, False]


def test_quality_is_in_standard_deviations():
    weights = np.random.default_rng(0).normal(5, 0.05, (40, 50)).astype(np.float32)
    expected = 1.5 * np.sqrt(np.mean((weights.astype(np.float64) - weights.mean(dtype=np.float64)) ** 2))
    assert pruning.threshold_from_quality(weights, 1.5) == pytest.approx(expected, rel=1e-12)
    assert pruning.threshold_from_quality(weights, 0) == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_borders(dtype):
    weights = np.array([[0.5, -2.0], [0.0, 2.0]], dtype)
    assert pruning.mask_from_density(weights, 0).sum() == 0
    assert pruning.mask_from_density(weights, 1).sum() == 4
    assert pruning.mask_from_threshold(weights, 0).sum() == 3  # never a zero
    assert pruning.mask_from_threshold(weights, np.inf).sum() == 0
    assert not pruning.mask_from_threshold(weights, pruning.threshold_from_density(weights, 0)).any()
    largest = np.full(3, np.finfo(dtype).max, dtype)
    assert not pruning.mask_from_threshold(largest, pruning.threshold_from_density(largest, 0)).any()


def test_density_and_sparsity():
    assert pruning.density(np.array([[True, False], [False, False]])) == 0.25
    assert pruning.density(np.array([0.0, -0.0, 1.0, np.float32(1e-45)], np.float32)) == 0.5
    assert pruning.sparsity(np.zeros((3, 3))) == 1.0


def test_check_weights_says_what_and_where():
    weights = np.zeros((2, 3), np.float32)
    assert pruning.check_weights(weights) is weights
    weights[1, 0], weights[1, 2] = np.nan, np.inf
    with pytest.raises(WeightError, match=r"fc1: 2 of 6 values .* position \(1, 0\): nan"):
        pruning.check_weights(weights, "fc1")


@pytest.mark.parametrize("bad", [np.zeros((0, 3)), [1, 2], ["a"], np.zeros(2, complex), [[1.0], [1.0, 2.0]], None])
def test_other_bad_weights(bad):
    with pytest.raises(WeightError, match="here"):
        pruning.check_weights(bad, "here")


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_bad_densities(value):
    for function in (pruning.mask_from_density, pruning.threshold_from_density):
        with pytest.raises(WeightError, match="density"):
            function(np.ones(3), value)


@pytest.mark.parametrize("value", [-1.0, np.nan])
def test_bad_thresholds_and_qualities(value):
    with pytest.raises(WeightError, match="threshold"):
        pruning.mask_from_threshold(np.ones(3), value)
    with pytest.raises(WeightError, match="quality"):
        pruning.threshold_from_quality(np.ones(3), value)


def test_density_of_nothing_is_an_error():
    for nothing in (np.zeros(0, bool), np.zeros(0)):
        with pytest.raises(WeightError, match=r"empty|float"):
            pruning.density(nothing)


def test_sparsity_and_density_add_up_and_name_what_they_were_given():
    assert pruning.sparsity(np.array([0.0, 2.0, 0.0, 0.0])) == 0.75
    with pytest.raises(WeightError, match=r"^mask or weights: empty"):
        pruning.density(np.zeros(0))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_thresholds_between_two_floats_are_compared_exactly(dtype):
    weights = np.array([0.1, np.nextafter(dtype(0.1), dtype(1))], dtype)
    between = (float(weights[0]) + float(weights[1])) / 2
    assert pruning.mask_from_threshold(weights, between).tolist() == [False, True]
    assert pruning.mask_from_threshold(weights, 1e300).tolist() == [False, False]


@pytest.mark.parametrize("density", [0, 0.5, 1])
def test_a_mask_is_of_bools_whatever_it_keeps(density):
    assert pruning.mask_from_density(np.ones(4), density).dtype == bool


@pytest.mark.parametrize("zeros", [0, 5, 50, 199, 200])
@pytest.mark.parametrize("density", [0.005, 0.1, 0.5, 0.97, 1.0])
def test_of_a_layer_with_many_zeros_the_largest_are_kept_all_the_same(zeros, density):
    weights = np.random.default_rng(zeros).normal(size=200).astype(np.float32)
    weights[np.random.default_rng(1).permutation(200)[:zeros]] = 0
    order = np.lexsort((np.arange(200), -np.abs(weights)))[: round(density * 200)]
    assert np.flatnonzero(pruning.mask_from_density(weights, density)).tolist() == sorted(order)
    assert pruning.threshold_from_density(weights, density) == np.abs(weights[order]).min()


def test_layers_compete_by_their_own_scale():
    assert pruning.layer_adaptive_densities({"a": [3.0, 1.0], "b": [2.0, 2.0]}, 0.5) == {"a": 0.5, "b": 0.5}
    rng = np.random.default_rng(0)
    layers = {"small": rng.normal(0, 0.01, (20, 30)), "large": rng.normal(0, 5, 400), "few": rng.normal(0, 1, 4)}
    densities = pruning.layer_adaptive_densities(layers, 0.1)
    scores = []
    for name, layer in layers.items():
        squares = layer.ravel() ** 2
        scores += [(w / squares[squares >= w].sum(), name) for w in squares]
    chosen = [name for _, name in sorted(scores)[-100:]]
    assert densities == {name: chosen.count(name) / layer.size for name, layer in layers.items()}
    assert min(densities.values()) > 0
    assert sum(densities[name] * layer.size for name, layer in layers.items()) == pytest.approx(100)


def test_zeros_of_a_layer_do_not_compete():
    assert pruning.layer_adaptive_densities({"a": [0.0, 0.0], "b": [1.0, 0.0]}, 1.0) == {"a": 0.0, "b": 0.5}
    with pytest.raises(WeightError, match="density"):
        pruning.layer_adaptive_densities({"a": [1.0]}, 2)
