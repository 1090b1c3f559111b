"""What chapters 9 and 11 record of AlexNet, on nets and pictures small enough for a test."""

import functools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from dcviz import archive
from dcviz.chapters.ch09_other_roads import alexnet_filters, rebuild
from dcviz.chapters.ch11_open_questions import alexnet_transfer, transfer
from dcviz.evidence import resumed
from dcviz.nets import models
from dcviz.nets.cifar import CifarSplit
from dcviz.nets.models_imagenet import AlexNet
from dcviz.nets.picture_training import PictureSchedule, error_percent
from dcviz.pipeline import restore
from dcviz.pipeline.retraining import weights_of


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def pictures(n, classes=10):
    rng = np.random.default_rng(0)
    return CifarSplit(rng.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8), (np.arange(n) % classes).astype(np.uint8))


def narrow_alexnet():
    """A sixteenth of AlexNet's width, dropout off."""
    torch.manual_seed(0)
    net = AlexNet(10, dropout=0.0)
    for name, layer in models.weight_layers(net).items():
        outputs, inputs = layer.weight.shape[:2]
        shape = (max(10, outputs // 16), inputs // 16 if inputs > 3 else 3, *layer.weight.shape[2:])
        if name == "features.3":
            shape = (shape[0], 10, *shape[2:])  # features.0 has 10 outputs, not 64 / 16
        net.set_submodule(name, rebuild.resized(layer, 0.1 * torch.randn(shape), torch.zeros(shape[0])))
    return net.eval()


def test_filters_go_and_a_short_lesson_follows():
    net, train, seen = narrow_alexnet(), pictures(64), []
    lesson = PictureSchedule(phases=((64, 2),), lr=1e-3, batch=16, warmup=1, decay=0.0)
    before = {name: w.copy() for name, w in weights_of(net).items()}

    def error(smaller):
        seen.append(weights_of(smaller)["classifier.1"])
        return 10.0 * len(seen)

    convert = functools.partial(alexnet_filters.to_input, pixels=64)
    retrain = alexnet_filters.retraining(train, lesson, pictures=32)
    row = alexnet_filters.one(net, train, error, "taylor", False, 0.5, retrain, convert, ranking=20)
    widths = [len(before[name]) for name in alexnet_filters.CONVOLUTIONS]
    assert sum(row["widths"]) == round(sum(widths) / 2)
    assert (row["raw_percent"], row["error_percent"]) == (10.0, 20.0)
    assert seen[0].shape == seen[1].shape == (256, 36 * row["widths"][-1])
    assert not np.array_equal(*seen), "the lesson moved the weights"
    assert row["file_bytes"] < archive.file_bytes(archive.StoredNet("alexnet", ())) + 4 * sum(
        w.size for w in before.values()
    )
    again = alexnet_filters.one(net, train, error, "taylor", False, 0.5, None, convert, ranking=20)
    assert again["error_percent"] is None
    assert again["widths"] == row["widths"]
    assert all(np.array_equal(w, before[name]) for name, w in weights_of(net).items())


def test_work_counts_what_the_narrower_net_does():
    net = narrow_alexnet()
    row = alexnet_filters.work(net, pixels=64)
    assert row["widths"] == [10, 12, 24, 16, 16]
    places, inputs, sizes = (15, 7, 3, 3, 3), (3, 10, 12, 24, 16), (11, 5, 3, 3, 3)
    convolutions = sum(w * i * (s * p) ** 2 for w, i, s, p in zip(row["widths"], inputs, sizes, places, strict=True))
    assert row["in_convolutions"] == convolutions
    assert row["multiplications"] == convolutions + 576 * 256 + 256 * 256 + 256 * 10


def test_times_come_from_one_run_with_the_dense_net():
    net = narrow_alexnet()
    whole = alexnet_filters.work(net, 64)["widths"]
    rows = [{"widths": whole}, {"widths": [2, 2, 2, 2, 2]}]
    slow, fast = (row["milliseconds"] for row in alexnet_filters.with_times(rows, net, pixels=64))
    assert slow > 0
    assert fast > 0


def test_a_measurement_goes_on_where_it_was_stopped(tmp_path, capsys):
    path, ran = tmp_path / "rows.json", []

    def job(name):
        ran.append(name)
        return {"name": name}

    def cut():
        raise KeyboardInterrupt

    jobs = {name: functools.partial(job, name) for name in "abc"}
    with pytest.raises(KeyboardInterrupt), resumed.rows(path, {**jobs, "b": cut}):
        pass
    assert json.loads(path.read_text()) == {"a": {"name": "a"}}
    with resumed.rows(path, jobs) as rows:
        assert [row["name"] for row in rows] == ["a", "b", "c"]
    assert ran == ["a", "b", "c"]
    assert not path.exists()
    assert "3 of 3: c" in capsys.readouterr().out


# transfer ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def old():
    """A SqueezeNet with five outputs and its file, made by the functions that make AlexNet's."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dense, short = models.build("squeezenet", num_classes=5), PictureSchedule(((64, 1),), 1e-3, 16, 1, 0.0)
    alexnet_transfer.start(dense)
    net = models.build("squeezenet", num_classes=5)
    net.load_state_dict(dense.state_dict())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alexnet_transfer, "DENSITIES", (0.3,) * len(models.weight_layers(net)))
        stored = alexnet_transfer.compressed(net, pictures(48, 5), short, replace(short, lr=1e-4))
    return transfer.Old(archive.loads(archive.dumps(stored)), dense, alexnet_transfer.start)


def test_the_file_says_how_many_classes_there_are(old):
    net = restore(old.stored)
    last = list(models.weight_layers(net).values())[-1]
    assert last.weight.shape[0] == 5
    for name, weight in weights_of(net).items():
        assert np.count_nonzero(weight) == round(0.3 * weight.size), name
        assert len(np.unique(weight)) <= 16


def test_five_classes_in_a_row_are_numbered_from_nought():
    split = alexnet_transfer.only(pictures(100), alexnet_transfer.NEW_CLASSES)
    assert np.bincount(split.labels).tolist() == [10] * 5
    few, other = (alexnet_transfer.examples(pictures(200), 25, seed) for seed in (0, 1))
    assert np.bincount(few.labels).tolist() == [5] * 5
    assert not np.array_equal(few.images, other.images)


@pytest.mark.parametrize("road", ["codebook", "dense", "scratch"])
def test_another_five_classes_are_learnt_and_sent(old, road):
    train, test = pictures(60), alexnet_transfer.only(pictures(40), alexnet_transfer.NEW_CLASSES)
    row = alexnet_transfer.one(old, train, test, 10, road, seed=0, pixels=64, steps=3)
    assert (row["road"], row["examples"], row["seed"]) == (road, 10, 0)
    assert 0 <= row["error_percent"] <= 100
    layers = models.weight_layers(old.net(road)).values()
    biases = sum(layer.bias.numel() for layer in layers)
    if road == "codebook":
        assert row["bytes"] <= 9 + 2 * (biases + 15 * len(layers))
    else:
        assert row["bytes"] == 9 + 2 * (biases + sum(layer.weight.numel() for layer in layers))


def test_shared_values_learn_more_slowly_than_biases(old):
    net = old.net("codebook")
    moves = transfer.constraint(net, "codebook")
    first = {name: values.copy() for name, values in moves.codebooks().items()}
    bias = next(iter(models.weight_layers(net).values())).bias.detach().clone()
    alexnet_transfer.teach(net, moves, pictures(20, 5), "codebook", rate=1e-2, steps=4, pixels=64)
    for name, values in moves.codebooks().items():
        assert 0 < np.abs(values - first[name]).max() <= 4.1 * alexnet_transfer.VALUES * first[name].std(), name
    assert (next(iter(models.weight_layers(net).values())).bias - bias).abs().max() > 1e-4
    assert alexnet_transfer.slower(transfer.constraint(old.net("kept"), "kept"), 1e-2) is None


def test_old_nets_are_measured_on_both_tasks(old):
    known, new = (alexnet_transfer.only(pictures(20), range(first, first + 5)) for first in (0, 5))
    dense, small = (alexnet_transfer.before(old, which, known, new, 64) for which in ("dense", "everything"))
    assert small["bytes"] == len(archive.dumps(old.stored)) < dense["bytes"] / 8
    assert dense["old_error_percent"] == error_percent(old.dense, known, 64)
    assert dense["error_percent"] == error_percent(old.dense, new, 64)


def test_random_weights_of_a_large_net_keep_signals_alive():
    net = models.build("squeezenet", num_classes=5)
    torch.manual_seed(0)
    alexnet_transfer.start(net)
    layers = list(models.weight_layers(net).values())
    assert layers[-1].weight.std().item() == pytest.approx(0.01, rel=0.1)
    for layer in layers[1:-1]:
        assert layer.weight.std().item() == pytest.approx((2 / layer.weight[0].numel()) ** 0.5, rel=0.2)
