"""Compression of VGG-16 on a small net with batch normalisation: pruned to a density of the whole net, then folded."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_pictures import Normed, in_place_of_cifar

from dcviz import archive
from dcviz.chapters.ch07_full_pipeline import vgg_measure
from dcviz.errors import DataError
from dcviz.evidence import recordings
from dcviz.nets import batchnorm
from dcviz.pipeline import vgg


def restored(stored):
    net = batchnorm.fold(Normed(channels=8))
    net.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in stored.state_dict().items()})
    return net


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Runs the program on 120 pictures; returns its folder."""
    in_place_of_cifar(monkeypatch, training=100, held_out=20)
    subject = replace(vgg.SUBJECT, build=partial(Normed, channels=8), batch=20)
    recipe = replace(vgg.recipe(0.3, 3, layers=("conv", "fc")), cuts=4)
    times = {"prune": 2.0, "settle": 1.0, "share": 0.4}
    for module in (vgg, vgg_measure):
        monkeypatch.setattr(module, "SUBJECT", subject)
        monkeypatch.setattr(module, "SETTINGS", {"small": replace(vgg.SETTINGS["small"], recipe=recipe, **times)})
    torch.manual_seed(0)
    save_file(Normed(channels=8).state_dict(), tmp_path / "dense.safetensors")
    vgg.main(["--dense", str(tmp_path / "dense.safetensors"), "--out", str(tmp_path)])
    return tmp_path


def test_the_net_keeps_its_share_and_the_file_is_the_folded_net(made):
    pruned = Normed(channels=8)
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
