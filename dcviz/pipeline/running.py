"""A net that runs compressed: its Linear layers multiply straight from codes and gaps, and no float weight exists.

For answers only, one picture at a time or few: what the file saves is saved in memory, too. Layers of other kinds, and
Linear layers that were not shared, are as usual.
"""

from collections.abc import Iterable

import numpy as np
import torch
from torch import nn
from torch._C import _is_tracing, _len_torch_dispatch_stack as _modes
from torch._C._functorch import is_functorch_wrapped_tensor, peek_interpreter_stack as _functorch
from torch.autograd import forward_ad

from dcviz.archive import Coding, Entries, Kept, Layer, StoredNet, Tie
from dcviz.errors import CodebookError, NetError
from dcviz.pipeline import parameters, sparse_kernels
from dcviz.pipeline.sparse_kernels import product

_INSTEAD = "restore the file without compressed=True for that"
_COLUMNS = 1024  # columns that are packed at a time


class CompressedLinear(nn.Module):
    """What ``nn.Linear`` computes, from a ``sparse_kernels.CompressedLayer``: x (..., inputs) -> (..., outputs).

    Float32, also under autocast, and no gradients. NetError for what needs a tensor of weights (training, derivatives,
    ``state_dict``, use of ``.weight``) and for what would record the call: ``torch.jit.trace``, ``torch.export``,
    ``make_fx``, ``vmap``. ``torch.compile`` leaves the layer as it is. ``layer.dense()`` makes a tensor.
    """

    def __init__(self, layer, bias=None):
        super().__init__()
        self.out_features, self.in_features = layer.shape
        self.register_parameter("bias", bias)
        _run_from(self, layer, "cpu" if bias is None else bias.device)

    @property
    def weight(self):
        """A ``NoWeight``: shape, type and device are told, and its numbers are not there."""
        return NoWeight(self.layer.shape, self._place.device)

    @property
    def nbytes(self):
        """Bytes of weights and bias while the layer is used -> int."""
        return self.layer.nbytes + (0 if self.bias is None else self.bias.nbytes)

    def extra_repr(self):
        """As ``nn.Linear`` tells of itself, and the bytes."""
        rows, columns = self.layer.shape
        return f"in_features={columns}, out_features={rows}, bias={self.bias is not None}, bytes={self.layer.nbytes:,}"

    def forward(self, input):
        """Outputs of inputs, float32; WeightError for another type or size, NetError for what is not an answer."""
        if torch.compiler.is_dynamo_compiling():
            return torch.compiler.disable(_call)(self, input)  # a graph ends here and another begins behind
        if (
            self.training
            or type(input) is not torch.Tensor
            or input.requires_grad
            or forward_ad._current_level >= 0
            or _functorch() is not None
            or _is_tracing()
            or _modes()
        ):
            self._refuse(input)
        layer, bias, shape = self.layer, self.bias, input.shape
        if len(shape) < 2:
            y = product(layer, input)
        else:  # one input goes the shortest way
            flat = input.reshape(-1 if input.numel() == shape[-1] else (-1, shape[-1]))
            y = product(layer, flat).reshape(*shape[:-1], layer.shape[0])
        return y if bias is None else y + bias

    def _refuse(self, x):
        """NetError if there is no answer for x, or it would be taken for more than it is.

        Outputs come from compiled code, past all that torch keeps about a tensor: a record of operations would hold
        them as constants, and a derivative would be zero.
        """
        if self.training:
            why = "the net is in training mode: call net.eval()"
        elif not isinstance(x, torch.Tensor):
            why = f"its input is no tensor but {type(x).__name__}: make such layers leaves of your torch.fx.Tracer"
        elif x.requires_grad and torch.is_grad_enabled():
            why = "its input wants a gradient"
        elif any(is_functorch_wrapped_tensor(t) for t in (x, self.bias, self._place) if t is not None):
            why = "its input, or the layer, is transformed by torch.func (vmap, grad, jvp, ...)"
        elif forward_ad._current_level >= 0 and forward_ad.unpack_dual(x).tangent is not None:
            why = "its input has a tangent: a derivative is wanted"
        elif _is_tracing() or _modes() or type(x).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
            why = "torch records or watches operations here (trace, export, make_fx, another dispatch mode)"
        else:
            return
        raise NetError(f"a layer that runs compressed only gives answers, and {why}; {_INSTEAD}")

    def _apply(self, fn, recurse=True):
        def moved(tensor):
            made = fn(tensor)
            return made if made.dtype == tensor.dtype else tensor.to(made.device)  # float32 it stays

        return super()._apply(moved, recurse)

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        raise NetError(f"{prefix.rstrip('.') or 'the net'} runs compressed and has no tensor to save; {_INSTEAD}")

    def _load_from_state_dict(self, state_dict, prefix, *_):
        raise NetError(f"{prefix.rstrip('.') or 'the net'} runs compressed and takes no tensors; {_INSTEAD}")


def _told(*_):
    raise NetError(
        f"a layer that runs compressed has no tensor of weights, and the net asks for it: {_INSTEAD}, or name the "
        "other layers, compressed=['fc1', ...]; layer.dense() makes an array"
    )


class NoWeight(torch.Tensor):
    """What stands for the weights of a layer that runs compressed: shape, float32, device. NetError for all else.

    Nets ask a layer for the type or the device of its weights, and torch's own layers whether a fast way that needs
    the numbers can be taken: with tensors that have a ``__torch_function__`` they do not take it.
    """

    @staticmethod
    def __new__(cls, shape, device):
        return torch.Tensor._make_wrapper_subclass(cls, shape, dtype=torch.float32, device=device)

    def __init__(self, *_):
        pass

    def __repr__(self):
        return f"NoWeight(shape={tuple(self.shape)}, device={self.device})"

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunctionSubclass():  # a result is no NoWeight
            return function(*args, **(kwargs or {}))

    __torch_dispatch__ = classmethod(_told)
    data = property(_told, _told)
    data_ptr = numpy = tolist = __array__ = __reduce_ex__ = _told


def _run_from(module, layer, device):
    """What a module needs to be a ``CompressedLinear``: the layer, and something that tells its device."""
    module.layer = layer
    module.register_buffer("_place", torch.empty(0, device=device), persistent=False)


def _call(layer, x):
    return layer.forward(x)


def compressed_layers(net):
    """{name: ``CompressedLinear``} of the layers of a net that run compressed."""
    return {name: module for name, module in net.named_modules() if isinstance(module, CompressedLinear)}


def chosen(compressed):
    """What ``restore`` was told -> True for all layers that can run compressed, False, or the set of their names.

    NetError for what is neither a truth value nor names; None and no names are False.
    """
    if compressed is None or isinstance(compressed, bool | np.bool_):
        return bool(compressed)
    names = {compressed} if isinstance(compressed, str) else compressed
    names = set(names) if isinstance(names, Iterable) else {names}
    if not all(isinstance(name, str) for name in names):
        raise NetError(f"compressed is True, False, or names of layers, not {compressed!r}")
    return names or False


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
    parameters of the net are frozen. A module that runs compressed stays the same object, with its hooks and all else
    that was set on it, and is a ``CompressedLinear`` from then on. One with a ``forward`` of its own cannot.
    """
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
        plain = type(module) is nn.Linear and place and key in own and "forward" not in vars(module)
        wanted = plain and key not in untouchable and (only is True or place in only)
        if wanted and own[key].shape == packed.shape:
            places[place] = packed
            if record.bias is not None:
                rest.append(Kept(f"{place}.bias", record.bias))
        else:
            rest.append(Layer(record.name, packed.dense(), record.bias, Coding(), record.bare))
    if not places or (only is not True and only - set(places)):
        which = "no layer of it" if only is True else f"not all of {', '.join(sorted(only))}"
        raise NetError(f"{which} can run compressed: that takes a Linear layer of its own with shared float32 weights")
    before = {place: dict(modules[place]._parameters) for place in places}
    for place in places:
        del modules[place]._parameters["weight"]
    try:
        if rest or net.state_dict():
            parameters.load_into(net, StoredNet(name, tuple(rest)))
    except BaseException:
        for place in places:
            own = modules[place]._parameters
            own.clear()  # in their order, which an optimizer goes by
            own.update(before[place])
        raise
    for place, packed in places.items():  # the module stays the same: its hooks, and whoever else holds it
        weight = before[place]["weight"]
        _run_from(modules[place], packed, "cpu" if weight.is_meta else weight.device)
        modules[place].__class__ = CompressedLinear
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
