"""Eight-bit weights: nearest levels, a quarter of the bytes, and the same net back."""

import numpy as np
import pytest
import torch

from dcviz import archive
from dcviz.chapters.ch09_other_roads import int8, svd
from dcviz.errors import RecipeError
from dcviz.nets import models, training
from dcviz.pipeline import shipped


@pytest.mark.parametrize("bits", [2, 8, 12])
@pytest.mark.parametrize("per", int8.PER)
def test_every_weight_is_at_most_half_a_step_away(per, bits):
    weight = np.random.default_rng(0).normal(size=(5, 3, 2, 2)) * np.array([1, 9, 0.1, 4, 0])[:, None, None, None]
    integers, scale = int8.quantize(weight, per, bits)
    assert np.abs(integers).max() == 2 ** (bits - 1) - 1
    assert scale.shape == ((1,) if per == "tensor" else (5,))
    steps = np.broadcast_to(scale, 5).reshape(-1, 1, 1, 1)
    assert np.all(np.abs(int8.dequantize(integers, scale) - weight) <= 0.501 * steps)


def test_a_scale_per_channel_is_never_coarser():
    weight = np.random.default_rng(1).normal(size=(20, 30)) * np.linspace(0.1, 3, 20)[:, None]
    whole, each = (np.square(int8.dequantize(*int8.quantize(weight, per)) - weight).sum() for per in int8.PER)
    assert each < whole / 2


@pytest.mark.parametrize("per", int8.PER)
def test_the_file_is_a_quarter_and_brings_the_rounded_net_back(per, digits):
    net = shipped.dense("lenet-5")
    stored = int8.store(net, per)
    data = archive.dumps(stored)
    assert 3.85 < models.dense_bytes(net) / len(data) < 4
    back = int8.restore(archive.loads(data))
    for name, layer in models.weight_layers(net).items():
        expected = int8.dequantize(*int8.quantize(layer.weight.detach().numpy(), per))
        assert np.array_equal(models.weight_layers(back)[name].weight.detach().numpy(), expected)
        assert torch.equal(models.weight_layers(back)[name].bias, layer.bias)
    assert training.error_percent(back, digits) <= training.error_percent(net, digits) + 0.5
    assert len(archive.dumps(int8.store(net, per, huffman=True))) < len(data)


def test_factors_can_be_eight_bits_too():
    net = svd.factorise(shipped.dense("lenet-300-100"), {"fc1": 10})
    back = int8.restore(archive.loads(archive.dumps(int8.store(net, "channel"))))
    assert back.fc1[0].weight.shape == (10, 784)
    assert back.fc1[0].bias is None


def test_nonsense_is_refused():
    with pytest.raises(RecipeError, match="per 'weight'"):
        int8.quantize(np.ones((2, 2)), "weight")
    with pytest.raises(RecipeError, match="2 to 16, not 1"):
        int8.quantize(np.ones((2, 2)), bits=1)
