"""How much each layer suffers from pruning: cut one layer, leave the others dense, measure the error.

The NIPS'15 paper (Han, Pool, Tran, Dally, *Learning both Weights and Connections*, section 3 and figure 6)
chooses the layers' thresholds from such curves: a layer whose error climbs early is *sensitive* and has to keep
more. Nothing is retrained here.
"""

import copy

import numpy as np
import torch

from dcviz.errors import RecipeError, check_known
from dcviz.ideas.pruning import check_weights, mask_from_density
from dcviz.nets import training
from dcviz.pipeline import parameters, retraining

DENSITIES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 0.05, 0.03, 0.02)
"""Shares of weights kept, evenly spaced to the eye on a logarithmic axis."""


def error_by_density(net, split, densities=DENSITIES, layers=None, report=None):
    """Error when one layer alone keeps its largest weights -> {layer: percent, float array (len(densities),)}.

    densities: shares of the layer's weights that stay, 0..1. layers: names, by default all of them.
    report(done, total) is called after each measurement. ``net`` itself is not changed.
    Raises NetError for a layer that the net does not have, WeightError for a density outside 0..1.
    """
    layers = list(retraining.weights_of(net)) if layers is None else list(layers)
    return curves(net, layers, lambda pruned: training.error_percent(pruned, split), densities, report)


@torch.no_grad()
def curves(net, names, judge, densities=DENSITIES, report=None):
    """What ``judge(net)``, a number, becomes when one tensor alone keeps its largest weights -> {name: float array}.

    names: as a recipe gives them (``parameters.named``), of any module. The judge gets a copy in evaluation mode.
    Everything else as for ``error_by_density``.
    """
    pruned = parameters.working_copy(net).eval()
    targets = parameters.named(pruned, names)
    found, done, dense = {}, 0, None
    for name in names:
        weight, found[name] = targets[name].weight, np.zeros(len(densities))
        before = weight.clone()
        for i, density in enumerate(densities):
            if density == 1:  # the same net for every layer: measure it once
                dense = judge(pruned) if dense is None else dense
                found[name][i] = dense
            else:
                mask = torch.from_numpy(mask_from_density(check_weights(before, name), density))
                weight.copy_(torch.where(mask.to(weight.device), before, 0.0))
                found[name][i] = judge(pruned)
                weight.copy_(before)
            done += 1
            if report is not None:
                report(done, len(names) * len(densities))
    return found


def error_together(net, split, densities):
    """Error with several layers cut at once, none retrained -> percent, float.

    densities: {layer: share of its weights that stay}; other layers are dense.
    Raises NetError for a layer that the net does not have, WeightError for a density outside 0..1.
    """
    pruned = copy.deepcopy(net)
    weights = retraining.weights_of(pruned)
    for name in densities:
        check_known("layer", name, weights)
    retraining.Masked(pruned, {name: mask_from_density(weights[name], kept) for name, kept in densities.items()})
    return training.error_percent(pruned, split)


def lowest_density(densities, errors, limit):
    """The smallest density down to which the error stays at or below ``limit`` -> float, or None.

    Walks down from the largest density and stops at the first error above ``limit``: a lucky dip further down
    does not count. None if already the largest density is above. Raises RecipeError if the lengths differ.

        lowest_density([1, .5, .1, .05], [1.0, 1.2, 3.0, 1.1], limit=1.5) -> 0.5
    """
    if len(densities) != len(errors):
        raise RecipeError(f"{len(densities)} densities, but {len(errors)} errors")
    lowest = None
    for density, error in sorted(zip(densities, errors, strict=True), reverse=True):
        if error > limit:
            break
        lowest = float(density)
    return lowest


def densities_for(budget, sizes, densities, errors):
    """Densities whose layers suffer alike, and that keep ``budget`` (0..1) of all weights together: {layer: float}.

    sizes: {layer: number of weights}; densities, errors: the curves of ``error_by_density``. One error limit for all
    layers is sought: each layer keeps what its own curve needs to stay below it, read between the points on a
    logarithmic scale. RecipeError if the curves do not reach so low a budget.

        densities_for(0.05, {"fc1": 900, "fc2": 100}, [1, 0.1, 0.01], {"fc1": [1, 2, 9], "fc2": [1, 5, 9]})
    """
    at = np.argsort(densities)[::-1]
    kept = np.log(np.asarray(densities, float)[at])
    rising = 1e-9 * np.arange(len(at))  # equal errors in a row: the limit decides which one is meant
    curves = {layer: np.maximum.accumulate(np.asarray(errors[layer], float)[at]) + rising for layer in sizes}

    def within(limit):
        return {layer: float(np.exp(np.interp(limit, curve, kept))) for layer, curve in curves.items()}

    def share(found):
        return sum(found[layer] * n for layer, n in sizes.items()) / sum(sizes.values())

    low, high = 0.0, max(curve[-1] for curve in curves.values())
    if not share(within(high)) <= budget <= 1:
        raise RecipeError(f"the curves go down to {share(within(high)):.2%} of the weights, {budget:.2%} is asked for")
    for _ in range(100):  # halve the interval of limits until it is as narrow as floats allow
        limit = (low + high) / 2
        low, high = (low, limit) if share(within(limit)) < budget else (limit, high)
    return within(high)
