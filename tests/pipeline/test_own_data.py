"""Batches, losses and steps of one's own; runs that are stopped and go on."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from dcviz import pipeline
from dcviz.errors import DataError, RecipeError
from dcviz.nets import datasets
from dcviz.nets.batches import Batches
from dcviz.pipeline import LayerRecipe, Recipe, Schedule, shipped

RECIPE = Recipe(
    {"0": LayerRecipe(0.3, 3), "3": LayerRecipe(0.5, 3)},
    retrain=Schedule(epochs=2, lr=1e-2),
    finetune=Schedule(epochs=1, lr=1e-3),
    cuts=3,
)
POINTS = TensorDataset(
    torch.rand(60, 8, generator=torch.Generator().manual_seed(1)), torch.linspace(-1, 1, 60)[:, None]
)


def own_net(dropout=0.2):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 12), nn.Tanh(), nn.Dropout(dropout), nn.Linear(12, 1))


def loader():
    return DataLoader(POINTS, batch_size=16, shuffle=True)


def compress(net, recipe=RECIPE, data=None, **options):
    options = {"loss": F.mse_loss, "progress": lambda *_: None} | options
    return pipeline.compress(net, recipe, loader() if data is None else data, **options)


def files(result):
    return [stage.source for stage in result.stages[1:]]


def test_any_loader_and_loss_train_and_the_same_seed_gives_the_same_bytes():
    before = torch.get_rng_state()
    one, two = compress(own_net()), compress(own_net())
    assert files(one) == files(two)
    assert files(compress(own_net(), dataclasses.replace(RECIPE, seed=1))) != files(one)
    untrained = compress(own_net(), dataclasses.replace(RECIPE, retrain=Schedule(0), finetune=Schedule(0)))
    assert files(untrained)[0] != files(one)[0]
    torch.manual_seed(0)
    own_net()
    torch.set_rng_state(before)


def test_retraining_lowers_the_loss():
    def error(net):
        with torch.no_grad():
            return F.mse_loss(net(POINTS.tensors[0]), POINTS.tensors[1])

    longer = dataclasses.replace(RECIPE, retrain=Schedule(epochs=20, lr=1e-2))
    short, long = (compress(own_net(), recipe, evaluate=error) for recipe in (RECIPE, longer))
    assert [stage.error_percent for stage in long.stages] == [None] * 4
    assert long.stages[-1].measured < short.stages[-1].measured
    assert long.stages[0].measured == short.stages[0].measured == float(error(own_net().eval()))


def test_what_evaluate_does_to_its_net_changes_nothing():
    def spoil(net):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.fill_(7.0)
        return 1

    assert files(compress(own_net(), evaluate=spoil)) == files(compress(own_net()))
    with pytest.raises(DataError, match="must give a number, not list"):
        compress(own_net(), evaluate=lambda net: [1])


def test_a_step_of_ones_own_does_what_the_loss_does():
    def step(net, batch):
        given, wanted = batch
        return F.mse_loss(net(given), wanted)

    assert files(compress(own_net(), loss=None, step=step)) == files(compress(own_net()))


def test_lists_dicts_and_loaders_without_a_length_are_batches():
    batches = [(POINTS.tensors[0][:30], POINTS.tensors[1][:30]), (POINTS.tensors[0][30:], POINTS.tensors[1][30:])]

    class Stream(IterableDataset):
        def __iter__(self):
            yield from batches

    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = own_net()

        def forward(self, x, scale):
            return scale * self.net(x)

    expected = files(compress(own_net(0), data=batches))  # a loader draws a seed, and dropout others after it
    assert files(compress(own_net(0), data=DataLoader(Stream(), batch_size=None))) == expected
    named = [({"x": x, "scale": 1.0}, y) for x, y in batches]
    recipe = dataclasses.replace(RECIPE, layers={f"net.{name}": layer for name, layer in RECIPE.layers.items()})
    assert len(files(compress(Named(), recipe, data=named))) == 3


def test_the_given_net_is_untouched_whatever_happens():
    calls = []

    def step(net, batch):
        calls.append(1)
        with torch.no_grad():
            next(net.parameters()).add_(1.0)
        if len(calls) > 5:
            raise OSError("the disk is gone")
        return net(batch[0]).square().mean()

    net = own_net().train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(OSError, match="the disk is gone"):
        compress(net, loss=None, step=step)
    assert net.training
    assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


@pytest.mark.parametrize("frozen", ["0", "3"])
def test_a_frozen_layer_is_compressed_and_stays_frozen(frozen):
    net = own_net()
    getattr(net, frozen).weight.requires_grad_(False)
    getattr(net, frozen).bias.requires_grad_(False)
    one, other = (compress(net, dataclasses.replace(RECIPE, retrain=Schedule(n, lr=1e-2))) for n in (1, 3))
    states = [result.stored.state_dict() for result in (one, other)]
    for key in states[0]:
        assert (states[0][key].tobytes() == states[1][key].tobytes()) == key.startswith(frozen)


def test_a_net_that_is_all_frozen_is_compressed():
    untrained = dataclasses.replace(RECIPE, retrain=Schedule(0), finetune=Schedule(0))
    assert files(compress(own_net().requires_grad_(False))) == files(compress(own_net(), untrained))


@pytest.mark.parametrize("stop_at", [1, 4, 7, 8, 9, 11, 12])
@pytest.mark.parametrize("regrow", [False, True])
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(tmp_path, stop_at, regrow):
    recipe = dataclasses.replace(RECIPE, regrow=regrow)
    expected, seen = files(compress(own_net(), recipe)), []
    with pytest.raises(pipeline.Stopped):
        compress(
            own_net(),
            recipe,
            checkpoint=tmp_path,
            progress=lambda *step: seen.append(step),
            stop=lambda: len(seen) >= stop_at,
        )
    assert list(tmp_path.iterdir())
    with pytest.raises(DataError, match="kept by another run"):
        compress(own_net(), dataclasses.replace(recipe, seed=3), checkpoint=tmp_path)
    again = []
    result = compress(own_net(), recipe, checkpoint=tmp_path, progress=lambda *step: again.append(step))
    assert files(result) == expected
    trained = [step for step in again if step[0] != "coded"]
    assert len(trained) == 12 - stop_at
    assert list(tmp_path.iterdir()) == []


def test_digits_go_on_after_a_stop_too(tmp_path):
    layers = {name: LayerRecipe(0.1, 4) for name in ("fc1", "fc2", "fc3")}
    schedule = Schedule(epochs=1, shift=2, teacher_weight=0.5)
    recipe, data = Recipe(layers, schedule, Schedule(0), cuts=2), datasets.digits().train.take(slice(0, 600))

    def run(**options):
        return files(pipeline.compress(shipped.dense("lenet-300-100"), recipe, data, **options))

    seen = []
    with pytest.raises(pipeline.Stopped):
        run(checkpoint=tmp_path, progress=lambda *step: seen.append(step), stop=lambda: len(seen) >= 3)
    assert run(checkpoint=tmp_path) == run()


def test_a_damaged_checkpoint_is_named(tmp_path):
    with pytest.raises(pipeline.Stopped):
        compress(own_net(), checkpoint=tmp_path, stop=iter([False, False, True, True]).__next__)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"running-pruned.*not a whole checkpoint"):
        compress(own_net(), checkpoint=tmp_path)


X, Y = POINTS.tensors


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ([(X, Y)], {"loss": None}, "one of the two"),
        ([(X, Y)], {"step": lambda net, batch: 0}, "one of the two"),
        ([(X, Y)], {"loss": "mse"}, "one of the two"),
        (iter([(X, Y)]), {}, "walked only once"),
        (5, {}, "not int"),
        ([], {}, "no batches"),
        ([X], {}, "pairs"),
        ([(X, Y, Y)], {}, "pairs"),
        ([(X[:, :5], Y)], {}, "cannot learn from the first batch"),
        ([(X, Y)], {"loss": lambda output, target: (output - target).square()}, "one number"),
        ([(X, Y)], {"loss": lambda output, target: 1.0}, "one number, not float"),
        ([(X, Y)], {"loss": lambda output, target: (output * float("nan")).sum()}, "the loss is nan"),
        ([(X, Y)], {"loss": lambda output, target: torch.tensor(1.0)}, "no gradient"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(data, options, message):
    with pytest.raises(DataError, match=message):
        compress(own_net(), data=data, **options)


def test_settings_made_for_digits_are_refused_for_other_data():
    with pytest.raises(RecipeError, match="shift"):
        compress(own_net(), dataclasses.replace(RECIPE, retrain=Schedule(1, shift=2)))
    recipe = dataclasses.replace(RECIPE, retrain=Schedule(1, teacher_weight=0.5))
    with pytest.raises(RecipeError, match="teacher_weight"):
        compress(own_net(), recipe, loss=None, step=lambda net, batch: net(batch[0]).mean())


def test_batches_that_end_early_are_noticed():
    class Shrinking:
        walks = 0

        def __iter__(self):
            self.walks += 1
            return iter([(X, Y)] * (1 if self.walks > 12 else 4))

    with pytest.raises(DataError, match="ended early"):
        compress(own_net(), dataclasses.replace(RECIPE, retrain=Schedule(20)), Shrinking())


def test_teachers_teach_on_data_of_ones_own():
    labels = (Y[:, 0] > 0).long()
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 12), nn.Tanh(), nn.Dropout(0.2), nn.Linear(12, 2))
    plain, taught = (
        compress(net, dataclasses.replace(RECIPE, retrain=Schedule(1, teacher_weight=w)), [(X, labels)],
                 loss=F.cross_entropy)
        for w in (0, 0.9)
    )  # fmt: skip
    assert files(plain) != files(taught)
    assert Batches([(X, labels)], F.cross_entropy).example()[0].shape == (60, 8)
