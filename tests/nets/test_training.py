import numpy as np
import pytest
import torch

from dcviz.errors import RecipeError
from dcviz.nets import datasets, models, training
from dcviz.nets.training import Schedule


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


@pytest.mark.parametrize("bad", [{"epochs": -1}, {"lr": 0}, {"batch_size": 0}, {"teacher_weight": 1.5}])
def test_impossible_schedules_are_refused(bad):
    with pytest.raises(RecipeError):
        Schedule(**bad)
