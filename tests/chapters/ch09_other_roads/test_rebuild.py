"""Nets of other shapes come back from their files, and files that do not fit are refused."""

import numpy as np
import pytest
import torch

from dcviz import archive, pipeline
from dcviz.archive import Layer, StoredNet
from dcviz.chapters.ch09_other_roads import comparison, rebuild, svd
from dcviz.errors import NetError
from dcviz.nets import models

PICTURES = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def narrow(net="lenet-5"):
    net = models.build(net, seed=3)
    layers = models.weight_layers(net)
    fc1, fc2 = layers["fc1"], layers["fc2"]
    first = rebuild.resized(fc1, fc1.weight[:70], fc1.bias[:70])
    return rebuild.with_layers(net, {"fc1": first, "fc2": rebuild.resized(fc2, fc2.weight[:, :70], fc2.bias)})


def factored():
    return svd.factorise(models.build("lenet-300-100", seed=0), {"fc1": 9, "fc3": 4})


@pytest.mark.parametrize("make", [narrow, factored])
def test_a_file_brings_the_same_net_back(make):
    net = make()
    stored = pipeline.stored_net(net)
    back = rebuild.restore(archive.loads(archive.dumps(stored)))
    assert back.state_dict().keys() == net.state_dict().keys()
    assert all(torch.equal(tensor, net.state_dict()[key]) for key, tensor in back.state_dict().items())
    assert torch.equal(back(PICTURES), net(PICTURES))
    assert not back.training


def test_the_net_given_stays_as_it_was():
    net = models.build("lenet-300-100", seed=0)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    other = svd.factorise(net, {"fc1": 2})
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert net.state_dict().keys() == before.keys()
    assert all(torch.equal(net.state_dict()[key], before[key]) for key in before)


def test_convolutions_keep_their_stride_and_padding():
    conv = torch.nn.Conv2d(4, 6, 3, stride=2, padding=1)
    new = rebuild.resized(conv, conv.weight[:5, :3], conv.bias[:5])
    assert new(torch.zeros(1, 3, 9, 9)).shape == (1, 5, 5, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda layers: layers[1:], "lacks the layer 'fc1'"),
        (lambda layers: [*layers, Layer("fc4", np.ones((2, 2), np.float32))], "fc4.weight"),
        (lambda layers: [layers[0], Layer("fc2", np.ones((5, 7), np.float32)), layers[2]], "fc2 takes 7 inputs"),
    ],
)
def test_layers_that_do_not_fit_are_refused(change, message):
    stored = pipeline.stored_net(models.build("lenet-300-100", seed=0))
    with pytest.raises(NetError, match=message):
        rebuild.restore(StoredNet(stored.name, tuple(change(list(stored.layers)))))


def test_groups_other_kernels_and_unknown_layers_are_refused():
    with pytest.raises(NetError, match="groups"):
        rebuild.resized(torch.nn.Conv2d(4, 4, 3, groups=2), torch.zeros(4, 2, 3, 3))
    with pytest.raises(NetError, match="do not fit"):
        rebuild.resized(torch.nn.Conv2d(4, 4, 3), torch.zeros(4, 4, 5, 5))
    with pytest.raises(NetError, match="no layer called fc9"):
        rebuild.with_layers(models.build("lenet-5"), {"fc9": torch.nn.Linear(1, 1)})


def test_multiplications_by_hand():
    counts = comparison.multiplications(models.build("lenet-5"))
    assert counts == {"conv1": 500 * 24 * 24, "conv2": 25_000 * 8 * 8, "fc1": 400_000, "fc2": 5_000}


def test_an_entry_measures_the_file_and_the_net_in_it(digits):
    net = models.build("lenet-300-100", seed=0)
    with torch.no_grad():
        net.fc2.weight[:50] = 0
    stored = pipeline.stored_net(net)
    row = comparison.entry("random weights", stored, 4 * 266_610, error=digits)
    assert row["file_bytes"] == len(archive.dumps(stored))
    assert row["ratio"] == pytest.approx(1, abs=1e-3)
    assert row["multiplications"] == 266_200
    assert row["used"] == 266_200 - 15_000
    assert 50 < row["error"] < 100
