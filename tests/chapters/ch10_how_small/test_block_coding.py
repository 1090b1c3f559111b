"""Very small nets in one arithmetic code: what comes back, what it costs, and what is refused."""

import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dcviz.archive import Layer, StoredNet
from dcviz.chapters.ch10_how_small import block_coding as bc
from dcviz.errors import ArchiveError, CodebookError, NetError
from dcviz.ideas.entropy import entropy


def block_net(seed=0, name="lenet-5", live=(6, 12, 40, 10), density=0.2, k=6):
    """A net of random weights in a live block, values on a grid."""
    rng, layers = np.random.default_rng(seed), []
    values = np.array([v for v in range(-k, k + 1) if v], np.float32)[:k] / 16
    blocks, inputs = bc._blocks(bc.SHAPES[name]), bc._blocks(bc.SHAPES[name])[0][1]
    for (layer, shape), block, outputs in zip(bc.SHAPES[name].items(), blocks, live, strict=True):
        weight, bias = np.zeros(block, np.float32), np.zeros(shape[0], np.float32)
        kept = rng.random((outputs, inputs, block[2])) < density
        weight[:outputs, :inputs][kept] = rng.choice(values, kept.sum())
        bias[:outputs] = rng.choice([-0.5, 0, 0.25], outputs)
        layers.append(Layer(layer, weight.reshape(shape), bias))
        inputs = outputs
    return StoredNet(name, tuple(layers))


def same(one, other):
    state, back = one.state_dict(), other.state_dict()
    return one.name == other.name and all(
        np.array_equal(value, back[key]) and back[key].dtype == np.float32 for key, value in state.items()
    )


@pytest.mark.parametrize("name", bc.SHAPES)
@pytest.mark.parametrize("density", [0.0, 0.003, 0.3, 1.0])
def test_a_net_comes_back(name, density):
    live = (6, 12, 40, 10)[-len(bc.SHAPES[name]) :]
    net = block_net(name=name, live=live, density=density)
    assert same(net, bc.decode(bc.encode(net)))


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10), min_size=4, max_size=4), st.floats(0, 1), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_any_net_comes_back(seed, live, density, k):
    net = block_net(seed, live=live, density=density, k=k)
    data = bc.encode(net)
    assert same(net, bc.decode(data))
    assert sum(bc.describe(data).values()) == pytest.approx(len(data))


def test_nothing_but_the_block_costs_bytes():
    net = block_net()
    data, parts = bc.encode(net), bc.describe(bc.encode(net))
    block = [
        w.reshape(s)[:o, :i]
        for w, s, (i, o) in zip(
            [layer.weight for layer in net.layers],
            bc._blocks(bc.SHAPES["lenet-5"]),
            [(1, 6), (6, 12), (12, 40), (40, 10)],
            strict=True,
        )
    ]
    mask = sum(b.size * entropy([np.count_nonzero(b), b.size - np.count_nonzero(b)]) for b in block) / 8
    codes = sum(np.count_nonzero(b) * entropy(np.unique(b[b != 0], return_counts=True)[1]) for b in block) / 8
    assert mask < parts["mask"] < 1.03 * mask + 12  # nothing to learn in random places, and it costs little to find out
    assert 0.98 * codes < parts["weight codes"] < codes + 16
    assert parts["header"] == len(bc.HEAD) + 8 + 4
    assert len(data) < mask + codes + 150


def test_full_rows_and_columns_cost_less_than_scattered_weights():
    def size(shuffled):
        rng, net = np.random.default_rng(0), block_net(density=0)
        weight = net.layers[2].weight
        weight[:40, :192] = 0.25 * (rng.random((40, 1)) * rng.random((1, 192)) > 0.35)
        if shuffled:
            weight[:40, :192] = rng.permutation(weight[:40, :192].reshape(-1)).reshape(40, 192)
        return len(bc.encode(net))

    assert size(shuffled=False) < 0.8 * size(shuffled=True)


@pytest.mark.parametrize("name", ["lenet-5", "lenet-300-100"])
def test_every_byte_is_guarded(name):
    data = bc.encode(block_net(name=name, live=(3, 4, 5, 6)[-len(bc.SHAPES[name]) :], density=0.1))
    for at in range(len(data)):
        with pytest.raises(ArchiveError):
            bc.decode(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(ArchiveError):
            bc.decode(data[:at])


def sealed(body):
    return bytes(body) + zlib.crc32(body).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\x89DCZ\x01", "another version"),
        (bc.HEAD + b"\x03vgg", "not known"),
        (bc.HEAD + b"\x07lenet-5\x15\x00\x00\x00", "21 live outputs in conv1, which has 20"),
        (bc.HEAD + b"\x07lenet-5\x01\x00\x00\x00" + b"\x00" * 8, "no values"),
        (bc.HEAD + b"\x07lenet-5\x01\x00\x00\x00\x01\x50\x01" + b"\x00" * 7, "exponent of 80"),
        (bc.HEAD + b"\x07lenet-5\x01\x00\x00\x00\xff\x7f", "cut short"),
        (bc.HEAD + b"\x07lenet-5\x00\x00\x00\x00" + b"\x00" * 8 + b"hidden", "decodes to nothing"),
        (bc.HEAD + b"\x07lenet-5\x01\x00\x00\x00\x01\x00\x00" + b"\x00" * 7, "decodes to nothing"),
    ],
)
def test_made_by_hand_under_a_true_checksum(body, message):
    with pytest.raises(ArchiveError, match=message):
        bc.decode(sealed(body))


def test_random_bodies_are_refused_or_are_a_net():
    rng = np.random.default_rng(0)
    for _ in range(60):
        body = bc.HEAD + b"\x07lenet-5" + bytes(rng.integers(0, 12, 4, dtype=np.uint8))
        body += bytes(rng.integers(0, 256, rng.integers(0, 60), dtype=np.uint8))
        with suppress(ArchiveError):
            assert bc.encode(bc.decode(sealed(body))) == sealed(body)


def test_what_cannot_be_written():
    net = block_net()
    with pytest.raises(NetError, match="not one of"):
        bc.encode(StoredNet("alexnet", net.layers))
    with pytest.raises(NetError, match="own shape"):
        bc.encode(StoredNet("lenet-5", net.layers[:3]))
    net.layers[0].weight[0, 0, 0] = [0.1, 0.2, 0.3, 0.4, 0.5]
    with pytest.raises(CodebookError, match="conv1"):
        bc.encode(net)


@given(st.lists(st.floats(-1e6, 1e6, width=32), max_size=20))
@settings(max_examples=60, deadline=None)
def test_rounded_values_are_fixed_points(values):
    near = bc.rounded(values)
    exponent, ints = bc.fixed_point(near) if np.abs(values or [0]).max() > 1e-15 else (0, near)
    assert np.array_equal(ints * 2.0**exponent, near)
    assert np.array_equal(near == 0, np.float32(values) == 0)
    assert np.abs(near - values).max(initial=0) <= np.abs(values or [0]).max() / 63.5
