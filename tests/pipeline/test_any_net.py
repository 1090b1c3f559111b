"""Any torch module goes into a file and comes back: fifteen kinds of nets, and everything that people do to nets."""

import copy
import warnings

import numpy as np
import pytest
import some_nets
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import dcviz
from dcviz import archive, pipeline
from dcviz.errors import NetError, RecipeError, WeightError
from dcviz.pipeline import LayerRecipe, Recipe, Schedule, parameters

NONE = Schedule(epochs=0)


def recipe_for(names, density=0.4, bits=4, **more):
    return Recipe(dict.fromkeys(names, LayerRecipe(density, bits, None)), NONE, NONE, **more)


def quiet(*_):
    """No progress bars."""


def compress(net, recipe, **more):
    return pipeline.compress(net, recipe, None, progress=quiet, **more)


def same_bits(first, second):
    """Whether two state dicts hold the same keys, types, shapes and bits."""
    return list(first) == list(second) and all(
        first[key].dtype == second[key].dtype
        and parameters.array(first[key]).tobytes() == parameters.array(second[key]).tobytes()
        and first[key].shape == second[key].shape
        for key in first
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("kind", some_nets.NETS)
def test_a_file_gives_back_the_compressed_net(kind, dtype, tmp_path):
    net, x = some_nets.build(kind)
    net, before = net.to(dtype), None
    before = {key: value.clone() for key, value in net.state_dict().items()}
    names = some_nets.matrices(net)
    result = compress(net, recipe_for(names))
    assert same_bits(net.state_dict(), before), "the net that was given is left alone"
    path = tmp_path / "net.dcz"
    size = archive.save(path, result.stored)

    back = dcviz.open(path, into=some_nets.build(kind, seed=9)[0])
    assert not back.training
    own = back.state_dict()
    assert list(own) == list(before)
    assert all(own[key].dtype == before[key].dtype for key in own)
    for stage in result.stages:
        skeleton = some_nets.build(kind, seed=8)[0]
        assert archive.file_bytes(stage.stored) == stage.file_bytes
        restored = pipeline.restore(stage.stored, into=skeleton).state_dict()
        for key, value in restored.items():
            named = key in names or (key == "head.weight" and "words.weight" in names)
            assert (named and stage.name != "dense") or torch.equal(value, before[key]), f"{key} is kept exactly"
            if named and stage.name != "dense":
                assert torch.count_nonzero(value) <= round(0.4 * value.numel())
            if named and stage.name in ("shared", "coded"):
                assert len(value.unique()) <= 16
        assert dtype != torch.float16 or not any(value.isnan().any() for value in restored.values())

    compressed = pipeline.restore(result.stored, into=copy.deepcopy(net))
    with torch.no_grad():
        x = x.to(dtype) if x.is_floating_point() else x
        assert torch.equal(back(x), compressed(x)), "bit for bit"

    report = archive.describe(path)
    assert sum(report.parts.values()) == report.file_bytes == size == path.stat().st_size
    distinct = {id(value): value for value in net.state_dict(keep_vars=True).values()}.values()
    assert report.dense_bytes == result.dense_bytes == sum(v.numel() * v.element_size() for v in distinct)
    assert result.ratio == result.dense_bytes / size
    assert result.stored.dtypes() == {key: parameters.dtype_name(value) for key, value in before.items()}


UNPROVED = ("GPT", "ViT")  # torch.fx cannot write down what they do


@pytest.mark.parametrize("kind", some_nets.NETS)
@pytest.mark.parametrize(
    ("change", "stage"), [({"reorder": True}, -1), ({"drop_dead": True}, 1)], ids=["moved", "gone"]
)
def test_neurons_that_move_or_go_leave_the_function_as_it_is(kind, change, stage):
    net, x = some_nets.build(kind)
    names = some_nets.matrices(net)
    if kind in UNPROVED:
        with pytest.raises(NetError, match="cannot be proved"):
            compress(net, recipe_for(names, density=0.2, **change), example=(x,))
        return
    plain, changed = (
        compress(net, recipe_for(names, density=0.2, **more), example=(x,)).stages[stage] for more in ({}, change)
    )
    first, second = (pipeline.restore(each.stored, into=some_nets.build(kind, seed=7)[0]) for each in (plain, changed))
    with torch.no_grad():
        assert torch.allclose(first(x), second(x), atol=1e-5, rtol=1e-5)
    assert changed.file_bytes <= plain.file_bytes
    assert second.state_dict().keys() == net.state_dict().keys()


@pytest.mark.parametrize("kind", ["tied encoder", "GPT"])
def test_what_is_tied_is_stored_once_and_tied_again(kind):
    net, _ = some_nets.build(kind)
    for name in ("words", "head", "head.weight"):
        stored = compress(net, recipe_for([name])).stored
        assert stored.ties() == {"head.weight": "words.weight"}
        back, _ = some_nets.build(kind, seed=5)
        back.head.weight = nn.Parameter(back.head.weight.detach().clone())  # as a class that does not tie them
        pipeline.restore(stored, into=back)
        assert back.head.weight is back.words.weight
        assert torch.count_nonzero(back.head.weight) == round(0.4 * back.head.weight.numel())
    with pytest.raises(RecipeError, match="'words' and 'head' are the same tensor"):
        compress(net, recipe_for(["words", "head"]))


def test_shared_memory_counts_once_too():
    net = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)})
    net["b"].weight = nn.Parameter(net["a"].weight.detach())
    stored = pipeline.stored_net(net)
    assert stored.ties() == {"b.weight": "a.weight"}
    assert stored.dense_bytes() == 4 * (16 + 4 + 4) == parameters.dense_bytes(net)


class Own(nn.Module):
    """Nobody's net."""

    def __init__(self, hidden=30):
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(784, hidden), nn.BatchNorm1d(hidden), nn.Linear(hidden, 10)
        self.drop = nn.Dropout(0.3)

    def forward(self, x):
        return self.second(self.drop(torch.relu(self.norm(self.first(x.flatten(1))))))


def own(hidden=30):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Own(hidden)


@pytest.fixture(scope="module")
def digits():
    from dcviz.nets import datasets

    return datasets.digits()


def test_errors_of_an_own_net_are_measured_and_it_stays_as_it_was(digits):
    net = own().train()
    net.second.eval()
    net.first.weight.requires_grad_(False)
    before = copy.deepcopy(net.state_dict())
    schedule = Schedule(epochs=1, teacher_weight=0.5)
    recipe = Recipe({"first": LayerRecipe(0.3, 4), "second": LayerRecipe(0.5, 4)}, schedule, schedule)
    state = torch.get_rng_state()
    files = []
    for _ in range(2):
        train, test = digits.train.take(slice(0, 256)), digits.test.take(slice(0, 200))
        result = pipeline.compress(net, recipe, train, test=test, progress=quiet)
        files.append(archive.dumps(result.stored))
        assert all(0 < stage.error_percent < 100 for stage in result.stages)
    assert files[0] == files[1], "the same seed, the same bytes, dropout or not"
    assert torch.equal(state, torch.get_rng_state())
    assert same_bits(net.state_dict(), before)
    assert (net.training, net.second.training, net.first.weight.requires_grad) == (True, False, False)
    back = pipeline.restore(result.stored, into=own())
    frozen = back.first.weight[back.first.weight != 0]
    largest = before["first.weight"].abs().flatten().kthvalue(784 * 30 - len(frozen)).values
    frozen = frozen.detach()
    kept = before["first.weight"][before["first.weight"].abs() > largest]
    assert len(kept) == len(frozen), "a frozen layer is cut by magnitude,"
    assert float((kept - frozen).abs().max()) < 0.01, "shared, and not trained"
    assert not torch.equal(back.norm.running_mean, before["norm.running_mean"]), "the rest learned"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_a_net_of_another_type_is_retrained_as_float32_and_stored_in_its_own(dtype, digits):
    net = own().to(dtype)
    before = copy.deepcopy(net.state_dict())
    schedule = Schedule(epochs=1, teacher_weight=0.5)
    recipe = Recipe({"first": LayerRecipe(0.3, 4), "second": LayerRecipe(0.5, 4)}, schedule, schedule, bias_bits=3)
    train, test = digits.train.take(slice(0, 256)), digits.test.take(slice(0, 200))
    seen = []
    result = pipeline.compress(
        net, recipe, train, test=test, evaluate=lambda net: seen.append(net.first.weight.dtype) or 1.0, progress=quiet
    )
    assert set(seen) == {torch.float32}
    assert all(0 < stage.error_percent < 100 for stage in result.stages)
    back = pipeline.restore(archive.loads(archive.dumps(result.stored)), into=own())
    assert {key: value.dtype for key, value in back.state_dict().items()} == {k: v.dtype for k, v in before.items()}
    assert len(back.first.weight.unique()) <= 16
    assert len(back.first.bias.unique()) <= 8
    assert not torch.equal(back.norm.running_mean, before["norm.running_mean"])
    assert same_bits(net.state_dict(), before)


def test_a_run_that_fails_leaves_the_net_alone(digits):
    net = own().train()
    before, state = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    recipe = Recipe({"first": LayerRecipe(0.3, 4)}, Schedule(epochs=1), NONE)

    def fail(*_):
        raise KeyError("the caller's own")

    with pytest.raises(KeyError, match="the caller's own"):
        pipeline.compress(net, recipe, digits.train.take(slice(0, 256)), progress=fail)
    with pytest.raises(pipeline.Stopped):
        pipeline.compress(net, recipe, digits.train.take(slice(0, 256)), progress=quiet, stop=lambda: True)
    assert same_bits(net.state_dict(), before)
    assert net.training
    assert torch.equal(state, torch.get_rng_state())


class More(nn.Linear):
    """A Linear with one parameter more."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.scale = nn.Parameter(torch.full((sizes[1],), 0.5))

    def forward(self, x):
        return super().forward(x) * self.scale


def test_one_more_parameter_of_a_linear_is_stored():
    net = nn.Sequential(More(6, 4))
    stored = compress(net, recipe_for(["0"])).stored
    assert list(stored.state_dict()) == ["0.weight", "0.bias", "0.scale"]
    assert stored.state_dict()["0.scale"].tolist() == [0.5] * 4


def test_running_statistics_are_stored():
    net, _ = some_nets.build("buffers only")
    state = pipeline.stored_net(net).state_dict()
    assert list(state) == ["table", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked"]
    assert state["norm.running_mean"].any()


def transposed(net):
    net.first.weight = nn.Parameter(net.first.weight.detach().t().contiguous().t())
    assert not net.first.weight.is_contiguous()


def expanded(net):
    net.first.weight = nn.Parameter(torch.linspace(-1, 1, 784).expand(30, 784))


@pytest.mark.parametrize("change", [transposed, expanded])
def test_weights_that_do_not_lie_in_rows_are_compressed(change, digits):
    net = own()
    change(net)
    straight = copy.deepcopy(net)
    straight.first.weight = nn.Parameter(net.first.weight.detach().clone(memory_format=torch.contiguous_format))
    recipe = Recipe({"first": LayerRecipe(0.3, 4)}, Schedule(epochs=0.1), Schedule(epochs=0.1))
    files = [
        pipeline.compress(each, recipe, digits.train.take(slice(0, 128)), progress=quiet).stages[-1].source
        for each in (net, straight)
    ]
    assert files[0] == files[1]


def test_channels_last_is_compressed():
    net, x = some_nets.build("CNN with batch normalisation")
    moved = copy.deepcopy(net).to(memory_format=torch.channels_last)
    recipe = recipe_for(some_nets.matrices(net))
    assert compress(net, recipe).stages[-1].source == compress(moved, recipe).stages[-1].source
    into = pipeline.restore(compress(net, recipe).stored, into=moved)
    with torch.no_grad():
        assert into(x).shape == (2, 5)


def pruned(net):
    prune.l1_unstructured(net.first, "weight", 0.5)


def normed(net):
    parametrizations.weight_norm(net.first)


def old_normed(net):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nn.utils.weight_norm(net.first)


def spectral(net):
    nn.utils.spectral_norm(net.first)


def new_spectral(net):
    parametrizations.spectral_norm(net.first)


def lazy(net):
    net.first = nn.LazyLinear(30)


def on_meta(net):
    net.to("meta")


def meta_buffer(net):
    net.register_buffer("empty", torch.zeros(3, device="meta"))


def sparse(net):
    net.register_buffer("few", torch.eye(3).to_sparse())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (pruned, r"torch\.nn\.utils\.prune\.remove\(module, 'weight'\)"),
        (normed, r"parametrize\.remove_parametrizations\(module, 'weight'\)"),
        (new_spectral, r"parametrize\.remove_parametrizations\(module, 'weight'\)"),
        (old_normed, r"torch\.nn\.utils\.remove_weight_norm\(module, 'weight'\)"),
        (spectral, r"torch\.nn\.utils\.remove_spectral_norm\(module, 'weight'\)"),
        (lazy, "'first.weight' belongs to a lazy module that has no shape yet: call the net once"),
        (on_meta, "meta device: 'first.weight' has a shape, but no numbers"),
        (meta_buffer, "meta device: 'empty' has a shape, but no numbers"),
        (sparse, "'few' is a tensor of torch.float32, torch.sparse_coo"),
    ],
)
def test_what_no_file_could_give_back_is_refused_by_name(change, says):
    net = own()
    change(net)
    for refused in (lambda: compress(net, recipe_for(["second"])), lambda: pipeline.stored_net(net)):
        with pytest.raises(NetError, match=says):
            refused()


def test_the_call_that_is_named_makes_it_plain():
    for change, plain in (
        (pruned, lambda net: prune.remove(net.first, "weight")),
        (normed, lambda net: nn.utils.parametrize.remove_parametrizations(net.first, "weight")),
        (old_normed, lambda net: nn.utils.remove_weight_norm(net.first, "weight")),
        (spectral, lambda net: nn.utils.remove_spectral_norm(net.first, "weight")),
    ):
        net = own()
        change(net)
        plain(net)
        assert list(compress(net, recipe_for(["first"])).stored.ties()) == []


class Odd(nn.Module):
    """A module whose extra state is no tensor."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def get_extra_state(self):
        return {"steps": 3}

    def set_extra_state(self, state):
        pass


class Unruly(Odd):
    def get_extra_state(self):
        raise ZeroDivisionError("no")


class Uncopied(nn.Linear):
    def __deepcopy__(self, memo):
        raise TypeError("cannot be copied")


@pytest.mark.parametrize(
    ("net", "says"),
    [
        (Odd(), "'_extra_state' of the state dict is no tensor but dict"),
        (Unruly(), r"state_dict\(\) of Unruly fails: ZeroDivisionError: no"),
        (nn.Sequential(nn.ReLU()), "has no parameters and no buffers"),
        (None, r"a net is a torch\.nn\.Module, not NoneType"),
        ({"weight": torch.ones(3)}, r"a net is a torch\.nn\.Module, not dict"),
    ],
    ids=["state", "unruly", "empty", "none", "dict"],
)
def test_what_is_no_net_is_refused(net, says):
    for refused in (lambda: pipeline.stored_net(net), lambda: compress(net, recipe_for(["fc"]))):
        with pytest.raises(NetError, match=says):
            refused()


def test_a_net_that_cannot_be_copied_is_refused():
    with pytest.raises(NetError, match="cannot be copied: TypeError"):
        compress(nn.Sequential(Uncopied(3, 3)), recipe_for(["0"]))


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["fir5t"], "no layer called fir5t; did you mean first"),
        (["first", "first.weight"], "'first' and 'first.weight' are the same tensor"),
        (["norm.num_batches_tracked"], r"is a tensor of int64 with the shape \(\): only floats"),
        (["drop"], "no layer called drop; there are"),
    ],
)
def test_names_that_a_recipe_cannot_give_are_refused(names, says):
    with pytest.raises(RecipeError, match=says):
        compress(own(), recipe_for(names))


@pytest.mark.parametrize("layers", [None, 3, {"first": 0.5}, {1: LayerRecipe(0.5, 4)}])
def test_recipes_without_layers_are_refused(layers):
    with pytest.raises(RecipeError, match="layers are"):
        Recipe(layers)
    with pytest.raises(RecipeError, match="norms_dtype"):
        Recipe({}, norms_dtype="float8")
    with pytest.raises(RecipeError, match="Schedule"):
        Recipe({}, retrain=3)
    with pytest.raises(RecipeError, match="not NoneType"):
        compress(own(), None)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one here")
@pytest.mark.parametrize("device", ["cuda", "cuda:1", "abacus", None, 3.5])
def test_a_device_that_is_not_there_is_refused_before_any_work(device):
    with pytest.raises(RecipeError, match=r"device .* cannot be used here"):
        compress(own(), recipe_for(["first"]), device=device)


def test_not_a_number_is_refused_where_it_is_named_and_kept_where_it_is_not():
    net = own()
    with torch.no_grad():
        net.second.weight[0, 0] = float("nan")
    with pytest.raises(WeightError, match="second: 1 of 300 values are NaN"):
        compress(net, recipe_for(["second"]))
    state = compress(net, recipe_for(["first"])).stored.state_dict()
    assert np.array_equal(state["second.weight"].view(np.uint32), parameters.array(net.second.weight).view(np.uint32))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_beside_not_a_number_every_other_number_is_kept_to_the_bit(dtype):
    net = nn.Sequential(nn.Linear(6, 40), nn.Linear(40, 30)).to(dtype)
    with torch.no_grad():
        net[1].weight.div_(3)
        net[1].weight[0, :3] = torch.tensor([float("nan"), -0.0, float("inf")])
    back = compress(net, recipe_for(["0"])).stored.state_dict()
    for key in ("1.weight", "1.bias"):
        assert back[key].tobytes() == parameters.array(net.state_dict()[key]).tobytes()


def test_a_layer_of_ten_weights_says_in_words_that_nothing_was_gained():
    report = compress(nn.Sequential(nn.Linear(5, 2)), recipe_for(["0"])).report
    assert report.ratio < 1
    assert "not smaller than 48 bytes of float32: names, shapes and checksums alone take" in report.sentence
    assert "nothing to gain" in report.sentence


def test_biases_and_norms_may_be_float16():
    net, _ = some_nets.build("CNN with batch normalisation")
    recipe = recipe_for(some_nets.matrices(net))
    exact = compress(net, recipe)
    short = compress(net, recipe_for(some_nets.matrices(net), norms_dtype="float16", bias_dtype="float16"))
    assert short.stages[-1].file_bytes < exact.stages[-1].file_bytes
    for key, value in short.stored.state_dict().items():
        before = exact.stored.state_dict()[key]
        assert value.dtype == before.dtype
        rounded = value.ndim == 1 and "running" not in key
        assert np.array_equal(value, before.astype(np.float16).astype(np.float32) if rounded else before)


def test_ties_and_norms_survive_a_copy_of_a_copy():
    net, x = some_nets.build("GPT")
    stored = compress(net, recipe_for(some_nets.matrices(net), norms_dtype="float16")).stored
    first = pipeline.restore(stored, into=some_nets.build("GPT", seed=1)[0])
    again = archive.loads(archive.dumps(pipeline.stored_net(first)))
    second = pipeline.restore(again, into=some_nets.build("GPT", seed=2)[0])
    with torch.no_grad():
        assert torch.equal(first(x), second(x))


def test_a_file_that_does_not_fit_is_refused_by_tensor_and_changes_nothing(tmp_path):
    archive.save(tmp_path / "own.dcz", pipeline.stored_net(own()))
    wrong = own(hidden=20)
    before = copy.deepcopy(wrong.state_dict())
    shapes = r"of another shape: first\.weight \(in the file \(30, 784\), in the net \(20, 784\)"
    with pytest.raises(NetError, match=f"do not fit the Own given: {shapes}"):
        dcviz.open(tmp_path / "own.dcz", into=wrong)
    assert same_bits(wrong.state_dict(), before)
    wrong = nn.ModuleDict({"first": nn.Linear(784, 30), "other": nn.Linear(3, 3)})
    with pytest.raises(
        NetError, match=r"missing in the file: other\.weight, other\.bias; not in the net: norm\.weight"
    ):
        dcviz.open(tmp_path / "own.dcz", into=wrong)
    with pytest.raises(NetError, match="no net called 'Own'"):
        dcviz.open(tmp_path / "own.dcz")
    with pytest.raises(NetError, match=r"torch\.nn\.Module, not str"):
        dcviz.open(tmp_path / "own.dcz", into="Own")


def test_a_file_opens_into_a_net_without_numbers():
    net, x = some_nets.build("LSTM")
    with torch.device("meta"):
        empty = some_nets.NETS["LSTM"][0]()
    back = pipeline.restore(pipeline.stored_net(net), into=empty)
    with torch.no_grad():
        assert torch.equal(back(x), net(x))
    assert all(parameter.requires_grad for parameter in back.parameters())


def test_a_net_that_is_one_layer_goes_through():
    net = nn.Linear(40, 30)
    for name in ("", "weight"):
        stored = compress(net, recipe_for([name])).stored
        back = pipeline.restore(stored, into=nn.Linear(40, 30))
        assert torch.count_nonzero(back.weight) == 480
        assert torch.equal(back.bias, net.bias)
