"""Chapter 4: a pruned net to share the weights of, and its error by bits and by start of the k-means."""

import copy
import itertools

import numpy as np

from dcviz.chapters.ch04_weight_sharing.figures import error_by_size
from dcviz.evidence import paper
from dcviz.ideas.kmeans import INITS, kmeans
from dcviz.ideas.kmeans_optimal import optimal
from dcviz.nets import datasets, training
from dcviz.pipeline import shipped
from dcviz.pipeline.lesson import FINETUNE, LONG, prune, share


def errors_by_bits_and_start():
    """Fig. 8 on our LeNet-300-100: error on the 10,000 test images, 1 to 8 bits, three starts, forgy thrice.

    Nets "dense" and "pruned"; with the start's own centroids, after k-means, and after half an epoch of
    fine-tuning on the 55,000 digits. Needs the full MNIST set.
    """
    data, test = datasets.mnist_without_bundled(), datasets.mnist().test
    name, rows = "lenet-300-100", []
    nets = {"dense": shipped.dense(name), "pruned": prune(name, data, LONG, cuts=100)}
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
            row[PAPER, init + " %"] = f"{100 - quoted['top1'][name][at]:.1f}"
        for what in ("error_percent", "finetuned_error_percent"):
            for init in names:
                found = [r[what] for r in rows if (r["net"], r["bits"], r["init"]) == ("dense", b, init)]
                label = init + " %" if what == "error_percent" else f"{init}, fine-tuned %"
                row[RECORDED, label] = f"{np.mean(found):.2f}"
        table[f"{b} bits"] = row
    return pd.DataFrame.from_dict(table, orient="index")


def best_for_large(values, k):
    """The start, before any k-means, that rounds the largest 1% of the weights with the smallest rms error."""
    large = np.abs(values) >= np.sort(np.abs(values))[-values.size // 100]

    def error(init):
        start = kmeans(values, k, init, max_iterations=0).centroids
        return error_by_size(values[large], start, bins=1)[1][0]

    return min(INITS, key=error)


def steps_until_still(values, k, init):
    """Lloyd's steps that move something, from a start to its end."""
    return kmeans(values, k, init).iterations - 1  # the last of them moves nothing


def closest_to_optimum(rows):
    """The start whose inertia ends closest to the optimum's in the last of ``starts_against_optimum``'s rows."""
    return min(INITS, key=rows[-1].get)


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
