import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dcviz import archive, pipeline
from dcviz.errors import ArchiveError, DataError, NetError, WeightError
from dcviz.pipeline import LayerRecipe, Recipe, Schedule, parameters, shrinking, sources


def own_net():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 6), nn.Linear(6, 6))
    net.register_buffer("count", torch.tensor(3))
    return net


@pytest.mark.parametrize("kind", ["module", "state dict", "safetensors", "pt", "dcz", "stored", "compressed"])
def test_every_source_gives_the_same_layers(tmp_path, kind):
    net = own_net()
    recipe = Recipe({"3": LayerRecipe(1.0, 8)}, Schedule(epochs=0), Schedule(epochs=0))
    if kind == "safetensors":
        save_file(net.state_dict(), source := tmp_path / "net.safetensors")
    elif kind == "pt":
        torch.save(net.state_dict(), source := tmp_path / "net.pt")
    elif kind == "dcz":
        archive.save(source := tmp_path / "net.dcz", pipeline.stored_net(net))
    else:
        source = {
            "module": net,
            "state dict": net.state_dict(),
            "stored": pipeline.stored_net(net),
            "compressed": pipeline.compress(net, recipe, progress=lambda *_: None),
        }[kind]
    for given in (source, str(source)) if kind in ("safetensors", "pt", "dcz") else (source,):
        found = sources.layers(given)
        assert list(found) == ["0", "3", "4"]
        assert found.shapes == {"0": (4, 3, 3, 3), "3": (6, 16), "4": (6, 6)}
        for name in found:
            exact = kind != "compressed" or name != "3"
            weights = net[int(name)].weight.detach().numpy()
            assert np.array_equal(found[name], weights) if exact else np.allclose(found[name], weights, atol=0.1)
        assert sources.is_source(given)


def test_tied_tensors_are_one_layer_and_half_precision_becomes_single():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.head = nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)
            self.head.weight = self.embed.weight

    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        found = sources.layers(Tied().to(dtype))
        assert list(found) == ["embed"]
        assert found["embed"].dtype == (np.float64 if dtype == torch.float64 else np.float32)


def test_layers_are_read_when_they_are_looked_at(tmp_path):
    state = {f"block.{i}.weight": torch.full((4, 5), float(i)) for i in range(300)}
    state["block.7.weight"][1, 2] = float("nan")
    save_file(state, tmp_path / "many.safetensors")
    found = sources.layers(tmp_path / "many.safetensors")
    assert len(found) == 300
    assert "block.299" in found
    assert found["block.299"][0, 0] == 299
    with pytest.raises(WeightError, match=r"block\.7: 1 of 20"):
        found["block.7"]


def test_what_was_looked_at_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(sources, "HELD", 50)
    found = sources.layers({str(i): np.ones((4, 5)) for i in range(10)})
    for name in found:
        assert found[name].shape == (4, 5)
    assert len(found._held) == 2


@pytest.mark.parametrize("lossless", [True, False])
def test_a_shrunk_checkpoint_is_looked_at_whole(tmp_path, monkeypatch, lossless):
    monkeypatch.setattr(shrinking, "PIECE", 700)
    state = {"long": torch.rand(100, 50).bfloat16(), "few": torch.rand(4, 4).bfloat16(), "again": None}
    state["again"] = state["long"]
    torch.save(state, tmp_path / "net.pt")
    shrinking.shrink(tmp_path / "net.pt", tmp_path / "net.dcz", lossless=lossless, bits=8)
    found = sources.layers(tmp_path / "net.dcz")
    assert found.shapes == {"long": (100, 50), "few": (4, 4)}
    assert np.array_equal(found["few"], state["few"].float().numpy())
    assert np.allclose(found["long"], state["long"].float().numpy(), atol=0 if lossless else 0.05)


ODD_KEYS = ("", ".", "a..b", "fc", "fc.weight", "type", "forward.weight", "name.weight", "T", "_parameters", "<b>\n")


@pytest.mark.parametrize("kind", ["state dict", "safetensors", "dcz"])
def test_keys_of_any_kind_are_layers_and_make_a_module(tmp_path, kind):
    source = {key: torch.full((3, 5), float(i)) for i, key in enumerate(ODD_KEYS)}
    if kind != "state dict":
        save_file(source, tmp_path / "net.safetensors")
        shrinking.shrink(tmp_path / "net.safetensors", tmp_path / "net.dcz")
    given = source if kind == "state dict" else tmp_path / f"net.{kind}"
    found = sources.layers(given)
    assert sorted(weights[0, 0] for weights in found.values()) == list(range(len(ODD_KEYS)))
    assert {"fc", "fc.weight", "forward", "name"} < set(found)
    module = sources.module(given)
    assert module.state_dict().keys() == source.keys()
    assert all(torch.equal(value, source[key]) for key, value in module.state_dict().items())
    assert pipeline.stored_net(module).state_dict().keys() == source.keys()


def test_tied_tensors_of_a_source_are_tied_in_its_module(tmp_path):
    weight = torch.rand(6, 5)
    state = {"a": weight, "b": weight, "c": weight.clone()}
    torch.save(state, tmp_path / "net.pt")
    shrinking.shrink(tmp_path / "net.pt", tmp_path / "net.dcz")
    for source in (state, tmp_path / "net.pt", tmp_path / "net.dcz"):
        assert parameters.dense_bytes(sources.module(source)) == 2 * 120


@pytest.mark.parametrize(
    "state", [{"w": torch.ones(3, 3), "epoch": "seven"}, {"w": {"v": torch.ones(3, 3)}}, {3: torch.ones(3, 3)}]
)
def test_a_module_is_not_made_of_what_is_no_tensor(state):
    with pytest.raises(NetError, match=r"state dict is no t(ensor|ext)"):
        sources.module(state)


def test_keys_that_are_no_text_are_refused():
    with pytest.raises(NetError, match="no Unicode text"):
        sources.layers({"w\ud800": np.ones((3, 3))})


@pytest.mark.parametrize("bad", [3, None, [], {}, {"a": np.arange(4)}, {"a.weight": np.ones(3)}, nn.ReLU()])
def test_what_is_no_net_is_refused(bad):
    with pytest.raises(NetError):
        sources.layers(bad)


def test_files_that_are_none_are_refused(tmp_path):
    for name in ("net.txt", "net.safetensors", "net.pt"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(DataError):
            sources.layers(tmp_path / name)
    (tmp_path / "net.dcz").write_bytes(b"nothing of the kind")
    with pytest.raises(ArchiveError):
        sources.layers(tmp_path / "net.dcz")
    with pytest.raises(DataError):
        sources.layers(tmp_path / "not there.safetensors")


@pytest.mark.parametrize("name", ["lenet-5", "alexnet-cifar10", "lenet-300-100-small"])
def test_names_of_shipped_nets_are_no_paths(name):
    assert not sources.is_source(name)
    assert sources.is_source(f"./{name}")
