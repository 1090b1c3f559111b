"""What is at hand on this machine: processor, memory, GPU, software and data, as text for a chapter."""

import os
import platform
import sys
from pathlib import Path

from dcviz import without_torch
from dcviz.evidence.machine import cores, cores_in_words, memory, processor

DRIVERS = (
    *(Path("/dev", name) for name in ("nvidiactl", "nvmap", "dxg", "kfd")),
    Path(os.environ.get("SYSTEMROOT", "/"), "System32", "nvcuda.dll"),
)
"""Where no such file is, torch finds no GPU: those of NVIDIA's driver, on a Tegra, of Linux in Windows, of AMD's."""


def keep_to_quota():
    """Let torch use no more threads than ``cores()``: by itself it takes a thread for each core of the machine."""
    if without_torch.here():
        import torch

        torch.set_num_threads(min(torch.get_num_threads(), cores()))


def gpu_name():
    """The GPU that torch computes on, "" if there is none; torch is imported only where there may be one."""
    if "torch" not in sys.modules and not any(path.exists() for path in DRIVERS):
        return ""
    if not without_torch.here():
        return ""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def facts():
    """{what: value} of processor, memory, Python, torch, GPU and data at hand, all as text."""
    from dcviz import __version__
    from dcviz.nets import datasets

    with_torch = "no torch"
    if without_torch.here():
        import torch

        with_torch = f"torch {torch.__version__}"
    bytes_here = memory()
    return {
        "processor": f"{processor()}, {cores_in_words()}",
        "memory": f"{bytes_here / 2**30:.1f} GiB" if bytes_here else "not told by this system",
        "GPU": gpu_name() or "none (not needed)",
        "software": f"Python {platform.python_version()}, {with_torch}, dcviz {__version__}",
        "digits": "full MNIST" if datasets.mnist_available() else "the 5,000 bundled digits (enough for every chapter)",
    }
