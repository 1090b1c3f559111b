"""Transfer to another task: each road moves what it says and nothing else, and its bytes make the receiver's net."""

import functools

import numpy as np
import pytest
import torch

from dcviz.chapters.ch11_open_questions import transfer
from dcviz.errors import ArchiveError, NetError
from dcviz.nets import models, small_digits, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import shipped
from dcviz.pipeline.retraining import weights_of


@functools.cache
def old():
    return transfer.Old(shipped.compressed("lenet-5"), shipped.dense("lenet-5"))


def train(net, constraint):
    split = small_digits.digits().train.take(slice(0, 64))
    training.fit(net, split, Schedule(epochs=30, lr=5e-3, batch_size=32), constraint=constraint)


@functools.cache
def learnt(road):
    """(net as trained, net as received, update) of one road."""
    net = old().net(road)
    train(net, transfer.constraint(net, road))
    update = transfer.send(old(), net, road)
    return net, transfer.receive(old(), update), update


def biases(net):
    return np.concatenate([layer.bias.detach().numpy() for layer in models.weight_layers(net).values()])


@pytest.mark.parametrize("road", transfer.ROADS)
def test_the_receiver_gets_the_trained_net_in_half_precision(road):
    net, received, _ = learnt(road)
    for (name, ours), theirs in zip(weights_of(net).items(), weights_of(received).values(), strict=True):
        moved = ours != weights_of(old().net(road))[name]
        assert np.allclose(ours[moved], theirs[moved], rtol=1e-3, atol=1e-7)
        assert np.array_equal(ours != 0, theirs != 0) or road not in transfer.COMPRESSED[:3]
    assert np.allclose(biases(net), biases(received), rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("road", transfer.ROADS)
def test_every_road_learns(road):
    split = small_digits.digits().train.take(slice(0, 64))
    before = training.error_percent(old().net(road), split)
    assert training.error_percent(learnt(road)[1], split) < 0.7 * before


def test_each_road_moves_its_own_parts_only():
    start = weights_of(old().net("codebook"))
    got = {road: weights_of(learnt(road)[1]) for road in transfer.COMPRESSED}
    for name, before in start.items():
        assert np.array_equal(got["biases"][name], before)
        for value in np.unique(before):  # one old value, one new value; zero stays zero
            assert len(np.unique(got["codebook"][name][before == value])) == 1
        assert not got["codebook"][name][before == 0].any()
        assert len(np.unique(got["kept"][name])) > len(np.unique(before))
        assert not got["kept"][name][before == 0].any()
    assert any(got["everything"][name][start[name] == 0].any() for name in start)
    assert all(not np.array_equal(biases(learnt(road)[1]), biases(old().net(road))) for road in transfer.ROADS)


def test_an_update_is_as_long_as_what_it_says():
    net = old().net("kept")
    weights = weights_of(net)
    values = {name: len(np.unique(w[w != 0])) for name, w in weights.items()}
    sizes = {
        "biases": 580,
        "codebook": 580 + sum(values.values()),
        "kept": 580 + sum(np.count_nonzero(w) for w in weights.values()),
        "everything": 431_080,
        "dense": 431_080,
        "scratch": 431_080,
    }
    assert {road: len(learnt(road)[2]) for road in sizes} == {road: 9 + 2 * n for road, n in sizes.items()}


def test_the_nets_that_both_have_are_left_alone():
    before = [weights_of(old().dense), weights_of(old().net("kept"))]
    for road in transfer.ROADS:
        learnt(road)
    after = [weights_of(old().dense), weights_of(old().net("kept"))]
    assert all(np.array_equal(a[name], b[name]) for a, b in zip(before, after, strict=True) for name in a)


def test_scratch_is_another_net_for_another_seed():
    first, again, other = (weights_of(old().net("scratch", seed))["fc1"] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("road", ["biases", "codebook", "kept"])
def test_damaged_updates_are_refused(road):
    update = learnt(road)[2]
    flipped = bytearray(update)
    flipped[40] ^= 1
    wrong_heads = b"DCT\x02" + update[4:], b"DCT\x01\x09" + update[5:]
    for damaged in (update[:-1], update + b"\0", bytes(flipped), b"", *wrong_heads):
        with pytest.raises(ArchiveError):
            transfer.receive(old(), damaged)
    other = transfer.Old(shipped.compressed("lenet-300-100"), shipped.dense("lenet-300-100"))
    with pytest.raises(ArchiveError, match="another net"):
        transfer.receive(other, update)


def test_numbers_that_half_precision_cannot_hold_are_refused():
    net = old().net("everything")
    with torch.no_grad():
        net.fc2.weight[0, 0] = 1e5
    with pytest.raises(NetError, match="fc2"):
        transfer.send(old(), net, "everything")


def test_an_unknown_road_is_refused():
    with pytest.raises(NetError, match="codebook"):
        old().net("motorway")


def test_learn_gives_net_and_size():
    net, size = transfer.learn(old(), "codebook", train)
    assert size == len(learnt("codebook")[2])
    assert all(np.array_equal(w, weights_of(learnt("codebook")[1])[name]) for name, w in weights_of(net).items())
