"""Plain 8-bit weights after training: every weight rounded to one of 255 evenly spaced levels, nothing retrained.

A weight is an integer from -127 to 127 times a scale: one scale for the layer ("tensor"), or one for every output
("channel"). That is what phones multiply in hardware. In the file the integers are 8-bit codes into a codebook of
integers, the scales are a tensor of their own: no index, no training, almost exactly a quarter of the bytes.
"""

from dataclasses import replace

import numpy as np

from dcviz.archive import Coding, Layer, StoredNet
from dcviz.chapters.ch09_other_roads import rebuild
from dcviz.errors import RecipeError
from dcviz.pipeline import stored_net

PER = ("tensor", "channel")
SCALE = ".scale"


def quantize(weight, per="tensor", bits=8):
    """Integers and scales of a layer: (n, ...) -> int32 of the same shape, float32 scale (1,) or (n,).

    ``integers * scale`` is the nearest such value to each weight. Symmetric: 2**bits - 1 levels, zero is one of them.
    RecipeError for another ``per`` or bits outside 2..16.
    """
    if per not in PER:
        raise RecipeError(f"one scale per {' or '.join(PER)}, not per {per!r}")
    if not 2 <= bits <= 16:
        raise RecipeError(f"bits must be 2 to 16, not {bits}")
    weight = np.asarray(weight, np.float32)
    rows = weight.reshape(1 if per == "tensor" else len(weight), -1)
    most = 2 ** (bits - 1) - 1
    scale = (np.abs(rows).max(1) / most).astype(np.float32)
    scale[scale == 0] = 1  # a layer or channel of zeros
    integers = np.clip(np.rint(rows / scale[:, None]), -most, most).astype(np.int32)
    return integers.reshape(weight.shape), scale


def dequantize(integers, scale):
    """The float32 weights that integers (n, ...) and scales (1,) or (n,) stand for."""
    return (integers * scale.reshape(-1, *[1] * (integers.ndim - 1))).astype(np.float32)


def store(net, per="tensor", bits=8, huffman=False):
    """A ``StoredNet`` with every layer's weights as integers and scales; biases stay float32.

    ``huffman``: Huffman-code the integers, which plain int8 does not.
    """
    layers = []
    for layer in stored_net(net).layers:
        integers, scale = quantize(layer.weight, per, bits)
        weight = integers.astype(np.float32)
        coding = Coding(codebook=np.unique(weight), huffman=huffman, dtype="float32" if bits > 12 else "float16")
        layers += [replace(layer, weight=weight, coding=coding), Layer(layer.name + SCALE, scale, bare=True)]
    return StoredNet(getattr(net, "name", type(net).__name__), tuple(layers))


def restore(stored):
    """The torch net of a ``StoredNet`` made by ``store``; errors as ``rebuild.restore``."""
    scales = {layer.name: layer.weight for layer in stored.layers if layer.bare}
    layers = tuple(
        replace(layer, weight=dequantize(layer.weight, scales[layer.name + SCALE]), coding=Coding())
        for layer in stored.layers
        if not layer.bare and layer.name + SCALE in scales
    )
    return rebuild.restore(StoredNet(stored.name, layers))
