import sys

import numpy as np
import pytest
import torch

from dcviz.errors import DataError, RecipeError
from dcviz.nets import datasets, models, training
from dcviz.nets.datasets import Split
from dcviz.nets.schedules import Schedule


@pytest.fixture
def few():
    return datasets.digits().train.take(slice(0, 640))


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def test_training_lowers_the_error(few):
    net = models.build("lenet-300-100", seed=0)
    before = training.error_percent(net, few)
    losses = training.fit(net, few, Schedule(epochs=4, lr=3e-3))
    assert len(losses) == 4
    assert losses[-1] < losses[0] / 2
    assert training.error_percent(net, few) < before / 3
    assert not net.training


def test_same_seed_same_weights_and_another_seed_others(few):
    schedule = Schedule(epochs=0.6, shift=2)
    nets = [models.build("lenet-300-100", seed=0) for _ in range(3)]
    for net, seed in zip(nets, (3, 3, 4), strict=True):
        training.fit(net, few, schedule, seed=seed)
    assert torch.equal(weights(nets[0]), weights(nets[1]))
    assert not torch.equal(weights(nets[0]), weights(nets[2]))


def test_progress_counts_every_step_and_stop_ends_at_once(few):
    net = models.build("lenet-300-100", seed=0)
    seen = []
    training.fit(net, few, Schedule(epochs=1.4), report=lambda done, steps, loss: seen.append((done, steps)))
    assert seen == [(i + 1, 7) for i in range(7)]
    seen.clear()
    training.fit(net, few, Schedule(epochs=2), report=lambda *step: seen.append(step), stop=lambda: len(seen) == 3)
    assert len(seen) == 3
    assert not net.training


def test_shift_moves_every_image_by_at_most_that_much():
    generator = torch.Generator().manual_seed(0)
    images = torch.zeros(500, 1, 28, 28)
    images[:, :, 14, 10] = 1
    moved = training._shifted(images, 2, generator)
    places = moved.nonzero()[:, 2:]
    assert len(places) == 500
    assert sorted(set((places - torch.tensor([14, 10])).flatten().tolist())) == [-2, -1, 0, 1, 2]


def test_a_teacher_pulls_the_student_to_its_own_answers(few):
    teacher = models.build("lenet-300-100", seed=9)
    apart = []
    for teacher_weight in (0.0, 1.0):
        net = models.build("lenet-300-100", seed=0)
        training.fit(net, few, Schedule(epochs=3, teacher_weight=teacher_weight), teacher=teacher)
        inputs = training.to_input(few.images)
        with torch.no_grad():
            apart.append(float((net(inputs).softmax(1) - teacher(inputs).softmax(1)).abs().mean()))
    assert apart[1] < apart[0] / 3


def test_adam_is_torchs_own_and_does_not_import_its_compiler(monkeypatch):
    nets, found = [models.build("lenet-300-100", seed=0) for _ in range(2)], []
    for kind, net in zip((torch.optim.Adam, training.Adam), nets, strict=True):
        optimizer = kind(net.parameters(), lr=1e-2)
        for _ in range(2):
            net(torch.ones(2, 1, 28, 28)).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        found.append(weights(net))
        monkeypatch.setitem(sys.modules, "torch._dynamo", None)  # from now on its import fails
    np.testing.assert_array_equal(*found)


def test_l1_and_l2_shrink_the_weights(few):
    sizes = {}
    for penalty in ({}, {"l1": 1e-3}, {"l2": 1e-2}):
        net = models.build("lenet-300-100", seed=0)
        training.fit(net, few, Schedule(epochs=2, **penalty))
        sizes[next(iter(penalty), "none")] = float(net.fc1.weight.detach().abs().sum())
    assert sizes["l1"] < 0.9 * sizes["none"]
    assert sizes["l2"] < 0.9 * sizes["none"]


def test_error_is_in_percent_of_the_split():
    split = datasets.digits().test.take(slice(0, 40))
    net = models.build("lenet-300-100", seed=0)
    answers = training.predict(net, split.images)
    right = datasets.Split("as the net says", split.images, answers)
    assert training.error_percent(net, right) == 0
    answers = answers.copy()
    answers[:10] = (answers[:10] + 1) % 10
    assert training.error_percent(net, datasets.Split("10 wrong", split.images, answers)) == 25
    assert training.predict(net, split.images[:0]).shape == (0,)
    np.testing.assert_array_equal(training.predict(net, split.images, batch_size=7), right.labels)


@pytest.mark.parametrize(
    "bad",
    [
        *({"epochs": value} for value in (-1, float("inf"), float("nan"), 10**400, "x", None, True)),
        *({"lr": value} for value in (0, -1, float("inf"), float("nan"), "x")),
        *({"batch_size": value} for value in (0, 1.5, "x", float("nan"))),
        *({"shift": value} for value in (-1, 0.5, 10**6, None)),
        *({"teacher_weight": value} for value in (1.5, -0.1, float("nan"))),
        *({"temperature": value} for value in (0, -1, float("inf"), "x")),
        *({name: value} for name in ("l1", "l2") for value in (-1, float("nan"), "x")),
    ],
)
def test_impossible_schedules_are_refused(bad):
    with pytest.raises(RecipeError):
        Schedule(**bad)


@pytest.mark.parametrize("seed", ["x", -1, 1.5, None, 2**63, True])
def test_a_seed_that_is_none_is_refused(few, seed):
    net = models.build("lenet-300-100", seed=0)
    before = weights(net).clone()
    with pytest.raises(RecipeError, match="a seed is a whole number"):
        training.fit(net, few, Schedule(epochs=1), seed=seed)
    assert torch.equal(weights(net), before)


def odd_splits():
    images, labels = np.zeros((20, 28, 28), np.uint8), np.arange(20) % 10
    return {
        "empty": Split("empty", images[:0], labels[:0]),
        "fewer labels": Split("few", images, labels[:7]),
        "more labels": Split("many", images[:7], labels),
        "a label of 10": Split("ten", images, np.where(labels == 3, 10, labels)),
        "a negative label": Split("minus", images, np.where(labels == 3, -1, labels)),
        "labels that are no whole numbers": Split("float", images, labels + 0.5),
        "labels in two columns": Split("wide", images, labels.reshape(10, 2)),
    }


@pytest.mark.parametrize("case", odd_splits())
def test_data_that_cannot_be_trained_on_is_refused_before_the_first_step(case):
    net = models.build("lenet-300-100", seed=0)
    before = weights(net).clone()
    with pytest.raises(DataError, match="label"):
        training.fit(net, odd_splits()[case], Schedule(epochs=1))
    assert torch.equal(weights(net), before)


def test_the_error_of_an_empty_split_is_no_number():
    with pytest.raises(DataError, match="needs images"):
        training.error_percent(models.build("lenet-300-100", seed=0), odd_splits()["empty"])


class Dropping(torch.nn.Module):
    """A net with dropout and batch normalisation: in training mode it draws, and it learns statistics."""

    def __init__(self):
        super().__init__()
        self.fc1, self.norm, self.drop = torch.nn.Linear(784, 30), torch.nn.BatchNorm1d(30), torch.nn.Dropout(0.5)
        self.fc2 = torch.nn.Linear(30, 10)

    def forward(self, x):
        return self.fc2(self.drop(torch.relu(self.norm(self.fc1(x.flatten(1))))))


def dropping(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Dropping()


def test_dropout_and_a_teacher_in_training_mode_repeat_bit_for_bit(few):
    runs = []
    for noise in (1, 2):
        torch.manual_seed(noise)  # whatever was drawn before
        net, teacher = dropping(0), dropping(9).train()
        state = torch.random.get_rng_state()
        kept = {key: value.clone() for key, value in teacher.state_dict().items()}
        training.fit(net, few, Schedule(epochs=1, teacher_weight=0.5), teacher=teacher, seed=3)
        runs.append(weights(net))
        assert torch.equal(torch.random.get_rng_state(), state)
        assert teacher.training
        assert teacher.drop.training
        assert all(torch.equal(value, kept[key]) for key, value in teacher.state_dict().items())
    assert torch.equal(*runs)


def test_another_seed_drops_others(few):
    nets = [dropping(0), dropping(0)]
    for seed, net in enumerate(nets):
        training.fit(net, few.take(slice(0, 8)), Schedule(epochs=2, batch_size=8), seed=seed)
    assert not torch.equal(*map(weights, nets))
