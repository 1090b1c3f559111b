"""Chapter 8: times of the paper's fully connected layers, and the limits of the machine that they ran on.

Processor time of one thread: other programs on the machine slow it down, but are not counted.
"""

from dataclasses import asdict, replace

import numpy as np
import torch

from dcviz import pipeline
from dcviz.chapters.ch08_speed_and_energy import energy, timing
from dcviz.ideas import kmeans, pruning
from dcviz.nets import cifar, datasets, models
from dcviz.nets.transformer import language_model
from dcviz.pipeline import shipped

DENSITIES = (0.01, 0.02, 0.04, 0.09, 0.15, 0.25, 0.5, 1.0)
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
SWEEP = "alexnet/fc7"
TOKENS = (1, 8, 64)
"""Texts at once for which a language model's products are timed."""
_HOW = {"readings": 15, "clock": "processor"}


def layer_times():
    """Every layer of the paper's four nets at batch 1 to 128, in all forms, inputs as active as counted.

    Layers of the large nets with empty caches, as their net leaves them.
    """
    rows = []
    for name, layer in timing.paper_layers().items():
        active = layer.active or lenet_activity(name.split("/")[0])[name]
        rows += timing.crossover(timing.random_layer(layer), active=round(active, 3), cold=layer.cold, **_HOW)
    return [asdict(row) for row in rows]


def layer_densities():
    """One layer, 4096 x 4096, at other densities: rows as ``layer_times`` plus density; inputs all active."""
    rows = []
    for density in DENSITIES:
        layer = replace(timing.paper_layers()[SWEEP], density=density)
        timed = timing.measure(timing.random_layer(layer), cold=layer.cold, **_HOW)
        rows += [{"density": density, **asdict(row)} for row in timed]
    return rows


def layer_activity():
    """The six layers of Table 8 at batch 1, other shares of active inputs: rows as ``layer_times``."""
    rows = []
    for name in timing.six_layers():
        layer = timing.paper_layers()[name]
        forms = timing.random_layer(layer)
        for share in SHARES:
            rows += timing.measure(forms, active=share, cold=layer.cold, **_HOW)
    return [asdict(row) for row in rows]


def speed_limits():
    """One row: how fast one thread reads memory and computes, and the caches, of the machine of ``layer_times``."""
    torch.set_num_threads(1)
    return [
        {
            "read_bytes_per_s": timing.read_bandwidth(clock="processor"),
            "operations_per_s": timing.peak_operations(clock="processor"),
            "caches": energy.caches(),
        }
    ]


def lenet_activity(net):
    """{"net/layer": share of inputs that are not zero} of a shipped LeNet on 1,000 bundled digits."""
    pictures = torch.tensor(datasets.digits().test.images)[:, None].float() / 255
    shares = timing.activity(shipped.dense(net), pictures)
    return {f"{net}/{name}": share for name, share in shares.items()}


def alexnet_activity():
    """Rows net, layer, active: shares of inputs that are not zero in our compressed AlexNets, 500 held-out pictures.

    At 224 pixels, of CIFAR-10; DataError without it.
    """
    pictures = cifar.upscale(cifar.tuning_pictures()[1].images[:500], 224)
    names = models.paper_names("alexnet")
    rows = []
    for name in ("alexnet-cifar10-paper", "alexnet-cifar10"):
        shares = timing.activity(pipeline.restore(shipped.compressed(name)), pictures)
        rows += [{"net": name, "layer": names[layer], "active": round(share, 4)} for layer, share in shares.items()]
    return rows


def token_times():
    """All products of one token of chapter 12's language model: rows net, density, method, batch, seconds of the batch.

    "austen": its 37 layers cut to each density by magnitude, with 15 shared values; "7b": one matrix of a model of
    7 billion weights (4,096 to 4,096), weights drawn at random, with empty caches.
    """
    rows = []
    for density in (1.0, 0.5, 0.2):
        layers = [timing.own_layer(name, _cut(weight, density)) for name, weight in _matrices()]
        for batch in TOKENS:
            total = dict.fromkeys(timing.METHODS, 0.0)
            for layer in layers:
                for row in timing.measure(layer, batch, readings=1, clock="processor"):
                    total[row.method] += row.seconds
            rows += [
                {"net": "austen", "density": density, "method": m, "batch": batch, "seconds": s}
                for m, s in total.items()
            ]
        large = timing.random_layer(timing.FcLayer("7b", 4096, 4096, density, 4))
        for batch in TOKENS:
            timed = timing.measure(large, batch, cold=True, readings=3, clock="processor")
            rows += [
                {"net": "7b", "density": density, "method": r.method, "batch": batch, "seconds": r.seconds}
                for r in timed
            ]
    return rows


def _matrices():
    """[(layer, weights)] of the language model's Linear layers."""
    return [(name, module.weight.detach().numpy()) for name, module in models.weight_layers(language_model()).items()]


def _cut(weight, density):
    """The largest weights, rounded to 15 shared values, the others zero."""
    kept = pruning.mask_from_density(weight, density)
    values = kmeans.kmeans(weight[kept], 15).centroids
    shared = np.zeros_like(weight)
    shared[kept] = values[kmeans.assign(weight[kept], values)]
    return shared
