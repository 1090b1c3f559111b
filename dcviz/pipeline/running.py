"""A net that runs compressed: its Linear layers multiply straight from codes and gaps, and no float weight exists.

For answers only, one picture at a time or few: what the file saves is saved in memory, too. Layers of other kinds, and
Linear layers that were not shared, are as usual.
"""

import copy

import numpy as np
import torch
from torch import nn

from dcviz.archive import Coding, Entries, Kept, Layer, StoredNet, Tie
from dcviz.errors import CodebookError, NetError
from dcviz.pipeline import parameters, sparse_kernels
from dcviz.pipeline.sparse_kernels import product

_INSTEAD = "restore the file without compressed=True for that"
_COLUMNS = 1024  # columns that are packed at a time


class CompressedLinear(nn.Module):
    """What ``nn.Linear`` computes, from a ``sparse_kernels.CompressedLayer``: x (..., inputs) -> (..., outputs).

    Float32, and no gradients. NetError for what needs a tensor of weights: training, gradients, ``state_dict``,
    ``.weight``. ``layer.dense()`` makes one.
    """

    def __init__(self, layer, bias=None):
        super().__init__()
        self.layer, self.bias = layer, bias

    @property
    def weight(self):
        """NetError: there is none."""
        raise NetError(
            f"a layer that runs compressed has no tensor of weights, and the net asks for it: {_INSTEAD}, or name the "
            "other layers, compressed=['fc1', ...]; layer.dense() makes an array"
        )

    @property
    def nbytes(self):
        """Bytes of weights and bias while the layer is used -> int."""
        return self.layer.nbytes + (0 if self.bias is None else self.bias.nbytes)

    def extra_repr(self):
        """As ``nn.Linear`` tells of itself, and the bytes."""
        rows, columns = self.layer.shape
        return f"in_features={columns}, out_features={rows}, bias={self.bias is not None}, bytes={self.layer.nbytes:,}"

    def forward(self, x):
        """Outputs of inputs, float32; WeightError for another type or size, NetError where gradients are wanted."""
        if self.training or (torch.is_grad_enabled() and x.requires_grad):
            why = "the net is in training mode: call net.eval()" if self.training else "its input wants a gradient"
            raise NetError(f"a layer that runs compressed only gives answers, and {why}; to train, {_INSTEAD}")
        flat = x.reshape(-1 if x.numel() == x.shape[-1] else (-1, x.shape[-1]))  # one input goes the shortest way
        y = product(self.layer, flat).reshape(*x.shape[:-1], self.layer.shape[0])
        return y if self.bias is None else y + self.bias

    def __deepcopy__(self, memo):
        made = CompressedLinear(self.layer, copy.deepcopy(self.bias, memo))  # what is frozen is not copied
        return made.train(self.training)

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        raise NetError(f"{prefix.rstrip('.') or 'the net'} runs compressed and has no tensor to save; {_INSTEAD}")

    def _load_from_state_dict(self, state_dict, prefix, *_):
        raise NetError(f"{prefix.rstrip('.') or 'the net'} runs compressed and takes no tensors; {_INSTEAD}")


def compressed_layers(net):
    """{name: ``CompressedLinear``} of the layers of a net that run compressed."""
    return {name: module for name, module in net.named_modules() if isinstance(module, CompressedLinear)}


def read(records):
    """Records of a file or a ``StoredNet`` -> [(record, ``CompressedLayer`` or None)], each packed when it is met.

    A packed record keeps no weights: those are in its ``CompressedLayer`` alone.
    """
    found = []
    for record in records:
        packed = _packed(record)
        if packed is not None:
            record = Layer(record.name, np.empty(0, np.float32), record.bias, bare=record.bare)
        found.append((record.layer() if isinstance(record, Entries) else record, packed))
    return found


def load_into(net, name, found, only=True):
    """Bring a net, in place, to what ``read`` found, its Linear layers compressed where they can be; gives it back.

    ``name``: of the stored net; ``only``: names of the layers to be compressed, True for all. NetError as
    ``parameters.load_into``, and where none, or one of ``only``, can run compressed; then nothing was changed. All
    parameters of the net are frozen.
    """
    only = only if only is True else {only} if isinstance(only, str) else set(only)
    own = parameters.tensors(net, numbers=False)
    tied = parameters.ties(own)
    untouchable = {*tied, *tied.values(), *(record.other for record, _ in found if isinstance(record, Tie))}
    modules, places, rest = dict(net.named_modules()), {}, []
    for record, packed in found:
        if packed is None:
            rest.append(record)
            continue
        key = record.name if record.bare else f"{record.name}.weight"
        place = key.removesuffix(".weight")
        module = modules.get(place)
        plain = type(module) is nn.Linear and place and module.weight.shape == packed.shape
        if plain and key not in untouchable and (only is True or place in only):
            places[place] = packed
            if record.bias is not None:
                rest.append(Kept(f"{place}.bias", record.bias))
        else:
            rest.append(Layer(record.name, packed.dense(), record.bias, Coding(), record.bare))
    if not places or (only is not True and only - set(places)):
        which = "no layer of it" if only is True else f"not all of {', '.join(sorted(map(str, only)))}"
        raise NetError(f"{which} can run compressed: that takes a Linear layer of its own with shared float32 weights")
    for place in places:
        _put(net, place, _bias_alone(modules[place]))
    try:
        if rest or net.state_dict():
            parameters.load_into(net, StoredNet(name, tuple(rest)))
    except NetError:
        for place in places:
            _put(net, place, modules[place])
        raise
    for place, packed in places.items():
        _put(net, place, CompressedLinear(packed, net.get_submodule(place).bias))
    return net.requires_grad_(False).eval()


def _packed(record):
    """The ``CompressedLayer`` of a record that is a shared matrix of float32, if that takes less memory; else None."""
    try:
        if isinstance(record, Entries):
            made = _pack(record)
        elif isinstance(record, Layer) and record.weight.ndim == 2 and record.coding.codebook is not None:
            made = sparse_kernels.compress(record.weight) if record.dtype == "float32" else None
        else:
            made = None
    except CodebookError:
        return None
    return made if made is not None and made.nbytes < 4 * made.shape[0] * made.shape[1] else None


def _pack(entries):
    """``Entries`` as a ``CompressedLayer``, some columns at a time: in all, a few bytes an entry beside the result."""
    used = np.flatnonzero(entries.codebook)
    place = np.zeros(entries.codebook.size, np.int32)
    place[used] = np.arange(used.size)
    columns = entries.columns if entries.shape[1] > 2**16 else entries.columns.astype(np.uint16)
    order = np.argsort(columns, kind="stable")  # rows rise already within each column, whichever way was walked
    ends = np.cumsum(np.bincount(columns, minlength=entries.shape[1]))
    parts, starts, last = [], [np.zeros(1, np.uint32)], 0
    for first in range(0, entries.shape[1], _COLUMNS):
        block = ends[first : first + _COLUMNS]
        here, counts = order[last : block[-1]], np.diff(block, prepend=last)
        last = block[-1]
        shape = entries.shape[0], block.size
        part = sparse_kernels.pack(
            entries.rows[here], counts, place[entries.codes[here]], entries.codebook[used], shape
        )
        starts.append(part.starts[1:] + starts[-1][-1])
        parts.append(part.entries)
    codebook = np.append(entries.codebook[used], np.float32(0))
    return sparse_kernels.CompressedLayer(np.concatenate(parts), np.concatenate(starts), codebook, entries.shape)


def _bias_alone(module):
    """A module with nothing but the bias of another: its weight has no place in any state dict."""
    made = nn.Module()
    made.register_parameter("bias", module.bias)
    return made


def _put(net, place, module):
    parent, _, name = place.rpartition(".")
    setattr(net.get_submodule(parent), name, module)
