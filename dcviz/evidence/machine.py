"""What machine this is: numbers that a reader needs to judge a measured time."""

import os
import platform


def name():
    """Processor, cores and operating system in a few words."""
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()}"


def facts():
    """{what: value} of processor, memory, Python, torch, GPU and data at hand, all as text."""
    import torch

    from dcviz import __version__
    from dcviz.nets import datasets

    memory = _memory()
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory / 2**30:.1f} GiB" if memory else "not told by this system",
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else "none (not needed)",
        "software": f"Python {platform.python_version()}, torch {torch.__version__}, dcviz {__version__}",
        "digits": "full MNIST" if datasets.mnist_available() else "the 5,000 bundled digits (enough for every chapter)",
    }


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory():
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
