"""The dense nets that ship, as arrays: who only looks at weights need not wait for the import of torch."""

import functools

import numpy as np
from safetensors import SafetensorError, deserialize

from dcviz.errors import NetError
from dcviz.files import MODELS

NETS = ("lenet-300-100", "lenet-5")


@functools.cache
def state(net):
    """{key: float32 array} of a dense net, weights and biases; read only. NetError if it cannot be read.

    Keys are sorted, which is a LeNet's own order. "austen" gives the language model, bfloat16 in its file.
    """
    path = MODELS / f"{net}.safetensors"
    try:
        tensors = {key: _float32(**tensor) for key, tensor in sorted(deserialize(path.read_bytes()))}
    except (OSError, SafetensorError) as error:
        raise NetError(f"the dense weights of {net} cannot be read from {path}: {error}") from error
    for values in tensors.values():
        values.setflags(write=False)
    return tensors


def _float32(shape, dtype, data):
    if dtype == "BF16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
    return np.frombuffer(data, "<f4").reshape(shape)


def weights(net):
    """{layer: float32 weights} of a dense net, in the net's own order; errors as ``state``."""
    return {key.removesuffix(".weight"): values for key, values in state(net).items() if key.endswith(".weight")}
