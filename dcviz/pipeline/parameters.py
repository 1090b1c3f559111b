"""What a torch module holds, tensor by tensor: every parameter and buffer of its state dict, in any kind of layer.

A recipe names what is to be compressed, by the name of a module that has a ``weight`` (its bias goes along) or by the
key of one tensor; everything else is kept as it is. Tensors that two keys share are one.
"""

import copy
import difflib
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from dcviz.archive import DTYPES, FLOATS
from dcviz.errors import NetError

_HOOKS = {
    BasePruningMethod: "torch.nn.utils.prune.remove(module, {name!r})",
    WeightNorm: "torch.nn.utils.remove_weight_norm(module, {name!r})",
    SpectralNorm: "torch.nn.utils.remove_spectral_norm(module, {name!r})",
}
"""{hook that computes a weight anew for every call: the call that makes it plain}."""


@dataclass(frozen=True, eq=False)
class Target:
    """A tensor that a recipe names: its key in the state dict, the first of tied ones, and the tensor.

    bias_key, bias: of the module that the recipe names, where its bias can go along in the same record; else None.
    """

    key: str
    weight: torch.Tensor
    bias_key: str | None = None
    bias: torch.Tensor | None = None


def tensors(net, numbers=True):
    """{key: parameter or buffer} of a module, those of its state dict, not copied.

    numbers: refuse the meta device, where tensors have none. NetError for what no file could give back: lazy modules
    that were not called yet, compiled TorchScript, weights that a hook or a parametrization computes, sparse or
    quantised tensors, states that are no tensors, and parameters or buffers that ``state_dict`` leaves out or copies.
    """
    if not isinstance(net, nn.Module):
        raise NetError(f"a net is a torch.nn.Module, not {type(net).__name__}")
    if isinstance(net, torch.jit.ScriptModule):
        raise NetError("a TorchScript module cannot be worked on: give the module that it was made from")
    for name, module in net.named_modules():
        _check_plain(name or "(the net itself)", module)
    try:
        state = dict(net.state_dict(keep_vars=True))
    except Exception as error:  # the module's own code
        raise NetError(f"state_dict() of {type(net).__name__} fails: {type(error).__name__}: {error}") from error
    for key, value in state.items():
        _check_tensor(key, value, numbers)
    if not state:
        raise NetError(f"{type(net).__name__} has no parameters and no buffers: there is nothing to store")
    held = {id(value) for value in state.values()}
    lost = [key for key, value in _own(net) if id(value) not in held]
    if lost:
        raise NetError(
            f"state_dict() of {type(net).__name__} leaves out or copies {', '.join(map(repr, lost[:8]))}"
            f"{', ...' if len(lost) > 8 else ''}: a file would not have what the net computes with"
        )
    return state


def _own(net):
    """(Key, tensor) of what belongs into a state dict, whatever the net's own ``state_dict`` says."""
    for name, module in net.named_modules():
        kept = {key: value for key, value in module._buffers.items() if key not in module._non_persistent_buffers_set}
        for key, value in (module._parameters | kept).items():
            if value is not None:
                yield f"{name}.{key}" if name else key, value


def _check_plain(where, module):
    if parametrize.is_parametrized(module):
        name = next(iter(module.parametrizations))
        raise NetError(
            f"{name!r} of {where!r} is computed by a parametrization: make it plain first, with "
            f"torch.nn.utils.parametrize.remove_parametrizations(module, {name!r})"
        )
    for hook in module._forward_pre_hooks.values():
        for kind, call in _HOOKS.items():
            if isinstance(hook, kind):
                name = getattr(hook, "_tensor_name", None) or getattr(hook, "name", "weight")
                raise NetError(
                    f"{name!r} of {where!r} is computed by a hook before every call ({type(hook).__name__}): make it "
                    f"plain first, with {call.format(name=name)}"
                )


def _check_tensor(key, value, numbers):
    if is_lazy(value):
        raise NetError(f"{key!r} belongs to a lazy module that has no shape yet: call the net once first")
    if not isinstance(value, torch.Tensor):
        raise NetError(f"{key!r} of the state dict is no tensor but {type(value).__name__}, which a file would lose")
    if value.is_nested:
        raise NetError(f"{key!r} is a nested tensor: only plain ones can be stored")
    if value.is_meta and numbers:
        raise NetError(f"the net is on the meta device: {key!r} has a shape, but no numbers to compress")
    if value.layout != torch.strided or value.is_quantized or dtype_name(value) not in DTYPES:
        raise NetError(f"{key!r} is a tensor of {value.dtype}, {value.layout}: only plain ones can be stored")
    if not (value.is_leaf or not value.requires_grad):
        raise NetError(f"{key!r} is computed from other tensors: a net holds parameters, detach it")


def dtype_name(tensor):
    """float32 of torch.float32."""
    return str(tensor.dtype).removeprefix("torch.")


def ties(state):
    """{key: the earlier key of the same tensor} of what ``tensors`` gives: one object, or one view of one memory."""
    first, found = {}, {}
    for key, value in state.items():
        place = id(value)
        if value.numel() and not value.is_meta:
            kind = isinstance(value, nn.Parameter)
            place = (value.device, value.data_ptr(), value.dtype, value.shape, value.stride(), kind)
        if first.setdefault(place, key) != key:
            found[key] = first[place]
    return found


def dense_bytes(net):
    """Bytes of all tensors of a module in their own types, tied ones once: what every ratio divides by."""
    state = tensors(net)
    tied = ties(state)
    return sum(value.numel() * value.element_size() for key, value in state.items() if key not in tied)


def named(net, names):
    """{name: ``Target``} of names as a recipe gives them, in the order of the state dict.

    NetError for a name that the net has not, naming what is near; for one that is no tensor of floats with one
    dimension and one number or more; and for two names of the same tensor.
    """
    state = tensors(net, numbers=False)
    tied, modules = ties(state), dict(net.named_modules(remove_duplicate=False))
    keys = {name: _key(name, modules, state) for name in names}
    unknown = [name for name, key in keys.items() if key is None]
    if unknown:
        raise NetError(f"no layer called {', '.join(map(str, unknown))}; {_near(unknown, modules, state)}")
    found: dict[str, tuple[str, Target]] = {}
    for name, key in keys.items():
        own = tied.get(key, key)
        if own in found:
            raise NetError(f"{found[own][0]!r} and {name!r} are the same tensor: name one of them")
        weight = state[own]
        if dtype_name(weight) not in FLOATS or not weight.dim() or not weight.numel():
            raise NetError(
                f"{name!r} is a tensor of {dtype_name(weight)} with the shape {tuple(weight.shape)}: only floats in "
                "one dimension or more can be compressed"
            )
        target = Target(own, weight)
        bias_key = f"{key.removesuffix('weight')}bias"
        if (
            name
            and name in modules
            and own == key
            and bias_key in state
            and bias_key not in (*keys.values(), *tied, *tied.values())
        ):
            bias = state[bias_key]
            if bias.dim() == 1 and bias.dtype == weight.dtype and bias.numel() <= weight.numel():
                target = Target(own, weight, bias_key, bias)
        found[own] = name, target
    return {found[key][0]: found[key][1] for key in state if key in found}


def _key(name, modules, state):
    """The key of the tensor that a recipe's name means, or None."""
    if not isinstance(name, str):
        return None
    weight = f"{name}.weight" if name else "weight"
    if name in modules and weight in state:
        return weight
    return name if name in state else None


def _near(unknown, modules, state):
    known = [name for name in modules if _key(name, modules, state)]
    known += [key for key in state if key.removesuffix(".weight") not in known]
    near = [match for name in unknown for match in difflib.get_close_matches(str(name), known, 3)]
    shown = near or known[:20]
    return f"{'did you mean' if near else 'there are'} {', '.join(shown)}{'' if near or len(known) <= 20 else ', ...'}"


def working_copy(net):
    """A copy of a module to work on: floats as float32, tensors in rows, frozen ones frozen; ``net`` stays as it is.

    Parameters that are one view of one memory are one there. NetError as ``tensors`` and ``copied``.
    """
    tied = ties(tensors(net))
    made = copied(net)
    for parameter in made.parameters():
        parameter.grad = None
        if not parameter.is_contiguous():
            parameter.data = parameter.data.contiguous()
    state = tensors(made)
    one = {id(state[key]): state[other] for key, other in tied.items() if state[key] is not state[other]}
    for module in made.modules():
        for key, value in [*module._parameters.items(), *module._buffers.items()]:
            if id(value) in one:
                setattr(module, key, one[id(value)])
    return made


def copied(net):
    """A copy of a module whose floats are float32; NetError if it cannot be copied."""
    try:
        return copy.deepcopy(net).float()
    except Exception as error:  # the module's own code
        raise NetError(f"{type(net).__name__} cannot be copied: {type(error).__name__}: {error}") from error


def array(tensor):
    """A tensor's numbers as NumPy holds its type (``archive.DTYPES``), not copied where they lie in memory already."""
    plain = tensor.detach().cpu().resolve_conj().resolve_neg()
    carried = {"bfloat16": torch.uint16, "float8_e4m3fn": torch.uint8, "float8_e5m2": torch.uint8}
    name = dtype_name(tensor)
    return (plain.view(carried[name]) if name in carried else plain).numpy()


def tensor(numbers, dtype):
    """The torch tensor of an array as ``array`` gives it: a copy."""
    made = torch.from_numpy(np.array(numbers, numbers.dtype.newbyteorder("=")))
    return made if dtype_name(made) == dtype else made.view(getattr(torch, dtype))


def load_into(net, stored):
    """Bring a module, in place, to exactly the tensors of a ``StoredNet``: their numbers, types and ties.

    Parameters stay frozen or not, and tensors stay on the device on which they are. NetError, before anything is
    changed, that names tensors which are missing in the file, unexpected in the net, of another shape, or two in the
    file and one in the net; and after it for a net whose ``load_state_dict`` makes other tensors of them.
    """
    state, dtypes, tied = stored.state_dict(), stored.dtypes(), stored.ties()
    own = tensors(net, numbers=False)
    wrong = [
        f"{what}: {', '.join(keys[:8])}{', ...' if len(keys) > 8 else ''}"
        for what, keys in (
            ("missing in the file", [key for key in own if key not in state]),
            ("not in the net", [key for key in state if key not in own]),
            (
                "of another shape",
                [
                    f"{key} (in the file {state[key].shape}, in the net {tuple(own[key].shape)})"
                    for key in state
                    if key in own and state[key].shape != tuple(own[key].shape)
                ],
            ),
        )
        if keys
    ]
    if wrong:
        raise NetError("; ".join(wrong))
    _check_places(net, state, tied)
    made: dict[str, torch.Tensor] = {}
    for key, numbers in state.items():
        other = tied.get(key)
        if other is not None and isinstance(own[key], nn.Parameter) == isinstance(own[other], nn.Parameter):
            made[key] = made[other]
            continue
        device = "cpu" if own[key].is_meta else own[key].device
        made[key] = tensor(numbers, dtypes[key]).to(device)
        if isinstance(own[key], nn.Parameter):
            learns = own[key].requires_grad and (made[key].is_floating_point() or made[key].is_complex())
            made[key] = nn.Parameter(made[key], requires_grad=learns)
    try:
        net.load_state_dict(made, assign=True)
    except Exception as error:  # of torch, and the module's own code
        raise NetError(str(error)) from error
    changed = [key for key, value in tensors(net).items() if not _same(value, made[key])]
    if changed:
        raise NetError(f"load_state_dict() of {type(net).__name__} makes other tensors of {', '.join(changed[:8])}")
    return net


def _check_places(net, state, tied):
    """NetError for two keys of one place in the net, a module that stands there twice, with different numbers."""
    places: dict[tuple, str] = {}
    for name, module in net.named_modules(remove_duplicate=False):
        for local in (*module._parameters, *module._buffers):
            key = f"{name}.{local}" if name else local
            other = places.setdefault((id(module), local), key)
            differ = tied.get(key, key) != tied.get(other, other) and key in state and other in state
            if differ and state[key].tobytes() != state[other].tobytes():
                raise NetError(f"{other} and {key} are one tensor in the net, and two in the file")


def _same(one, other):
    return one is other or (
        one.dtype == other.dtype and one.shape == other.shape and array(one).tobytes() == array(other).tobytes()
    )
