import numpy as np
import pytest
import torch

from dcviz import archive
from dcviz.chapters.ch12_today import bfloat16, tables, together
from dcviz.errors import WeightError


def test_parts_are_those_of_torchs_bfloat16():
    weights = torch.randn(1000, generator=torch.Generator().manual_seed(0)).bfloat16()
    bits = bfloat16.patterns(weights.float().numpy())
    assert np.array_equal(bits.astype(np.int16), weights.view(torch.int16).numpy())
    parts = bfloat16.split(bits)
    values = (-1.0) ** parts["sign"] * 2.0 ** (parts["exponent"].astype(int) - 127) * (1 + parts["mantissa"] / 128)
    assert np.array_equal(values, weights.double().numpy())


def test_the_nearest_is_torchs():
    weights = torch.cat(
        [torch.randn(1000, generator=torch.Generator().manual_seed(0)), torch.tensor([1 + 2**-8, -3.0])]
    )
    assert np.array_equal(bfloat16.nearest(weights.numpy()), bfloat16.patterns(weights.bfloat16().float().numpy()))


def test_weights_that_are_no_bfloat16_are_refused():
    for weight in (0.1, np.nan, np.inf):
        with pytest.raises(WeightError, match="not finite bfloat16"):
            bfloat16.patterns(np.array([1.0, weight], np.float32))


def test_a_file_comes_near_its_bound_and_brings_every_bit_back():
    weights = (0.02 * torch.randn(250, 200, generator=torch.Generator().manual_seed(0))).bfloat16()
    bits = bfloat16.patterns(weights.float().numpy())
    data = archive.dumps(bfloat16.stored("net", {"a.weight": weights.float().numpy(), "b": -np.ones(3, np.float32)}))
    bound = bits.size * (8 + bfloat16.entropies(bits)["exponent"]) / 8
    assert bound < len(data) < 1.02 * bound
    back = archive.loads(data).state_dict()
    assert np.array_equal(back["a.weight"], bits.reshape(250, 200))
    assert back["b"].tobytes() == bytes([0x80, 0xBF] * 3)


def test_a_file_of_bfloat16_numbers_opens_into_a_net_of_float32():
    net = torch.nn.Sequential(torch.nn.Linear(7, 5)).bfloat16().float()
    exact = bfloat16.stored("net", {key: value.detach().numpy() for key, value in net.named_parameters()})
    back = together.opened(archive.loads(archive.dumps(exact)), torch.nn.Sequential(torch.nn.Linear(7, 5)))
    for key, value in back.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, net.state_dict()[key])


def test_the_table_of_compressors_has_ours_last_and_smallest():
    weights = torch.randn(20_000, generator=torch.Generator().manual_seed(0)).bfloat16()
    table = tables.compressors(bfloat16.patterns(weights.float().numpy()))
    sizes = [int(size.replace(",", "")) for size in table[tables.NOW, "bytes"] if size[0].isdigit()]
    assert sizes[0] == 40_000
    assert sizes[-1] == min(sizes)
