"""dcviz: the package behind an interactive workbook on *Deep Compression* (Han, Mao, Dally, ICLR 2016).

Modules load when first used, so that ``import dcviz`` stays light: torch and the widgets come in
only with the parts that need them.
"""

from importlib import import_module

__version__ = "0.1.0"

_MODULES = {
    "archive",
    "authors",
    "bits",
    "bitstream",
    "checks",
    "cifar",
    "coders",
    "datasets",
    "editions",
    "entropy",
    "errors",
    "files",
    "huffman",
    "kmeans",
    "kmeans_optimal",
    "labs",
    "machine",
    "models",
    "models_imagenet",
    "paper",
    "pipeline",
    "plots",
    "pretrained",
    "pruning",
    "rate_distortion",
    "recipes",
    "recordings",
    "reference",
    "relative_index",
    "retraining",
    "sketch",
    "sweeps",
    "tables",
    "theme",
    "trained_quantization",
    "training",
}

__all__ = sorted([*_MODULES, "load"])


def __getattr__(name):
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name == "load":
        return import_module(f"{__name__}.pretrained").load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_MODULES])
