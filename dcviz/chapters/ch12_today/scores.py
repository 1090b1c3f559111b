"""Pruning without retraining: which weights go, judged by the inputs that they meet, and how the others make up for it.

A layer multiplies inputs x (columns) with weights w (rows, columns). Magnitude pruning looks at |w| alone. *Wanda*
(Sun and others, 2023) looks at |w| times the norm of the input, row by row: a small weight on a loud input matters.
*SparseGPT* (Frantar, Alistarh, 2023) also moves the weights that stay, so that the outputs on some text change least.
"""

import copy

import numpy as np

from dcviz.errors import RecipeError
from dcviz.ideas.pruning import mask_from_density
from dcviz.nets import models
from dcviz.without_torch import Later

torch = Later("torch")

WAYS = ("magnitude, whole layer", "magnitude, each output", "Wanda, whole layer", "Wanda, each output", "corrected")
"""How a layer can be pruned; "corrected" is Wanda for each output, then ``correct``."""
PATTERNS = ("free", "2:4")


def grams(net, inputs, layers=None):
    """{layer: inputs' products x^T x, float32 (columns, columns)} of the Linear layers of a net on a batch.

    The diagonal holds the squared norms that Wanda needs. layers: names, or None for all.
    """
    linear = {name: module for name, module in net.named_modules() if isinstance(module, torch.nn.Linear)}
    wanted, found = {name: linear[name] for name in linear if layers is None or name in layers}, {}

    def keep(name, given):
        x = given.flatten(0, -2)
        found[name] = found.get(name, 0) + x.T @ x

    with models.watched(wanted, keep, inputs=True), torch.no_grad():
        net(inputs)
    return {name: gram.numpy() for name, gram in found.items()}


def norms(gram):
    """The norm of each input over the batch: x^T x (columns, columns) -> (columns,)."""
    return np.sqrt(np.diag(gram))


def squared_gradients(net, batches):
    """{layer: mean over batches of the squared gradient of the loss, float32, shape of its weights}.

    batches: [(inputs, targets)]; the loss is the cross-entropy of the net's last axis.
    """
    total = {name: 0.0 for name, module in net.named_modules() if isinstance(module, torch.nn.Linear)}
    for inputs, targets in batches:
        net.zero_grad()
        logits = net(inputs)
        torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)).backward()
        for name in total:
            total[name] = total[name] + net.get_submodule(name).weight.grad.square()
    net.zero_grad()
    return {name: (value / len(batches)).numpy() for name, value in total.items()}


def mask(weight, density, way, norm, pattern="free"):
    """Which weights of a matrix (rows, columns) stay -> bool array of its shape.

    way: one of ``WAYS``; norm: of each input (columns,), not looked at by magnitude. With the pattern "2:4" two of
    every four neighbours in a row stay, whatever ``density`` says. RecipeError for another way or pattern.
    """
    if way not in WAYS or pattern not in PATTERNS:
        raise RecipeError(
            f"way must be one of {', '.join(WAYS)}, pattern {' or '.join(PATTERNS)}: {way!r}, {pattern!r}"
        )
    score = np.abs(weight) if way.startswith("magnitude") else np.abs(weight) * norm
    if pattern == "2:4":
        return two_of_four(score)
    if way.endswith("whole layer"):
        return mask_from_density(score, density)
    return np.stack([mask_from_density(row, density) for row in score])


def two_of_four(score):
    """The two highest scores of every four neighbours in a row -> bool, shape of ``score`` (rows, columns).

    RecipeError unless the columns come in fours. Of equal scores the earlier stays.
    """
    rows, columns = score.shape
    if columns % 4:
        raise RecipeError(f"2:4 sparsity needs columns in fours, not {columns}")
    best = np.argsort(-score.reshape(rows, -1, 4), axis=2, kind="stable")[:, :, :2]
    kept = np.zeros((rows, columns // 4, 4), bool)
    np.put_along_axis(kept, best, True, axis=2)
    return kept.reshape(rows, columns)


def correct(weight, kept, gram, damp=0.01):
    """The kept weights of each row, moved so that its outputs come nearest to what they were: float32, same shape.

    Least squares: with G = x^T x, the kept part K of a row w becomes G[K, K]^-1 G[K, :] w. ``damp``: this part of the
    mean of G's diagonal is added to it, so that seldom used inputs do no harm.
    """
    gram = gram.astype(np.float64)
    gram = gram + damp * np.mean(np.diag(gram)) * np.eye(len(gram))
    wanted = weight @ gram
    moved = np.zeros(weight.shape, np.float32)
    for row, keep in enumerate(kept):
        moved[row, keep] = np.linalg.solve(gram[np.ix_(keep, keep)], wanted[row, keep])
    return moved


def pruned(weight, density, way, gram, pattern="free"):
    """A matrix with the weights that stay, float32, same shape: ``mask``, and ``correct`` where the way says so."""
    kept = mask(weight, density, way, norms(gram), pattern)
    return correct(weight, kept, gram) if way == "corrected" else np.where(kept, weight, np.float32(0))


def prune(net, density, way, gram, pattern="free"):
    """A pruned copy of a net: the layers of ``gram`` (from ``grams``), all at one density or {layer: density}."""
    net = copy.deepcopy(net)
    for name, products in gram.items():
        module = net.get_submodule(name)
        part = density[name] if isinstance(density, dict) else density
        new = pruned(module.weight.detach().numpy(), part, way, products, pattern)
        with torch.no_grad():
            module.weight.copy_(torch.from_numpy(new))
    return net
