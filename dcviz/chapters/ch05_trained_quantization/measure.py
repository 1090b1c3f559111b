"""Chapter 5: error against bits for the pruned and the unpruned LeNet-5 (Fig. 7), and Table 6's bits."""

import copy

import numpy as np
import torch
from torch.nn import functional as F

from dcviz import archive
from dcviz.evidence import paper
from dcviz.ideas.kmeans import assign, kmeans
from dcviz.ideas.shared_values import mean_gradient, reduce_gradient
from dcviz.labkit.markup import signed
from dcviz.nets import datasets, models, training
from dcviz.pipeline import shipped
from dcviz.pipeline.lesson import FINETUNE, LONG, bits_of_kinds, prune, pruned_net, share

NET = "lenet-5"


def errors_by_bits():
    """Fig. 7 and Table 6 on our LeNet-5: errors on the 10,000 test images; needs the full MNIST set.

    Rows of experiment "figure7": 1 to 8 bits in the "fc" layers, the "conv" layers or "all", net "dense" or
    "pruned", no fine-tuning; "all" and pruned also fine-tuned for half an epoch. Rows of experiment "table6":
    the paper's pairs of bits, pruned, without and with that fine-tuning.
    """
    data, test = datasets.mnist_without_bundled(), datasets.mnist().test
    nets = {"dense": shipped.dense(NET), "pruned": prune(NET, data, LONG, cuts=100)}

    def measure(experiment, net, layers, conv, fc, finetune):
        shared_net = copy.deepcopy(nets[net])
        shared = share(shared_net, bits_of_kinds(shared_net, conv, fc))
        row = {"experiment": experiment, "net": net, "layers": layers, "conv_bits": conv, "fc_bits": fc}
        row["error_percent"] = training.error_percent(shared_net, test)
        if finetune:
            training.fit(shared_net, data, FINETUNE, constraint=shared)
            row["finetuned_error_percent"] = training.error_percent(shared_net, test)
        return row

    rows = [measure("figure7", net, "none", None, None, False) for net in nets]
    for bits in range(1, 9):
        for net in nets:
            rows.append(measure("figure7", net, "fc", None, bits, False))
            rows.append(measure("figure7", net, "conv", bits, None, False))
            rows.append(measure("figure7", net, "all", bits, bits, net == "pruned"))
    for quoted in paper.table("table6_alexnet_bits").rows[1:]:
        rows.append(measure("table6", "pruned", "all", quoted["conv_bits"], quoted["fc_bits"], True))
    return rows


def slopes(name, layer, bits, nudge=1e-5):
    """How the loss answers when one shared value is moved a little: measured, and by two rules. Here and now.

    The pruned net, shared with ``bits`` a layer, in double precision on 1,000 digits. Returns a dict of arrays (k,):
    weights (how many share the value), measured (loss difference / difference of the value), sum and mean (of the
    gradients of the weights that share it).
    """
    net = pruned_net(name)
    centroids = share(net, bits).codebooks()[layer].astype(np.float64)
    net.double()
    split = datasets.digits().train.take(slice(0, 1000))
    images, labels = training.to_input(split.images).double(), torch.from_numpy(np.array(split.labels))
    weight = models.weight_layers(net)[layer].weight
    F.cross_entropy(net(images), labels).backward()
    values = weight.detach().numpy()
    codes, alive = torch.from_numpy(assign(values, centroids).astype(np.int64)), torch.from_numpy(values != 0)
    kept = weight.grad[alive].numpy(), codes[alive].numpy(), centroids.size
    counts = np.bincount(kept[1], minlength=centroids.size)
    measured = []
    with torch.no_grad():
        for i in range(centroids.size):
            losses = []
            for step in (nudge, -2 * nudge, nudge):  # up, down, and back
                weight += step * (alive & (codes == i))
                losses.append(F.cross_entropy(net(images), labels).item())
            measured.append((losses[0] - losses[1]) / (2 * nudge))
    by = {"sum": reduce_gradient(*kept), "mean": mean_gradient(*kept)}
    return {"weights": counts, "measured": np.array(measured), **by}


PAPER, OURS = "paper, AlexNet (quoted)", "LeNet-5 (recorded)"


def table6(rows, ours_is=OURS):
    """Table 6 beside recorded rows, of errors_by_bits or `alexnet measure --bits` -> DataFrame, a row a pair."""
    import pandas as pd

    table = {}
    before = next(r["error_percent"] for r in rows if (r["net"], r["layers"]) == ("pruned", "none"))
    for quoted in paper.table("table6_alexnet_bits").rows:
        conv, fc = quoted["conv_bits"], quoted["fc_bits"]
        row = {
            (PAPER, "top-1 error %"): f"{quoted['top1_err']:.2f}",
            (PAPER, "change"): "" if quoted["top1_increase"] is None else signed(quoted["top1_increase"], 2),
            (PAPER, "top-5 error %"): f"{quoted['top5_err']:.2f}",
            (PAPER, "change, top-5"): "" if quoted["top5_increase"] is None else signed(quoted["top5_increase"], 2),
        }
        if (conv, fc) == (32, 32):
            row |= {(ours_is, "error %"): f"{before:.2f}", (ours_is, "change"): "", (ours_is, "not fine-tuned %"): ""}
        else:
            ours = next(r for r in rows if r["experiment"] == "table6" and (r["conv_bits"], r["fc_bits"]) == (conv, fc))
            row |= {
                (ours_is, "error %"): f"{ours['finetuned_error_percent']:.2f}",
                (ours_is, "change"): signed(ours["finetuned_error_percent"] - before, 2),
                (ours_is, "not fine-tuned %"): f"{ours['error_percent']:.2f}",
            }
        table[f"conv {conv} bits, fc {fc} bits"] = row
    return pd.DataFrame.from_dict(table, orient="index")


def figure7_curves(rows, layers):
    """{label: (bits, errors)} of recorded rows for "fc", "conv" or "all" layers, dense and pruned."""
    labels = {"pruned": "pruned + quantized", "dense": "quantized only"}
    found = {}
    for net, label in labels.items():
        points = sorted(
            (r["fc_bits"] or r["conv_bits"], r["error_percent"])
            for r in rows
            if (r["experiment"], r["net"], r["layers"]) == ("figure7", net, layers)
        )
        found[label] = [b for b, _ in points], [e for _, e in points]
    return found


def figure3_tuned(value, learning_rate=1.0):
    """Where one step of Fig. 3 takes the shared value that is ``value`` to two decimals."""
    quoted = paper.table("figure3_weight_sharing_example")
    weights, gradient = np.ravel(quoted["weights"]), np.ravel(quoted["gradient"])
    centroids = kmeans(weights, 4).centroids
    i = int(np.flatnonzero(centroids.round(2) == value)[0])
    return centroids[i] - learning_rate * gradient[assign(weights, centroids) == i].sum()


def fewer_mistakes(curves, bits):
    """The label of the net with the lower error at so many bits, of ``figure7_curves``."""
    return min(curves, key=lambda label: dict(zip(*curves[label], strict=True))[bits])


def figure7_quoted(layers):
    """The same curves of the paper's AlexNet: 100 - the top-1 accuracy read off Fig. 7."""
    quoted = paper.table("figure7_bits_vs_accuracy")
    keys = {"pruned + quantized": "top1_pruned_quant", "quantized only": "top1_quant_only"}
    return {label: (quoted["bits"], [100 - a for a in quoted[layers][key]]) for label, key in keys.items()}


def storage_shares():
    """Fig. 11 beside our files: {label: (weight, index, codebook)} in percent of their sum.

    Ours are bytes measured in the shipped files, fillers included; code tables and biases are left out, as in the
    paper's figure.
    """
    quoted, rows = paper.table("figure11_storage_shares_pct"), {}
    for name in ("AlexNet", "VGGNet", "LeNet-300-100", "LeNet-5"):
        rows[f"{name}, paper"] = tuple(quoted[name])
    for name, title in (("lenet-300-100", "LeNet-300-100"), ("lenet-5", "LeNet-5")):
        parts = archive.describe(shipped.compressed_path(name)).parts
        weight = parts["weight_bits"] + parts["weight_bits_fillers"]
        index = parts["index_bits"] + parts["index_bits_fillers"]
        whole = weight + index + parts["codebooks"]
        rows[f"{title}, our file"] = tuple(100 * part / whole for part in (weight, index, parts["codebooks"]))
    return rows
