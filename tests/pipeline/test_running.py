"""A net that runs compressed: the answers of the expanded one, no float weights, and what it cannot do is said."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode

import dcviz
from dcviz import archive, pipeline
from dcviz.errors import ArchiveError, NetError, WeightError
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import LayerRecipe, Recipe, running, shipped


def own_net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 300), nn.ReLU(), nn.Linear(300, 7), nn.Dropout()
    ).eval()


def stored_of(net, **layers):
    recipe = Recipe(layers, retrain=Schedule(epochs=0), finetune=Schedule(epochs=0))
    return pipeline.compress(net, recipe).stored


@pytest.fixture(scope="module")
def stored():
    shares = {"0": LayerRecipe(0.5, 5), "3": LayerRecipe(0.1, 5, 8), "5": LayerRecipe(0.3, 4)}
    return stored_of(own_net(), **shares)


PICTURES = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def both(stored, tmp_path, into=own_net, **options):
    """The net by ``restore`` and by ``open_net``, compressed."""
    archive.save(tmp_path / "net.dcz", stored)
    opened = pipeline.open_net(tmp_path / "net.dcz", into(3), compressed=True, **options)
    return pipeline.restore(stored, into(2), compressed=True), opened


def test_answers_are_those_of_the_expanded_net(stored, tmp_path):
    expected = pipeline.restore(stored, own_net(1))(PICTURES)
    for net in both(stored, tmp_path):
        assert list(running.compressed_layers(net)) == ["3", "5"]
        for some in (PICTURES, PICTURES[:1]):
            assert torch.allclose(net(some), expected[: len(some)], atol=1e-6)
        assert not any(p.requires_grad for p in net.parameters())
        assert torch.allclose(copy.deepcopy(net)(PICTURES), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5", "lenet-300-100-tiny"])
def test_shipped_nets(name):
    expected = pipeline.restore(shipped.compressed(name))(torch.ones(2, 1, 28, 28) / 2)
    net = dcviz.open(shipped.compressed_path(name), compressed=True)
    assert torch.allclose(net(torch.ones(2, 1, 28, 28) / 2), expected, rtol=1e-4, atol=1e-5)
    assert all("conv" not in layer for layer in running.compressed_layers(net))


def test_the_weights_are_there_once_and_compressed(stored, tmp_path):
    for net in both(stored, tmp_path):
        layer = running.compressed_layers(net)["3"]
        kept = np.count_nonzero(stored.layers[1].weight)
        assert layer.layer.nbytes == 2 * (kept + layer.layer.fillers) + 4 * (4 * 36 + 1) + 4 * layer.layer.codebook.size
        assert layer.nbytes == layer.layer.nbytes + 4 * 300
        assert np.array_equal(layer.layer.dense(), stored.layers[1].weight)
        assert {name for name, _ in net.named_parameters()} == {"0.weight", "0.bias", "3.bias", "5.bias"}
        assert f"bytes={layer.layer.nbytes:,}" in repr(net)


def test_opening_expands_no_matrix_that_stays_compressed(stored, tmp_path, monkeypatch):
    from dcviz.archive import reader

    expanded = []
    original = reader._Content._weight
    monkeypatch.setattr(reader._Content, "_weight", lambda self: expanded.append(self.name) or original(self))
    both(stored, tmp_path)
    assert expanded == ["0"]


def test_entries_tell_the_layer(stored, tmp_path):
    archive.save(tmp_path / "net.dcz", stored)
    with archive.open_records(tmp_path / "net.dcz", entries=True) as records:
        found = list(records)
    assert [type(record).__name__ for record in found] == ["Layer", "Entries", "Entries"]
    for entries, layer in zip(found[1:], stored.layers[1:], strict=True):
        assert np.array_equal(entries.layer().weight, layer.weight)
        assert np.array_equal(entries.bias, layer.bias)
        assert (entries.codebook[entries.codes] != 0).all()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(3, 2500), (2500, 3), (70, 90)])
def test_both_walks_are_packed(order, shape, tmp_path):
    random = np.random.default_rng(0)
    weight = np.where(random.random(shape) < 0.02, random.choice([-1.0, 0.5, 2.0], shape), 0).astype(np.float32)
    weight[-1, -1] = 2.0
    coding = archive.Coding(5, np.unique(weight[weight != 0]), huffman=True, order=order)
    archive.save(
        tmp_path / "one.dcz", archive.StoredNet("one", (archive.Layer("a.weight", weight, None, coding, True),))
    )
    with archive.open_records(tmp_path / "one.dcz", entries=True) as records:
        ((_, packed),) = running.read(records) if weight.nbytes > 100 else [(None, None)]
    if packed is not None:
        assert np.array_equal(packed.dense(), weight)


def test_single_tensors_as_shrink_writes_them(stored, tmp_path):
    """Bare layers: the bias of a module is a record of its own."""
    records = [
        replaced
        for layer in stored.layers
        for replaced in (
            archive.Layer(f"{layer.name}.weight", layer.weight, None, layer.coding, bare=True),
            archive.Kept(f"{layer.name}.bias", layer.bias),
        )
    ]
    expected = pipeline.restore(stored, own_net(1))(PICTURES)
    for net in both(archive.StoredNet("bare", tuple(records)), tmp_path):
        assert list(running.compressed_layers(net)) == ["3", "5"]
        assert torch.allclose(net(PICTURES), expected, atol=1e-6)


class Tied(nn.Module):
    """An embedding that is the head as well: its tensor is looked up in, so it must be one."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.table, self.middle = nn.Embedding(50, 40), nn.Linear(40, 40)
        self.head = nn.Linear(40, 50, bias=False)
        self.head.weight = self.table.weight
        self.eval()

    def forward(self, places):
        return self.head(self.middle(self.table(places)))


def test_tied_tensors_stay_tensors(tmp_path):
    stored = stored_of(Tied(), table=LayerRecipe(0.3, 4), middle=LayerRecipe(0.3, 4))
    expected = pipeline.restore(stored, Tied(1))(torch.arange(9))
    for net in both(stored, tmp_path, Tied):
        assert list(running.compressed_layers(net)) == ["middle"]
        assert net.head.weight is net.table.weight
        assert torch.allclose(net(torch.arange(9)), expected, atol=1e-6)


def test_only_some_layers(stored, tmp_path):
    expected = pipeline.restore(stored, own_net(1))(PICTURES)
    archive.save(tmp_path / "net.dcz", stored)
    net = pipeline.open_net(tmp_path / "net.dcz", own_net(), compressed=["5"])
    assert list(running.compressed_layers(net)) == ["5"]
    assert torch.allclose(net(PICTURES), expected, atol=1e-6)
    with pytest.raises(NetError, match="not all of 0, 5 can run compressed"):
        pipeline.restore(stored, own_net(), compressed=["5", "0"])


def test_a_net_that_looks_at_its_weights_is_told():
    net = pipeline.restore(shipped.compressed("austen"), compressed=True)
    with pytest.raises(NetError, match="no tensor of weights"):
        net(torch.arange(9)[None])
    some = [name for name in running.compressed_layers(net) if name != "head"]
    net = pipeline.restore(shipped.compressed("austen"), compressed=some)
    expected = pipeline.restore(shipped.compressed("austen"))(torch.arange(9)[None])
    assert torch.allclose(net(torch.arange(9)[None]), expected, atol=1e-4)


def test_what_needs_a_tensor_of_weights_is_refused(stored):
    net = pipeline.restore(stored, own_net(), compressed=True)
    with pytest.raises(NetError, match="3 runs compressed and has no tensor to save"):
        net.state_dict()
    with pytest.raises(NetError, match="3 runs compressed and takes no tensors"):
        net.load_state_dict(own_net().state_dict())
    for use in (lambda w: w + 1, lambda w: w.data, lambda w: w.numpy(), lambda w: w.data_ptr(), nn.init.zeros_):
        with pytest.raises(NetError, match="no tensor of weights"):
            use(net[3].weight)
    with pytest.raises(NetError, match="no tensor of weights"):
        net[3].weight.data = torch.ones(300, 144)
    with pytest.raises(NetError, match="its input wants a gradient"):
        net(PICTURES.clone().requires_grad_())
    with pytest.raises(NetError, match="runs compressed"):
        pipeline.stored_net(net)
    net.train()
    with pytest.raises(NetError, match=r"training mode: call net\.eval"):
        net(PICTURES)
    net.eval()(PICTURES)


def with_tangent(net, x):
    with forward_ad.dual_level():
        return net(forward_ad.make_dual(x, x))


def watched(net, x):
    with FlopCounterMode(display=False):
        return net(x)


def as_two_nets(net, x):
    """As one call of both: only the biases of two such nets can be stacked."""
    parts = torch.func.stack_module_state([net[0], net[0]])
    return torch.func.vmap(lambda *parts: torch.func.functional_call(net[0], parts, (x,)))(*parts)


@pytest.mark.parametrize(
    "use",
    [
        lambda net, x: make_fx(net)(x),
        lambda net, x: make_fx(net, tracing_mode="symbolic")(x),
        lambda net, x: torch.fx.symbolic_trace(net),
        lambda net, x: torch.jit.trace(net, x),
        lambda net, x: torch.export.export(net, (x,)),
        lambda net, x: torch.func.jvp(net, (x,), (x,)),
        lambda net, x: torch.func.grad(lambda x: net(x).sum())(x),
        lambda net, x: torch.func.vmap(net)(x[:, None]),
        lambda net, x: net(FakeTensorMode(allow_non_fake_inputs=True).from_tensor(x)),
        with_tangent,
        watched,
        as_two_nets,
    ],
)
def test_what_would_be_wrong_in_silence_is_refused(stored, use):
    """Compiled code is past what torch records and derives: there its outputs would be constants."""
    net = pipeline.restore(stored, own_net(), compressed=True)[3:]
    for x in (torch.rand(1, 144), torch.rand(5, 144)):
        with pytest.raises(NetError, match="only gives answers, and "):
            use(net, x)


def test_what_does_not_touch_the_input_is_let_through(stored):
    net = pipeline.restore(stored, own_net(), compressed=True)[3:]
    x = torch.rand(5, 144)
    expected = net(x)
    with forward_ad.dual_level():
        assert torch.equal(net(x), expected)
    assert torch.equal(torch.func.vmap(lambda a: a + net(x))(torch.zeros(2))[1], expected)
    assert torch.equal(net(nn.Parameter(x, requires_grad=False)), expected)
    with torch.no_grad():
        assert torch.equal(net(x.clone().requires_grad_()), expected)

    class Leaves(torch.fx.Tracer):
        def is_leaf_module(self, module, name):
            return isinstance(module, running.CompressedLinear) or super().is_leaf_module(module, name)

    assert torch.equal(torch.fx.GraphModule(net, Leaves().trace(net))(x), expected)


@pytest.mark.parametrize("batch", [1, 5, 200])
def test_torch_compile_leaves_the_layers_as_they_are(stored, batch):
    """Each in a net that never ran before."""
    x = torch.rand(batch, 1, 8, 8)
    expected = pipeline.restore(stored, own_net())(x)
    torch.compiler.reset()
    net = torch.compile(pipeline.restore(stored, own_net(), compressed=True), backend="eager")
    for _ in range(2):
        assert torch.allclose(net(x), expected, atol=1e-6)


def test_the_module_stays_the_same(stored):
    """Its hooks, what was set on it, who else holds it: nothing is lost, in a copy neither."""

    def net():
        made = own_net()
        made[3].register_forward_pre_hook(lambda module, inputs: (inputs[0] + 1,))
        made[3].register_forward_hook(lambda module, inputs, output: output * 2)
        made[5].register_full_backward_hook(lambda module, given, wanted: None)
        made[5].mine = ["here"]
        made[5].register_buffer("counts", torch.arange(3))
        return made

    stored = archive.StoredNet("", (*stored.layers, archive.Kept("5.counts", np.arange(3))))
    expected = pipeline.restore(stored, net())(PICTURES)
    into = net()
    kept = into[3]
    opened = pipeline.restore(stored, into, compressed=True)
    assert opened[3] is kept
    for made in (opened, copy.deepcopy(opened)):
        assert torch.allclose(made(PICTURES), expected, atol=1e-5)
        assert list(running.compressed_layers(made)) == ["3", "5"]
        assert made[5].mine == ["here"]
        assert len(made[5]._backward_hooks) == 1
        assert made[5].counts.tolist() == [0, 1, 2]
        assert made[3].layer is opened[3].layer


def test_a_layer_with_a_forward_of_its_own_stays_a_tensor(stored):
    def net():
        made = own_net()
        before = made[3].forward
        made[3].forward = lambda x: 2 * before(x)
        return made

    expected = pipeline.restore(stored, net())(PICTURES)
    made = pipeline.restore(stored, net(), compressed=True)
    assert list(running.compressed_layers(made)) == ["5"]
    assert torch.allclose(made(PICTURES), expected, atol=1e-5)


class Asks(nn.Module):
    """Asks its layers for all that it needs to know before it calls them, one by name of the argument."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(32, 64), nn.Linear(64, 8, bias=False)

    def forward(self, x):
        x = x.double().to(self.one.weight.device, self.one.weight.dtype)
        more = torch.zeros(self.one.out_features, dtype=self.two.weight.dtype, device=self.two.weight.device)
        assert self.two.in_features == self.two.weight.shape[1] == self.two.weight.size(1) == 64
        return self.two(input=self.one(x.to(self.two.weight)) + more)


def encoder():
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2)


@pytest.mark.parametrize("net", [Asks, encoder])
@pytest.mark.parametrize("grad", [True, False])
def test_nets_that_ask_for_the_weights_and_do_not_use_them(net, grad):
    names = [name for name, module in net().named_modules() if type(module) is nn.Linear]
    stored = stored_of(net(), **{name: LayerRecipe(0.3, 4) for name in names})
    x = torch.rand(2, 5, 32)
    with torch.set_grad_enabled(grad):
        expected = pipeline.restore(stored, net())(x)
        made = pipeline.restore(stored, net(), compressed=True)
        assert list(running.compressed_layers(made)) == names
        assert torch.allclose(made(x), expected, atol=1e-5)


def test_shared_modules_and_plain_lists():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = self.b = nn.Linear(32, 32)
            self.c = nn.Linear(32, 32)
            self.steps = [self.c, self.b, self.a]

        def forward(self, x):
            for step in self.steps:
                x = step(x)
            return x

    stored = stored_of(Net(), a=LayerRecipe(0.3, 4), c=LayerRecipe(0.3, 4))
    expected = pipeline.restore(stored, Net())(torch.ones(2, 32))
    net = pipeline.restore(stored, Net(), compressed=True)
    assert list(running.compressed_layers(net)) == ["c"]
    assert net.steps[0] is net.c
    assert torch.allclose(net(torch.ones(2, 32)), expected, atol=1e-6)


def test_it_computes_in_float32(stored):
    net = pipeline.restore(stored, own_net(), compressed=True)
    layer, x = net[3], torch.rand(5, 144)
    expected = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x), expected)
        assert torch.equal(layer(x.bfloat16()), layer(x.bfloat16().float()))
        assert net(PICTURES).dtype == torch.float32
        with pytest.raises(WeightError, match="not float64"):
            layer(x.double())
    with pytest.raises(WeightError, match="not bfloat16"):
        layer(x.bfloat16())
    for convert in (nn.Module.half, nn.Module.double, nn.Module.bfloat16):
        assert torch.equal(convert(copy.deepcopy(layer))(x), expected)
    with pytest.raises(WeightError, match="a plain tensor with numbers"):
        copy.deepcopy(layer).to("meta")(x.to("meta"))


def test_copies_work_where_they_go(stored):
    net = pipeline.restore(stored, own_net(), compressed=True)
    expected = net(PICTURES)
    assert torch.equal(pickle.loads(pickle.dumps(net))(PICTURES), expected)
    for shape in ((0, 144), (2, 0, 144), (2, 3, 144), (144,)):
        assert net[3](torch.ones(shape)).shape == (*shape[:-1], 300)


@pytest.mark.parametrize("wrong", [1, 0, 1.5, [5], [None], b"5", {"5": 1, 3: 1}])
def test_what_compressed_is_is_told(stored, tmp_path, wrong):
    archive.save(tmp_path / "net.dcz", stored)
    for load in (lambda **how: pipeline.restore(stored, **how), lambda **how: dcviz.open(tmp_path / "net.dcz", **how)):
        with pytest.raises(NetError, match="compressed is True, False, or names of layers, not "):
            load(into=own_net(), compressed=wrong)
        assert load(into=own_net(), compressed=np.True_)[5].layer
        assert list(running.compressed_layers(load(into=own_net(), compressed=np.array(["3", "5"])))) == ["3", "5"]
        for nothing in (None, np.False_, []):
            assert not running.compressed_layers(load(into=own_net(), compressed=nothing))


@pytest.mark.parametrize("how", ["restore", "open_net"])
def test_what_does_not_fit_changes_nothing(stored, tmp_path, how):
    archive.save(tmp_path / "net.dcz", stored)

    def load(net):
        if how == "restore":
            return pipeline.restore(stored, net, compressed=True)
        return pipeline.open_net(tmp_path / "net.dcz", net, compressed=True)

    wide = nn.Sequential(*own_net()[:-2], nn.Linear(300, 8))
    extra = nn.Sequential(*own_net(), nn.Linear(7, 7))
    deaf = own_net()
    deaf[3] = nn.Linear(4 * 36, 300, bias=False)
    for net, why in ((wide, "of another shape: 5.weight"), (extra, "missing in the file: 7.weight"), (deaf, "3.bias")):
        before = {key: value.clone() for key, value in net.state_dict().items()}
        with pytest.raises(NetError, match=f"do not fit the Sequential given.*{why}"):
            load(net)
        assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
        assert list(net.state_dict()) == list(before)
        assert all(p.requires_grad for p in net.parameters())


def test_a_net_with_nothing_to_run_compressed(stored, tmp_path):
    dense = pipeline.stored_net(own_net())
    with pytest.raises(NetError, match="no layer of it can run compressed"):
        pipeline.restore(dense, own_net(), compressed=True)
    many = stored_of(own_net(), **{"3": LayerRecipe(0.9, 10)})  # more values than a code of one byte has
    archive.save(tmp_path / "many.dcz", many)
    with pytest.raises(NetError, match="no layer of it can run compressed"):
        pipeline.open_net(tmp_path / "many.dcz", own_net(), compressed=True)


def test_limits_hold_while_a_file_is_opened(stored, tmp_path):
    archive.save(tmp_path / "net.dcz", stored)
    with pytest.raises(ArchiveError, match="caller allows"):
        pipeline.open_net(tmp_path / "net.dcz", own_net(), compressed=True, max_bytes=10_000)
