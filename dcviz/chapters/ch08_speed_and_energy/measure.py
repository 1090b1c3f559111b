"""Chapter 8: times of the paper's fully connected layers, and the limits of the machine that they ran on.

Processor time of one thread: other programs on the machine slow it down, but are not counted.
"""

from dataclasses import asdict, replace

import torch

from dcviz import pipeline
from dcviz.chapters.ch08_speed_and_energy import energy, timing
from dcviz.nets import cifar, datasets, models
from dcviz.pipeline import shipped

DENSITIES = (0.01, 0.02, 0.04, 0.09, 0.15, 0.25, 0.5, 1.0)
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
SWEEP = "alexnet/fc7"
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
