"""Soft targets, students of every width, and a teacher who helps where there are few digits."""

import math

import numpy as np
import pytest
import torch

from dcviz.chapters.ch09_other_roads import distillation
from dcviz.errors import NetError, RecipeError
from dcviz.nets import datasets, models, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import shipped


def test_softened_answers_go_from_a_label_to_even_odds():
    logits = np.array([[2.0, 1.0, -1.0], [800.0, -800.0, 0.0]])
    expected = torch.softmax(torch.tensor(logits) / 3, -1).numpy()
    np.testing.assert_allclose(distillation.soften(logits, 3), expected)
    np.testing.assert_allclose(distillation.soften(logits, 0.01).max(-1), 1)
    np.testing.assert_allclose(distillation.soften(logits[0], 1e6), 1 / 3, rtol=1e-5)
    bits = [distillation.entropy(distillation.soften(logits[0], t)) for t in (0.1, 1, 4, 50)]
    assert bits == sorted(bits)
    assert bits[0] < 0.01
    assert bits[-1] == pytest.approx(math.log2(3), abs=0.01)
    with pytest.raises(RecipeError, match="above 0"):
        distillation.soften(logits, 0)


@pytest.mark.parametrize(("name", "widths"), [("lenet-300-100", (50, 20)), ("lenet-5", (4, 6, 30))])
def test_a_student_is_the_same_net_but_narrower(name, widths):
    net = distillation.student(widths, name, seed=1)
    layers = list(models.weight_layers(net).values())
    assert [layer.weight.shape[0] for layer in layers] == [*widths, 10]
    assert net(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    again = distillation.student(widths, name, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))
    with pytest.raises(NetError, match="positive widths"):
        distillation.student(widths[1:], name)


def test_a_fair_shift_gives_a_class_its_share_of_the_answers():
    logits = np.random.default_rng(0).normal(size=(1000, 10))
    logits[:, 3] -= 5
    shift = distillation.fair_shift(logits, 3)
    assert 3 < shift < 7
    assert np.mean(distillation.shifted_answers(logits, 3, 0.0) == 3) < 0.01
    assert np.mean(distillation.shifted_answers(logits, 3, shift) == 3) == pytest.approx(0.1, abs=0.005)


def test_soft_targets_tell_of_a_digit_that_the_student_never_sees():
    data, right = datasets.digits(), {}
    seen = data.train.take(data.train.labels != 3)
    for weight in (0.0, 1.0):
        net = distillation.student((60, 30))
        schedule = Schedule(epochs=3, lr=3e-3, batch_size=32, teacher_weight=weight, temperature=20.0)
        losses = training.fit(net, seen, schedule, teacher=shipped.dense("lenet-300-100"))
        assert losses[-1] < losses[0]
        logits = distillation.answers(net, data.test.images)
        assert np.array_equal(logits.argmax(1), training.predict(net, data.test.images))
        found = distillation.shifted_answers(logits, 3, distillation.fair_shift(logits, 3))
        right[weight] = np.mean(found[data.test.labels == 3] == 3)
    assert right[1.0] > right[0.0] + 0.2
    assert right[1.0] > 0.4
