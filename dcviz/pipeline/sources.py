"""One door for every lab: the layers of a module, a state dict, a checkpoint or a .dcz file, read when looked at.

layers(net)                     a torch module
layers(net.state_dict())        {key: tensor or array}
layers("model.safetensors")     also .pt, .pth, an index of several files, or the folder with it
layers("model.dcz")             a file of ours
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dcviz import archive
from dcviz.archive import FLOATS, StoredNet
from dcviz.errors import NetError
from dcviz.ideas.pruning import check_weights

HELD = 1 << 26
"""Weights of looked-at layers that are kept in memory at most, unless the source holds them anyway."""


class Layers(Mapping):
    """{layer: its weights, a float array}; ``name`` of the net, ``shapes`` {layer: shape}.

    A layer is read and checked when it is asked for: WeightError then for NaN, infinity or no weights, DataError if its
    file is damaged. Iterating gives names and reads nothing.
    """

    checks_itself = True

    def __init__(self, name, shapes, load):
        if not shapes:
            raise NetError(f"{name} has no layer to look at: no tensor of floats with two dimensions or more")
        self.name, self.shapes, self._load, self._held = name, shapes, load, {}

    def __getitem__(self, layer):
        """The weights of one layer."""
        if layer not in self._held:
            weights = check_weights(self._load(layer), layer)
            if weights.dtype == np.float16:
                weights = weights.astype(np.float32)
            while self._held and weights.size + sum(held.size for held in self._held.values()) > HELD:
                self._held.pop(next(iter(self._held)))
            self._held[layer] = weights
        return self._held[layer]

    def __contains__(self, layer):
        """Whether there is such a layer; reads nothing."""
        return layer in self.shapes

    def __iter__(self):
        """The names, in the order of the net."""
        return iter(self.shapes)

    def __len__(self):
        """How many layers."""
        return len(self.shapes)

    def __repr__(self):
        """The net and its layers."""
        return f"<{len(self)} layers of {self.name}>"


def called(source, found):
    """How a lab names its net: by its path, which brings it back, or by what the ``Layers`` say."""
    return str(source) if isinstance(source, str | Path) else found.name


def is_source(value):
    """True for what ``layers`` opens, rather than the name of a net that ships."""
    if isinstance(value, str):
        return any(value.lower().endswith(ending) for ending in ENDINGS) or "/" in value or "\\" in value
    return True


ENDINGS = (".dcz", ".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".index.json")


def layers(source):
    """The ``Layers`` of a source: its tensors of floats with two dimensions or more, by module or by key.

    A bias or a norm is no layer. NetError for what is none of the sources, or has no such tensor; ArchiveError and
    DataError for a damaged file.
    """
    if isinstance(source, Layers):
        return source
    if isinstance(source, str | Path):
        path = Path(source)
        return _stored(archive.load(path)) if path.suffix == ".dcz" else _checkpoint(path)
    if isinstance(source, StoredNet):
        return _stored(source)
    if isinstance(getattr(source, "stored", None), StoredNet):  # what compress gives
        return _stored(source.stored)
    if isinstance(source, Mapping):
        return _state("a state dict", source)
    if hasattr(source, "state_dict") and hasattr(source, "named_modules"):
        return _module(source)
    raise NetError(
        f"a net is a torch module, a state dict, or the path of a .safetensors, .pt or .dcz file, not "
        f"{type(source).__name__}"
    )


def _module(net):
    from dcviz.pipeline import parameters

    state = parameters.tensors(net)
    tied = parameters.ties(state)
    return _state(getattr(net, "name", type(net).__name__), {key: t for key, t in state.items() if key not in tied})


def _state(name, state):
    """Of {key: tensor or array}."""
    keys = _names(
        key
        for key, value in state.items()
        if isinstance(key, str) and hasattr(value, "dtype") and _is_layer(str(value.dtype), value.shape)
    )
    shapes = {layer: tuple(state[key].shape) for layer, key in keys.items()}
    return Layers(name, shapes, lambda layer: state[keys[layer]])


def _names(keys):
    """{name of a layer: its key}: that of its module, unless another tensor has the module's name for a key."""
    keys = dict.fromkeys(keys)
    for key in keys:
        if not _is_text(key):
            raise NetError(f"the key {key!r} is no Unicode text")
    names = {}
    for key in keys:
        module = key.removesuffix(".weight")
        names[key if module in keys else module] = key
    return names


def _is_text(key):
    try:
        key.encode()
    except UnicodeEncodeError:  # a half of a pair of surrogates, which no message to a browser can hold
        return False
    return True


def _stored(stored):
    state, types, tied = stored.state_dict(), stored.dtypes(), stored.ties()
    keys = _names(
        key
        for key, array in state.items()
        if key not in tied and types[key] in FLOATS and _is_layer("float", array.shape)
    )
    shapes = {layer: state[key].shape for layer, key in keys.items()}
    return Layers(stored.name, shapes, lambda layer: archive.widened(state[keys[layer]], types[keys[layer]]))


def _checkpoint(path):
    from dcviz.nets import checkpoints

    with checkpoints.opened(path) as found:
        entries = {e.key: e for e in found.entries if e.same is None and _is_layer(str(e.dtype), e.shape)}
        keys = _names(entries)

    def load(layer):
        with checkpoints.opened(path) as found:
            return found.tensor(keys[layer]).clone()

    return Layers(path.name, {layer: entries[key].shape for layer, key in keys.items()}, load)


def _is_layer(dtype, shape):
    return "float" in dtype and len(shape) > 1 and all(shape)


def module(source):
    """A torch module that holds the tensors of a source under their keys and computes nothing; a module is itself.

    So a checkpoint goes through the pipeline in one shot where nobody has the code of its net. Errors as ``layers``.
    """
    import torch

    if isinstance(source, torch.nn.Module):
        return source
    name, state = _tensors(source)
    holder = torch.nn.Module()
    holder.name = name
    for key, tensor in state.items():
        *path, last = key.split(".")
        parent = holder
        for part in path:  # past add_module and its like, which refuse names that a module has already, such as "type"
            parent = parent._modules.setdefault(part, torch.nn.Module())
        if tensor.is_floating_point():
            parent._parameters[last] = torch.nn.Parameter(tensor)
        else:
            parent._buffers[last] = tensor
    return holder


def _tensor(key, value):
    """A value of a state dict as a tensor; NetError for what is none."""
    import torch

    try:
        if isinstance(key, str):
            return torch.as_tensor(value).detach()
    except Exception as error:  # as many kinds as there are things that are no tensors
        raise NetError(f"{key!r} of the state dict is no tensor but {type(value).__name__}") from error
    raise NetError(f"the key {key!r} of the state dict is no text")


def _tensors(source):
    """(name, {key: torch tensor}) of a state dict, a checkpoint, or a file of ours."""
    from dcviz.nets import checkpoints
    from dcviz.pipeline import parameters

    if isinstance(source, str | Path):
        path = Path(source)
        if path.suffix != ".dcz":
            with checkpoints.opened(path) as found:
                state = {e.key: found.tensor(e.key).clone() for e in found.entries if e.same is None}
                return path.name.partition(".")[0], {e.key: state[e.same or e.key] for e in found.entries}
        source = archive.load(path)
    source = getattr(source, "stored", source)
    if isinstance(source, StoredNet):
        types, tied, arrays = source.dtypes(), source.ties(), source.state_dict()
        state = {key: parameters.tensor(array, types[key]) for key, array in arrays.items() if key not in tied}
        return source.name, {key: state[tied.get(key, key)] for key in arrays}
    if isinstance(source, Mapping) and source:
        state = {key: _tensor(key, value) for key, value in source.items()}
        tied = parameters.ties(state)
        copies = {key: value.clone() for key, value in state.items() if key not in tied}
        return "a state dict", {key: copies[tied.get(key, key)] for key in state}
    raise NetError(f"a net is a torch module, a state dict, or the path of a file, not {type(source).__name__}")
