"""What a LeNet answers, as NumPy products of its parameters: who asks no other net need not wait for torch's import.

Parameters are a dict in the order of the layers, {"conv1.weight": array, "conv1.bias": array, ...}, as
``dense_files.state`` and ``StoredNet.state_dict`` give them.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def logits(state, images):
    """Logits, float32 (n, 10), of uint8 images (n, 28, 28): what ``LeNet5`` or ``LeNet300100`` of ``models`` says."""
    x, hidden = images[:, None].astype(np.float32) / 255, False
    for name in [key.removesuffix(".weight") for key in state if key.endswith(".weight")]:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        if weight.ndim == 4:
            patches = sliding_window_view(x, weight.shape[2:], (2, 3))  # (n, channels, height, width, 5, 5)
            x = np.tensordot(patches, weight, ((1, 4, 5), (1, 2, 3))) + bias
            x = np.maximum(x[:, ::2], x[:, 1::2])
            x = np.maximum(x[:, :, ::2], x[:, :, 1::2]).transpose(0, 3, 1, 2)
        else:
            x = np.maximum(x, 0) if hidden else x.reshape(len(x), -1)
            x, hidden = x @ weight.T + bias, True
    return x


def predict(state, images, batch_size=250):
    """Predicted classes, int64 (n,), of uint8 images (n, 28, 28)."""
    starts = range(0, len(images), batch_size)
    return np.concatenate([logits(state, images[start : start + batch_size]).argmax(1) for start in starts])


def error_percent(state, split):
    """Top-1 error on a ``Split`` that is not empty, in percent."""
    return 100.0 * float(np.mean(predict(state, split.images) != split.labels))
