"""A compressed net learns another task: which of its parts may move, and what has to be sent to those who have it.

Everyone who holds the old file needs only the difference. Whoever keeps the codes where they are sends a new codebook;
whoever keeps the mask sends a number for each kept weight; whoever keeps nothing sends the whole net again.

    road          what learns                            starts from
    biases        biases                                 the compressed net
    codebook      shared values and biases               the compressed net
    kept          the weights under the mask, biases     the compressed net
    everything    all weights, the zeros too, biases     the compressed net
    dense         all weights and biases                 the dense net
    scratch       all weights and biases                 random numbers

``send`` writes the difference as bytes and ``receive`` puts it into the old net, so that sizes are real and errors are
the receiver's. Numbers are sent as 16-bit floats.
"""

import copy
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from dcviz.chapters.ch11_open_questions.figures import NAMES
from dcviz.errors import ArchiveError, NetError
from dcviz.nets import models
from dcviz.nets.training import Free
from dcviz.pipeline import restore
from dcviz.pipeline.retraining import Masked
from dcviz.pipeline.trained_quantization import SharedWeights

ROADS = tuple(NAMES)
COMPRESSED = ROADS[:4]
"""Roads that start from the compressed net."""

_MAGIC = b"DCT\x01"
_HEAD = struct.Struct("<4sBI")  # magic, road, CRC-32 of the numbers


class BiasesOnly(Free):
    """Constraint for training: the biases move, the weights stand still."""

    def parameters(self):
        """The vectors of the net."""
        return [p for p in self.net.parameters() if p.dim() == 1]


def reset(net):
    """Every layer draws new weights as torch does it, in place."""
    for layer in models.weight_layers(net).values():
        layer.reset_parameters()


@dataclass(frozen=True)
class Old:
    """What sender and receiver both have: the compressed net's ``StoredNet`` and the dense torch net it was made of.

    ``start(net)`` draws random weights in place, for the road from scratch.
    """

    stored: object
    dense: torch.nn.Module
    start: Callable[[torch.nn.Module], None] = reset

    def net(self, road, seed=0):
        """A fresh net from which a road starts; ``seed`` draws the weights of "scratch". NetError: unknown road."""
        if road not in ROADS:
            raise NetError(f"there is no road {road!r}; there are {', '.join(ROADS)}")
        if road in COMPRESSED:
            return restore(self.stored)
        net = copy.deepcopy(self.dense)
        if road == "scratch":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.start(net)
        return net


def constraint(net, road):
    """What training may move on a road, for ``training.fit``; ``net`` as ``Old.net`` gives it."""
    weights = {name: layer.weight.detach().numpy() for name, layer in models.weight_layers(net).items()}
    if road == "biases":
        return BiasesOnly(net)
    if road == "codebook":
        return SharedWeights(net, {name: _values(w) for name, w in weights.items() if w.any()})
    if road == "kept":
        return Masked(net, {name: w != 0 for name, w in weights.items()})
    return Free(net)


def send(old, net, road):
    """The bytes that turn the old net into ``net``, to float16's precision, for someone who has ``old``.

    A head of 9 bytes, then for each layer the numbers of ``_numbers``. NetError for numbers beyond float16.
    """
    before = models.weight_layers(old.net(road))
    numbers = []
    for name, layer in models.weight_layers(net).items():
        with np.errstate(over="ignore"):
            parts = [part.astype("<f2") for part in _numbers(before[name], layer, road)]
        if not all(np.isfinite(part).all() for part in parts):
            raise NetError(f"{name}: a number is too large for a 16-bit float, or not finite")
        numbers += [part.tobytes() for part in parts]
    data = b"".join(numbers)
    return _HEAD.pack(_MAGIC, ROADS.index(road), zlib.crc32(data)) + data


def receive(old, data):
    """The net that ``send`` sent, made of ``old`` and these bytes. ArchiveError if they are damaged or cut short."""
    if len(data) < _HEAD.size:
        raise ArchiveError(f"an update of {len(data)} bytes is cut short")
    magic, code, checksum = _HEAD.unpack_from(data)
    if magic != _MAGIC or code >= len(ROADS):
        raise ArchiveError("these bytes are no update of a net")
    road, numbers = ROADS[code], np.frombuffer(data, np.uint8, offset=_HEAD.size)
    net = old.net(road)
    sizes = [part.size for layer in models.weight_layers(net).values() for part in _numbers(layer, layer, road)]
    if numbers.size != 2 * sum(sizes) or zlib.crc32(numbers) != checksum:
        raise ArchiveError(f"the update is damaged, or for another net: {2 * sum(sizes):,} bytes of numbers expected")
    parts = iter(np.split(numbers.view("<f2").astype(np.float32), np.cumsum(sizes)[:-1]))
    with torch.no_grad():
        for layer in models.weight_layers(net).values():
            weight = layer.weight.numpy().reshape(-1)
            if road == "codebook":
                kept = weight != 0
                weight[kept] = next(parts)[np.searchsorted(_values(weight), weight[kept])]
            elif road == "kept":
                weight[weight != 0] = next(parts)
            elif road != "biases":
                weight[:] = next(parts)
            if layer.bias is not None:
                layer.bias.copy_(torch.from_numpy(next(parts)))
    return net


def _values(weight):
    """The values that a layer's kept weights share, sorted."""
    return np.unique(weight[weight != 0])


def _numbers(before, after, road):
    """The arrays that a road sends of one layer: new values of the codebook, or of the kept weights, or all; biases."""
    old, new = (layer.weight.detach().numpy().reshape(-1) for layer in (before, after))
    parts = []
    if road == "codebook":
        first = [np.flatnonzero(old == value)[0] for value in _values(old)]  # where each value first occurs
        parts.append(new[first])
    elif road == "kept":
        parts.append(new[old != 0])
    elif road != "biases":
        parts.append(new)
    if after.bias is not None:
        parts.append(after.bias.detach().numpy())
    return parts


def learn(old, road, train, seed=0):
    """One road taken: ``train(net, constraint)`` teaches a fresh net -> (the receiver's net, bytes sent)."""
    net = old.net(road, seed)
    train(net, constraint(net, road))
    data = send(old, net.eval(), road)
    return receive(old, data), len(data)
