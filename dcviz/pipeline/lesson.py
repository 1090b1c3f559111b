"""A net pruned, shared and fine-tuned in a lesson: seconds instead of a recipe's hours."""

import copy
import functools
from dataclasses import replace

from dcviz import archive
from dcviz.files import MODELS
from dcviz.nets import datasets, models, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import retraining, shipped, stages, trained_quantization

SHORT = Schedule(epochs=2, lr=3e-3, batch_size=32, teacher_weight=0.7)
"""Retraining in a lesson: 4,000 digits, a second or a few."""
LONG = Schedule(epochs=3, lr=1e-3, batch_size=128, teacher_weight=0.7)
"""Retraining for a recording: 55,000 digits."""
FINETUNE = Schedule(epochs=0.5, lr=1e-3, batch_size=128)
"""Fine-tuning of the shared values for a recording: 55,000 digits."""


def pruned_net(name):
    """A shipped net pruned to its recipe's densities and retrained on 4,000 bundled digits.

    A fresh torch net each time. It is pruned in 10 cuts over 250 steps, so it is worse than the shipped compressed net,
    but its surviving weights are not quantized yet. Those of Table 1 come from a file that ``make`` wrote, others are
    made here and now, once per session. NetError: unknown name.
    """
    if name in shipped.LESSONS:
        return stages.restore(shipped.compressed(shipped.LESSONS[name]))
    return copy.deepcopy(_pruned_in_a_lesson(name))


def pruned_weights(name):
    """{layer: float32 weights} of ``pruned_net``; for a net of Table 1 read only, and without torch."""
    if name in shipped.LESSONS:
        return shipped.stored_weights(shipped.LESSONS[name])
    return retraining.weights_of(_pruned_in_a_lesson(name))


@functools.cache
def _pruned_in_a_lesson(name):
    return prune(name, datasets.digits().train, SHORT, cuts=10)


def make(folder=MODELS):
    """Prune the nets of Table 1 in a lesson, here and now, and write the files that ``pruned_net`` reads."""
    for name, file in shipped.LESSONS.items():
        recipe = replace(shipped.reference(name).recipe, dtype="float32", bias_dtype="float32")
        archive.save(folder / f"{file}.dcz", stages.stored_net(_pruned_in_a_lesson(name), recipe, "pruned"))


def prune(name, data, schedule, cuts):
    """A shipped net pruned in steps to its recipe's densities while it trains on a ``Split`` -> torch net."""
    layers = shipped.reference(name).recipe.layers
    net = shipped.dense(name)
    densities = {layer: recipe.density for layer, recipe in layers.items()}
    constraint = retraining.Gradual(net, densities, schedule.steps(len(data)), cuts, ramp=0.6, regrow=True)
    training.fit(net, data, schedule, constraint=constraint, teacher=shipped.dense(name))
    return net


def share(net, bits, init="linear", seed=0, max_iterations=300):
    """Share the non-zero weights of ``net``, in place, by k-means -> SharedWeights, ready for fine-tuning.

    bits: one number for all layers or {layer: bits}, k = 2**bits centroids a layer (fewer if it has fewer
    distinct weights); layers missing from the dict, or with None, keep their own values.
    max_iterations: Lloyd steps at most; 0 shares the starting centroids themselves.
    NetError for an unknown layer.
    """
    bits = bits if isinstance(bits, dict) else dict.fromkeys(models.weight_layers(net), bits)
    return share_k(net, {name: b and 2**b for name, b in bits.items()}, init, seed, max_iterations)


def share_k(net, k, init="linear", seed=0, max_iterations=300):
    """As share, but with {layer: number of centroids}."""
    asked = {name: most for name, most in k.items() if most is not None}
    books = trained_quantization.codebooks(net, asked, init, seed, max_iterations)
    return trained_quantization.SharedWeights(net, books)


def bits_of_kinds(net, conv, fc):
    """{layer: bits} with ``conv`` bits in convolutional and ``fc`` bits in fully connected layers."""
    layers = models.weight_layers(net)
    return {name: conv if layer.weight.dim() == 4 else fc for name, layer in layers.items()}
