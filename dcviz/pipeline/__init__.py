"""Prune, share, Huffman-code: a recipe turns a trained net into a file, stage by stage (Fig. 1 of the paper).

What it does stands in `stages`, and comes with torch when it is first used.
"""

from typing import TYPE_CHECKING

from dcviz.nets.schedules import Schedule
from dcviz.pipeline.recipe import QUANTIZERS, LayerRecipe, Recipe
from dcviz.without_torch import opened_later

if TYPE_CHECKING:
    from dcviz.pipeline.stages import (
        STAGES,
        Bars,
        Compressed,
        Stage,
        Stopped,
        as_after,
        codebooks,
        compress,
        measure,
        open_net,
        reorder,
        restore,
        round_biases,
        stored_net,
    )

__all__ = [
    "QUANTIZERS",
    "STAGES",
    "Bars",
    "Compressed",
    "LayerRecipe",
    "Recipe",
    "Schedule",
    "Stage",
    "Stopped",
    "as_after",
    "codebooks",
    "compress",
    "measure",
    "open_net",
    "reorder",
    "restore",
    "round_biases",
    "stored_net",
]

__getattr__ = opened_later(__name__, "stages")
