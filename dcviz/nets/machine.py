"""What is at hand on this machine: processor, memory, GPU, software and data, as text for a chapter."""

import platform

from dcviz import without_torch
from dcviz.evidence.machine import cores, cores_in_words, memory, processor


def keep_to_quota():
    """Let torch use no more threads than ``cores()``: by itself it takes a thread for each core of the machine."""
    if without_torch.here():
        import torch

        torch.set_num_threads(min(torch.get_num_threads(), cores()))


def facts():
    """{what: value} of processor, memory, Python, torch, GPU and data at hand, all as text."""
    from dcviz import __version__
    from dcviz.nets import datasets

    gpu, with_torch = None, "no torch"
    if without_torch.here():
        import torch

        gpu, with_torch = torch.cuda.is_available() and torch.cuda.get_device_name(), f"torch {torch.__version__}"
    bytes_here = memory()
    return {
        "processor": f"{processor()}, {cores_in_words()}",
        "memory": f"{bytes_here / 2**30:.1f} GiB" if bytes_here else "not told by this system",
        "GPU": gpu or "none (not needed)",
        "software": f"Python {platform.python_version()}, {with_torch}, dcviz {__version__}",
        "digits": "full MNIST" if datasets.mnist_available() else "the 5,000 bundled digits (enough for every chapter)",
    }
