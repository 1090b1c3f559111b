"""Whole filters and neurons removed, by how little the loss would feel it (Molchanov et al. 2017).

The change of the loss C when channel z goes to zero is, to first order, |dC/dz * z|: gradient times activation, summed
over the places of the channel, its magnitude averaged over pictures. Both are at hand after one backward pass. Scores
of a layer are divided by their l2 norm, which makes layers comparable. What is left is a smaller *dense* net.
For nets that are a chain, each layer fed by the one before it.
"""

import copy
import itertools

import numpy as np
import torch
from torch.nn import functional as F

from dcviz.chapters.ch09_other_roads import rebuild
from dcviz.chapters.ch09_other_roads.figures import CRITERIA
from dcviz.errors import NetError, RecipeError
from dcviz.nets import models, training


def channel_scores(activation, gradient):
    """Taylor scores of one layer's channels: two arrays (n, channels, ...) of n pictures -> (channels,).

    The mean over pictures of |mean over places of activation * gradient|; not yet normalised.
    """
    product = np.asarray(activation, np.float64) * np.asarray(gradient, np.float64)
    return np.abs(product.reshape(*product.shape[:2], -1).mean(2)).mean(0)


def normalised(scores):
    """Scores over their l2 norm; zeros stay zeros."""
    length = np.linalg.norm(scores)
    return scores / length if length else scores


def to_channels(net):
    """Names of the layers whose channels can go: all but the last, whose outputs are the classes."""
    return list(models.weight_layers(net))[:-1]


def scores(net, split, criterion="taylor", layers=None, seed=0, to_input=training.to_input, batch_size=250):
    """{layer: normalised scores (channels,)}, low ones can go; by one of CRITERIA.

    split: pictures and labels for the Taylor criterion; ``to_input`` makes the net's input of uint8 pictures. layers:
    names, by default all but the last. RecipeError for an unknown criterion, NetError for an unknown layer.
    """
    known, names = models.weight_layers(net), layers or to_channels(net)
    if unknown := [name for name in names if name not in known]:
        raise NetError(f"no layer called {', '.join(unknown)}; there are {', '.join(known)}")
    if criterion not in CRITERIA:
        raise RecipeError(f"criterion must be one of {', '.join(CRITERIA)}, not {criterion!r}")
    if criterion == "taylor":
        found = _taylor(net, split, names, to_input, batch_size)
    elif criterion == "magnitude":
        found = {name: known[name].weight.detach().flatten(1).norm(dim=1).double().numpy() for name in names}
    else:
        rng = np.random.default_rng(seed)
        found = {name: rng.random(known[name].weight.shape[0]) for name in names}
    return {name: normalised(values) for name, values in found.items()}


def _taylor(net, split, names, to_input, batch_size):
    """A gate of 1 on every channel: the loss's gradient at the gate is the sum of activation times gradient."""
    layers, gates, totals = models.weight_layers(net), {}, {}

    def gate(name, output):
        gates[name] = torch.ones(*output.shape[:2], *[1] * (output.dim() - 2), requires_grad=True)
        return output * gates[name]

    with models.watched({name: layers[name] for name in names}, gate), training.threads(1):
        for start in range(0, len(split), batch_size):
            images, labels = split.images[start : start + batch_size], split.labels[start : start + batch_size]
            logits = net(to_input(images))
            loss = F.cross_entropy(logits, torch.as_tensor(np.array(labels)), reduction="sum")
            for name, gradient in zip(names, torch.autograd.grad(loss, [gates[n] for n in names]), strict=True):
                felt = gradient.flatten(1).abs().double().sum(0).numpy()
                totals[name] = totals.get(name, 0) + felt
    return {name: total / len(split) for name, total in totals.items()}


def oracle(net, split, layer):
    """How far the mean loss really moves when each channel alone is silenced -> (channels,), |after - before|.

    One pass over ``split`` a channel: what the Taylor criterion estimates from a single one.
    """
    weights, silent = models.weight_layers(net)[layer], copy.deepcopy(net)
    module = models.weight_layers(silent)[layer]
    before, changes = _loss(net, split), []
    with torch.no_grad():
        for channel in range(weights.weight.shape[0]):
            module.weight[channel] = 0
            bias = module.bias[channel].clone() if module.bias is not None else None
            if bias is not None:
                module.bias[channel] = 0
            changes.append(abs(_loss(silent, split) - before))
            module.weight[channel] = weights.weight[channel]
            if bias is not None:
                module.bias[channel] = bias
    return np.array(changes)


@torch.no_grad()
def _loss(net, split):
    with training.threads(1):
        logits = net(training.to_input(split.images))
    return F.cross_entropy(logits.double(), torch.as_tensor(np.array(split.labels))).item()


def remove(net, kept):
    """A smaller copy of ``net`` with only some channels: {layer: indices to keep}; other layers keep all theirs.

    The next layer loses the inputs that came from the channels removed. NetError if a layer is not fed by the one
    before alone, is the last, or would keep nothing.
    """
    layers = models.weight_layers(net)
    names, new = list(layers), {}
    if unknown := [name for name in kept if name not in names[:-1]]:
        raise NetError(f"channels can be removed from {', '.join(names[:-1])}, not from {', '.join(unknown)}")
    inputs = None
    for name, following in itertools.zip_longest(names, names[1:]):
        layer = layers[name]
        weight, bias = layer.weight.detach(), None if layer.bias is None else layer.bias.detach()
        if inputs is not None:
            weight = weight[:, inputs]
        if name in kept:
            rows = torch.as_tensor(np.sort(np.asarray(kept[name], np.int64)))
            if not len(rows):
                raise NetError(f"{name} would keep no channel")
            inputs = _inputs_of(rows, layer, layers[following], name, following)
            weight, bias = weight[rows], None if bias is None else bias[rows]
        else:
            inputs = None
        new[name] = rebuild.resized(layer, weight, bias)
    return rebuild.with_layers(net, new)


def _inputs_of(channels, layer, following, name, next_name):
    """Inputs of the next layer that come from these channels; after flattening a channel feeds many in a row."""
    each, rest = divmod(following.weight.shape[1], layer.weight.shape[0])
    if rest:
        raise NetError(f"{next_name} is not fed by {name} alone: {tuple(following.weight.shape)}")
    return (channels[:, None] * each + torch.arange(each)).reshape(-1)


def lowest(net, split, fraction, criterion="taylor", layers=None, seed=0, to_input=training.to_input, even=False):
    """{layer: indices to keep} after the ``fraction`` of all channels with the lowest scores goes; 0 <= fraction < 1.

    Layers compete, as scores are normalised, unless ``even``: then each loses this fraction of its own. Each keeps one
    channel at least.
    """
    if not 0 <= fraction < 1:
        raise RecipeError(f"the fraction to remove must be at least 0 and below 1, not {fraction}")
    found = scores(net, split, criterion, layers, seed, to_input)
    if even:
        return {name: sorted(values.argsort()[_gone(fraction, values) :].tolist()) for name, values in found.items()}
    ranked = sorted((score, name, i) for name, values in found.items() for i, score in enumerate(values))
    kept = {name: set(range(len(values))) for name, values in found.items()}
    budget = round(fraction * len(ranked))
    for _, name, channel in ranked:
        if not budget:
            break
        if len(kept[name]) > 1:
            kept[name].remove(channel)
            budget -= 1
    return {name: sorted(channels) for name, channels in kept.items()}


def _gone(fraction, values):
    return min(round(fraction * len(values)), len(values) - 1)


def prune(
    net,
    data,
    fraction,
    rounds,
    retrain,
    criterion="taylor",
    layers=None,
    seed=0,
    ranking=1000,
    to_input=training.to_input,
    even=False,
):
    """Remove a ``fraction`` of the channels in ``rounds``, with ``retrain(net, turn)`` after each -> smaller net.

    Each round keeps the same share of what is there. ``retrain`` trains a net in place (``on_digits`` makes one).
    ``ranking``: how many of the pictures in ``data`` scores are taken from.
    """
    share, few = (1 - fraction) ** (1 / rounds), data.take(slice(0, ranking))
    for turn in range(rounds):
        net = remove(net, lowest(net, few, 1 - share, criterion, layers, seed + turn, to_input, even))
        retrain(net, turn)
    return net


def on_digits(data, schedule, teacher=None, seed=0):
    """The ``retrain`` of ``prune`` for a ``Split`` of digits: ``training.fit`` by a ``Schedule``."""

    def retrain(net, turn):
        training.fit(net, data, schedule, teacher=teacher, seed=seed + turn)

    return retrain
