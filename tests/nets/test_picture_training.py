"""Training on pictures: it learns, it resumes exactly, and it works under the constraints that digits have."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from dcviz.errors import DataError, RecipeError
from dcviz.ideas.pruning import mask_from_density
from dcviz.nets import picture_training as pt
from dcviz.nets.cifar import CifarSplit
from dcviz.pipeline.retraining import Masked, weights_of
from dcviz.pipeline.trained_quantization import SharedWeights, codebooks


class Tiny(nn.Module):
    name = "tiny"

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv, self.drop, self.fc = nn.Conv2d(3, 8, 5, stride=3), nn.Dropout(0.2), nn.Linear(8 * 16, 2)
        self.pool = nn.AdaptiveAvgPool2d(4)

    def forward(self, x):
        return self.fc(self.drop(self.pool(torch.relu(self.conv(x))).flatten(1)))


@pytest.fixture
def split():
    """Pictures whose upper half is bright (label 1) or dark (label 0)."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(60, 190, (64, 3, 32, 32), dtype=np.uint8), np.arange(64, dtype=np.uint8) % 2
    images[:, :, :16] = images[:, :, :16] // 2 + labels[:, None, None, None] * 100
    return CifarSplit(images, labels)


SHORT = pt.PictureSchedule(phases=((32, 4), (40, 4)), lr=0.02, batch=16, warmup=4, smoothing=0.0)


def test_it_learns(split):
    net = Tiny()
    assert pt.fit(net, split, SHORT) == SHORT.steps(len(split)) == 32
    assert pt.error_percent(net, split, 40) < 10


def test_a_factor_slows_one_parameter_down_and_leaves_the_others(split):
    plain, slowed = Tiny(), Tiny()
    one = replace(SHORT, phases=((32, 1),))
    pt.fit(plain, split, one)
    pt.fit(slowed, split, one, factor=lambda parameter: 0.0 if parameter is slowed.conv.weight else 1.0)
    assert torch.equal(slowed.conv.weight, Tiny().conv.weight)
    assert not torch.equal(slowed.fc.weight, Tiny().fc.weight)
    assert not torch.equal(plain.conv.weight, Tiny().conv.weight)


def test_a_resumed_run_takes_the_same_steps(split, tmp_path):
    whole = Tiny()
    pt.fit(whole, split, SHORT)
    asked = []
    net, file = Tiny(), tmp_path / "checkpoint.safetensors"
    assert pt.fit(net, split, SHORT, checkpoint=file, stop=lambda: asked.append(0) or len(asked) > 13) == 13
    other = Tiny(seed=1)
    assert pt.fit(other, split, SHORT, checkpoint=file) == 32
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(whole.parameters(), other.parameters(), strict=True))


def test_training_within_autocast_sees_the_weights_move(split):
    inside, outside = Tiny(), Tiny()
    pt.fit(outside, split, SHORT)
    with torch.autocast("cpu", torch.bfloat16):
        pt.fit(inside, split, SHORT)
    assert all(torch.equal(a, b) for a, b in zip(inside.parameters(), outside.parameters(), strict=True))


def test_masked_weights_stay_zero(split):
    net = Tiny()
    masks = {name: mask_from_density(w, 0.3) for name, w in weights_of(net).items()}
    pt.fit(net, split, SHORT, constraint=Masked(net, masks))
    assert all(np.array_equal(w != 0, masks[name]) for name, w in weights_of(net).items())
    assert pt.error_percent(net, split, 40) < 15


def test_shared_weights_keep_their_codes(split):
    net = Tiny()
    shared = SharedWeights(net, codebooks(net, {"conv": 4, "fc": 4}))
    before = weights_of(net)
    pt.fit(net, split, replace(SHORT, lr=0.001, decay=0.0), constraint=shared)
    for name, w in weights_of(net).items():
        assert len(np.unique(w)) <= 4
        assert not np.array_equal(w, before[name])
        assert np.array_equal(np.unique(w, return_inverse=True)[1], np.unique(before[name], return_inverse=True)[1])


def test_a_share_of_the_epochs_is_so_many_steps():
    assert replace(SHORT, share=0.4).steps(64) == 13 == round(0.4 * SHORT.steps(64))


def test_pictures_grow_from_phase_to_phase():
    assert [SHORT.pixels(step, 64) for step in (0, 15, 16, 31, 32)] == [32, 32, 40, 40, None]


@pytest.mark.parametrize("phases", [(), ((32,),), ((15, 1),), ((32, 0),)])
def test_an_impossible_schedule_is_refused(phases):
    with pytest.raises(RecipeError, match="phases"):
        pt.PictureSchedule(phases=phases)


def test_a_checkpoint_of_another_net_or_a_damaged_one_is_refused(split, tmp_path):
    file = tmp_path / "checkpoint"
    pt.fit(Tiny(), split, SHORT, checkpoint=file, stop=lambda: True)
    other = Tiny()
    other.name = "other"
    with pytest.raises(DataError, match="tiny"):
        pt.fit(other, split, SHORT, checkpoint=file)
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(DataError, match="not a whole checkpoint"):
        pt.fit(Tiny(), split, SHORT, checkpoint=file)


def test_no_checkpoint_under_a_constraint(split, tmp_path):
    net = Tiny()
    with pytest.raises(RecipeError, match="constraint"):
        pt.fit(net, split, SHORT, constraint=Masked(net, {}), checkpoint=tmp_path / "x")


def test_a_loss_that_explodes_is_reported(split):
    net = Tiny()
    with torch.no_grad():
        net.fc.weight[0, 0] = float("nan")
    with pytest.raises(DataError, match="step 0"):
        pt.fit(net, split, SHORT)


def test_progress_is_printed_at_the_end_and_every_so_many_seconds(split, capsys):
    often, seldom = pt.printed("often", every=0.0), pt.printed("seldom")
    for step in (1, 2, 3):
        often(step, 3, 2.0 * step, 0.5)
        seldom(step, 3, 2.0 * step, 0.5)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["step"] for line in lines if line["training"] == "often"] == [1, 2, 3]
    (line,) = [line for line in lines if line["training"] == "seldom"]
    assert (line["step"], line["total"], line["loss"], line["right"]) == (3, 3, 4.0, 0.5)


@pytest.mark.parametrize(
    "bad",
    [
        *({"phases": value} for value in ((), ((15, 1),), ((32, 0),), ((32, 1.5),), ((32,),), (7,), "x", None)),
        *({"lr": value} for value in (0, float("nan"), "x")),
        *({"batch": value} for value in (0, 1.5)),
        *({"warmup": value} for value in (-1, 0.5)),
        *({"decay": value} for value in (-1, float("inf"))),
        *({"smoothing": value} for value in (-0.1, 2)),
        *({"seed": value} for value in ("x", -1)),
        *({"share": value} for value in (0, 1.5, float("nan"), "x")),
    ],
)
def test_impossible_schedules_are_refused(bad):
    with pytest.raises(RecipeError):
        pt.PictureSchedule(**bad)


@pytest.mark.parametrize(("rows", "labels"), [(0, []), (4, [0, 1]), (4, [0, 1, 2, 1])])
def test_odd_pictures_are_refused_before_the_first_step(split, rows, labels):
    odd, net = CifarSplit(split.images[:rows], np.array(labels, np.uint8)), Tiny()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(DataError, match="label"):
        pt.fit(net, odd, pt.PictureSchedule(((32, 1),), batch=4))
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_the_global_generator_goes_on_as_it_was(split):
    net = Tiny()
    state = torch.random.get_rng_state()
    pt.fit(net, split, pt.PictureSchedule(((32, 1),), batch=32))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_error_on_no_pictures_is_no_number(split):
    with pytest.raises(DataError, match="needs images"):
        pt.error_percent(Tiny(), split.take(slice(0, 0)), 32)
