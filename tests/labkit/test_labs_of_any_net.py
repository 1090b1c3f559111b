"""The labs of chapters 02 to 06 on nets that nobody shipped: modules, state dicts, checkpoints, files."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dcviz import archive, labs, pipeline
from dcviz.errors import NetError
from dcviz.labkit.base import plain
from dcviz.labs import CodebookLab, HuffmanLab, PruningLab, RelativeIndexLab, SharingLab
from dcviz.pipeline import choosing


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.lstm, self.head = nn.LSTM(8, 12), nn.Linear(12, 40)


LAYERS = ["conv", "lstm.weight_ih_l0", "lstm.weight_hh_l0", "head"]


@pytest.fixture(params=["module", "state dict", "safetensors", "dcz"])
def source(request, tmp_path):
    net = Own()
    if request.param == "safetensors":
        save_file(net.state_dict(), tmp_path / "own.safetensors")
        return str(tmp_path / "own.safetensors")
    if request.param == "dcz":
        archive.save(tmp_path / "own.dcz", pipeline.stored_net(net))
        return str(tmp_path / "own.dcz")
    return net if request.param == "module" else net.state_dict()


def values(dropdown):
    return [value for _, value in dropdown.options]


@pytest.mark.parametrize("kind", [PruningLab, SharingLab])
def test_a_lab_opens_any_net_layer_by_layer(kind, source):
    lab = kind(source, layer="head")
    assert lab.error == ""
    assert sorted(values(lab.layer_choice)) == sorted(LAYERS)
    lab.layer_choice.value = "lstm.weight_hh_l0"
    assert lab.error == ""
    assert lab.layer == "lstm.weight_hh_l0"
    assert "lstm.weight_hh_l0" in plain(lab.caption.value)
    if isinstance(source, str):
        assert repr(labs.recreate(repr(lab))) == repr(lab)
    with pytest.raises(NetError, match="no layer"):
        kind(source, layer="norm")


def test_the_pruning_lab_measures_no_digits_on_a_net_that_reads_none(source):
    assert PruningLab(source).evaluate is None


def test_the_huffman_lab_shows_codes_of_any_net_in_one_shot(tmp_path):
    net = Own()
    save_file(net.state_dict(), tmp_path / "own.safetensors")
    for given in (net, net.state_dict(), str(tmp_path / "own.safetensors")):
        lab = HuffmanLab(given, layer="head")
        assert lab.error == ""
        assert lab.counts.sum() >= 48
        lab.layer = "conv"
        assert lab.error == ""
    small = pipeline.compress(net, choosing.recipe_for(net, density=0.3, only="*", epochs=0))
    small.save(tmp_path / "own.dcz")
    for given in (small, small.stored, str(tmp_path / "own.dcz")):
        lab = HuffmanLab(given, layer="head")
        assert np.count_nonzero(small.stored.state_dict()["head.weight"]) == 144
        assert lab.counts.sum() >= 144


def test_the_codebook_lab_lists_the_layers_of_any_net(source):
    lab = CodebookLab(net=source)
    assert len(lab.choice.options) == 5
    lab.choice.value = "head, 480 weights"
    assert (lab.n, lab.bits) == (480, 5)
    assert lab.choice.value == "head, 480 weights"


def test_the_relative_index_lab_shows_a_stretch_of_any_layer(source):
    lab = RelativeIndexLab(net=source, layer="head")
    weights = np.abs(Own().head.weight.detach().numpy().ravel())
    assert lab.size == 32
    assert lab.positions
    first = int((weights >= np.sort(weights)[-48]).argmax())
    assert lab.positions[0] == min(first, 1)
    with pytest.raises(NetError, match="no layer"):
        RelativeIndexLab(net=source, layer="norm")


def test_hundreds_of_layers_open_without_being_read(tmp_path, monkeypatch):
    state = {f"block.{i}.fc.weight": torch.randn(6, 7) for i in range(400)}
    save_file(state, tmp_path / "deep.safetensors")
    lab = PruningLab(str(tmp_path / "deep.safetensors"))
    assert len(lab.layer_choice.options) == 400
    assert len(lab.weights._held) == 1


def test_of_a_large_layer_a_part_stands_for_all(monkeypatch):
    from dcviz.chapters.ch04_weight_sharing import sharing_lab
    from dcviz.chapters.ch06_huffman.coded_layer_lab import OneShot

    monkeypatch.setattr(sharing_lab, "MOST", 1000)
    monkeypatch.setattr(OneShot, "MOST", 1000)
    state = {"big.weight": torch.randn(100, 90)}
    assert SharingLab(state).values.size == 1000
    assert 99 <= HuffmanLab(state).counts.sum() < 200
