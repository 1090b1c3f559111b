"""Nets of other shapes: layers made narrower or split in two, and the way back from their files.

A .dcz file names its net and has every layer's shape, so a net with fewer filters, or with a layer as two factors,
comes back from the file alone. For nets that are a chain, each layer fed by the one before it.
"""

import copy
import itertools

import numpy as np
import torch
from torch import nn

from dcviz.errors import NetError
from dcviz.nets import models


def resized(layer, weight, bias=None):
    """A new layer like ``layer`` (Linear or Conv2d), but with these tensors, of whatever width.

    weight: (outputs, inputs) or (outputs, inputs, h, w); bias: (outputs,) or None. NetError if the number of
    dimensions or a kernel's size is another, or for a convolution in groups.
    """
    weight = torch.as_tensor(np.array(weight)) if isinstance(weight, np.ndarray) else weight
    bias = torch.as_tensor(np.array(bias)) if isinstance(bias, np.ndarray) else bias
    if weight.shape[2:] != layer.weight.shape[2:]:
        raise NetError(f"weights {tuple(weight.shape)} do not fit a layer of {tuple(layer.weight.shape)}")
    outputs, inputs = weight.shape[:2]
    if isinstance(layer, nn.Conv2d):
        if layer.groups != 1:
            raise NetError(f"a convolution in {layer.groups} groups cannot be resized")
        options = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "padding_mode")}
        new = nn.Conv2d(inputs, outputs, layer.kernel_size, bias=bias is not None, device="meta", **options)
    else:
        new = nn.Linear(inputs, outputs, bias=bias is not None, device="meta")
    new.weight = nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format))
    if bias is not None:
        new.bias = nn.Parameter(bias.detach().clone())
    return new


def split(second, first, bias=None):
    """Two linear layers in a row whose product stands for one: second (n, d) after first (d, m)."""
    linear = nn.Linear(1, 1, device="meta")
    return nn.Sequential(resized(linear, first), resized(linear, second, bias))


def with_layers(net, layers):
    """A copy of ``net`` with some of its layers replaced: {name: module}. NetError for a name that it lacks."""
    known = models.weight_layers(net)
    if unknown := [name for name in layers if name not in known]:
        raise NetError(f"no layer called {', '.join(unknown)}; there are {', '.join(known)}")
    new = copy.deepcopy(net)
    for name, layer in layers.items():
        new.set_submodule(name, layer)
    return new.train(net.training)


def restore(stored):
    """The torch net of a ``StoredNet`` whose layers are narrower or split, in evaluation mode.

    Layer ``fc1`` is split where the file has ``fc1.0`` and ``fc1.1``. NetError for an unknown net, a layer that the
    file lacks or has too much, or layers that do not fit one after another.
    """
    with torch.device("meta"):
        net = models.build(stored.name)
    state, layers = dict(stored.state_dict()), {}
    for name, layer in models.weight_layers(net).items():
        whole, first, second = (f"{name}{part}.weight" for part in ("", ".0", ".1"))
        if whole in state:
            layers[name] = resized(layer, state.pop(whole), state.pop(f"{name}.bias", None))
        elif first in state and second in state:
            layers[name] = split(state.pop(second), state.pop(first), state.pop(f"{name}.1.bias", None))
        else:
            raise NetError(f"the file of {stored.name!r} lacks the layer {name!r}")
    if state:
        raise NetError(f"the file of {stored.name!r} has tensors that the net lacks: {', '.join(state)}")
    _check_chain(layers)
    return with_layers(net, layers).eval()


def _check_chain(layers):
    flat = []
    for name, layer in layers.items():
        flat += [(name, part) for part in (layer if isinstance(layer, nn.Sequential) else [layer])]
    for (name, layer), (next_name, following) in itertools.pairwise(flat):
        if following.weight.shape[1] % layer.weight.shape[0]:
            raise NetError(
                f"{next_name} takes {following.weight.shape[1]} inputs, {name} gives {layer.weight.shape[0]}"
            )
