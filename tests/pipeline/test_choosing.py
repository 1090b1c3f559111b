"""Recipes for nets of one's own, and the report of what became of them."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import dcviz
from dcviz import archive, pipeline
from dcviz.errors import DataError, NetError, RecipeError
from dcviz.pipeline import choosing
from dcviz.pipeline.report import Report


class Own(nn.Module):
    """Convolutions with normalisation, an embedding that is tied, a shared layer, a table of positions."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.second, self.layer_norm = nn.Conv2d(16, 24, 3), nn.LayerNorm((24, 6, 6))
        self.embed, self.head = nn.Embedding(90, 24), nn.Linear(24, 90, bias=False)
        self.head.weight = self.embed.weight
        self.same = self.wide = nn.Linear(24, 60)
        self.positions = nn.Parameter(torch.randn(60, 24))
        self.small = nn.Linear(24, 24)

    def forward(self, x):
        x = self.layer_norm(torch.relu(self.second(torch.relu(self.norm(self.first(x))))))
        x = self.same(x.mean((2, 3))) @ self.positions
        return self.head(self.small(x))


def own_net():
    torch.manual_seed(0)
    return Own()


def test_small_and_delicate_tensors_and_second_names_are_left_alone():
    net = own_net()
    assert choosing.worth_compressing(net) == {"second": 3456, "embed": 2160, "same": 1440, "positions": 1440}
    assert list(choosing.worth_compressing(net, skip="pos*")) == ["second", "embed", "same"]
    assert list(choosing.worth_compressing(net, only=["first", "norm", "small.weight"])) == ["first", "small"]
    with pytest.raises(RecipeError, match="no tensor to compress"):
        choosing.worth_compressing(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)))
    assert choosing.worth_compressing(nn.Sequential(nn.Linear(3, 4)), only="*") == {"0": 12}


def test_a_recipe_says_the_same_for_every_layer_without_data():
    recipe = dcviz.recipe_for(own_net(), density=0.2, bits=4)
    assert {layer.density for layer in recipe.layers.values()} == {0.2}
    assert {layer.bits for layer in recipe.layers.values()} == {4}
    assert recipe.retrain.epochs == 4
    assert recipe.finetune.epochs == 1
    one_shot = dcviz.recipe_for(own_net(), epochs=0)
    result = dcviz.compress(own_net(), one_shot)
    for record in result.stored.layers:
        if record.name in one_shot.layers:
            assert np.count_nonzero(record.weight) == round(0.1 * record.weight.size)


X = torch.rand(32, 3, 8, 8, generator=torch.Generator().manual_seed(0))
Y = torch.randint(0, 90, (32,), generator=torch.Generator().manual_seed(0))


def test_layers_that_suffer_more_keep_more():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(40, 60), nn.ReLU(), nn.Linear(60, 50))
    with torch.no_grad():  # what the second layer computes hangs on all of its weights, the first has many small ones
        net[0].weight.mul_(torch.rand_like(net[0].weight) > 0.9)
        net[2].weight.copy_(torch.sign(net[2].weight) * 0.1)
    inputs = torch.randn(64, 40)
    wanted = net(inputs).detach()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    recipe = dcviz.recipe_for(net, density=0.3, data=[(inputs, wanted)], loss=F.mse_loss)
    assert recipe.layers["0"].density < 0.15 < 0.4 < recipe.layers["2"].density
    kept = sum(recipe.layers[name].density * size for name, size in choosing.worth_compressing(net).items())
    assert kept == pytest.approx(0.3 * 5400, rel=0.02)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    judged = dcviz.recipe_for(net, density=0.3, evaluate=lambda net: float(F.mse_loss(net(inputs), wanted)))
    assert judged.layers == recipe.layers


def test_a_budget_below_every_curve_is_shared_out_all_the_same():
    net = own_net()
    recipe = dcviz.recipe_for(net, density=0.005, data=[(X, Y)], loss=F.cross_entropy)
    sizes = choosing.worth_compressing(net)
    kept = sum(recipe.layers[name].density * size for name, size in sizes.items()) / sum(sizes.values())
    assert kept == pytest.approx(0.005, rel=0.05)


def big_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))


@pytest.mark.parametrize("target", [8, 20])
def test_a_target_is_reached_and_not_by_far_more(target):
    net = big_net()
    recipe = dcviz.recipe_for(net, bits=4, target_ratio=target, epochs=0)
    ratio = dcviz.compress(net, recipe).ratio
    assert target <= ratio < 1.15 * target
    assert choosing.predicted(net, recipe) == ratio


def test_an_error_is_kept_to_on_held_out_data():
    net, inputs = big_net(), torch.randn(100, 64)
    wanted = net(inputs).argmax(1)

    def error(net):
        return 100 * float((net(inputs).argmax(1) != wanted).float().mean())

    recipes = [dcviz.recipe_for(net, bits=5, max_error=most, evaluate=error, epochs=0) for most in (5, 30)]
    for most, recipe in zip((5, 30), recipes, strict=True):
        made = dcviz.compress(net, recipe)
        assert error(pipeline.restore(made.stored, into=big_net())) <= most
    assert recipes[1].layers["0"].density < recipes[0].layers["0"].density < 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"density": 0.1, "target_ratio": 5}, RecipeError, "one of"),
        ({"target_ratio": 10**6}, RecipeError, "cannot be made"),
        ({"max_error": 0.0, "evaluate": lambda net: 1.0}, RecipeError, "cannot be had"),
        ({"max_error": 1.0}, RecipeError, "held-out"),
        ({"density": float("nan")}, RecipeError, "number"),
        ({"density": 2.0}, RecipeError, "density"),
        ({"epochs": -1}, RecipeError, "epochs"),
        ({"bits": 99}, RecipeError, "bits"),
        ({"data": [(X, Y)]}, DataError, "one of the two"),
        ({"evaluate": lambda net: None, "density": 0.1}, DataError, "must give a number, not NoneType"),
    ],
)
def test_impossible_aims_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        dcviz.recipe_for(big_net(), **options)


def test_what_is_no_net_is_refused():
    with pytest.raises(NetError):
        dcviz.recipe_for("lenet-5")


def test_the_five_lines(tmp_path):
    net, loader = big_net(), [(torch.randn(32, 64), torch.randint(0, 10, (32,))) for _ in range(4)]
    small = dcviz.compress(
        net, recipe=dcviz.recipe_for(net, density=0.1, bits=4), data=loader, loss=nn.CrossEntropyLoss()
    )
    assert small.save(tmp_path / "mine.dcz") == small.report.file_bytes == (tmp_path / "mine.dcz").stat().st_size
    mine = dcviz.open(tmp_path / "mine.dcz", into=big_net())
    for key, value in small.stored.state_dict().items():
        assert np.array_equal(value, mine.state_dict()[key].numpy())
    assert not mine.training


def test_the_report_adds_up_and_can_be_read_shown_and_saved(tmp_path):
    net = own_net()
    small = dcviz.compress(net, dcviz.recipe_for(net, density=0.2, bits=4, epochs=0))
    report = small.report
    assert sum(report.groups().values()) == report.file_bytes == len(small.stages[-1].source)
    assert report.groups()["kept as they are"] > 0
    table = report.table()
    assert table.loc["the file", "bytes"] == report.file_bytes
    assert table.loc["second", "kept %"] == pytest.approx(20, abs=0.1)
    assert table["bytes"].iloc[:-1].sum() <= report.file_bytes
    assert f"{report.ratio:.1f}x smaller" in str(report)
    assert "second" in str(report)
    report.picture().savefig(tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 5_000


def test_a_file_that_is_larger_than_the_net_says_so():
    net = nn.Sequential(nn.Linear(5, 2))
    small = dcviz.compress(net, dcviz.recipe_for(net, density=0.9, only="*", epochs=0))
    assert small.ratio < 1
    assert "not smaller than 48 bytes" in str(small.report)


def test_names_are_text_in_pictures_and_on_terminals():
    layer = archive.Layer("$a_1$\x1b[2J", np.ones((9, 9), np.float32))
    report = Report.of(archive.describe_bytes(archive.dumps(archive.StoredNet("x", (layer,)))))
    (label,) = report.picture().axes[0].get_yticklabels()
    assert label.get_text() == "$a_1$\\x1b[2J"
    assert not label.get_parse_math()
    assert "\x1b" not in str(report)


def test_the_lines_in_the_docstring_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(dcviz)
    assert (found.attempted, found.failed) == (8, 0)
    assert (tmp_path / "mine.dcz").stat().st_size > 1_000


def test_the_lines_in_the_readme_run(tmp_path):
    readme = (Path(dcviz.__file__).parents[1] / "README.md").read_text("utf-8")
    lines = re.search(r"```python\n(.*?recipe_for.*?)```", readme, re.DOTALL)[1]
    before = (
        "import torch\n\nclass MyNet(torch.nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))\n\n"
        "net, loader = MyNet(), [(torch.randn(32, 64), torch.randint(10, (32,))) for _ in range(9)]\n"
    )
    (tmp_path / "lines.py").write_text(before + lines, "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(dcviz.__file__).parents[1])}
    done = subprocess.run([sys.executable, "lines.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "MyNet: " in done.stdout
    assert (tmp_path / "mine.dcz").exists()
