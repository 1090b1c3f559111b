"""Which neurons feed which weights: proved from the net itself, for everything that moves or drops neurons.

``torch.fx`` writes down what a net does, and the graph is walked once with an example. Each element of each activation
carries two numbers: whose it is (a *class* of neurons that must stay together) and how it was made of its neuron (its
*path*). Operations that move elements (flatten, concatenation, chunk) are applied to these numbers as they are to the
activations; those that work on each element alone or inside a channel hand them on; adding two layers' outputs joins
their classes. Where an operation is not known to do either, all that goes in or comes out of it is *pinned*: nothing
is assumed. What a net does in training mode is not looked at.

So skips, groups, shared layers, flattened pictures and batch normalisation in between need no rules of their own.
"""

import copy
import math
import operator
from dataclasses import dataclass

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves, tree_map

from dcviz.errors import NetError

PINNED = 0
"""The class of everything that must stay where it is: inputs, outputs, and what is not understood."""

_ALONE = """
relu relu_ relu6 leaky_relu leaky_relu_ elu elu_ selu celu gelu silu mish sigmoid sigmoid_ tanh tanh_ softplus softsign
hardswish hardsigmoid hardtanh logsigmoid dropout dropout1d dropout2d dropout3d alpha_dropout abs neg exp log log1p sqrt
rsqrt square sin cos clamp clamp_ clip add add_ iadd sub sub_ isub rsub mul mul_ imul div div_ truediv itruediv pow
maximum minimum where float half double bfloat16 to type contiguous clone detach gt lt ge le eq ne
"""
ALONE = frozenset(_ALONE.split())
"""Functions and methods that make each element of the elements at its own place."""
_MOVES = """
flatten view reshape permute transpose movedim squeeze unsqueeze unflatten chunk split tensor_split unbind getitem
narrow cat concat stack expand
"""
MOVES = frozenset(_MOVES.split())
"""Those that only bring elements to another place."""
FOLDS = frozenset(["mean", "sum", "amax", "amin"])
SIZES = frozenset(["size", "dim", "ndimension", "numel", "getattr", "is_floating_point"])
"""Those that ask for a shape, a device or a type, never for numbers."""
POOLS = {f"{kind}_pool{n}d": n for kind in ("max", "avg", "lp", "adaptive_avg", "adaptive_max") for n in (1, 2, 3)}
CONVOLUTIONS = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3}
TRANSPOSED = {nn.ConvTranspose1d: 1, nn.ConvTranspose2d: 2, nn.ConvTranspose3d: 3}
CHANNELWISE = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
SIZES_TRIED = {1: (64, 1024, 16_000), 2: (28, 32, 64, 224, 227), 3: (8, 16, 32)}
"""Lengths, heights or depths of the pictures with which a net is asked where no example is given."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where a set of n neurons stands along one axis of one tensor.

    key: of the state dict. axis; rows: (first, behind last) of axis 0 that it is about, for grouped convolutions, else
    None. at: int64 (n, m), the m places of each neuron, in an order that is the same for all.
    role: "out" for weights that make the neurons, "bias", "in" for weights that listen to them, "norm".
    """

    key: str
    axis: int
    rows: tuple[int, int] | None
    at: np.ndarray
    role: str

    def moved(self, array, order):
        """A copy of a NumPy array with the neurons in a new order: the one at ``order[0]`` comes first."""
        new = array.copy()
        part, source = (a if self.rows is None else a[slice(*self.rows)] for a in (new, array))
        before = (slice(None),) * self.axis
        part[(*before, self.at.ravel())] = source[(*before, self.at[order].ravel())]
        return new

    def taken(self, array):
        """The numbers of each neuron in a NumPy array -> (n, numbers)."""
        part = array if self.rows is None else array[slice(*self.rows)]
        taken = np.moveaxis(np.take(part, self.at.ravel(), self.axis), self.axis, 0)
        return taken.reshape(len(self.at), -1)


@dataclass(frozen=True, eq=False)
class Hidden:
    """n neurons (or filters) that may change places among themselves: the net stays the same function."""

    places: tuple[Place, ...]

    def __len__(self):
        return len(self.places[0].at)

    def moved(self, state, order):
        """{key: array} of every tensor of a NumPy ``state`` that changes, with the neurons in a new order."""
        new = {place.key: state[place.key] for place in self.places}
        for place in self.places:
            new[place.key] = place.moved(new[place.key], order)
        return new

    def weights(self, state, role):
        """The weights of each neuron in a NumPy ``state``, "out" made by them or "in" listening to them -> (n, m)."""
        return np.hstack([place.taken(state[place.key]) for place in self.places if place.role == role])


def hidden(net, example=None):
    """Every set of two or more neurons that may change places, in the order in which the net makes them: [Hidden].

    example: what the net is called with, a tensor or a tuple; without one, pictures and texts of usual sizes are
    tried. NetError if the net cannot be written down (its path depends on numbers), or takes none of them.
    """
    walk = _walked(net, example, tied=True)
    spots, classes = list(walk.spots.values()), {}
    for number, spot in enumerate(spots):
        roots = walk.roots(spot.labels)
        for at, (root, path) in enumerate(zip(roots.tolist(), spot.paths.tolist(), strict=True)):
            if root != walk.find(PINNED):
                classes.setdefault(root, []).append((number, path, at))
    sets = {}
    for found in classes.values():
        made = [number for number, _, _ in found if spots[number].role == "out"]
        if made and len(set(made)) == len(made):  # two rows of one layer that depend on each other stay
            sets.setdefault(tuple(sorted((number, path) for number, path, _ in found)), []).append(found)
    result = []
    for signature, members in sorted(sets.items()):
        if len(members) < 2:
            continue
        members = sorted(sorted(found) for found in members)
        members.sort(key=lambda found: min(at for number, _, at in found if number == signature[0][0]))
        places = []
        for number in dict.fromkeys(number for number, _ in signature):
            spot = spots[number]
            at = np.array([[at for n, _, at in found if n == number] for found in members])
            places.append(Place(spot.key, spot.axis, spot.rows, at, spot.role))
        result.append(Hidden(tuple(places)))
    return result


@torch.no_grad()
def drop_dead(net, example=None):
    """Zero weights and bias of every neuron (or filter) that no weight listens to, in place; how many weights went.

    The net's function does not change. A neuron counts as heard where its output leaves the net or goes into
    something that is not understood. A filter of zeros is not dead by that: batch normalisation or a bias behind it
    may still speak. example and errors as for ``hidden``.
    """
    walk = _walked(net, example, tied=False)
    state = dict(net.named_parameters(remove_duplicate=False))
    spots, gone, before = list(walk.spots.values()), 0, None
    while before != gone:
        before, heard = gone, {walk.find(PINNED)}
        for spot in spots:
            if spot.role == "in":
                used = spot.part(state[spot.key]) != 0
                heard.update(walk.roots(spot.labels)[_along(used, spot.axis).any(1).cpu().numpy()].tolist())
        for spot in spots:
            if spot.role in ("out", "bias"):
                idle = torch.as_tensor(~np.isin(walk.roots(spot.labels), list(heard)))
                part = spot.part(state[spot.key].detach()).movedim(spot.axis, 0)
                if spot.role == "out":
                    gone += int(torch.count_nonzero(part[idle]))
                part[idle] = 0.0
    return gone


def _along(tensor, axis):
    return tensor.movedim(axis, 0).reshape(tensor.shape[axis], -1)


# ------------------------------------------------------------------ the walk


@dataclass
class _Spot:
    """One axis of one tensor (or of some rows of it): the class of each place along it, and a hash of its path."""

    key: str
    axis: int
    rows: tuple[int, int] | None
    role: str
    labels: np.ndarray
    paths: np.ndarray

    def part(self, tensor):
        return tensor if self.rows is None else tensor[slice(*self.rows)]


@dataclass
class _Value:
    """An activation: its numbers, the class of each element, and its path; int64 of the same shape."""

    real: torch.Tensor
    label: torch.Tensor
    path: torch.Tensor


def _walked(net, example, tied):
    named = [*net.named_parameters(remove_duplicate=False), *net.named_buffers(remove_duplicate=False)]
    try:
        net = copy.deepcopy(net).eval()  # a module may count its calls, or keep what it saw
        graph = fx.symbolic_trace(net)
    except Exception as error:  # torch.fx raises all kinds of things
        raise _unproved(net, f"torch.fx cannot write down what it does ({_short(error)})") from error
    errors = []
    for given in _examples(net) if example is None else [example]:
        given = given if isinstance(given, tuple) else (given,)
        walk = _Walk(graph, net, tied, named)
        try:
            written, said = (_answer(run, given) for run in (walk.run, net))
        except Exception as error:  # the net's own code, with inputs it may not be made for
            errors.append(_short(error))
            continue
        if not _alike(written, said):
            raise _unproved(net, "what torch.fx writes down answers otherwise than the net, whose path depends on more")
        return walk.closed()
    why = "it cannot take the example" if example is not None else "it needs an example of what it is called with"
    raise _unproved(net, why + (f" ({errors[-1]})" if errors else ""))


def _unproved(net, why):
    return NetError(
        f"which layers of {type(net).__name__} feed which cannot be proved, so its neurons must stay where they are: "
        f"{why}"
    )


@torch.no_grad()
def _answer(run, given):
    """All tensors that come out, from an input of its own and the same random numbers each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        out = run(*tree_map(lambda one: one.clone() if isinstance(one, torch.Tensor) else one, given))
    leaves = tree_leaves(out, is_leaf=lambda one: isinstance(one, _Value))
    return [one.real if isinstance(one, _Value) else one for one in leaves]


def _alike(ones, others):
    """Whether two nets answer the same, up to rounding."""
    tensors = [[one for one in answer if isinstance(one, torch.Tensor)] for answer in (ones, others)]
    return len(tensors[0]) == len(tensors[1]) and all(
        one.shape == other.shape and one.dtype == other.dtype and torch.allclose(one, other, 1e-4, 1e-6, True)
        for one, other in zip(*tensors, strict=True)
    )


def _short(error):
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _examples(net):
    """Tensors that nets of this kind usually take."""
    draw = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.Linear):
            for shape in ((1, module.in_features), (1, 8, module.in_features)):
                yield torch.randn(shape, generator=draw, device="cpu").to(module.weight)
            break
        if type(module) in (CONVOLUTIONS | TRANSPOSED):
            n = (CONVOLUTIONS | TRANSPOSED)[type(module)]
            for side in SIZES_TRIED[n]:
                yield torch.randn(1, module.in_channels, *[side] * n, generator=draw, device="cpu").to(module.weight)
            break
        if isinstance(module, nn.Embedding):
            for length in (8, 64):
                words = torch.randint(module.num_embeddings, (1, length), generator=draw, device="cpu")
                yield words.to(module.weight.device)
            break


_FACTOR = 6364136223846793005  # odd: products modulo 2**64 lose nothing


def _mix(path, salt=0):
    return (path ^ (path >> 31)) * _FACTOR + (2 * salt + 1) * 1442695040888963407 % 2**62


def _positions(shape, axis):
    """The place of each element among those of the same index along ``axis``, mixed: int64 of ``shape``."""
    rest = [1 if i == axis % len(shape) else n for i, n in enumerate(shape)]
    return _mix(torch.arange(math.prod(rest)).reshape(rest)).expand(shape)


def _digest(paths):
    """A hash of each row of an int64 (n, m) -> (n,)."""
    return (_mix(paths) * (2 * _mix(torch.arange(paths.shape[1])) + 1)).sum(1)


def _name(target):
    """The name of a function of torch or of an operator; "" for any other."""
    name = getattr(target, "__name__", "")
    homes = (torch, F, operator)
    return name if target is getattr or any(getattr(home, name, None) is target for home in homes) else ""


class _Walk(fx.Interpreter):
    """Runs a graph and labels what comes by; ``spots`` holds what was learnt about every parameter."""

    def __init__(self, graph, net, tied, named):
        super().__init__(graph)
        self.tied, self.spots, self._foreign, self._step = tied, {}, set(), 0
        self._parent, self._neurons, self._forms = [PINNED], {}, {}
        self._first = self._tensors(named)

    def _tensors(self, named):
        """{key: the first key of the same tensor}; two views of one storage that differ are foreign."""
        first, seen = {}, {}
        for key, tensor in named:
            where = tensor.untyped_storage().data_ptr() if tensor.numel() else key
            view = (tensor.storage_offset(), tensor.shape, tensor.stride())
            other, as_seen = seen.setdefault(where, (key, view))
            first[key] = other
            if view != as_seen:
                self._foreign |= {key, other}
                first[key] = key
        return first

    # ------------------------------------------------------- classes

    def find(self, label):
        """The one label that stands for a class."""
        while self._parent[label] != label:
            self._parent[label] = label = self._parent[self._parent[label]]
        return label

    def roots(self, labels):
        """``find`` for every label of an int64 array."""
        known, back = np.unique(labels, return_inverse=True)
        return np.array([self.find(label) for label in known.tolist()], np.int64)[back.reshape(labels.shape)]

    def _join(self, one, other):
        one, other = sorted((self.find(one), self.find(other)))
        self._parent[other] = one

    def _join_all(self, ones, others):
        differ = ones != others
        for one, other in torch.unique(torch.stack([ones[differ], others[differ]]), dim=1).T.tolist():
            self._join(one, other)

    def _new(self, key, n):
        """The labels of a tensor's n neurons, the same ones each time it is used."""
        if key not in self._neurons:
            start = len(self._parent)
            self._parent.extend(range(start, start + n))
            self._neurons[key] = torch.arange(start, start + n)
        return self._neurons[key]

    def _pin(self, value):
        for label in value.label.unique().tolist():
            self._join(PINNED, label)

    def _note(self, role, key, axis, labels, paths, rows=None):
        key, form = self._first[key], (role, rows and rows[1] - rows[0])
        if self._forms.setdefault((key, axis), form) != form:  # tied to a layer of another kind
            self._foreign.add(key)
        spot = self.spots.get((key, axis, rows))
        if spot is None:
            self.spots[key, axis, rows] = _Spot(key, axis, rows, role, labels.numpy(), paths.numpy())
        else:  # a shared layer: what comes the first time and the second must stay together
            self._join_all(torch.from_numpy(spot.labels), labels)
            spot.paths = _mix(_mix(torch.from_numpy(spot.paths)) + paths).numpy()

    def closed(self):
        """This walk, after everything that touches a tensor with another use is pinned."""
        for spot in self.spots.values():
            if spot.key in self._foreign:
                for label in np.unique(spot.labels).tolist():
                    self._join(PINNED, label)
        return self

    # ------------------------------------------------------- nodes

    def run_node(self, n):
        """Run one node and label what comes out."""
        self._step += 1
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        plain = lambda v: v.real if isinstance(v, _Value) else v  # noqa: E731
        if n.op == "call_function" and n.target is operator.getitem and not isinstance(args[0], _Value):
            return args[0][plain(args[1])]  # out of a tuple, or a shape
        is_value = lambda v: isinstance(v, _Value)  # noqa: E731
        real_args, real_kwargs = tree_map(plain, (args, kwargs), is_leaf=is_value)
        values = [v for v in tree_leaves((args, kwargs), is_leaf=is_value) if is_value(v)]
        versions = [value.real._version for value in values]
        out = getattr(self, n.op)(n.target, real_args, real_kwargs)
        for value, version in zip(values, versions, strict=True):
            if value.real._version != version:
                self._changed(value)
        labelled = None
        if n.op == "get_attr":
            self._foreign.add(self._first.get(n.target, n.target))
            if isinstance(out, torch.Tensor) and out.numel() == 1:
                return out  # one number is the same for every neuron
        elif n.op == "call_module":
            labelled = self._module(n.target, self.fetch_attr(n.target), args, kwargs, values, out)
        elif n.op in ("call_function", "call_method"):
            method = n.op == "call_method"
            name, function = (n.target, getattr(torch.Tensor, n.target)) if method else (_name(n.target), n.target)
            labelled = self._function(name, function, args, kwargs, values, out)
        if labelled is None:
            for value in values:
                self._pin(value)
            labelled = tree_map(lambda one: self._pinned(one) if isinstance(one, torch.Tensor) else one, out)
        return labelled

    def _changed(self, value):
        """A value was overwritten in place: others that show a part of the same memory are no longer what they were."""
        memory, lies = value.real.untyped_storage().data_ptr(), lambda t: (t.data_ptr(), t.shape, t.stride())
        others = tree_leaves(list(self.env.values()), is_leaf=lambda one: isinstance(one, _Value))
        others = [one for one in others if isinstance(one, _Value)]
        for other in others:
            if other.real.untyped_storage().data_ptr() == memory and lies(other.real) != lies(value.real):
                self._pin(other)
                self._pin(value)

    @staticmethod
    def _pinned(out):
        zeros = torch.zeros(out.shape, dtype=torch.int64)
        return _Value(out, zeros, zeros)

    def _module(self, name, module, args, kwargs, values, out):
        """What a module of torch.nn gives, labelled, or None where that is not known; its tensors are noted."""
        kind, value = type(module), values[0] if len(values) == 1 and len(args) == 1 and not kwargs else None
        hooked = module._forward_hooks or module._forward_pre_hooks
        plain = {key for key, tensor in module.named_parameters(recurse=False)} <= {"weight", "bias"}
        if value is not None and plain and not hooked:
            if kind is nn.Linear:
                return self._layer(name, module, value, out, -1, 1)
            if kind in CONVOLUTIONS:
                if self.tied and module.groups == module.in_channels == module.out_channels > 1:
                    return self._within(value, out, CONVOLUTIONS[kind], self._depthwise(name, module))
                return self._layer(name, module, value, out, -1 - CONVOLUTIONS[kind], module.groups)
            if kind in TRANSPOSED and module.groups == 1:
                return self._layer(name, module, value, out, -1 - TRANSPOSED[kind], 1, transposed=True)
            if kind in CHANNELWISE and value.label.dim() > 1:
                return self._channelwise(name, module, value, out)
            function = _MODULES.get(kind)
            if function in ALONE:
                return self._alone([value], out)
            if function in POOLS:
                return self._within(value, out, POOLS[function])
            if kind in (nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d, nn.ZeroPad2d):
                return self._within(value, out, value.label.dim() - 2)
            if kind in (nn.Flatten, nn.Unflatten, nn.Identity):
                return _Value(out, module(value.label), module(value.path))
        self._foreign |= {self._first[f"{name}.{key}"] for key, _ in module.named_parameters()}
        return None

    def _function(self, name, function, args, kwargs, values, out):
        """What a function or method gives, labelled, or None where that is not known."""
        if name in SIZES and not isinstance(out, torch.Tensor):
            return out
        if not values or kwargs.get("out") is not None:
            return None
        if name in ALONE:
            return self._alone(values, out)
        if name in MOVES:
            return self._moved(torch.Tensor.reshape if name == "view" else function, args, kwargs, out)
        if name in FOLDS:
            return self._folded(values, args, kwargs, out)
        if name in POOLS and len(values) == 1:
            return self._within(values[0], out, POOLS[name])
        if name == "interpolate" and len(values) == 1:
            return self._within(values[0], out, values[0].label.dim() - 2)
        return None

    # ------------------------------------------------------- what operations do to labels

    def _alone(self, values, out):
        try:
            labels, paths = ([getattr(v, of).expand(out.shape) for v in values] for of in ("label", "path"))
        except (RuntimeError, AttributeError):  # not of one shape, or not one tensor
            return None
        path = paths[0]
        for label, other in zip(labels[1:], paths[1:], strict=True):
            self._join_all(labels[0], label)
            path = _mix(path) + other
        return _Value(out, labels[0], _mix(path, self._step))

    def _moved(self, function, args, kwargs, out):
        is_value = lambda v: isinstance(v, _Value)  # noqa: E731
        swap = lambda of: tree_map(lambda v: getattr(v, of) if is_value(v) else v, (args, kwargs), is_leaf=is_value)  # noqa: E731
        if any(isinstance(v, torch.Tensor) for v in tree_leaves((args, kwargs))):
            return None
        rest = (args[1:], {key: v for key, v in kwargs.items() if key not in ("input", "tensors")})
        if any(map(is_value, tree_leaves(rest, is_leaf=is_value))):  # places that are numbers of the net, such as x[i]
            return None
        results = []
        for of in ("label", "path"):
            changed, named = swap(of)
            try:
                results.append(function(*changed, **named))
            except (RuntimeError, TypeError):  # such as a view as another type
                return None
        if isinstance(out, torch.Tensor):
            return _Value(out, *results)
        return type(out)(_Value(*three) for three in zip(out, *results, strict=True))

    def _folded(self, values, args, kwargs, out):
        value = values[0]
        dims = kwargs.get("dim", args[1] if len(args) > 1 else None)
        if len(values) > 1 or dims is None or not isinstance(out, torch.Tensor):
            return None
        dims = [d % value.label.dim() for d in (dims if isinstance(dims, tuple | list) else (dims,))]
        kept = [d for d in range(value.label.dim()) if d not in dims]
        many = lambda t: t.permute(kept + dims).reshape(-1, math.prod(t.shape[d] for d in dims))  # noqa: E731
        labels = self._one(many(value.label))
        return _Value(out, labels.reshape(out.shape), _mix(_digest(many(value.path)), self._step).reshape(out.shape))

    def _one(self, labels):
        """int64 (n, m) -> (n,): the class of each row, whose members are joined."""
        self._join_all(labels[:, :1].expand(labels.shape), labels)
        return labels[:, 0]

    def _channels(self, value, axis):
        """(classes (C,), hashes of paths (C,)) along an axis."""
        along = lambda t: t.movedim(axis, 0).reshape(t.shape[axis], -1)  # noqa: E731
        return self._one(along(value.label)), _digest(along(value.path))

    def _spread(self, labels, paths, out, axis):
        """The value whose channels along ``axis`` have these classes; a place's path tells the place, too."""
        shape = [1] * out.dim()
        shape[axis] = -1
        path = _mix(_positions(tuple(out.shape), axis) + _mix(paths).reshape(shape), self._step)
        return _Value(out, labels.reshape(shape).expand(out.shape), path)

    def _within(self, value, out, n, note=None):
        """Pooling and its like: all that an output is made of lies in its own channel, the n-th axis before last."""
        if not isinstance(out, torch.Tensor) or not 0 < n < value.label.dim() or out.dim() != value.label.dim():
            return None
        if out.shape[-n - 1] != value.label.shape[-n - 1]:
            return None
        labels, paths = self._channels(value, -n - 1)
        if note is not None:
            note(labels, paths)
        return self._spread(labels, paths, out, -n - 1)

    def _depthwise(self, name, module):
        def note(labels, paths):
            self._note("out", f"{name}.weight", 0, labels, paths)
            if module.bias is not None:
                self._note("bias", f"{name}.bias", 0, labels, paths)

        return note

    def _channelwise(self, name, module, value, out):
        labels, paths = self._channels(value, 1)
        tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for key, tensor in tensors:
            if tensor.dim() == 1:
                self._note("norm", f"{name}.{key}", 0, labels, paths)
        return _Value(out, value.label, _mix(value.path, self._step))

    def _layer(self, name, module, value, out, axis, groups, transposed=False):
        """A linear layer or a convolution: it listens to the classes that come in, and makes neurons of its own."""
        key, made = f"{name}.weight", out.shape[axis]
        labels, paths = self._channels(value, axis)
        for group in range(groups):
            rows = (group * made // groups, (group + 1) * made // groups)
            come = slice(group * len(labels) // groups, (group + 1) * len(labels) // groups)
            self._note("in", key, 0 if transposed else 1, labels[come], paths[come], rows if groups > 1 else None)
        neurons, still = self._new(self._first[key], made), torch.zeros(made, dtype=torch.int64)
        if groups > 1:  # neurons of one group may change places, not of two
            still = torch.arange(groups).repeat_interleave(made // groups)
        self._note("out", key, 1 if transposed else 0, neurons, still)
        if module.bias is not None:
            self._note("bias", f"{name}.bias", 0, neurons, still)
        return self._spread(neurons, still, out, axis)


_POOLINGS = {"Max": "max", "Avg": "avg", "AdaptiveAvg": "adaptive_avg", "AdaptiveMax": "adaptive_max"}
_LIKE_RELU = """
ReLU ReLU6 LeakyReLU ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign Hardswish Hardsigmoid Hardtanh
LogSigmoid Dropout Dropout1d Dropout2d Dropout3d AlphaDropout
"""
_MODULES = {
    getattr(nn, f"{kind}Pool{n}d"): f"{function}_pool{n}d" for kind, function in _POOLINGS.items() for n in (1, 2, 3)
} | {getattr(nn, kind): "relu" for kind in _LIKE_RELU.split()}
"""{class of torch.nn: the function that it is, or one that does the same to labels}."""
