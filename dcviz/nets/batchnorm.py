"""Fold batch normalisation into the convolution before it, so that a net is convolutions and layers alone.

In evaluation mode batch normalisation is one multiplication and one addition per channel, and so it can be done
beforehand, in the weights. The paper's pipeline then sees a net like any other, and the file needs no extra numbers.
"""

import copy

import numpy as np
import torch
from torch import nn

from dcviz.errors import NetError


def folded(weight, bias, gamma, beta, mean, variance, eps):
    """Weight and bias of the one layer that does what layer and batch normalisation do, NumPy.

    weight: (outputs, ...); the others (outputs,), bias may be None.
    y = gamma * (w x + b - mean) / sqrt(variance + eps) + beta = (s w) x + (beta + s (b - mean)), s = gamma / sqrt(...)
    """
    scale = gamma / np.sqrt(variance + eps)
    bias = np.zeros_like(mean) if bias is None else bias
    return weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), beta + scale * (bias - mean)


def fold(net):
    """A copy of ``net`` in evaluation mode, each BatchNorm folded into the layer declared just before it.

    The same function up to rounding (computed in double precision, stored in float32). What is folded away becomes
    Identity; a layer without bias gets one. The net must run the two one after the other, with nothing in between:
    the caller knows. NetError for a BatchNorm with no Conv2d or Linear before it, of other width, or without
    statistics of its own. The copy's name ends in "-folded".
    """
    net = copy.deepcopy(net).eval()
    if hasattr(net, "name"):
        net.name = f"{net.name}-folded"
    for path, parent in net.named_modules():
        before = None
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
                where = f"{path}.{name}".lstrip(".")
                if not isinstance(before, nn.Conv2d | nn.Linear) or before.weight.shape[0] != child.num_features:
                    raise NetError(f"{where}: no convolution or linear layer of {child.num_features} outputs before it")
                if child.running_mean is None:
                    raise NetError(f"{where}: it keeps no running statistics, so there is nothing to fold")
                _fold_into(before, child)
                setattr(parent, name, nn.Identity())
            before = child
    return net


def _fold_into(layer, norm):
    if layer.weight.is_meta:  # a net without numbers yet, waiting for a file's: only its form changes
        layer.bias = nn.Parameter(layer.weight.new_empty(norm.num_features))
        return
    as_double = lambda x: None if x is None else x.detach().cpu().numpy().astype(np.float64)  # noqa: E731
    mean, variance = as_double(norm.running_mean), as_double(norm.running_var)
    gamma = np.ones_like(mean) if norm.weight is None else as_double(norm.weight)
    beta = np.zeros_like(mean) if norm.bias is None else as_double(norm.bias)
    with np.errstate(all="ignore"):  # judged by what comes out
        weight, bias = folded(as_double(layer.weight), as_double(layer.bias), gamma, beta, mean, variance, norm.eps)
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise NetError("batch normalisation with a variance that is not above -eps, or with NaN: it cannot be folded")
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
    layer.bias = nn.Parameter(torch.from_numpy(bias).to(layer.weight))
