"""Nets, loaders and callers that nobody thought of: taken as they are, or refused by name; the caller's own stays."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from dcviz import archive, pipeline
from dcviz.archive import Kept, Layer, StoredNet
from dcviz.errors import DataError, NetError, RecipeError, WeightError
from dcviz.pipeline import LayerRecipe, Recipe, Schedule, parameters
from dcviz.pipeline.choosing import recipe_for, worth_compressing
from dcviz.pipeline.report import Report

NONE, ONE = Schedule(epochs=0), Schedule(epochs=1)
X, Y = torch.randn(64, 40, generator=torch.Generator().manual_seed(1)), torch.linspace(-1, 1, 64)[:, None]


def quiet(*_):
    """No progress bars."""


def compress(net, recipe, data=None, **options):
    return pipeline.compress(net, recipe, data, progress=quiet, **options)


def plain():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))


TRAINED = Recipe({"0": LayerRecipe(0.3, 4)}, ONE, ONE)
SHOT = Recipe({"0": LayerRecipe(0.3, 4)}, NONE, NONE)


# ------------------------------------------------------------------ nets


class Leaves(nn.Linear):
    """A state dict without the weight."""

    def state_dict(self, *arguments, **options):
        return {key: value for key, value in super().state_dict(*arguments, **options).items() if "bias" in key}


class Copies(nn.Linear):
    """A state dict of copies: what is done to them does not reach the net."""

    def state_dict(self, *arguments, **options):
        return {key: value.detach().clone() for key, value in super().state_dict(*arguments, **options).items()}


@pytest.mark.parametrize(("kind", "lost"), [(Leaves, "'weight'"), (Copies, "'weight', 'bias'")])
def test_what_a_state_dict_does_not_have_would_be_lost(kind, lost):
    with pytest.raises(NetError, match=f"leaves out or copies {lost}"):
        parameters.tensors(kind(40, 40))
    with pytest.raises(NetError, match="leaves out or copies"):
        compress(kind(40, 40), Recipe({"": LayerRecipe(0.3, 4)}, NONE, NONE))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_refused_by_name():
    with pytest.raises(NetError, match="give the module that it was made from"):
        compress(torch.jit.trace(plain(), X), SHOT)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors_are_refused():
    net = plain()
    net.register_buffer("lengths", torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]))
    with pytest.raises(NetError, match="'lengths' is a nested tensor"):
        compress(net, SHOT)


def test_a_net_whose_name_fails_has_its_kind_for_a_name():
    class Nameless(nn.Linear):
        @property
        def name(self):
            raise RuntimeError("no name")

    assert pipeline.stored_net(Nameless(3, 3)).name == "Nameless"


def test_parameters_in_one_memory_are_one_while_they_are_trained():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            weight = torch.linspace(-1, 1, 1600).view(40, 40).half()
            self.a, self.b = nn.Parameter(weight), nn.Parameter(weight)

        def forward(self, x):
            return (x @ self.a @ self.b)[:, :1] / 100

    made = parameters.working_copy(Twice())
    assert made.a is made.b
    seen = []

    def step(net, batch):
        seen.append(torch.equal(net.a, net.b))
        return F.mse_loss(net(X), Y)

    small = compress(Twice(), Recipe({"a": LayerRecipe(0.3, 4)}, ONE, ONE), [0, 1, 2], step=step)
    assert small.stored.ties() == {"b": "a"}
    assert seen == [True] * len(seen)


def test_float64_beside_not_a_number_is_kept_to_the_bit():
    net = plain().double()
    net.register_buffer("third", torch.tensor([1 / 3, float("nan"), float("inf"), -0.0], dtype=torch.float64))
    state = compress(net, SHOT).stored.state_dict()
    assert state["third"].tobytes() == net.third.numpy().tobytes()


def test_a_bias_that_is_not_a_number_is_refused_before_any_work():
    net = plain()
    net[0].bias.data[3] = float("nan")
    with pytest.raises(WeightError, match="the bias of 0: 1 of 40"):
        compress(net, TRAINED, [(X, Y)], loss=lambda *_: pytest.fail("the net was trained"))


class Renamed(nn.Module):
    """A state dict whose keys are no names of modules."""

    def __init__(self):
        super().__init__()
        self.base = nn.Linear(40, 40)
        self._register_state_dict_hook(self._rename)
        self._register_load_state_dict_pre_hook(self._back)

    @staticmethod
    def _rename(module, state, prefix, local):
        for key in list(state):
            state[key.replace("base", "old")] = state.pop(key)

    @staticmethod
    def _back(state, prefix, *rest):
        for key in list(state):
            state[key.replace("old", "base")] = state.pop(key)

    def forward(self, x):
        return self.base(x)


def test_keys_that_are_no_names_of_modules_are_named_as_keys():
    net = Renamed()
    assert list(worth_compressing(net)) == ["old.weight"]
    small = compress(net, recipe_for(net, density=0.3, epochs=0))
    back = pipeline.restore(small.stored, into=Renamed())
    assert np.array_equal(back.base.weight.detach().numpy(), small.stored.state_dict()["old.weight"])


def test_float8_is_left_alone():
    net = plain()
    net.register_parameter("small", nn.Parameter(torch.ones(50, 50).to(torch.float8_e5m2), requires_grad=False))
    assert list(worth_compressing(net)) == ["0"]


@pytest.mark.parametrize("patterns", [{"only": 3}, {"skip": [3]}, {"skip": None, "only": [None]}])
def test_patterns_are_texts(patterns):
    with pytest.raises(RecipeError, match="patterns of names"):
        worth_compressing(plain(), **patterns)


# ------------------------------------------------------------------ into a net


class Shared(nn.Module):
    def __init__(self, again):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = self.a if again else nn.Linear(4, 4)


def test_two_tensors_of_a_file_do_not_go_into_one_module():
    into = Shared(again=True)
    before = copy.deepcopy(into.state_dict())
    with pytest.raises(NetError, match=r"a\.weight and b\.weight are one tensor in the net, and two in the file"):
        pipeline.restore(pipeline.stored_net(Shared(again=False)), into=into)
    assert all(torch.equal(value, before[key]) for key, value in into.state_dict().items())
    same = Shared(again=False)
    same.b.load_state_dict(same.a.state_dict())
    assert torch.equal(pipeline.restore(pipeline.stored_net(same), into=into).a.weight, same.a.weight)
    assert pipeline.restore(pipeline.stored_net(Shared(again=True)), into=Shared(again=True)).training is False


def test_a_net_that_loads_other_numbers_is_refused():
    class Doubling(nn.Linear):
        def _load_from_state_dict(self, state, prefix, *rest):
            state[f"{prefix}weight"] = 2 * state[f"{prefix}weight"]
            super()._load_from_state_dict(state, prefix, *rest)

    with pytest.raises(NetError, match="makes other tensors of weight"):
        pipeline.restore(pipeline.stored_net(nn.Linear(3, 3)), into=Doubling(3, 3))


# ------------------------------------------------------------------ the caller's own


class Endless(IterableDataset):
    def __iter__(self):
        return iter(list(zip(X, Y, strict=True)))


@pytest.mark.parametrize(
    "data", [DataLoader(TensorDataset(X, Y), 16, shuffle=True), DataLoader(Endless(), 16)], ids=["shuffled", "endless"]
)
def test_random_numbers_of_the_caller_are_not_touched(data):
    net = plain()
    before = torch.get_rng_state()
    compress(net, TRAINED, data, loss=F.mse_loss)
    compress(net, Recipe({"0": LayerRecipe(0.3, 4)}, NONE, ONE, reorder=True), data, loss=F.mse_loss)
    recipe_for(net, density=0.3, data=data, loss=F.mse_loss)
    assert torch.equal(torch.get_rng_state(), before)


def test_all_nets_are_judged_by_the_same_batches():
    net, data = plain(), DataLoader(TensorDataset(X, Y), 2, shuffle=True)
    one, two = (recipe_for(net, density=0.3, data=data, loss=F.mse_loss, only="*") for _ in range(2))
    assert one == two


@pytest.mark.parametrize("inside", [torch.no_grad, torch.inference_mode])
def test_it_trains_where_gradients_are_switched_off(inside):
    outside = compress(plain(), TRAINED, [(X, Y)], loss=F.mse_loss)
    with inside():
        assert not torch.is_grad_enabled()
        assert compress(plain(), TRAINED, [(X, Y)], loss=F.mse_loss).stages[-1].source == outside.stages[-1].source
        assert not torch.is_grad_enabled()


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(40, 40), nn.Linear(40, 5)
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x):
        self.calls += 1
        return self.b(torch.relu(self.a(x)))


def test_a_net_that_counts_its_calls_is_not_called_to_teach_or_to_be_judged():
    net, other, labels = Counting(), Counting().half(), torch.arange(64) % 5
    recipe = Recipe({"a": LayerRecipe(0.3, 4)}, Schedule(1, teacher_weight=0.5), NONE)
    for teacher in (None, other):
        compress(net, recipe, [(X, labels)], loss=F.cross_entropy, teacher=teacher)
    recipe_for(net, density=0.3, data=[(X, labels)], loss=F.cross_entropy, only="*")
    assert net.calls == other.calls == 0


# ------------------------------------------------------------------ losses and batches


def test_a_teacher_that_cannot_be_compared_with_is_refused_before_any_work():
    recipe = Recipe({"0": LayerRecipe(0.3, 4)}, Schedule(1, teacher_weight=0.5), NONE)
    net, steps = nn.Sequential(nn.Linear(40, 1), nn.Flatten(0)), []
    with pytest.raises(DataError, match="cannot learn from the first batch: IndexError"):
        pipeline.compress(net, recipe, [(X, Y[:, 0])], loss=F.mse_loss, progress=lambda *step: steps.append(step))
    assert not steps


def broken(*_):
    raise ZeroDivisionError("mine")


class Fails:
    """Batches that end in an error."""

    def __len__(self):
        raise NotImplementedError

    def __iter__(self):
        yield from [(X, Y)] * 2
        raise OSError("the disk is gone")


@pytest.mark.parametrize(
    ("data", "loss", "message"),
    [
        ([(X, Y), (X[:3, :5], Y[:3])], F.mse_loss, "cannot learn from a batch: RuntimeError: mat1 and mat2"),
        (Fails(), F.mse_loss, "the batches cannot be read: OSError: the disk is gone"),
        ([(X, Y)], lambda output, target: 1j * output.sum(), "real tensor of one number"),
        ([(X, Y)], broken, "cannot learn from the first batch: ZeroDivisionError: mine"),
    ],
)
def test_batches_that_fail_are_typed_errors(data, loss, message):
    with pytest.raises(DataError, match=message):
        compress(plain(), TRAINED, data, loss=loss)


def test_judging_fails_with_typed_errors_too():
    with pytest.raises(DataError, match="cannot learn from a batch: ZeroDivisionError"):
        recipe_for(plain(), density=0.3, data=[(X, Y)], loss=broken, only="*")
    with pytest.raises(DataError, match="cannot be read: OSError"):
        recipe_for(plain(), density=0.3, data=Fails(), loss=F.mse_loss, only="*")


def test_batches_without_a_length_of_their_own_are_counted():
    class Counted(Fails):
        def __iter__(self):
            yield from [(X, Y)] * 2

    assert compress(plain(), TRAINED, Counted(), loss=F.mse_loss).ratio > 1


def test_a_measure_may_come_with_its_gradient_and_must_be_a_number():
    def judge(net):
        return F.mse_loss(net(X), Y)

    assert recipe_for(plain(), density=0.3, evaluate=judge, only="*").layers.keys() == {"0", "2"}
    assert compress(plain(), SHOT, evaluate=judge).stages[0].measured == pytest.approx(judge(plain()).item())
    for wrong in (torch.tensor(1j), torch.ones(2), "x", [1]):
        with pytest.raises(DataError, match="evaluate"):
            compress(plain(), SHOT, evaluate=lambda net: wrong)  # noqa: B023
        with pytest.raises(DataError, match="evaluate"):
            recipe_for(plain(), density=0.3, evaluate=lambda net: wrong, only="*")  # noqa: B023


def test_the_table_of_a_report_has_a_row_for_each_record_whatever_their_names():
    layers = (Layer("fc", np.ones((3, 3), np.float32)), Kept("fc", np.ones(4)), Kept("the file", np.ones(5)))
    table = Report.of(archive.breakdown(StoredNet("net", layers))).table()
    assert list(table["weights"]) == [9, 4, 5, 18]
