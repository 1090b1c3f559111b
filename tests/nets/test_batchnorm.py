"""Folding changes nothing that the net computes, and refuses what it cannot fold."""

import numpy as np
import pytest
import torch
from torch import nn

from dcviz import archive, pipeline
from dcviz.errors import NetError
from dcviz.nets import batchnorm, models
from dcviz.pipeline import restore, stored_net


def shake(net, seed=0):
    """Give every normalisation statistics and factors of its own, some of them awkward."""
    torch.manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0, 2)
            if module.weight is not None:
                nn.init.normal_(module.weight)
                nn.init.normal_(module.bias)
    return net.eval()


def largest_difference(net, inputs):
    with torch.no_grad():
        before, after = net(inputs), batchnorm.fold(net)(inputs)
    return ((before - after).abs().max() / before.abs().max()).item()


@pytest.fixture(scope="module")
def googlenet():
    return shake(models.build("googlenet", seed=0, num_classes=10))


def test_googlenet_computes_the_same(googlenet):
    assert largest_difference(googlenet, torch.randn(2, 3, 48, 48)) < 1e-5


def test_folding_is_needed_and_enough_for_the_pipeline(googlenet):
    with pytest.raises(NetError, match="BatchNorm2d"):
        models.weight_layers(googlenet)
    folded = batchnorm.fold(googlenet)
    assert len(models.weight_layers(folded)) == 58
    assert all(layer.bias is not None for layer in models.weight_layers(folded).values())


def test_the_original_is_left_alone(googlenet):
    before = {key: value.clone() for key, value in googlenet.state_dict().items()}
    batchnorm.fold(googlenet)
    assert all(torch.equal(value, before[key]) for key, value in googlenet.state_dict().items())
    assert googlenet.name == "googlenet"


def test_a_folded_net_comes_back_from_its_file(googlenet):
    folded = batchnorm.fold(googlenet)
    back = restore(archive.loads(archive.dumps(stored_net(folded))))
    assert back.name == "googlenet-folded"
    ours, theirs = folded.state_dict(), back.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), (2, 3, 5, 5)),
        (nn.Sequential(nn.Conv2d(4, 6, 3, groups=2, bias=False), nn.BatchNorm2d(6, affine=False)), (2, 4, 5, 5)),
        (nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2), nn.BatchNorm1d(2)), (4, 5)),
    ],
)
def test_other_layers_fold_too(net, shape):
    assert largest_difference(shake(net), torch.randn(shape)) < 1e-5
    assert not any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in batchnorm.fold(net).modules())


@pytest.mark.parametrize(
    ("net", "what"),
    [
        (nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3)), "0: no convolution"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)), "2: no convolution"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(5)), "of 5 outputs"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)), "no running statistics"),
    ],
)
def test_what_cannot_be_folded_is_named(net, what):
    with pytest.raises(NetError, match=what):
        batchnorm.fold(net)


def test_the_formula_with_numbers():
    weight, bias = batchnorm.folded(
        np.array([[2.0, 4.0]]),
        None,
        gamma=np.array([3.0]),
        beta=np.array([1.0]),
        mean=np.array([5.0]),
        variance=np.array([3.0]),
        eps=1.0,
    )
    assert weight.tolist() == [[3.0, 6.0]]  # scale 3 / sqrt(4)
    assert bias.tolist() == [1 - 1.5 * 5]


def test_the_pipeline_compresses_a_folded_googlenet(googlenet):
    folded = batchnorm.fold(googlenet)
    recipe = pipeline.Recipe({name: pipeline.LayerRecipe(0.1, 4) for name in models.weight_layers(folded)})
    with torch.no_grad():
        for layer in models.weight_layers(folded).values():
            layer.weight.masked_fill_(torch.rand_like(layer.weight) < 0.9, 0.0)
    stored = stored_net(folded, recipe, "pruned")
    dense = len(archive.dumps(stored_net(folded)))
    assert len(archive.dumps(stored)) < 0.15 * dense  # a tenth of the weights, as floats, and their places


@pytest.mark.parametrize("variance", [-1.0, float("nan")])
def test_a_variance_that_is_none_cannot_be_folded(variance):
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    net[1].running_var.fill_(variance)
    with pytest.raises(NetError, match="variance"):
        batchnorm.fold(net)
