"""VGG-16 of the published records: its form, and a training program that goes on where it was stopped."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_pictures import Normed, pictures
from torch import nn

from dcviz.nets import batchnorm, models, vgg_training as vt


def test_it_has_sixteen_layers_and_61_megabytes():
    with torch.device("meta"):
        net = models.build("vgg-16-cifar-folded")
    assert len(models.weight_layers(net)) == 16
    assert models.dense_bytes(net) == 4 * 15_245_130 == 60_980_520  # 159 times MIRACLE's 384 kB
    with torch.device("meta"):
        assert models.build("vgg-16-cifar")(torch.empty(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("pixels", [16, 24, 32])
def test_folded_it_answers_the_same_at_every_size(pixels):
    net = models.build("vgg-16-cifar", seed=0)
    rng = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(generator=rng).mul_(0.1)
            module.running_var.uniform_(0.5, 2, generator=rng)
    x = torch.randn(2, 3, pixels, pixels, generator=rng)
    folded = batchnorm.fold(net)
    assert folded.name == "vgg-16-cifar-folded"
    with torch.inference_mode():
        assert torch.allclose(net(x), folded(x), rtol=1e-4, atol=1e-6)


@pytest.fixture
def main(monkeypatch, tmp_path, capsys):
    split = pictures(40)
    monkeypatch.setattr(vt, "tuning_pictures", lambda: (split.take(np.arange(32)), split.take(np.arange(32, 40))))
    monkeypatch.setattr(vt, "cifar10", lambda name: split)
    monkeypatch.setattr(vt.models, "build", lambda name: Normed())

    def run(out, *more):
        options = ["--out", str(tmp_path / out), "--phases", "16:2,32:1", "--batch", "8", "--warmup", "2", *more]
        vt.main(options)
        return tmp_path / out, capsys.readouterr().out

    return run


@pytest.mark.parametrize("optimizer", vt.OPTIMIZERS)
def test_a_stopped_run_goes_on_to_the_same_net(main, monkeypatch, optimizer):
    whole, _ = main("whole", "--optimizer", optimizer)
    with monkeypatch.context() as patch:
        run, asked = vt.Trainer.run, []

        def stopped(self, *, stop, **options):
            return run(self, stop=lambda: asked.append(0) or len(asked) > 5, **options)

        patch.setattr(vt.Trainer, "run", stopped)
        parts, _ = main("parts", "--optimizer", optimizer)
    assert not (parts / vt.WEIGHTS).exists()
    main("parts", "--optimizer", optimizer)
    a, b = load_file(whole / vt.WEIGHTS), load_file(parts / vt.WEIGHTS)
    assert a.keys() == b.keys() == Normed().state_dict().keys()
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_the_test_pictures_are_read_for_the_report_alone(main, monkeypatch):
    def forbidden(name):
        raise AssertionError(name)

    with monkeypatch.context() as patch:
        patch.setattr(vt, "cifar10", forbidden)
        _, printed = main("out")
    assert set(json.loads(printed.splitlines()[-1])) >= {"held_out_error_percent", "phases", "seed"}
    _, printed = main("out", "--report")
    assert 0 <= json.loads(printed)["test_error_percent"] <= 100


def test_a_run_begins_with_the_weights_of_an_earlier_one(main):
    first, _ = main("first")
    still = ("--lr", "1e-9", "--start", str(first / vt.WEIGHTS))
    second, printed = main("second", *still)
    a, b = load_file(first / vt.WEIGHTS), load_file(second / vt.WEIGHTS)
    weights = [name for name, _ in Normed().named_parameters()]
    assert all(torch.allclose(a[name], b[name], atol=1e-5) for name in weights)
    assert json.loads(printed.splitlines()[-1])["start"] == vt.WEIGHTS
