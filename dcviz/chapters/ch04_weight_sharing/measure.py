"""Chapter 4: a pruned net to share the weights of, and its error by bits and by start of the k-means."""

import copy
import functools
import itertools

import numpy as np

from dcviz.evidence import paper
from dcviz.ideas.kmeans import INITS, kmeans
from dcviz.ideas.kmeans_optimal import optimal
from dcviz.nets import datasets, models, training
from dcviz.nets.training import Schedule
from dcviz.pipeline import shipped as reference
from dcviz.pipeline.retraining import Gradual
from dcviz.pipeline.trained_quantization import SharedWeights, codebooks

SHORT = Schedule(epochs=2, lr=3e-3, batch_size=32, teacher_weight=0.7)
"""Retraining in a lesson: 4,000 digits, a second or a few."""
LONG = Schedule(epochs=3, lr=1e-3, batch_size=128, teacher_weight=0.7)
"""Retraining for a recording: 55,000 digits."""
FINETUNE = Schedule(epochs=0.5, lr=1e-3, batch_size=128)
"""Fine-tuning of the shared values for a recording: 55,000 digits."""


def pruned_net(name):
    """A shipped net pruned to its recipe's densities and retrained on 4,000 bundled digits, here and now.

    A fresh torch net each time; made once per session. It is pruned in 10 cuts over 250 steps, so it is worse
    than the shipped compressed net, but its surviving weights are not quantized yet. NetError: unknown name.
    """
    return copy.deepcopy(_pruned_in_a_lesson(name))


@functools.cache
def _pruned_in_a_lesson(name):
    return prune(name, datasets.digits().train, SHORT, cuts=10)


def prune(name, data, schedule, cuts):
    """A shipped net pruned in steps to its recipe's densities while it trains on a ``Split`` -> torch net."""
    layers = reference.reference(name).recipe.layers
    net = reference.dense(name)
    densities = {layer: recipe.density for layer, recipe in layers.items()}
    constraint = Gradual(net, densities, schedule.steps(len(data)), cuts, ramp=0.6, regrow=True)
    training.fit(net, data, schedule, constraint=constraint, teacher=reference.dense(name))
    return net


def share(net, bits, init="linear", seed=0, max_iterations=300):
    """Share the non-zero weights of ``net``, in place, by k-means -> SharedWeights, ready for fine-tuning.

    bits: one number for all layers or {layer: bits}, k = 2**bits centroids a layer (fewer if it has fewer
    distinct weights); layers missing from the dict, or with None, keep their own values.
    max_iterations: Lloyd steps at most; 0 shares the starting centroids themselves.
    NetError for an unknown layer.
    """
    bits = bits if isinstance(bits, dict) else dict.fromkeys(models.weight_layers(net), bits)
    return share_k(net, {name: b and 2**b for name, b in bits.items()}, init, seed, max_iterations)


def share_k(net, k, init="linear", seed=0, max_iterations=300):
    """As share, but with {layer: number of centroids}."""
    asked = {name: most for name, most in k.items() if most is not None}
    return SharedWeights(net, codebooks(net, asked, init, seed, max_iterations))


def bits_of_kinds(net, conv, fc):
    """{layer: bits} with ``conv`` bits in convolutional and ``fc`` bits in fully connected layers."""
    layers = models.weight_layers(net)
    return {name: conv if layer.weight.dim() == 4 else fc for name, layer in layers.items()}


def errors_by_bits_and_start():
    """Fig. 8 on our LeNet-300-100: error on the 10,000 test images, 1 to 8 bits, three starts, forgy thrice.

    Nets "dense" and "pruned"; with the start's own centroids, after k-means, and after half an epoch of
    fine-tuning on the 55,000 digits. Needs the full MNIST set.
    """
    data, test = datasets.mnist_without_bundled(), datasets.mnist().test
    name, rows = "lenet-300-100", []
    nets = {"dense": reference.dense(name), "pruned": prune(name, data, LONG, cuts=100)}
    for kind, whole in nets.items():
        error = training.error_percent(whole, test)
        rows.append({"net": kind, "init": None, "bits": None, "error_percent": error})
        for bits, init in itertools.product(range(1, 9), INITS):
            for seed in range(3 if init == "forgy" else 1):
                row = {"net": kind, "init": init, "bits": bits, "seed": seed}
                net = copy.deepcopy(whole)
                share(net, bits, init, seed, max_iterations=0)
                row["start_error_percent"] = training.error_percent(net, test)
                net = copy.deepcopy(whole)
                shared = share(net, bits, init, seed)
                row["error_percent"] = training.error_percent(net, test)
                training.fit(net, data, FINETUNE, constraint=shared)
                row["finetuned_error_percent"] = training.error_percent(net, test)
                rows.append(row)
    return rows


PAPER, RECORDED = "paper, AlexNet (read off Fig. 8)", "LeNet-300-100 (recorded)"


def figure8_table(rows, bits=(3, 4, 5, 6, 8)):
    """Fig. 8's top-1 errors beside recorded rows of errors_by_bits_and_start -> DataFrame, one row per bits."""
    import pandas as pd

    quoted = paper.table("figure8_initialisation_accuracy")
    names = {"linear": "linear", "density": "density", "forgy": "forgy_random"}
    table = {}
    for b in bits:
        row = {}
        at = quoted["bits"].index(b)
        for init, name in names.items():
            row[PAPER, f"{init} %"] = f"{100 - quoted['top1'][name][at]:.1f}"
        for what in ("error_percent", "finetuned_error_percent"):
            for init in names:
                found = [r[what] for r in rows if (r["net"], r["bits"], r["init"]) == ("dense", b, init)]
                label = f"{init} %" if what == "error_percent" else f"{init}, fine-tuned %"
                row[RECORDED, label] = f"{np.mean(found):.2f}"
        table[f"{b} bits"] = row
    return pd.DataFrame.from_dict(table, orient="index")


def starts_against_optimum(values, ks):
    """Inertia of k-means over the exact optimum's: [{"k", "linear", "density", "forgy"}], forgy's mean of five draws.

    values: the weights that are shared;  ks: numbers of centroids.
    """
    rows = []
    for k in ks:
        best = optimal(values, k).inertia
        draws = {"linear": 1, "density": 1, "forgy": 5}
        ends = {init: [kmeans(values, k, init, seed).inertia for seed in range(n)] for init, n in draws.items()}
        rows.append({"k": k} | {init: float(np.mean(found)) / best for init, found in ends.items()})
    return rows
