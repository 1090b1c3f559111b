"""Recipes by name: the paper's own settings, and simple ones for a lesson of a minute."""

from dcviz.errors import RecipeError
from dcviz.evidence import paper
from dcviz.nets import models
from dcviz.nets.schedules import Schedule, is_finite
from dcviz.pipeline.recipe import LayerRecipe, Recipe

PAPER_DENSITIES = {net: paper.densities(net) for net in ("lenet-300-100", "lenet-5")}
"""{net: {layer: share of weights kept}} as Tables 2 and 3 print it."""


def as_printed(net, **options):
    """What Tables 2 to 5 print: density, bits of a code and of a gap for every layer of the paper's four nets.

    No training unless ``options``, which go to ``Recipe``, say so: with both schedules empty, ``pipeline.compress``
    prunes, shares and codes a net in one go. DataError for a net that the paper has no table of.
    """
    none = Schedule(epochs=0)
    rows, kept = paper.layers(net), paper.densities(net)
    layers = {
        ours: LayerRecipe(kept[theirs], rows[theirs]["weight_bits_PQ"], rows[theirs]["index_bits_PQ"])
        for ours, theirs in models.paper_names(net).items()
    }
    return Recipe(**{"layers": layers, "retrain": none, "finetune": none, **options})


def simple(net, scale=1.0, bits=5, index_bits=5, init="linear", epochs=4.0):
    """A recipe for the bundled digits: the paper's densities times ``scale``, the same bits in every layer.

    Twenty cuts while retraining, then a quarter as long to fine-tune. RecipeError for an unknown net.
    """
    if not (is_finite(scale) and scale > 0 and is_finite(epochs)):
        raise RecipeError(f"scale must be above 0 and epochs a number, not {scale!r} and {epochs!r}")
    if net not in PAPER_DENSITIES:
        raise RecipeError(f"no densities are known for {net!r}; known are {', '.join(PAPER_DENSITIES)}")
    layers = {name: LayerRecipe(density, bits, index_bits) for name, density in paper.densities(net, scale).items()}
    return Recipe(
        layers=layers,
        retrain=Schedule(epochs=epochs, lr=1e-3, teacher_weight=0.5),
        finetune=Schedule(epochs=epochs / 4, lr=1e-4, teacher_weight=0.5),
        cuts=20,
        init=init,
        dtype="float16",
        bias_dtype="float16",
    )
