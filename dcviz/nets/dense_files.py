"""The dense nets that ship, as arrays: who only looks at weights need not wait for the import of torch."""

import functools

from safetensors import SafetensorError
from safetensors.numpy import load_file

from dcviz.errors import NetError
from dcviz.files import MODELS

NETS = ("lenet-300-100", "lenet-5")


@functools.cache
def state(net):
    """{key: float32 array} of a dense net, weights and biases; read only. NetError if it cannot be read."""
    path = MODELS / f"{net}.safetensors"
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise NetError(f"the dense weights of {net} cannot be read from {path}: {error}") from error
    for values in tensors.values():
        values.setflags(write=False)
    return tensors


def weights(net):
    """{layer: float32 weights} of a dense net, in the net's own order; errors as ``state``."""
    return {key.removesuffix(".weight"): values for key, values in state(net).items() if key.endswith(".weight")}
