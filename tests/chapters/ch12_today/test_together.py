import numpy as np
import pytest
import torch

from dcviz import archive
from dcviz.chapters.ch12_today import roofline, scores, together


@pytest.fixture
def net():
    net = torch.nn.Sequential(torch.nn.Linear(16, 24, bias=False), torch.nn.Linear(24, 8, bias=False))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    return net


@pytest.fixture
def cut(net):
    x = torch.randn(40, 16, generator=torch.Generator().manual_seed(1))
    grams = scores.grams(net, x)
    return together.pruned(net, 0.5, "Wanda, each output", {"0": grams["0"]})


def test_the_head_is_never_pruned():
    assert together.blocks({"head": 1, "blocks.0.up": 2}) == {"blocks.0.up": 2}


def test_a_pruned_file_brings_the_net_back(net, cut):
    back = together.opened(archive.loads(archive.dumps(together.pruned_file(cut))), net)
    for before, after in zip(cut.parameters(), back.parameters(), strict=True):
        assert torch.equal(before.half().float(), after)
    assert (back[0].weight == 0).sum() == 16 * 24 // 2


def test_three_steps_keep_the_mask_and_share_the_rest(net, cut):
    importance = {name: np.ones(tuple(cut[int(name)].weight.shape)) for name in "01"}
    stored = together.three_steps(cut, 3, importance)
    data = archive.dumps(stored)
    back = together.opened(archive.loads(data), net)
    kept = back[0].weight != 0
    assert torch.equal(kept, cut[0].weight != 0)
    assert len(back[0].weight[kept].unique()) <= 7
    assert len(back[1].weight.unique()) <= 8
    assert torch.nn.functional.mse_loss(back[0].weight, cut[0].weight) < 0.1 * cut[0].weight.var()
    assert len(data) < len(archive.dumps(together.pruned_file(cut)))


def test_tokens_a_second_follow_the_bytes_then_the_arithmetic():
    machine = 50e9, 1e12
    one, four = (roofline.tokens_per_second(7e9, bits, *machine) for bits in (16, 4))
    assert one == pytest.approx(50e9 / 14e9)
    assert four == pytest.approx(4 * one)
    many = [roofline.tokens_per_second(7e9, bits, *machine, batch=256) for bits in (16, 4)]
    assert many[0] == pytest.approx(many[1]) == pytest.approx(1e12 / 14e9)
    knee = roofline.knee(16, *machine)
    assert knee == pytest.approx(20)
    below, above = (roofline.tokens_per_second(7e9, 16, *machine, batch=knee * x) / (knee * x) for x in (0.5, 2))
    assert below == pytest.approx(one)
    assert above == pytest.approx(one / 2)
