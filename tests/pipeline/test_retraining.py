import copy

import numpy as np
import pytest
import torch

from dcviz.errors import NetError, RecipeError, WeightError
from dcviz.ideas.pruning import mask_from_density
from dcviz.nets import datasets, models, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import retraining
from dcviz.pipeline.retraining import Gradual, Masked

DENSITIES = {"fc1": 0.08, "fc2": 0.09, "fc3": 0.26}


@pytest.fixture
def few():
    return datasets.digits().train.take(slice(0, 640))


def density_of(net):
    return {name: float(np.mean(w != 0)) for name, w in retraining.weights_of(net).items()}


def test_masked_weights_stay_zero_while_the_rest_learns(few):
    net = models.build("lenet-300-100", seed=0)
    before = copy.deepcopy(net)
    masks = {name: mask_from_density(w, 0.1) for name, w in retraining.weights_of(net).items() if name != "fc3"}
    training.fit(net, few, Schedule(epochs=1), constraint=retraining.Masked(net, masks))
    for name, mask in masks.items():
        weight = getattr(net, name).weight.detach().numpy()
        assert not weight[~mask].any()
        assert not np.signbit(weight[~mask]).any(), "a pruned weight is +0.0"
        moved = weight[mask] != getattr(before, name).weight.detach().numpy()[mask]
        assert moved.mean() > 0.5, "the rest learns (but for what only ever sees blank pixels)"
    assert (net.fc3.weight != before.fc3.weight).float().mean() > 0.5, "a layer without a mask trains freely"


@pytest.mark.parametrize(("cuts", "regrow"), [(1, False), (5, False), (50, False), (50, True)])
def test_gradual_pruning_ends_at_the_asked_densities(few, cuts, regrow):
    net = models.build("lenet-300-100", seed=0)
    steps = 20
    constraint = retraining.Gradual(net, DENSITIES, steps, cuts=cuts, ramp=0.5, regrow=regrow)
    training.fit(net, few, Schedule(epochs=4), constraint=constraint)
    for name, density in density_of(net).items():
        total = getattr(net, name).weight.numel()
        assert round(density * total) == round(DENSITIES[name] * total)


def test_one_cut_is_one_shot_pruning_before_the_first_step():
    net = models.build("lenet-300-100", seed=0)
    expected = {name: mask_from_density(w, DENSITIES[name]) for name, w in retraining.weights_of(net).items()}
    constraint = retraining.Gradual(net, DENSITIES, steps=100, cuts=1)
    for name, mask in constraint.masks.items():
        np.testing.assert_array_equal(mask.numpy(), expected[name])
    np.testing.assert_array_equal(net.fc1.weight.detach().numpy() != 0, expected["fc1"])


def test_densities_shrink_by_equal_ratios_from_cut_to_cut():
    net = models.build("lenet-300-100", seed=0)
    constraint = retraining.Gradual(net, {"fc1": 0.0625}, steps=10, cuts=4, ramp=0.9)
    seen = [density_of(net)["fc1"]]
    for _ in range(10):
        constraint.after_step()
        seen.append(density_of(net)["fc1"])
    assert sorted({round(d, 3) for d in seen}, reverse=True) == [0.5, 0.25, 0.125, 0.062]
    assert seen[-2] > seen[-1] or seen[-2] == seen[-1] == pytest.approx(0.0625, abs=1e-4)


def test_only_regrowth_lets_a_cut_weight_come_back():
    for regrow in (False, True):
        net = models.build("lenet-300-100", seed=0)
        constraint = retraining.Gradual(net, {"fc3": 0.25}, steps=4, cuts=2, ramp=1.0, regrow=regrow)
        row, column = (constraint.masks["fc3"] == 0).nonzero()[0].tolist()
        with torch.no_grad():
            net.fc3.weight[row, column] = 9.0
        for _ in range(4):
            constraint.after_step()
        assert (net.fc3.weight[row, column].item() == 9.0) is regrow
        assert density_of(net)["fc3"] == 0.25


def test_bad_weights_and_schedules_are_named():
    net = models.build("lenet-5", seed=0)
    with pytest.raises(RecipeError, match="at least one cut"):
        retraining.Gradual(net, {"fc1": 0.1}, 10, cuts=0)
    with torch.no_grad():
        net.conv2.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(WeightError, match="conv2"):
        retraining.weights_of(net)


@pytest.mark.parametrize(("cuts", "ramp"), [(0, 0.5), (10**6, 0.5), (1.5, 0.5), (3, 2), (3, float("nan"))])
def test_impossible_cuts_are_refused(cuts, ramp):
    with pytest.raises(RecipeError):
        Gradual(models.build("lenet-300-100", seed=0), {"fc1": 0.1}, 10, cuts, ramp)


def test_many_cuts_at_one_step_cost_one(monkeypatch):
    made = []
    cut = Gradual.cut
    monkeypatch.setattr(Gradual, "cut", lambda self, masks: made.append(masks) or cut(self, masks))
    net = models.build("lenet-300-100", seed=0)
    Gradual(net, {"fc1": 0.1}, steps=0, cuts=50_000)
    assert len(made) == 2  # the empty one of the start, and the last
    assert int((net.fc1.weight != 0).sum()) == 23_520


def test_masks_that_do_not_fit_are_refused():
    net = models.build("lenet-300-100", seed=0)
    with pytest.raises(NetError, match="no layer called fc9"):
        Masked(net, {"fc9": np.ones((2, 2), bool)})
    with pytest.raises(NetError, match="no layer called fc9"):
        Gradual(net, {"fc9": 0.1}, 10)
    with pytest.raises(WeightError, match="shape"):
        Masked(net, {"fc1": np.ones((2, 2), bool)})
