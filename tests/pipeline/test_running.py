"""A net that runs compressed: the answers of the expanded one, no float weights, and what it cannot do is said."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import dcviz
from dcviz import archive, pipeline
from dcviz.errors import ArchiveError, NetError
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
    with pytest.raises(NetError, match="no tensor of weights"):
        _ = net[3].weight
    with pytest.raises(NetError, match="its input wants a gradient"):
        net(PICTURES.clone().requires_grad_())
    with pytest.raises(NetError, match="runs compressed"):
        pipeline.stored_net(net)
    net.train()
    with pytest.raises(NetError, match=r"training mode: call net\.eval"):
        net(PICTURES)
    net.eval()(PICTURES)


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
