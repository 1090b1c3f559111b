"""Compression of AlexNet on a small net and 40 pictures: it resumes exactly, and its files decode back."""

import os
import signal
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_pictures import in_place_of_cifar

from dcviz import archive
from dcviz.chapters.ch07_full_pipeline import alexnet_measure
from dcviz.errors import DataError
from dcviz.evidence import paper, recordings
from dcviz.nets import cifar, models, picture_training
from dcviz.nets.cifar import CifarSplit
from dcviz.pipeline import LayerRecipe, Recipe, Schedule, alexnet as ac


def tiny_net(dropout):
    pooled = [torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Dropout(dropout)]
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 11, 4), torch.nn.ReLU(), *pooled, torch.nn.Linear(64, 10))


def restore_tiny(stored):
    net = tiny_net(0)
    net.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in stored.state_dict().items()})
    net.name = stored.name
    return net.eval()


def tiny_setting(densities):
    layers = {name: LayerRecipe(d, 3, 4) for name, d in zip(("0", "5"), densities, strict=True)}
    none = Schedule(epochs=0)
    recipe = Recipe(layers, none, none, cuts=3, ramp=0.5, regrow=True, dtype="float16", bias_dtype="float16")
    return ac.Setting(recipe, prune=1.5, prune_rate=1e-2, settle=0.5, settle_rate=1e-2, share=0.5, share_rate=1e-3)


@pytest.fixture
def main(monkeypatch, tmp_path):
    """Runs the program in folder ``out``; returns that folder."""
    in_place_of_cifar(monkeypatch, training=260, held_out=40)
    subject = replace(ac.SUBJECT, build=partial(tiny_net, 0.1), pixels=64, batch=64)
    monkeypatch.setattr(ac, "SUBJECT", subject)
    monkeypatch.setattr(alexnet_measure, "SUBJECT", subject)
    settings = {"paper": tiny_setting((0.5, 0.4)), "small": tiny_setting((0.3, 0.1))}
    monkeypatch.setattr(ac, "SETTINGS", settings)
    torch.manual_seed(0)
    save_file(tiny_net(0).state_dict(), tmp_path / "dense.safetensors")

    def run(out, *options):
        ac.main(["--dense", str(tmp_path / "dense.safetensors"), "--out", str(tmp_path / out), *options])
        return tmp_path / out

    return run


def test_each_setting_keeps_as_many_weights_as_it_says(main):
    folder = main("out")
    for name, setting in ac.SETTINGS.items():
        pruned = load_file(folder / name / "pruned.safetensors")
        stored = archive.load(folder / name / "alexnet.dcz")
        for layer in stored.layers:
            density = setting.recipe.layers[layer.name].density
            assert np.count_nonzero(layer.weight) == round(density * layer.weight.size)
            assert np.array_equal(layer.weight != 0, pruned[f"{layer.name}.weight"].numpy() != 0)
            assert len(np.unique(layer.weight)) <= 8
    assert not list(folder.rglob("checkpoint*"))


def test_a_stopped_compression_goes_on_to_the_same_bytes(main, monkeypatch):
    whole = main("whole")
    advance, calls = picture_training.Trainer.advance, []

    def hurt(trainer):
        result = advance(trainer)
        calls.append(trainer.step)
        if len(calls) in (1, 3, 6, 8):  # before, between and after the cuts, and while sharing
            os.kill(os.getpid(), signal.SIGTERM)
        return result

    monkeypatch.setattr(picture_training.Trainer, "advance", hurt)
    for _ in range(6):
        parts = main("parts")
    for name in ac.SETTINGS:
        assert (parts / name / "alexnet.dcz").read_bytes() == (whole / name / "alexnet.dcz").read_bytes()


def test_the_papers_setting_is_table_4():
    rows = paper.layers("alexnet")
    recipe = ac.SETTINGS["paper"].recipe
    for ours, name in models.paper_names("alexnet").items():
        layer, row = recipe.layers[ours], rows[name]
        assert 100 * layer.density == pytest.approx(row["weights_pct_P"])
        assert (layer.bits, layer.index_bits) == (row["weight_bits_PQ"], row["index_bits_PQ"])


def test_the_pruned_stage_is_what_the_net_computes_with():
    net = tiny_net(0)
    with torch.no_grad():
        net[0].weight[torch.rand_like(net[0].weight) < 0.7] = 0
    stored = archive.loads(archive.dumps(alexnet_measure.pruned_stage(net)))
    for key, value in net.state_dict().items():
        assert np.array_equal(stored.state_dict()[key], value.numpy()), key


def test_a_report_measures_files_and_table_6_its_bits(main, monkeypatch, tmp_path):
    folder, kept = main("out"), {}
    monkeypatch.setattr(recordings, "keep", lambda name, _, rows: kept.update({name: rows}))
    monkeypatch.setattr(alexnet_measure, "AlexNet", lambda classes: tiny_net(0))
    monkeypatch.setattr(alexnet_measure, "restore", restore_tiny)
    monkeypatch.setattr(alexnet_measure, "SETTINGS", ac.SETTINGS)
    split = CifarSplit(*(array[:20] for array in vars(cifar.cifar10("test")).values()))
    monkeypatch.setattr(alexnet_measure, "SPLITS", dict.fromkeys(("held_out", "test"), lambda: split))
    for options in ([], ["--bits"]):
        alexnet_measure.main(["--dense", str(tmp_path / "dense.safetensors"), "--out", str(folder), *options])
    stages = {row["stage"]: row for row in kept["alexnet_cifar10"]}
    assert list(stages) == ["dense", *(f"{n}, {s}" for n in ac.SETTINGS for s in ("pruned", "shared", "coded"))]
    for name in ac.SETTINGS:
        assert stages[f"{name}, coded"]["file_bytes"] == (folder / name / "alexnet.dcz").stat().st_size
        assert stages[f"{name}, pruned"]["file_bytes"] == (folder / name / "alexnet-pruned.dcz").stat().st_size
        assert stages[f"{name}, pruned"]["test_error_percent"] is None
        assert 0 <= stages[f"{name}, coded"]["test_error_percent"] <= 100
    first, *pairs = kept["alexnet_bits"]
    assert first["layers"] == "none"
    assert [(row["conv_bits"], row["fc_bits"]) for row in pairs] == [(8, 5), (8, 4), (4, 2)]
    assert pairs[2]["file_bytes"] < pairs[0]["file_bytes"]


def test_a_missing_dense_net_says_how_to_make_it(tmp_path):
    with pytest.raises(DataError, match="alexnet train --report"):
        ac.main(["--dense", str(tmp_path / "none.safetensors"), "--out", str(tmp_path)])
