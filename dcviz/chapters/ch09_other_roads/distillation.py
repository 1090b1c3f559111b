"""A small net that learns from a large one's answers (Hinton, Vinyals, Dean 2015).

The teacher's softmax at temperature T says more than the label: a 7 that looks a little like a 1. The student's loss
is a mixture of the labels' cross-entropy and T**2 times the divergence from those soft targets (``schedules.Schedule``:
``teacher_weight``, ``temperature``). The student is dense, so it is faster on any machine.
"""

import numpy as np
import torch
from torch import nn

from dcviz.chapters.ch09_other_roads import rebuild
from dcviz.errors import NetError, RecipeError
from dcviz.nets import models, training


def soften(logits, temperature=1.0):
    """Softmax of logits / T over the last axis -> probabilities; T = 1 is the net's own answer, large T is even.

    RecipeError unless the temperature is above 0.
    """
    if not temperature > 0:
        raise RecipeError(f"a temperature is above 0, not {temperature}")
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def entropy(probabilities):
    """Bits of surprise in soft targets, over the last axis: 0 for a hard label, log2(10) for ten even classes."""
    p = np.asarray(probabilities, np.float64)
    return -(p * np.log2(np.where(p > 0, p, 1))).sum(-1)


@torch.no_grad()
def answers(net, images):
    """A net's logits (n, classes) for uint8 images (n, h, w) -> float array."""
    with training.threads(1):
        return net(training.to_input(images)).numpy()


def fair_shift(logits, digit, share=0.1):
    """What to add to one class's logit so that ``share`` of the answers are this class -> float.

    A student that never saw a digit knows it only from soft targets, and bets against it: its logit is too low for all
    pictures alike. Needs no labels, only that a tenth of the digits are of each kind. logits: (n, classes).
    """
    logits = np.asarray(logits, np.float64)
    behind = np.delete(logits, digit, axis=1).max(1) - logits[:, digit]
    return float(np.quantile(behind, share))


def shifted_answers(logits, digit, shift):
    """Classes (n,) that the logits give after ``shift`` is added to one class's."""
    moved = np.array(logits, np.float64)
    moved[:, digit] += shift
    return moved.argmax(1)


def right_by_class(net, split, unseen=None):
    """Percent of each class's pictures that the net names right -> list of ten; with ``fair_shift`` for ``unseen``."""
    logits = answers(net, split.images)
    shift = 0.0 if unseen is None else fair_shift(logits, unseen)
    found = shifted_answers(logits, unseen or 0, shift)
    return [100 * float(np.mean(found[split.labels == c] == c)) for c in range(logits.shape[1])]


def student(widths, name="lenet-300-100", seed=0):
    """A fresh net of the same kind, but with other hidden widths: ``widths`` for every layer but the last.

    student((50, 20)) is LeNet-300-100's little sister 50-20. NetError if the number of widths is another.
    """
    base = models.build(name, seed=seed)
    layers = models.weight_layers(base)
    names = list(layers)
    if len(widths) != len(names) - 1 or min(widths) < 1:
        raise NetError(f"{name} wants {len(names) - 1} positive widths, for {', '.join(names[:-1])}; not {widths}")
    new, before = {}, None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for key, width in zip(names, [*widths, layers[names[-1]].weight.shape[0]], strict=True):
            layer = layers[key]
            inputs = layer.weight.shape[1]
            if before is not None:  # after flattening, a channel feeds several inputs
                inputs = inputs // layers[before].weight.shape[0] * new[before].weight.shape[0]
            new[key] = _fresh(layer, width, inputs)
            before = key
    return rebuild.with_layers(base, new)


def _fresh(layer, outputs, inputs):
    if isinstance(layer, nn.Linear):
        return nn.Linear(inputs, outputs)
    return nn.Conv2d(inputs, outputs, layer.kernel_size, layer.stride, layer.padding)
