"""Beyond the paper's recipe: its three ideas done well, part by part, each of which can be switched on alone.

Chapter 10 starts from a plain recipe (one cut, 6-bit codes, 5-bit gaps, float32 codebooks and biases) and adds parts.
``recipe`` puts any set of them together; ``coded`` gives the file and error of every set of coding parts for one
pruned net, so that a grid of recipes needs few trainings.
"""

import copy
import itertools
from dataclasses import replace

from dcviz import archive, pipeline
from dcviz.errors import RecipeError
from dcviz.nets import training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import LayerRecipe, Recipe, chains, trained_quantization

NET = "lenet-300-100"
DENSITIES = {
    8.0: {"fc1": 0.08, "fc2": 0.09, "fc3": 0.26},
    3.0: {"fc1": 0.03, "fc2": 0.05, "fc3": 0.26},
    1.5: {"fc1": 0.015, "fc2": 0.03, "fc3": 0.2},
}
"""{percent of fc1's weights kept: {layer: density}}; the first are the paper's own (Table 2)."""

TRAINING = {
    "gradual": "a hundred small cuts, and what was cut may grow back until the last of them; else one cut",
    "teacher": "learn the dense net's answers beside the labels",
    "shift": "move each digit by up to a pixel while retraining",
}
CODING = {
    "few codes": "4 bits per weight code (15 values and a zero); else 6",
    "rate": "a weight may take a centroid further away if its code word is shorter",
    "gaps": "per layer the gap width and the direction that give the smallest file; else 5 bits, row by row",
    "tables": "codebooks and biases as float16, the biases of a layer share 15 values; else float32, each its own",
    "neurons": "dead neurons go, the rest take an order that shortens gaps",
}
PARTS = TRAINING | CODING
"""{part: what it does}, in the order in which the chapter adds them."""
LADDER = ((), ("gradual",), ("gradual", "teacher"), ("gradual", "teacher", "shift"))
"""The sets of training parts that were recorded."""

RATE = 0.02


def recipe(density, parts=(), epochs=8, finetune=0.25, seed=0):
    """The ``Recipe`` for LeNet-300-100 that keeps ``density`` percent of fc1, with the ``parts`` switched on.

    epochs, finetune: of retraining and of training the shared values. RecipeError for what is not in ``DENSITIES`` or
    ``PARTS``.
    """
    unknown = sorted(set(parts) - set(PARTS))
    if unknown or density not in DENSITIES:
        raise RecipeError(
            f"parts are {', '.join(PARTS)}, densities {', '.join(map(str, DENSITIES))}; not {unknown or density}"
        )
    bits = 4 if "few codes" in parts else 6
    gaps = None if "gaps" in parts else 5
    half = "float16" if "tables" in parts else "float32"
    learn = {"teacher_weight": 0.7 if "teacher" in parts else 0.0, "shift": int("shift" in parts)}
    return Recipe(
        layers={name: LayerRecipe(share, bits, gaps) for name, share in DENSITIES[density].items()},
        retrain=Schedule(epochs=epochs, lr=2e-3, batch_size=256, **learn),
        finetune=Schedule(epochs=finetune, lr=1e-3, **learn),
        cuts=100 if "gradual" in parts else 1,
        ramp=0.6,
        regrow="gradual" in parts,
        rate=RATE if "rate" in parts else 0.0,
        drop_dead="neurons" in parts,
        reorder="neurons" in parts,
        dtype=half,
        bias_dtype=half,
        bias_bits=4 if "tables" in parts else None,
        order="best" if "gaps" in parts else "C",
        seed=seed,
    )


def subsets(parts):
    """All sets of parts as tuples, the empty one first, in the order of ``PARTS``."""
    return [some for n in range(len(parts) + 1) for some in itertools.combinations(parts, n)]


def coded(net, made_by, data, split, teacher=None, sets=None):
    """Sets of coding parts (default: all) for a net that ``made_by`` pruned: {set: (file bytes, error percent)}.

    The same numbers as ``pipeline.compress`` with that recipe and those parts, but what they have in common is done
    once: the shared values are trained for each set of "few codes", "rate" and "neurons", the rest is storage.
    """
    sets, found = subsets(tuple(CODING)) if sets is None else sets, {}
    for learned in subsets(("few codes", "rate", "neurons")):
        if not any(set(learned) == set(parts) & {"few codes", "rate", "neurons"} for parts in sets):
            continue
        shared_net = copy.deepcopy(net)
        if "neurons" in learned:
            chains.drop_dead(shared_net)
        spec = _with_coding(made_by, learned)
        shared = trained_quantization.SharedWeights(shared_net, pipeline.codebooks(shared_net, spec), rate=spec.rate)
        training.fit(shared_net, data, spec.finetune, constraint=shared, teacher=teacher, seed=spec.seed)
        for tables in ((), ("tables",)):
            spec = _with_coding(made_by, learned + tables)
            shared.round_to(spec.dtype)
            pipeline.round_biases(shared_net, spec)
            error = training.error_percent(shared_net, split)
            for gaps in ((), ("gaps",)):
                parts = tuple(part for part in CODING if part in learned + tables + gaps)
                if parts not in sets:
                    continue
                spec, final = _with_coding(made_by, parts), shared_net
                if spec.reorder:
                    final = copy.deepcopy(shared_net)
                    pipeline.reorder(final, spec)
                found[parts] = len(archive.dumps(pipeline.stored_net(final, spec, "coded"))), error
    return found


def _with_coding(made_by, parts):
    """A recipe with these coding parts and no others."""
    asked = recipe(next(iter(DENSITIES)), parts)
    layers = {name: replace(asked.layers[name], density=layer.density) for name, layer in made_by.layers.items()}
    kept = {name: getattr(made_by, name) for name in ("retrain", "finetune", "cuts", "ramp", "regrow", "seed")}
    return replace(asked, layers=layers, **kept)
