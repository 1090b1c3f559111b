"""Compression of VGG-16 on a small net with batch normalisation: pruned to a density of the whole net, then folded."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from dcviz import archive
from dcviz.chapters.ch07_full_pipeline import vgg_measure
from dcviz.errors import DataError
from dcviz.evidence import recordings
from dcviz.nets import batchnorm, cifar
from dcviz.nets.cifar import CifarSplit
from dcviz.pipeline import vgg


class Tiny(nn.Module):
    name = "vgg-16-cifar"

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(3, 8, 5, 4, bias=False), nn.BatchNorm2d(8), nn.Linear(8, 10)

    def forward(self, x):
        return self.fc(torch.relu(self.bn(self.conv(x))).mean((2, 3)))


def restored(stored):
    net = batchnorm.fold(Tiny())
    net.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in stored.state_dict().items()})
    return net


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Runs the program on 120 pictures; returns its folder."""
    rng = np.random.default_rng(0)
    split = CifarSplit(rng.integers(0, 256, (120, 3, 32, 32), dtype=np.uint8), np.arange(120, dtype=np.uint8) % 10)
    monkeypatch.setattr(cifar, "cifar10", lambda name: split)
    monkeypatch.setattr(cifar, "tuning_split", lambda: (np.arange(100), np.arange(100, 120)))
    subject = replace(vgg.SUBJECT, build=Tiny, batch=20)
    recipe = replace(vgg.recipe(0.3, 3, layers=("conv", "fc")), cuts=4)
    times = {"prune": 2.0, "settle": 1.0, "share": 0.4}
    for module in (vgg, vgg_measure):
        monkeypatch.setattr(module, "SUBJECT", subject)
        monkeypatch.setattr(module, "SETTINGS", {"small": replace(vgg.SETTINGS["small"], recipe=recipe, **times)})
    torch.manual_seed(0)
    save_file(Tiny().state_dict(), tmp_path / "dense.safetensors")
    vgg.main(["--dense", str(tmp_path / "dense.safetensors"), "--out", str(tmp_path)])
    return tmp_path


def test_the_net_keeps_its_share_and_the_file_is_the_folded_net(made):
    pruned = Tiny()
    pruned.load_state_dict(load_file(made / "small" / "pruned.safetensors"))
    layers = {"conv": pruned.conv, "fc": pruned.fc}
    kept = sum(int((layer.weight != 0).sum()) for layer in layers.values())
    assert kept == round(0.3 * sum(layer.weight.numel() for layer in layers.values()))
    stored = archive.load(made / "small" / "vgg-16-cifar10.dcz")
    assert stored.name == "vgg-16-cifar-folded"
    for layer in stored.layers:
        assert len(np.unique(layer.weight)) <= 8
        assert not (layer.weight[layers[layer.name].weight.detach().numpy() == 0]).any()
    assert stored.layers[0].bias is not None


def test_it_is_measured_as_it_decodes(made, monkeypatch):
    kept = {}
    monkeypatch.setattr(recordings, "keep", lambda name, command, rows: kept.update({name: (command, rows)}))
    monkeypatch.setattr(vgg_measure, "restore", restored)
    vgg_measure.main(["--dense", str(made / "dense.safetensors"), "--out", str(made)])
    command, (dense, coded) = kept["vgg_cifar10"]
    assert command == "python -m dcviz vgg measure"
    assert coded["file_bytes"] == (made / "small" / "vgg-16-cifar10.dcz").stat().st_size
    assert coded["ratio"] == dense["file_bytes"] / coded["file_bytes"]
    assert all(0 <= row[f"{split}_error_percent"] <= 100 for row in (dense, coded) for split in ("held_out", "test"))
    json.dumps(coded)


def test_a_missing_dense_net_says_how_to_make_it(tmp_path):
    with pytest.raises(DataError, match="dcviz vgg train"):
        vgg.main(["--dense", str(tmp_path / "none.safetensors"), "--out", str(tmp_path)])
