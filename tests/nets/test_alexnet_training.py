"""The training program on a small net and 40 pictures: what matters is that it resumes exactly."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dcviz.errors import DataError
from dcviz.nets import alexnet_training as at, cifar, picture_training
from dcviz.nets.cifar import CifarSplit


def tiny_net(dropout):
    pooled = [torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Dropout(dropout)]
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 11, 4), torch.nn.ReLU(), *pooled, torch.nn.Linear(64, 10))


@pytest.fixture
def main(monkeypatch, tmp_path):
    """Runs the program with ``options`` in folder ``out``; returns that folder."""
    rng = np.random.default_rng(0)
    split = CifarSplit(rng.integers(0, 256, (40, 3, 32, 32), dtype=np.uint8), np.arange(40, dtype=np.uint8) % 10)
    monkeypatch.setattr(at, "cifar10", lambda name: split)
    monkeypatch.setattr(at, "tuning_pictures", lambda: (split.take(slice(0, 34)), split.take(slice(34, 40))))
    monkeypatch.setattr(at, "first_net", tiny_net)

    def run(out, *options):
        folder = tmp_path / out
        at.main(["--out", str(folder), "--batch", "8", "--warmup", "2", "--phases", "64:2,72:1", *options])
        return folder

    return run


def kill_at(monkeypatch, *steps):
    """SIGTERM arrives during each of these steps."""
    advance = at.Trainer.advance

    def hurt(trainer):
        result = advance(trainer)
        if trainer.step in steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return result

    monkeypatch.setattr(at.Trainer, "advance", hurt)


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_run_stopped_twice_equals_an_unbroken_one(main, monkeypatch, dtype):
    whole = main("whole", "--dtype", dtype)
    kill_at(monkeypatch, 3, 9)  # the second in the second epoch
    parts = main("parts", "--dtype", dtype)
    assert lines(parts)[-1] | {"date": 0} == {"date": 0, "event": "stop", "step": 3, "total": 12}
    main("parts", "--dtype", dtype)
    main("parts", "--dtype", dtype)
    a, b = load_file(whole / at.CHECKPOINT), load_file(parts / at.CHECKPOINT)
    assert a.keys() == b.keys()
    assert len(a) == 4 * 3  # weight, average and momentum
    for key in a:
        assert torch.equal(a[key], b[key]), key
    assert [line["step"] for line in lines(parts) if line.get("event") == "start"] == [0, 3, 9]
    assert not list(parts.glob("*.part"))


def test_a_finished_run_only_says_so(main):
    folder = main("done")
    before = (folder / at.CHECKPOINT).stat().st_mtime_ns
    main("done")
    assert (folder / at.CHECKPOINT).stat().st_mtime_ns == before
    assert lines(folder)[-1]["step"] == 12


def test_steps_are_those_of_plain_sgd(main, monkeypatch):
    """Against torch's unfused SGD on the same batches; the convolution's layout in memory must not matter."""
    folder = main("ours", "--phases", "64:1", "--dropout", "0", "--decay", "0.01")
    options = at.parser().parse_args(["--batch", "8", "--warmup", "2", "--phases", "64:1"])
    trainer, _ = at.trainer(options)
    torch.manual_seed(options.seed)
    net = tiny_net(0)
    groups = [{"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": 0.01}]
    groups += [{"params": [p for p in net.parameters() if p.dim() == 1]}]
    sgd = torch.optim.SGD(groups, lr=1, momentum=0.9, nesterov=True, foreach=False, fused=False)
    for step in range(4):
        trainer.step = step
        x, y = trainer.batch()
        sgd.zero_grad()
        torch.nn.functional.cross_entropy(net(cifar.upscale(x, 64)), y, label_smoothing=0.1).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), at.CLIP)
        for group in sgd.param_groups:
            group["lr"] = picture_training.learning_rate(step, 4, 0.02, 2)
        sgd.step()
    stored = load_file(folder / at.CHECKPOINT)
    for name, p in net.named_parameters():
        torch.testing.assert_close(stored[f"net/{name}"], p.detach(), rtol=1e-4, atol=1e-6)


def test_it_learns(main):
    folder = main("learn", "--phases", "64:16", "--dropout", "0", "--smoothing", "0", "--lr", "0.1", "--every", "0")
    losses = [line["loss"] for line in lines(folder) if "loss" in line]
    assert np.mean(losses[-8:]) < np.mean(losses[:8]) - 0.1


def test_damaged_checkpoint_and_other_run_are_refused(main, monkeypatch):
    folder = main("a", "--phases", "64:1")
    with pytest.raises(DataError, match="batch 8, not 4"):
        main("a", "--batch", "4")
    whole = at.tuning_pictures()[0]
    backwards = CifarSplit(whole.images[::-1].copy(), whole.labels[::-1].copy())
    with monkeypatch.context() as patch:
        patch.setattr(at, "tuning_pictures", lambda: (backwards, backwards))
        with pytest.raises(DataError, match="pictures"):
            main("a")
    path = folder / at.CHECKPOINT
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match="not a whole checkpoint"):
        main("a")


def test_report_measures_and_exports(main):
    folder = main("r")
    main("r", "--report", "--pixels", "64")
    weights = load_file(folder / at.WEIGHTS)
    assert weights.keys() == dict(tiny_net(0).named_parameters()).keys()
    report = lines(folder)[-1]
    assert report["pixels"] == 64
    assert 0 <= report["test_accuracy"] <= 1
    net = tiny_net(0).eval()
    net.load_state_dict(weights)
    split = at.cifar10("test")
    right = (net(cifar.upscale(split.images, 64)).argmax(1).numpy() == split.labels).mean()
    assert report["test_accuracy"] == pytest.approx(right)


def test_schedule():
    phases = at.parse_phases("96:2,224:1")
    assert [picture_training.pixels_at(epoch, phases) for epoch in range(4)] == [96, 96, 224, None]
    rates = [picture_training.learning_rate(step, 100, 0.1, 10) for step in range(101)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == pytest.approx(0.1)
    assert rates[100] == pytest.approx(0.001)
    assert np.all(np.diff(rates[10:]) < 0)


@pytest.mark.parametrize("text", ["", "96", "32:4", "96:0", "96:a", "96:1:2"])
def test_bad_phases(text):
    with pytest.raises(at.argparse.ArgumentTypeError, match="PIXELS:EPOCHS"):
        at.parse_phases(text)
