"""Chapter 11's measurements: how rows become means, gains and blocks, and the recorded rows are whole."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from dcviz.chapters.ch11_open_questions import googlenet, measure, tables
from dcviz.evidence import recordings
from dcviz.ideas.kmeans_optimal import optimal
from dcviz.nets import models
from dcviz.nets.cifar import CifarSplit
from dcviz.pipeline import LayerRecipe, Recipe
from dcviz.pipeline.lesson import pruned_net
from dcviz.pipeline.retraining import weights_of


def test_spread_is_the_sample_deviation():
    rows = [{"k": 1, "error_percent": e} for e in (2.0, 4.0, 9.0)] + [{"k": 2, "error_percent": 7.0}]
    assert tables.spread(rows, lambda r: r["k"]) == {1: (5.0, pytest.approx(13**0.5), 3), 2: (7.0, 0.0, 1)}


def test_gains_are_taken_seed_by_seed():
    rows = [
        {"examples": 9, "seed": s, "net": net, "density": d, "error_percent": e}
        for s, net, d, e in [
            (0, "dense", 1.0, 12.0),
            (0, "dense, longer", 1.0, 10.0),
            (0, "pruned", 0.1, 9.0),
            (1, "dense", 1.0, 22.0),
            (1, "dense, longer", 1.0, 20.0),
            (1, "pruned", 0.1, 18.0),
        ]
    ]
    assert tables.gains(rows, 9) == {("pruned", 0.1): (1.5, pytest.approx(0.5**0.5), 2)}
    points, levels = tables.small_set_points(rows, 9)
    assert points["pruned"][0.1][0] == 13.5
    assert levels["dense, longer"][0] == 15.0


def test_examples_grow_and_differ_by_draw():
    few, many, other = (measure.examples(*which) for which in ((10, 0), (30, 0), (10, 1)))
    assert np.array_equal(few.images, many.images[:10])
    assert not np.array_equal(few.images, other.images)


def test_starts_are_k_means_and_the_optimum():
    net = pruned_net("lenet-300-100")
    values = weights_of(net)["fc3"]
    values = values[values != 0]
    found = {start: measure.start_codebooks(net, 4, start)["fc3"] for start in measure.STARTS}
    assert np.allclose(found["optimal"], optimal(values, 4).centroids)
    inertia = {s: float(((values[:, None] - c) ** 2).min(1).sum()) for s, c in found.items()}
    assert min(inertia, key=inertia.get) == "optimal" or np.isclose(min(inertia.values()), inertia["optimal"])


@pytest.mark.parametrize(
    "name", ["transfer_errors", "small_sets", "starts_finetuned", "squeezenet_layers", "alexnet_transfer"]
)
def test_the_recordings_are_there(name):
    rows = recordings.load(name).rows
    assert all(np.isfinite(v) and v >= 0 for row in rows for v in row.values() if isinstance(v, float | int))


def test_layers_add_up_to_blocks_and_kinds():
    rows = [
        {"layer": "inception3a.branch1.conv", "shape": [4, 2, 1, 1], "weights": 8, "kept": 4, "bytes": 10},
        {"layer": "inception3a.branch2.1.conv", "shape": [4, 2, 3, 3], "weights": 72, "kept": 7, "bytes": 20},
        {"layer": "fire2/conv1x1_1", "shape": [4, 2, 1, 1], "weights": 8, "kept": 1, "bytes": 5},
        {"layer": "fc", "shape": [10, 4], "weights": 40, "kept": 4, "bytes": 9},
    ]
    assert googlenet.by_block(rows) == {
        "inception3a": {"weights": 80, "kept": 11, "bytes": 30},
        "fire2": {"weights": 8, "kept": 1, "bytes": 5},
        "fc": {"weights": 40, "kept": 4, "bytes": 9},
    }
    kinds = googlenet.by_filter_size(rows)
    assert kinds["1 x 1"] == {"layers": 2, "weights": 16, "kept": 5, "bytes": 15}
    assert list(kinds) == ["1 x 1", "3 x 3", "fully connected"]


def test_squeezenets_layers_are_the_net():
    rows = recordings.load("squeezenet_layers").rows
    shapes = [list(layer.weight.shape) for layer in models.weight_layers(models.build("squeezenet")).values()]
    assert [row["shape"] for row in rows] == shapes


def test_googlenets_recipe_names_every_layer_and_spares_the_small_ones():
    net = models.build("googlenet-folded", num_classes=10)
    plan, layers = googlenet.recipe(net), models.weight_layers(net)
    assert list(plan.layers) == list(layers)
    densities = {name: layer.density for name, layer in plan.layers.items()}
    assert densities["conv1.conv"] == max(densities.values())
    largest = max(layers, key=lambda name: layers[name].weight.numel())
    assert densities[largest] == min(densities.values())


def test_other_phases_go_on_from_another_checkpoint(monkeypatch):
    first = googlenet.checkpoint()
    monkeypatch.setattr(googlenet, "DENSE", replace(googlenet.DENSE, phases=((48, 2), (64, 1))))
    assert googlenet.checkpoint().name == "dense-48x2-64x1.safetensors" != first.name
    assert googlenet.checkpoint().parent == first.parent


def test_the_dense_net_is_trained_once_and_then_found(monkeypatch, tmp_path):
    """A killed run's steps are not taken again: with all steps in the checkpoint, none is taken."""
    monkeypatch.setenv("DCVIZ_CACHE", str(tmp_path))
    monkeypatch.setattr(googlenet, "DENSE", replace(googlenet.DENSE, phases=((32, 1),), batch=8, warmup=1))
    rng = np.random.default_rng(0)
    train = CifarSplit(rng.integers(0, 256, (16, 3, 32, 32), dtype=np.uint8), np.arange(16, dtype=np.uint8) % 10)
    net, steps = googlenet.dense_googlenet(train)
    again, same = googlenet.dense_googlenet(train)
    assert steps == same == 2
    found = again.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in net.state_dict().items())


def test_the_pipelines_parts_run_on_a_small_net(monkeypatch):
    """Pruning while training, the rival, and sharing: on a net of one convolution and 128 random pictures."""
    layers = [torch.nn.Conv2d(3, 4, 5), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 28**2, 10)]
    net = torch.nn.Sequential(*layers)
    rng = np.random.default_rng(0)
    train = CifarSplit(rng.integers(0, 256, (128, 3, 32, 32), dtype=np.uint8), np.arange(128, dtype=np.uint8) % 10)
    for name in ("PRUNE", "SHARE"):
        monkeypatch.setattr(googlenet, name, replace(getattr(googlenet, name), phases=((32, 2),), batch=32))
    rival = copy.deepcopy(net)
    googlenet.train_on(net, train, {"0": 0.5, "3": 0.1})
    googlenet.train_on(rival, train)
    assert {name: round(float((w != 0).mean()), 2) for name, w in weights_of(net).items()} == {"0": 0.5, "3": 0.1}
    assert all(w.all() for w in weights_of(rival).values())
    googlenet.share(net, train, Recipe({"0": LayerRecipe(0.5, 3), "3": LayerRecipe(0.1, 3)}, dtype="float16"))
    assert all(len(np.unique(w[w != 0])) <= 7 for w in weights_of(net).values())
