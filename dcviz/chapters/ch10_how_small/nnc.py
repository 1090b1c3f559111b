"""The coder of the standard for neural nets (NNC, ISO/IEC 15938-17) on a pruned and shared layer, if it is installed.

Its DeepCABAC says for each weight in turn whether it is zero, its sign, and how large it is; every such yes or no has
an arithmetic code whose chances follow the weights around it. The package ``nncodec`` is its reference implementation:
a C++ extension that is compiled while pip installs it (``pip install --no-deps nncodec`` is enough for this module).
"""

from importlib import import_module, metadata

import numpy as np

from dcviz.errors import CodeError, DataError

UNARY = 10
"""Steps of a code's size that have chances of their own, the package's default."""


def codes(weight):
    """Shared weights as the standard codes them: 0, then 1, 2, ... and -1, -2, ... outwards -> int32, same shape."""
    values = np.union1d(weight, np.float32(0))
    return (np.searchsorted(values, weight) - np.searchsorted(values, 0)).astype(np.int32)


def size(weight):
    """Bytes of all weights of a layer (rows, ...), zeros included, without a codebook and headers -> int.

    What was written is decoded again and compared: CodeError if it does not come back. DataError if ``nncodec`` is
    not installed.
    """
    cabac = _installed(lambda: import_module("nncodec.extensions.deepCABAC"))
    numbers = codes(weight)
    numbers = np.ascontiguousarray(numbers.reshape(len(numbers), -1))
    empty = (~numbers.any(axis=1)).astype(np.int32)  # rows without a weight are passed over
    by_row, alone = 0, (cabac.HdspMode.AlwaysOff, np.zeros(2, np.int8), 0, 0)  # no earlier net, no table to lean on
    encoder = cabac.Encoder()
    encoder.initCtxModels(UNARY, True)
    encoder.encodeLayer(numbers, 0, by_row, 1, 0, True, empty, *alone)
    data = encoder.finish()
    decoder, back = cabac.Decoder(), np.zeros_like(numbers)
    decoder.setStream(data)
    decoder.initCtxModels(UNARY)
    decoder.decodeLayer(back, 0, by_row, 1, 0, *alone)
    if not np.array_equal(back, numbers):
        raise CodeError(f"NNC's coder: weights of shape {np.shape(weight)} do not come back")
    return len(data)


def version():
    """Name and version of the package that codes -> str. DataError as for ``size``."""
    return f"nncodec {_installed(lambda: metadata.version('nncodec'))}"


def _installed(find):
    try:
        return find()
    except ImportError as error:  # a missing package's metadata too
        raise DataError("NNC's coder is not installed; try: pip install --no-deps nncodec") from error
