"""A recipe for a net of your own: what to compress and what to leave, and how much each layer keeps.

Section 5 of the NIPS'15 paper chooses densities by hand from curves of sensitivity. Here one number is asked for, and
the curves, where there are data to measure them on, share it out (``sensitivity.densities_for``).
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
import torch
from torch import nn

from dcviz.archive import FLOATS
from dcviz.errors import DataError, RecipeError
from dcviz.nets.batches import Batches
from dcviz.nets.schedules import Schedule, is_finite
from dcviz.nets.training import dropout_from, error_percent, evaluating, threads
from dcviz.pipeline import LayerRecipe, Recipe, compress, measure, parameters, restore, sensitivity

SMALLEST = 1_000
"""Tensors of fewer weights are left alone: they cost more to describe than to keep."""
DENSITIES = (1.0, 0.5, 0.25, 0.12, 0.06, 0.03, 0.015)
"""Shares of weights at which a layer's sensitivity is measured."""
BATCHES = 8
"""Batches of the data that one measurement looks at."""
LOWEST = 0.002
"""The lowest share of weights that aiming tries."""
NORMS = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm, nn.modules.batchnorm._NormBase)


def worth_compressing(net, only=None, skip=()):
    """{name: weights} of the tensors of a net that a recipe should name, in the order of its state dict.

    Left alone are biases, norms, everything with one dimension, tensors of fewer than ``SMALLEST`` weights, integers,
    and the first convolution if it looks at a picture or a sound itself (at most four channels): it is small, and all
    that follows depends on it. Tied tensors are named once. only, skip: patterns of names such as "encoder.*", of
    which one must, or none may, fit; ``only`` also brings back what would be left alone. RecipeError if nothing is
    left, NetError as ``parameters.tensors``.
    """
    patterns = {"only": _patterns(only), "skip": _patterns(skip)}
    state = parameters.tensors(net)
    tied, delicate, modules = parameters.ties(state), _delicate(net), dict(net.named_modules())
    found = {}
    for key, tensor in state.items():
        name = key.removesuffix(".weight")
        plain = isinstance(tensor, nn.Parameter) and parameters.dtype_name(tensor) in FLOATS
        if key in tied or not plain or tensor.dim() < 2:
            continue
        if name not in modules:  # a key that the net's own state_dict made up
            name = key
        fits = lambda of: any(fnmatchcase(text, of) for text in (name, key))  # noqa: B023, E731
        if patterns["only"] is None:
            wanted = tensor.numel() >= SMALLEST and key not in delicate
        else:
            wanted = tensor.numel() > 0 and any(map(fits, patterns["only"]))
        if wanted and not any(map(fits, patterns["skip"])):
            found[name if key != "weight" else ""] = tensor.numel()
    if not found:
        raise RecipeError(
            f"{type(net).__name__} has no tensor to compress: each has one dimension, fewer than {SMALLEST:,} weights, "
            "is delicate, or does not fit the patterns; only='*' takes every matrix"
        )
    return found


def _patterns(given):
    """Patterns of names as a tuple; None stays None."""
    if given is None or isinstance(given, str):
        return given if given is None else (given,)
    if not isinstance(given, Iterable) or not all(isinstance(pattern, str) for pattern in given):
        raise RecipeError(f'only and skip are patterns of names such as "encoder.*", not {given!r:.80}')
    return tuple(given)


def _delicate(net):
    """Keys of norms, and of the first convolution if it sees the input."""
    keys, first = set(), None
    for name, module in net.named_modules():
        if isinstance(module, NORMS):
            keys |= {f"{name}.{key}".lstrip(".") for key, _ in module.named_parameters(recurse=False)}
        if isinstance(module, nn.modules.conv._ConvNd) and first is None:
            first = module
            if module.in_channels <= 4:
                keys.add(f"{name}.weight".lstrip("."))
    return keys


def recipe_for(
    net,
    density=None,
    bits=5,
    *,
    data=None,
    loss=None,
    step=None,
    evaluate=None,
    target_ratio=None,
    max_error=None,
    only=None,
    skip=(),
    epochs=4.0,
    lr=1e-3,
    progress=None,
    **options,
):
    """A ``Recipe`` for any net: which tensors are compressed, and how much of each is kept.

    density: share of all compressed weights that stay, 0..1 (0.1 if nothing else is asked for). Instead of it
    target_ratio: how many times smaller than the net's tensors the file shall be at least; or max_error: what
    ``evaluate``, or the loss, may be at most for the net as it is pruned and shared in one shot (retraining then only
    mends). bits: of a weight's code. only, skip: patterns of names (``worth_compressing``).

    data with loss or step as for ``compress``, or evaluate(net) -> number, smaller is better: held-out data, by which
    layers that suffer more keep more (``sensitivity``, ``BATCHES`` batches a measurement). Without them every layer
    keeps the same share. A test set has no place here. Where this is all measured, nothing is trained.

    epochs, lr: of retraining, in twenty cuts; fine-tuning takes a quarter and a tenth of them; ``epochs=0`` makes a
    recipe of one shot. options: of ``Recipe``. ``net`` stays as it is.
    RecipeError for more than one aim, for one that cannot be reached, and as ``Recipe``; DataError as ``Batches``.
    """
    aims = [aim for aim in (density, target_ratio, max_error) if aim is not None]
    if len(aims) > 1 or not all(is_finite(aim) for aim in aims):
        raise RecipeError("give one of density, target_ratio and max_error, a number")
    if density is not None and not 0 < density <= 1:
        raise RecipeError(f"density must be above 0 and at most 1, not {density!r}")
    if not (is_finite(epochs) and epochs >= 0):
        raise RecipeError(f"epochs must be a number of at least 0, not {epochs!r}")
    sizes = worth_compressing(net, only, skip)
    judge = _judge(data, loss, step, evaluate)
    if max_error is not None and judge is None:
        raise RecipeError("max_error needs held-out data with a loss, or evaluate(net)")
    curves = None
    if judge is not None and len(sizes) > 1:
        told = None if progress is None else lambda done, total: progress("sensitivity", done, total)
        curves = sensitivity.curves(net, list(sizes), judge, DENSITIES, told)
        lowest = min(float(curve.min()) for curve in curves.values())
        curves = {name: curve - lowest for name, curve in curves.items()}  # the limit is sought from 0 on

    def recipe(budget):
        kept = dict.fromkeys(sizes, budget)
        if curves is not None:
            kept = sensitivity.densities_for(max(budget, DENSITIES[-1]), sizes, DENSITIES, curves)
            kept = {name: share * min(1.0, budget / DENSITIES[-1]) for name, share in kept.items()}
        return Recipe(
            **{
                "layers": {name: LayerRecipe(min(1.0, share), bits, None) for name, share in kept.items()},
                "retrain": Schedule(epochs=epochs, lr=lr),
                "finetune": Schedule(epochs=epochs / 4, lr=lr / 10),
                "cuts": 20 if epochs else 1,
                **options,
            }
        )

    if target_ratio is not None:
        failure = (
            f"a file {target_ratio:g} times smaller than the net cannot be made with these bits and what is left alone"
        )
        return _aimed(recipe, lambda found: predicted(net, found) >= target_ratio, "largest", failure)
    if max_error is not None:

        def within(found):
            made = restore(_one_shot(net, found).stored, into=parameters.working_copy(net))
            return judge(made.float()) <= max_error

        failure = f"an error of at most {max_error:g} cannot be had with these bits, not even when every weight is kept"
        return _aimed(recipe, within, "smallest", failure)
    return recipe(0.1 if density is None else density)


def predicted(net, recipe):
    """How many times smaller the file will be, measured on the file of one shot: nothing is trained."""
    return _one_shot(net, recipe).ratio


_NOTHING = {"retrain": Schedule(epochs=0), "finetune": Schedule(epochs=0), "cuts": 1, "reorder": False}


def _one_shot(net, recipe):
    return compress(net, replace(recipe, **_NOTHING), progress=lambda *_: None)


def _aimed(recipe, reached, which, failure):
    """The recipe with the largest, or the smallest, budget that reaches an aim, to about 5%. RecipeError if none."""
    low, high = math.log(LOWEST), 0.0
    best = recipe(math.exp(low if which == "largest" else high))
    if not reached(best):
        raise RecipeError(failure)
    while high - low > 0.05:
        middle = (low + high) / 2
        found = recipe(math.exp(middle))
        ok = reached(found)
        best = found if ok else best
        if ok == (which == "largest"):
            low = middle
        else:
            high = middle
    return best


def _judge(data, loss, step, evaluate):
    """function of a net -> number, smaller is better; None if there is nothing to judge by."""
    if evaluate is not None:

        def judged(net):
            value = measure(evaluate, net)
            if not math.isfinite(value):
                raise DataError(f"evaluate(net) must give a finite number, not {value}")
            return value

        return judged
    if data is None:
        return None
    if hasattr(data, "images") and loss is None and step is None:
        return lambda net: error_percent(net, data)
    batches = Batches(data, loss, step)

    def mean_loss(net):
        # the same batches and random numbers for every net that is compared
        with torch.no_grad(), evaluating(net), threads(1), dropout_from(0):
            losses = [
                batches.loss(net, batch, Schedule(), None).item() for batch in itertools.islice(batches.walk(), BATCHES)
            ]
        if not losses:
            raise DataError("there are no batches to judge by")
        return float(np.mean(losses))

    return mean_loss
