"""AlexNet at the paper's size and densities, to be run expanded and compressed: time, bytes, and peak memory."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from dcviz import archive, pipeline
from dcviz.archive import Coding, Kept, Layer, StoredNet
from dcviz.chapters.ch08_speed_and_energy import timing
from dcviz.nets import models
from dcviz.pipeline import running, sparse_kernels

FORMS = ("expanded", "compressed")
PICTURES = 9
_PROCESS = "from dcviz.chapters.ch08_speed_and_energy import running_nets; running_nets.one_process({path!r}, {form!r})"


def paper_alexnet(seed=0):
    """AlexNet for 1,000 classes -> StoredNet. Random weights: fully connected ones at the paper's densities and bits.

    Convolutions are dense: they are computed the same way in both forms.
    """
    net = models.build("alexnet", seed=seed)
    names, layers = models.paper_names("alexnet"), []
    for place, module in models.weight_layers(net).items():
        weight, bias = (tensor.detach().numpy() for tensor in (module.weight, module.bias))
        if not isinstance(module, torch.nn.Linear):
            layers += [Kept(f"{place}.weight", weight), Kept(f"{place}.bias", bias)]
            continue
        shape = timing.paper_layers()[f"alexnet/{names[place]}"]
        values = timing.random_layer(shape, seed).compressed.dense()
        coding = Coding(5, np.unique(values[values != 0]), huffman=True)
        layers.append(Layer(place, values, np.zeros_like(bias), coding))
    return StoredNet("alexnet", tuple(layers))


def linear_bytes(net):
    """Bytes of the arrays of a net's fully connected layers, biases included -> int."""
    compressed = sum(layer.nbytes for layer in running.compressed_layers(net).values())
    plain = [module for module in net.modules() if isinstance(module, torch.nn.Linear)]
    return compressed + sum(p.nbytes for module in plain for p in module.parameters())


def opened(path, form):
    """The net in a file in one of FORMS."""
    return pipeline.open_net(path, compressed=form == "compressed")


def one_process(path, form):
    """Open a net, run PICTURES pictures on one thread, print what it took as JSON: for a process of its own.

    Memory counts everything: Python, torch, reading the file, convolutions.
    """
    torch.set_num_threads(1)
    sparse_kernels.product(sparse_kernels.compress(np.eye(2)), torch.ones(2))  # compiled once, for either form
    ready = _memory("VmRSS")
    start = time.thread_time()
    net = opened(path, form)
    opening = time.thread_time() - start
    picture = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    seconds, linear = [], []
    with torch.no_grad():
        for _ in range(PICTURES):
            start = time.thread_time()
            features = net.avgpool(net.features(picture)).flatten(1)
            middle = time.thread_time()
            net.classifier(features)
            end = time.thread_time()
            seconds.append(end - start)
            linear.append(end - middle)
    print(
        json.dumps(
            {
                "form": form,
                "linear_bytes": linear_bytes(net),
                "held_bytes": _memory("VmRSS"),
                "peak_bytes": _memory("VmHWM"),
                "ready_bytes": ready,
                "opening_seconds": opening,
                "seconds": float(np.median(seconds)),
                "linear_seconds": float(np.median(linear)),
            }
        )
    )


def rows(stored=None):
    """Rows form, linear_bytes, ready_, held_ and peak_bytes of a fresh process, seconds, linear_seconds, file_bytes.

    ready_bytes: of Python, torch and the compiled kernel, before the net; held_bytes: after the pictures; peak_bytes:
    the most, reading the file counted; seconds, linear_seconds: of a picture, and of its fully connected layers.
    Processor time of one thread, batch 1, median of PICTURES. stored: another AlexNet than ``paper_alexnet``.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alexnet.dcz"
        size = archive.save(path, stored or paper_alexnet())
        for form in FORMS:
            code = _PROCESS.format(path=str(path), form=form)
            done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, encoding="utf-8")
            found.append({**json.loads(done.stdout), "file_bytes": size})
    return found


def _memory(field):
    """Bytes of this process by a field of /proc/self/status, "VmHWM" (the most ever) or "VmRSS" (now); None elsewhere.

    Not ``getrusage``, whose peak on Linux counts the process that started this one.
    """
    try:
        lines = Path("/proc/self/status").read_text("ascii", errors="replace").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
    except (OSError, StopIteration):
        return None
