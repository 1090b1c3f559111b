"""Recipes by name: the paper's own settings, and simple ones for a lesson of a minute."""

from dcviz import paper
from dcviz.errors import RecipeError
from dcviz.pipeline import LayerRecipe, Recipe, Schedule

_TABLES = {
    "lenet-300-100": ("table2_lenet300", {"fc1": "ip1", "fc2": "ip2", "fc3": "ip3"}),
    "lenet-5": ("table3_lenet5", {"conv1": "conv1", "conv2": "conv2", "fc1": "ip1", "fc2": "ip2"}),
}


def _densities(table, layers):
    kept = {row["layer"]: row["weights_pct_P"] / 100 for row in paper.table(table)["rows"]}
    return {ours: kept[theirs] for ours, theirs in layers.items()}


PAPER_DENSITIES = {net: _densities(*where) for net, where in _TABLES.items()}
"""{net: {layer: share of weights kept}} as Tables 2 and 3 print it."""


def simple(net, scale=1.0, bits=5, index_bits=5, init="linear", epochs=4.0):
    """A recipe for the bundled digits: the paper's densities times ``scale``, the same bits in every layer.

    Twenty cuts while retraining, then a quarter as long to fine-tune. RecipeError for an unknown net.
    """
    if net not in PAPER_DENSITIES:
        raise RecipeError(f"no densities are known for {net!r}; known are {', '.join(PAPER_DENSITIES)}")
    layers = {
        name: LayerRecipe(min(1.0, scale * density), bits, index_bits) for name, density in PAPER_DENSITIES[net].items()
    }
    return Recipe(
        layers=layers,
        retrain=Schedule(epochs=epochs, lr=1e-3, teacher_weight=0.5),
        finetune=Schedule(epochs=epochs / 4, lr=1e-4, teacher_weight=0.5),
        cuts=20,
        init=init,
        dtype="float16",
        bias_dtype="float16",
    )
