"""One measure for all roads: bytes of the file, multiplications of one picture, error of the net read back."""

import time

import numpy as np
import torch

from dcviz import archive
from dcviz.chapters.ch09_other_roads import rebuild
from dcviz.nets import models, training


def multiplications(net, shape=(1, 28, 28)):
    """Multiplications of one picture of ``shape`` in every layer -> {layer: int}, zero weights included."""
    layers, places = models.weight_layers(net), {}

    def keep(name, output):
        places[name] = output[0, 0].numel() if output.dim() == 4 else 1

    with models.watched(layers, keep), torch.no_grad():
        net(torch.zeros(1, *shape))
    return {name: layer.weight.numel() * places[name] for name, layer in layers.items()}


def milliseconds(nets, shape=(1, 28, 28), batch=1, readings=15, seconds=0.02):
    """Processor time of one forward pass of each net, on one thread -> list of medians; the nets take turns.

    Not the time on the wall: on a busy machine that counts other programs, too.
    """
    pictures = torch.rand(batch, *shape, generator=torch.Generator().manual_seed(0))
    times = [[] for _ in nets]
    with torch.inference_mode(), training.threads(1):
        repeats = []
        for net in nets:
            net(pictures)
            begin = time.thread_time()
            net(pictures)
            repeats.append(max(1, int(seconds / max(time.thread_time() - begin, 1e-6))))
        for _ in range(readings):
            for net, found, n in zip(nets, times, repeats, strict=True):
                begin = time.thread_time()
                for _ in range(n):
                    net(pictures)
                found.append(1e3 * (time.thread_time() - begin) / n)
    return [float(np.median(found)) for found in times]


def entry(method, stored, dense_bytes, restore=rebuild.restore, **splits):
    """One row for the table of all roads: a dict.

    method, file_bytes, ratio (of ``dense_bytes``), multiplications (dense kernels), used (those whose weight is not
    zero), and for every ``key=split`` the error in percent on that ``Split``. The net measured is the one that the
    bytes of the file decode to.
    """
    data = archive.dumps(stored)
    net = restore(archive.loads(data))
    counts = multiplications(net)
    layers = models.weight_layers(net)
    density = {name: torch.count_nonzero(layer.weight).item() / layer.weight.numel() for name, layer in layers.items()}
    errors = {key: training.error_percent(net, split) for key, split in splits.items()}
    return {
        "method": method,
        "file_bytes": len(data),
        "ratio": dense_bytes / len(data),
        "multiplications": sum(counts.values()),
        "used": round(sum(density[name] * count for name, count in counts.items())),
        **errors,
    }
