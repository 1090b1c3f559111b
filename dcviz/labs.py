"""The labs: one interactive figure each. `dcviz.labs.PruningLab()` as the last line of a cell shows one.

A lab's `repr` is a deep link: `labs.recreate("PruningLab(layer='fc1', threshold=0.04)")` brings it back.
Each lab lives in its chapter's room. How to write one: `dcviz/labkit/base.py`.
"""

from importlib import import_module

from dcviz.errors import LinkError

_HOMES = {
    "FitLab": "chapters.ch01_why_compress.fit_lab",
    "EnergyLab": "chapters.ch01_why_compress.energy_lab",
    "PruningLab": "chapters.ch02_pruning.pruning_lab",
    "SensitivityLab": "chapters.ch02_pruning.sensitivity_lab",
    "BigNetLab": "chapters.ch02_pruning.big_net_lab",
    "RetrainingLab": "chapters.ch02_pruning.retraining_lab",
    "DigitLab": "chapters.ch02_pruning.digit_lab",
    "RelativeIndexLab": "chapters.ch03_sparse_storage.relative_index_lab",
    "IndexBitsLab": "chapters.ch03_sparse_storage.index_bits_lab",
    "SharingLab": "chapters.ch04_weight_sharing.sharing_lab",
    "LloydLab": "chapters.ch04_weight_sharing.lloyd_lab",
    "GradientLab": "chapters.ch05_trained_quantization.gradient_lab",
    "CodebookLab": "chapters.ch05_trained_quantization.codebook_lab",
    "FinetuneLab": "chapters.ch05_trained_quantization.finetune_lab",
    "HuffmanLab": "chapters.ch06_huffman.huffman_lab",
    "DecodeLab": "chapters.ch06_huffman.decode_lab",
    "PipelineLab": "chapters.ch07_full_pipeline.pipeline_lab",
    "OwnNetLab": "chapters.ch07_full_pipeline.own_net_lab",
    "JourneyLab": "chapters.ch07_full_pipeline.journey_lab",
    "SpeedLab": "chapters.ch08_speed_and_energy.speed_lab",
    "PhoneLab": "chapters.ch08_speed_and_energy.phone_lab",
    "FrontierLab": "chapters.ch10_how_small.frontier_lab",
    "AllocationLab": "chapters.ch10_how_small.allocation_lab",
    "RankLab": "chapters.ch09_other_roads.rank_lab",
    "FilterLab": "chapters.ch09_other_roads.filter_lab",
    "TemperatureLab": "chapters.ch09_other_roads.temperature_lab",
    "TransferLab": "chapters.ch11_open_questions.transfer_lab",
    "WandaLab": "chapters.ch12_today.wanda_lab",
    "BitsLab": "chapters.ch12_today.bits_lab",
    "TokenLab": "chapters.ch12_today.token_lab",
}
_PARTS = {
    "Lab": "labkit.base",
    "Prediction": "labkit.prediction",
    "Progress": "classroom.progress",
    "HistogramView": "labkit.views",
}

ALL = tuple(_HOMES)
"""Names of all labs, in the order of the chapters."""

__all__ = ["ALL", *_HOMES, *_PARTS, "recreate"]  # noqa: PLE0604, RUF100  (names resolve in __getattr__)


def recreate(text, **more):
    """The lab that a `repr` describes; `more` are arguments that no repr can hold, such as weights.

    Raises LinkError, a ValueError, if `text` is not the repr of a lab, or of one that cannot be: an unknown layer, a
    threshold that is a text. Nothing in `text` is ever executed.
    """
    from dcviz.labkit.base import parse
    from dcviz.labkit.markup import visible

    name, state = parse(text)
    if name not in ALL:
        raise LinkError(f"no lab called {visible(name, 50)!r}; there are {', '.join(ALL)}")
    lab = __getattr__(name)
    try:
        return lab(**state, **more)
    except Exception as error:  # a lab knows its own states; whatever it says of a stranger's is said here
        raise LinkError(f"{visible(text, 200)} brings no lab back: {visible(error, 500)}") from error


def __getattr__(name):
    home = _HOMES.get(name) or _PARTS.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"dcviz.{home}"), name)


def __dir__():
    return sorted([*globals(), *_HOMES, *_PARTS])
