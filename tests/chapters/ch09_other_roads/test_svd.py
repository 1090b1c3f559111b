"""Truncated SVD: the closest factors, fewer weights, and a net that computes the same thing in two steps."""

import numpy as np
import pytest
import torch

from dcviz.chapters.ch09_other_roads import comparison, svd
from dcviz.errors import NetError, RecipeError
from dcviz.nets import models, training
from dcviz.pipeline import shipped


def test_the_factors_give_the_matrix_back_and_each_rank_costs_what_the_spectrum_says():
    weight = np.random.default_rng(0).normal(size=(7, 12))
    second, first = svd.factors(weight, 7)
    np.testing.assert_allclose(second @ first, weight, atol=1e-5)
    s = svd.spectrum(weight)
    np.testing.assert_allclose(s, np.linalg.svd(weight, compute_uv=False))
    for rank in range(1, 7):
        second, first = svd.factors(weight, rank)
        assert (second.shape, first.shape) == ((7, rank), (rank, 12))
        missing = np.linalg.norm(weight - second @ first) / np.linalg.norm(weight)
        assert missing == pytest.approx(svd.relative_error(s, rank), rel=1e-5)
        np.testing.assert_allclose(np.linalg.norm(second, axis=0), np.linalg.norm(first, axis=1), rtol=1e-5)


def test_no_other_product_of_that_rank_is_closer():
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(6, 5))
    second, first = svd.factors(weight, 2)
    best = np.linalg.norm(weight - second @ first)
    for _ in range(50):
        nudged = (second + 0.05 * rng.normal(size=second.shape)) @ (first + 0.05 * rng.normal(size=first.shape))
        assert np.linalg.norm(weight - nudged) > best


@pytest.mark.parametrize(("n", "m"), [(300, 784), (10, 100), (1, 1), (5, 5)])
def test_break_even_is_the_last_rank_that_saves(n, m):
    rank = svd.break_even(n, m)
    assert svd.parameters(n, m, rank) < n * m or rank == 0
    assert svd.parameters(n, m, rank + 1) >= n * m


def test_a_net_of_full_rank_answers_as_before_with_fewer_ranks_it_multiplies_less(digits):
    net = shipped.dense("lenet-300-100")
    full = svd.factorise(net, {"fc1": 300, "fc2": 100})
    pictures = training.to_input(digits.images)
    torch.testing.assert_close(full(pictures), net(pictures), rtol=1e-3, atol=1e-3)
    small = svd.factorise(net, {"fc1": 20})
    assert comparison.multiplications(small) == {"fc1.0": 784 * 20, "fc1.1": 20 * 300, "fc2": 30_000, "fc3": 1_000}
    assert torch.equal(small.fc1[1].bias, net.fc1.bias)


def test_one_decomposition_serves_every_rank(digits):
    net = shipped.dense("lenet-300-100")
    low = svd.LowRank(net, "fc2")
    for rank in (1, 30, 100):
        second, first = svd.factors(net.fc2.weight, rank)
        np.testing.assert_allclose(low.matrix(rank), second @ first, atol=1e-6)
        missing = np.linalg.norm(net.fc2.weight.detach().numpy() - low.matrix(rank))
        whole = np.linalg.norm(net.fc2.weight.detach().numpy())
        assert missing / whole == pytest.approx(svd.relative_error(low.spectrum, rank), abs=1e-5)
    pictures = training.to_input(digits.images)
    assert torch.equal(low.cut(30)(pictures), svd.factorise(net, {"fc2": 30})(pictures))


def test_what_cannot_be_factored_is_refused_by_name():
    net = models.build("lenet-5", seed=0)
    with pytest.raises(NetError, match="'conv1' is no fully connected layer of the net; those are fc1, fc2"):
        svd.factorise(net, {"conv1": 2})
    with pytest.raises(RecipeError, match="rank of fc2 is 1 to 10, not 11"):
        svd.factorise(net, {"fc2": 11})
    with pytest.raises(RecipeError, match="5 x 3 matrix is 1 to 3, not 4"):
        svd.factors(np.ones((5, 3)), 4)
    with pytest.raises(NetError, match="only a matrix"):
        svd.spectrum(net.conv1.weight)
