"""Sensitivity: one layer at a time, others dense, the net given untouched."""

import numpy as np
import pytest
import torch
from torch import nn

from dcviz.errors import NetError, RecipeError, WeightError
from dcviz.nets import datasets, training
from dcviz.pipeline import sensitivity


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 6), nn.ReLU(), nn.Linear(6, 10)).eval()


@pytest.fixture
def split():
    return datasets.digits().test.take(slice(0, 60))


def by_hand(net, split, layer, kept):
    """Error with all but the `kept` largest weights of one module set to zero, the slow way."""
    weight = net[layer].weight.detach().numpy()
    order = sorted(np.ndindex(weight.shape), key=lambda place: -abs(weight[place]))
    pruned = np.zeros_like(weight)
    for place in order[:kept]:
        pruned[place] = weight[place]
    before = net[layer].weight.detach().clone()
    with torch.no_grad():
        net[layer].weight.copy_(torch.from_numpy(pruned))
    error = training.error_percent(net, split)
    with torch.no_grad():
        net[layer].weight.copy_(before)
    return error


def test_each_layer_is_cut_alone(net, split):
    errors = sensitivity.error_by_density(net, split, [1.0, 0.5, 0.1])
    assert list(errors) == ["1", "3"]
    dense = training.error_percent(net, split)
    assert errors["1"][0] == errors["3"][0] == dense
    assert errors["1"][1] == by_hand(net, split, 1, 2352)
    assert errors["1"][2] == by_hand(net, split, 1, 470)
    assert errors["3"][1:].tolist() == [by_hand(net, split, 3, 30), by_hand(net, split, 3, 6)]


def test_the_net_stays_as_it_was(net, split):
    before = {key: value.clone() for key, value in net.state_dict().items()}
    sensitivity.error_by_density(net, split, [0.1], layers=["3"])
    sensitivity.error_together(net, split, {"1": 0.0, "3": 0.0})
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_together_means_all_at_once(net, split):
    with torch.no_grad():
        net[3].bias.copy_(torch.arange(10.0))  # without weights only the bias speaks: always "9"
    nothing_left = 100 * float(np.mean(split.labels != 9))
    assert sensitivity.error_together(net, split, {"1": 0.0, "3": 0.0}) == pytest.approx(nothing_left)
    assert sensitivity.error_together(net, split, {"1": 1.0}) == training.error_percent(net, split)


def test_every_measurement_is_reported(net, split):
    seen = []
    sensitivity.error_by_density(net, split, [1.0, 0.2], report=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_unknown_layers_and_impossible_densities_are_named(net, split):
    with pytest.raises(NetError, match="no layer 'fc7'; there are 1, 3"):
        sensitivity.error_together(net, split, {"fc7": 0.5})
    with pytest.raises(WeightError, match=r"1\.5"):
        sensitivity.error_by_density(net, split, [1.5])


@pytest.mark.parametrize(
    ("errors", "limit", "expected"),
    [
        ([1.0, 1.2, 3.0, 1.1], 1.5, 0.5),  # the dip at the end does not count
        ([1.0, 1.2, 1.4, 1.5], 1.5, 0.05),  # at the limit is not above it
        ([1.0, 1.2, 1.4, 1.5], 0.9, None),
        ([1.0, 2.0, 2.0, 2.0], 1.0, 1.0),
    ],
)
def test_the_lowest_density(errors, limit, expected):
    densities = [1.0, 0.5, 0.1, 0.05]
    assert sensitivity.lowest_density(densities, errors, limit) == expected
    assert sensitivity.lowest_density(densities[::-1], errors[::-1], limit) == expected


def test_lengths_have_to_agree():
    with pytest.raises(RecipeError, match="2 densities, but 1 errors"):
        sensitivity.lowest_density([1, 0.5], [2.0], 3.0)


GRID = [1.0, 0.5, 0.1, 0.02]


def test_a_budget_is_kept_and_sensitive_layers_keep_more():
    sizes = {"large": 9000, "small": 1000}
    errors = {"large": [1.0, 1.0, 1.5, 6.0], "small": [1.0, 3.0, 9.0, 30.0]}
    for budget in (0.9, 0.3, 0.1, 0.05):
        found = sensitivity.densities_for(budget, sizes, GRID, errors)
        assert sum(found[name] * n for name, n in sizes.items()) == pytest.approx(10_000 * budget, rel=1e-6)
        assert found["small"] >= found["large"]


def test_equal_curves_get_equal_densities_and_points_of_the_grid_are_met():
    errors = {"a": [1.0, 2.0, 4.0, 8.0], "b": [1.0, 2.0, 4.0, 8.0]}
    found = sensitivity.densities_for(0.1, {"a": 500, "b": 20}, GRID, errors)
    assert found["a"] == pytest.approx(found["b"]) == pytest.approx(0.1, rel=1e-6)


def test_a_lucky_dip_does_not_count_and_order_does_not_matter():
    dip = {"a": [1.0, 5.0, 2.0, 8.0], "b": [1.0, 5.0, 5.0, 8.0]}
    found = sensitivity.densities_for(0.3, {"a": 10, "b": 10}, GRID, dip)
    assert found["a"] == pytest.approx(found["b"])
    turned = {name: curve[::-1] for name, curve in dip.items()}
    assert sensitivity.densities_for(0.3, {"a": 10, "b": 10}, GRID[::-1], turned) == pytest.approx(found)


def test_a_budget_below_the_curves_is_refused():
    with pytest.raises(RecipeError, match=r"down to 2\.00%"):
        sensitivity.densities_for(0.01, {"a": 10}, GRID, {"a": [1.0, 2.0, 3.0, 4.0]})
