"""Neurons first, single weights second: the block is the net's own, the cut is exact, the file is the trained net."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from dcviz import archive, pipeline
from dcviz.errors import ArchiveError, DataError, RecipeError
from dcviz.nets import datasets, training
from dcviz.pipeline import neurons_first as nf, shipped

PLAN = nf.Plan(widths=(5, 8, 24), weights=900, bytes=590, passes=8, share_passes=6, values=6, share_lr=1e-3)


@pytest.fixture(scope="module")
def lesson():
    return nf.Lesson(datasets.digits().train.take(slice(0, 1920)), shipped.dense("lenet-5"))


def block(widths=PLAN.widths):
    return nf.block_of(shipped.dense("lenet-5"), widths)


def answers(net, n=40):
    with torch.inference_mode():
        return net(training.to_input(datasets.digits().test.images[:n]))


def test_a_block_as_wide_as_the_net_is_the_net():
    """Neurons in another order, biases of the convolutions in fc1."""
    assert torch.allclose(answers(block((20, 50, 500))), answers(shipped.dense("lenet-5")), atol=2e-3)


def test_the_neurons_that_carry_most_stay():
    dense = shipped.dense("lenet-5")
    with torch.no_grad():
        dense.fc1.weight[[3, 7]] *= 50
        dense.conv1.weight[11] *= 50
    small = nf.block_of(dense, (1, 9, 2))
    for kept, whole in (
        (small.fc2.weight.T, dense.fc2.weight.T[[3, 7]]),
        (small.conv1.weight, dense.conv1.weight[[11]]),
    ):
        assert {tuple(row) for row in kept.flatten(1).tolist()} == {tuple(row) for row in whole.flatten(1).tolist()}


def test_pruned_to_the_weight_and_shared(lesson):
    net = block()
    rows = []
    nf.prune(net, lesson, PLAN, report=lambda *row: rows.append(row))
    masks = [weight != 0 for weight in net.matrices()]
    assert sum(int(mask.sum()) for mask in masks) == PLAN.weights
    assert rows[-1][0] == PLAN.passes
    assert rows[-1][2] < max(row[2] for row in rows)
    nf.share(net, lesson, PLAN)
    assert all(torch.equal(mask, weight != 0) for mask, weight in zip(masks, net.matrices(), strict=True))
    assert all(len(weight.unique()) <= PLAN.values + 1 for weight in net.matrices())
    assert max(len(bias.unique()) for bias in (net.fc1.bias, net.fc2.bias)) <= PLAN.bias_values
    stored = nf.arranged(nf.whole(net))
    data = archive.dumps(stored)
    assert len(data) <= len(archive.dumps(nf.whole(net)))
    assert PLAN.bytes - 12 <= len(data) <= PLAN.bytes, "the file has the length that was asked for"
    back = pipeline.restore(archive.loads(data))
    assert torch.allclose(answers(back), answers(net), atol=1e-3 * float(answers(net).abs().max()))
    assert training.error_percent(back, datasets.digits().test) < 40  # of 10 classes, after a few seconds


def test_a_resumed_run_ends_with_the_same_bits(lesson, tmp_path):
    plan = nf.Plan(widths=(3, 4, 8), weights=200, passes=6, share_passes=1)
    through = block(plan.widths)
    nf.prune(through, lesson, plan)

    class Cut(Exception):
        pass

    def cut(number, passes, loss):
        if number in (2, 5):  # while weights are cut, and when the last cut is done
            raise Cut

    for number in (2, 5):
        net = block(plan.widths)
        with pytest.raises(Cut):
            nf.prune(net, lesson, plan, tmp_path / "c", cut)
        assert number
    net = block(plan.widths)
    nf.prune(net, lesson, plan, tmp_path / "c")
    assert all(torch.equal(a, b) for a, b in zip(through.parameters(), net.parameters(), strict=True))
    other = nf.Lesson(datasets.digits().train.take(slice(0, 640)), shipped.dense("lenet-5"))
    other.steps = 7
    with pytest.raises(DataError, match="middle of a pass"):
        nf.prune(block(plan.widths), other, plan, tmp_path / "c")


def test_the_command_makes_the_same_file_again_and_reads_the_test_images_for_the_report_alone(
    monkeypatch, tmp_path, capsys
):
    few = datasets.digits().train.take(slice(0, 640))
    monkeypatch.setattr(nf.datasets, "mnist_without_bundled", lambda: few)
    monkeypatch.setattr(nf.datasets, "mnist", lambda: pytest.fail("the official digits were read"))
    short = ["--widths", "3", "4", "8", "--weights", "200", "--passes", "2", "--share-passes", "1"]
    for name in "ab":
        nf.main(["--out", str(tmp_path / name), *short])
    files = [(tmp_path / name / nf.FILE).read_bytes() for name in "ab"]
    assert files[0] == files[1]
    row = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert row["file_bytes"] == len(files[0]) == sum(row["parts"].values())
    assert row["ratio"] == 4 * 431_080 / len(files[0])
    assert row["images"] == "5,000 bundled digits"
    monkeypatch.setattr(nf.datasets, "mnist", datasets.digits)
    nf.main(["--out", str(tmp_path / "a"), "--report"])
    assert json.loads(capsys.readouterr().out)["images"] == datasets.digits().test.name
    with pytest.raises(ArchiveError, match="cannot be read"):
        nf.main(["--out", str(tmp_path / "none"), "--report"])


def test_the_cut_takes_the_smallest_of_all_layers():
    masks = nf.largest([torch.tensor([[3.0, 1.0]]), torch.tensor([2.0, 0.5])], 2)
    assert [mask.tolist() for mask in masks] == [[[True, False]], [True, False]]
    assert all(mask.all() for mask in nf.largest([torch.ones(2), torch.zeros(1)], 3))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"widths": (6, 12)}, "widths"),
        ({"widths": (21, 12, 40)}, "20, 50 and 500"),
        ({"weights": 10_031}, "has not 10,031"),
        ({"passes": 0}, "passes"),
        ({"values": 256}, "1 to 255"),
    ],
)
def test_plans_that_cannot_be(wrong, message):
    with pytest.raises(RecipeError, match=message):
        nf.Plan(**wrong)


def test_idle_neurons_stand_last_and_cost_nothing():
    net = block((3, 4, 8))
    with torch.no_grad():
        for weight in net.matrices():
            weight.mul_(0).add_(0.25)
        net.fc1.weight[:4] = 0
        net.fc1.bias.copy_(torch.tensor([0, 0, 0, 0, 1.0, 0, 0, -1]))
        net.fc2.weight[:, :4] = 0
        net.fc2.bias.zero_()
    stored = nf.arranged(nf.whole(net))
    assert not stored.layers[2].weight[4:].any()
    assert not stored.layers[2].bias[4:].any()
    assert np.count_nonzero(stored.layers[2].weight) == 4 * 64


def test_the_worth_of_a_weight_is_the_rise_of_the_loss_for_a_bit():
    weight, full = torch.tensor([[1.0, 2.0], [1.0, 1.0]]), torch.ones(2, 2)
    even = nf.worth(weight, torch.full((2, 2), 3.0), full, 1)
    assert even[0, 1] == 4 * even[0, 0]
    steep = torch.tensor([[6.0, 3.0], [3.0, 3.0]])
    assert torch.equal(nf.worth(weight, steep, full, 1) / even, torch.tensor([[2.0, 1.0], [1.0, 1.0]]).double())
    sparse = torch.zeros(40, 40)
    sparse[0] = 1
    worth = nf.worth(torch.ones(40, 40), torch.ones(40, 40), sparse, 1)
    assert worth[0].min() > 1.5 * worth[1:].max(), "in a full row it costs less to say that a weight is kept"


def sharing(plan=PLAN):
    net = block(plan.widths)
    with torch.no_grad():
        for weight in net.matrices():
            weight.mul_(torch.rand(weight.shape, generator=torch.Generator().manual_seed(0)) < 0.3)
    found = nf._Sharing(net, plan)
    for curvature in found.curvature:
        curvature.fill_(2.0)
    return found


def test_a_price_makes_codes_as_short_as_asked():
    found = sharing()
    found.choose()
    free = nf._bits(found.codes)
    for share in (0.9, 0.6, 0.3):
        found.bits = share * free
        found.choose()
        assert 0.75 * share * free <= nf._bits(found.codes) <= share * free
        assert found.price > 0


def test_without_a_length_each_weight_takes_the_nearest_value():
    found = sharing(dataclasses.replace(PLAN, bytes=None))
    found.measure()
    found.finish()
    for own, values, codes in zip(found.own, found.values, found.codes, strict=True):
        assert torch.equal(codes, (own[:, None] - values).abs().argmin(1))
    assert found.stand


def test_weights_are_pulled_to_their_values_and_values_to_their_weights():
    found = sharing()
    found.choose()

    def far():
        return torch.cat([(w - t[c]).detach() for w, t, c in zip(found.own, found.values, found.codes, strict=True)])

    before = far()
    found.pull(0.25, means=False)
    assert torch.allclose(far(), 0.75 * before, atol=1e-6)
    with torch.no_grad():
        found.values[2].add_(1)
    found.pull(0.0, means=True)
    for own, table, codes in zip(found.own, found.values, found.codes, strict=True):
        for code in codes.unique().tolist():
            assert torch.allclose(table[code], own[codes == code].mean(), atol=1e-6)


def test_shared_values_learn_when_codes_stand_and_own_values_before():
    found = sharing()
    found.choose()
    for parameter in (*found.weights, *found.biases):
        parameter.grad = torch.ones_like(parameter)
    found.gradients()
    assert all(torch.equal(own.grad, torch.ones_like(own)) for own in found.own)
    assert all(values.grad is None for values in found.values)
    found.put()
    assert torch.equal(found.weights[2].detach()[found.masks[2]], found.own[2].detach())
    found.stand = True
    found.gradients()
    for own, values, codes in zip(found.own, found.values, found.codes, strict=True):
        assert own.grad is None
        assert torch.equal(values.grad, torch.bincount(codes, minlength=len(values)).float())
    assert [int(table.grad.sum()) for table in found.tables] == [len(bias) for bias in found.biases]
    found.put()
    assert torch.equal(found.weights[2].detach()[found.masks[2]], found.values[2].detach()[found.codes[2]])


def test_the_length_that_is_measured_is_that_of_the_file():
    found = sharing()
    found.choose()
    net, length = found.net, found.length()
    assert not found.stand, "nothing is changed by looking"
    with torch.no_grad():
        nf._round(found.values + found.tables)
    found.stand = True
    found.put()
    assert len(archive.dumps(nf.arranged(nf.whole(net)))) == length


def test_bytes_that_cannot_be_reached_are_come_near_to(lesson):
    plan = nf.Plan(widths=(3, 4, 8), weights=100, bytes=150, passes=1, share_passes=1)
    net = block(plan.widths)
    nf.prune(net, lesson, plan)
    nf.share(net, lesson, plan)
    assert len(archive.dumps(nf.arranged(nf.whole(net)))) < 350
