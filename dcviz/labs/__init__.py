"""The labs: one interactive figure each. `dcviz.labs.PruningLab()` as the last line of a cell shows one.

A lab's `repr` is a deep link: `labs.recreate("PruningLab(layer='fc1', threshold=0.04)")` brings it back.
How to write a lab: `dcviz/labs/base.py`.
"""

from importlib import import_module

_HOMES = {
    "FitLab": "fit_lab",
    "EnergyLab": "energy_lab",
    "PruningLab": "pruning_lab",
    "SensitivityLab": "sensitivity_lab",
    "BigNetLab": "big_net_lab",
    "RetrainingLab": "retraining_lab",
    "RelativeIndexLab": "relative_index_lab",
    "IndexBitsLab": "index_bits_lab",
    "SharingLab": "sharing_lab",
    "LloydLab": "lloyd_lab",
    "GradientLab": "gradient_lab",
    "CodebookLab": "codebook_lab",
    "FinetuneLab": "finetune_lab",
    "HuffmanLab": "huffman_lab",
    "DecodeLab": "decode_lab",
    "PipelineLab": "pipeline_lab",
    "SpeedLab": "speed_lab",
    "PhoneLab": "phone_lab",
    "FrontierLab": "frontier_lab",
    "RankLab": "rank_lab",
    "FilterLab": "filter_lab",
    "TemperatureLab": "temperature_lab",
    "TransferLab": "transfer_lab",
}
_PARTS = {"Lab": "base", "Prediction": "prediction", "Progress": "progress", "HistogramView": "views"}

ALL = tuple(_HOMES)
"""Names of all labs, in the order of the chapters."""

__all__ = ["ALL", *_HOMES, *_PARTS, "recreate"]  # noqa: PLE0604, RUF100  (names resolve in __getattr__)


def recreate(text, **more):
    """The lab that a `repr` describes; `more` are arguments that no repr can hold, such as weights.

    Raises ValueError if `text` is not the repr of a lab. Nothing in `text` is ever executed.
    """
    from dcviz.labs.base import parse

    name, state = parse(text)
    if name not in ALL:
        raise ValueError(f"no lab called {name!r}; there are {', '.join(ALL)}")
    return __getattr__(name)(**state, **more)


def __getattr__(name):
    home = _HOMES.get(name) or _PARTS.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__():
    return sorted([*globals(), *_HOMES, *_PARTS])
