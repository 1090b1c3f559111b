"""What is at hand on this machine: processor, memory, GPU, software and data, as text for a chapter."""

import os
import platform

from dcviz.evidence.machine import memory, processor


def facts():
    """{what: value} of processor, memory, Python, torch, GPU and data at hand, all as text."""
    import torch

    from dcviz import __version__
    from dcviz.nets import datasets

    bytes_here = memory()
    return {
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "memory": f"{bytes_here / 2**30:.1f} GiB" if bytes_here else "not told by this system",
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else "none (not needed)",
        "software": f"Python {platform.python_version()}, torch {torch.__version__}, dcviz {__version__}",
        "digits": "full MNIST" if datasets.mnist_available() else "the 5,000 bundled digits (enough for every chapter)",
    }
