"""What a LeNet or the language model answers, as NumPy products of its parameters: nobody waits for torch's import.

Parameters are a dict in the order of the layers, {"conv1.weight": array, "conv1.bias": array, ...}, as
``dense_files.state`` and ``StoredNet.state_dict`` give them.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dcviz.errors import NetError
from dcviz.nets import dense_files
from dcviz.nets.novels import pieces, windows

HEADS, CONTEXT = 4, 128
"""Of the language model that ships; its parameters do not tell."""
PARTS = ("query", "key", "value", "mix", "up", "down")
"""Matrices of one of its blocks, in order."""


def logits(state, images, inputs=None):
    """Logits, float32 (n, 10), of uint8 images (n, 28, 28): what ``LeNet5`` or ``LeNet300100`` of ``models`` says.

    inputs: a dict that gets what the fully connected layers see, {layer: float32 (n, columns)}.
    """
    x, hidden = images[None].astype(np.float32) / 255, False  # (channels, n, height, width)
    for name in [key.removesuffix(".weight") for key in state if key.endswith(".weight")]:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        if weight.ndim == 4:
            size = [side - kernel + 1 for side, kernel in zip(x.shape[2:], weight.shape[2:], strict=True)]
            moved = sliding_window_view(x, size, (2, 3)).transpose(0, 2, 3, 1, 4, 5)  # (channels, 5, 5, n, ...)
            x = weight.reshape(len(weight), -1) @ moved.reshape(weight[0].size, -1) + bias[:, None]
            x = x.reshape(len(weight), -1, *size)
            x = np.maximum(x[:, :, ::2], x[:, :, 1::2])
            x = np.maximum(x[..., ::2], x[..., 1::2])
        else:
            x = np.maximum(x, 0) if hidden else x.swapaxes(0, 1).reshape(x.shape[1], -1)
            if inputs is not None:
                inputs[name] = x
            x, hidden = x @ weight.T + bias, True
    return x


def predict(state, images, batch_size=100):
    """Predicted classes, int64 (n,), of uint8 images (n, 28, 28)."""
    starts = range(0, len(images), batch_size)
    return np.concatenate([logits(state, images[start : start + batch_size]).argmax(1) for start in starts])


def error_percent(state, split):
    """Top-1 error on a ``Split`` that is not empty, in percent."""
    return 100.0 * float(np.mean(predict(state, split.images) != split.labels))


def language_model():
    """{key: float32 array} of the language model that ships, in its own order; read only. NetError as ``state``."""
    state = dense_files.state("austen")
    blocks = range(len(state) // len(PARTS))
    keys = [f"blocks.{block}.{part}.weight" for block in blocks for part in PARTS]
    return {key: state[key] for key in (*keys, "head.weight")}


def next_pieces(state, places, past=None):
    """Logits, float32 (n, t, vocabulary), of the piece that follows each of ``places`` (n, t): ``Decoder``'s.

    past: a list, empty at first, that keeps what the pieces before these have left behind; a text then goes on without
    being read again.
    """
    past = [] if past is None else past
    first = past[0][0].shape[2] if past else 0
    x = _normalised(state["head.weight"][places])
    n, t, width = x.shape
    angle = np.outer(np.arange(first, first + t), 10_000.0 ** -np.arange(0, 1, 2 * HEADS / width)).astype(np.float32)
    turn = np.sin(angle)[:, None], np.cos(angle)[:, None]
    ahead = np.triu(np.full((t, first + t), -np.inf, np.float32), first + 1)
    for block in range(sum(key.endswith(".mix.weight") for key in state)):
        part = {name: state[f"blocks.{block}.{name}.weight"].T for name in PARTS}
        h = _normalised(x)
        query, key, value = ((h @ part[name]).reshape(n, t, HEADS, -1) for name in PARTS[:3])
        query, key, value = (y.transpose(0, 2, 1, 3) for y in (_turned(query, turn), _turned(key, turn), value))
        if first:
            key, value = (np.concatenate(both, 2) for both in zip(past[block], (key, value), strict=True))
        past[block : block + 1] = [(key, value)]
        score = query @ key.transpose(0, 1, 3, 2) / np.float32(query.shape[-1] ** 0.5) + ahead
        odds = np.exp(score - score.max(-1, keepdims=True))
        seen = (odds / odds.sum(-1, keepdims=True)) @ value
        x = x + seen.transpose(0, 2, 1, 3).reshape(n, t, width) @ part["mix"]
        x = x + _gelu(_normalised(x) @ part["up"]) @ part["down"]
    return _normalised(x) @ state["head.weight"].T


def bits_per_character(state, text, batch=8):
    """The language model's error on a text, as ``transformer.bits_per_character``."""
    inputs, targets = windows(pieces().encode(text), CONTEXT)
    nats = 0.0
    for start in range(0, len(inputs), batch):
        rows = slice(start, start + batch)
        said = next_pieces(state, inputs[rows])
        said -= said.max(-1, keepdims=True)
        right = np.take_along_axis(said, targets[rows][..., None], -1)[..., 0]
        nats += float((np.log(np.exp(said).sum(-1)) - right).sum(dtype=np.float64))
    return nats / math.log(2) / len(pieces().decode(targets.ravel()))


def write(state, prompt, count=60, seed=0, temperature=0.8):
    """``prompt`` and ``count`` more pieces, drawn by the language model's odds (NumPy draws other ones than torch).

    NetError if that is more than the model reads at once.
    """
    places, past, random = pieces().encode(prompt).tolist(), [], np.random.default_rng(seed)
    if len(places) + count > CONTEXT:
        raise NetError(f"{len(places)} pieces and {count} more are over the {CONTEXT} that the model reads at once")
    new = places
    for _ in range(count):
        said = next_pieces(state, [new], past)[0, -1].astype(np.float64) / temperature
        odds = np.exp(said - said.max())
        new = [int(random.choice(odds.size, p=odds / odds.sum()))]
        places = places + new
    return pieces().decode(places)


def _normalised(x):
    return x / np.sqrt(np.square(x).mean(-1, keepdims=True) + np.finfo(np.float32).eps)


def _turned(x, turn):
    sin, cos = turn
    left, right = np.split(x, 2, -1)
    return np.concatenate([left * cos - right * sin, left * sin + right * cos], -1)


def _gelu(x):
    """x times the bell's share below x, by the error function of Abramowitz and Stegun, 7.1.26: right to 2e-7."""
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    beyond = np.float32(1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        beyond = np.float32(factor) + t * beyond
    beyond *= t * np.exp(-z * z) / 2
    return x * np.where(x > 0, 1 - beyond, beyond)
