"""The paper's three steps, and today's rivals, on the whole language model: from the net to a file and back."""

import copy

import numpy as np

from dcviz import archive
from dcviz.archive import Coding, Layer, StoredNet
from dcviz.chapters.ch12_today import scores, sharing
from dcviz.nets.models import weight_layers
from dcviz.pipeline import restore

GAPS = (1, 2, 3, 4, 5, 6)
"""Bits of a gap that are tried for every layer."""


def blocks(grams):
    """Of {layer: gram} those of the blocks: the table of pieces is looked up, not multiplied, and is never pruned."""
    return {name: gram for name, gram in grams.items() if name != "head"}


def pruned_file(net, name="austen"):
    """A ``StoredNet`` of a pruned net with its kept weights as 16-bit floats and Huffman-coded gaps."""
    parts = []
    for key, module in weight_layers(net).items():
        weight = module.weight.detach().numpy().astype(np.float16).astype(np.float32)
        parts.append(_shortest(Layer(key, weight, coding=Coding(dtype="float16"))))
    return StoredNet(name, tuple(parts))


def three_steps(net, bits, importance, name="austen"):
    """A ``StoredNet`` of a pruned net: a layer's kept weights share 2**bits - 1 values, codes and gaps Huffman-coded.

    importance: {layer: array}, as for ``sharing.share``: values go where the loss feels the weights most. A layer that
    is not pruned gets all 2**bits values and no gaps.
    """
    parts = []
    for key, module in weight_layers(net).items():
        weight = module.weight.detach().numpy()
        kept = weight != 0
        sparse = not kept.all()
        codes, table = sharing.codebooks(weight[kept][None], 2**bits - sparse, importance[key][kept][None])
        new = np.zeros_like(weight)
        new[kept] = table[0, codes[0]]
        parts.append(_shortest(Layer(key, new, coding=Coding(codebook=np.unique(new[kept]), dtype="float16"))))
    return StoredNet(name, tuple(parts))


def _shortest(layer):
    """The layer with the coding that gives the smallest file: every position, or gaps of the best width."""
    same = {"codebook": layer.coding.codebook, "dtype": layer.coding.dtype, "huffman": True}
    dense = same if layer.coding.codebook is None else {**same, "codebook": np.unique(layer.weight)}
    codings = [Coding(**dense)]
    if (layer.weight == 0).any():
        codings += [Coding(index_bits=gap, **same) for gap in GAPS]
    return archive.shortest(layer, codings)


def opened(stored, net):
    """A copy of ``net`` with the weights of a ``StoredNet`` of ours, codes and tables included; in float32."""
    if any(isinstance(layer, Layer) and layer.bare for layer in stored.layers):
        return sharing.with_values(net, sharing.read(stored))
    return restore(stored, into=copy.deepcopy(net)).float()


def pruned(net, density, way, grams, pattern="free"):
    """``scores.prune`` of the blocks of a language model."""
    return scores.prune(net, density, way, blocks(grams), pattern)
