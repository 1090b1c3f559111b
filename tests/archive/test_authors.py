import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from dcviz import archive
from dcviz.archive import authors
from dcviz.errors import ArchiveError
from dcviz.ideas import relative_index
from dcviz.nets import models

PLAN = (authors._Plan("conv", "features.0", (3, 2, 3, 3)), authors._Plan("fc", "classifier.1", (5, 40)))


def nibbles(values):
    values = [*values, 0] if len(values) % 2 else values
    return bytes(low | high << 4 for low, high in zip(values[::2], values[1::2], strict=True))


def coded(plan, density, rng):
    """(codebook, bias, codes, gaps, weight) of a random pruned layer, gaps by dcviz's own encoder."""
    codebook = rng.standard_normal(2**plan.bits).astype("<f4")
    codebook[0] = 0
    kept = np.flatnonzero(rng.random(math.prod(plan.shape)) < density)
    index = relative_index.encode(kept, 4)
    codes = np.zeros(index.gaps.size, int)
    codes[index.real] = rng.integers(1, 2**plan.bits, kept.size)
    weight = np.zeros(math.prod(plan.shape), np.float32)
    weight[kept] = codebook[codes[index.real]]
    bias = rng.standard_normal(plan.shape[0]).astype("<f4")
    return codebook, bias, codes.tolist(), index.gaps.tolist(), weight.reshape(plan.shape)


def packed(layers):
    """The bytes of a file, from (codebook, bias, codes, gaps, ...) of each layer."""
    out = np.array([len(layer[2]) for layer in layers], "<u4").tobytes()
    for codebook, bias, codes, gaps, *_ in layers:
        body = bytes(codes) if len(codebook) == 256 else nibbles(codes)
        out += codebook.tobytes() + bias.tobytes() + body + nibbles(gaps)
    return out


@pytest.fixture
def layers():
    rng = np.random.default_rng(5)
    return [list(coded(plan, density, rng)) for plan, density in zip(PLAN, (0.5, 0.03), strict=True)]


def read(tmp_path, data):
    path = tmp_path / "net.net"
    path.write_bytes(data)
    return authors.read(path, "toy", PLAN)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("density", [0, 0.02, 0.5, 1])
def test_round_trip(tmp_path, seed, density):
    rng = np.random.default_rng(seed)
    layers = [coded(plan, density, rng) for plan in PLAN]
    net = read(tmp_path, packed(layers))
    assert [layer.name for layer in net.layers] == ["conv", "fc"]
    for layer, (codebook, bias, codes, gaps, weight) in zip(net.layers, layers, strict=True):
        assert np.array_equal(layer.weight, weight)
        assert layer.weight.dtype == np.float32
        assert np.array_equal(layer.codebook, codebook)
        assert np.array_equal(layer.bias, bias)
        assert layer.codes.tolist() == codes
        assert layer.gaps.tolist() == gaps
        assert layer.n_entries - layer.n_fillers == np.count_nonzero(weight)


def test_by_hand(tmp_path):
    """Two entries of 4 bits: weight 1 has code 3, then 16 further on code 2."""
    plan = (authors._Plan("fc", "fc", (2, 10)),)
    book = np.arange(16, dtype="<f4") / 4
    data = b"\2\0\0\0" + book.tobytes() + np.array([7, 8], "<f4").tobytes() + b"\x23" + b"\xf1"
    (tmp_path / "x").write_bytes(data)
    (layer,) = authors.read(tmp_path / "x", "toy", plan).layers
    assert np.flatnonzero(layer.weight).tolist() == [1, 17]
    assert layer.weight.ravel()[[1, 17]].tolist() == [0.75, 0.5]
    assert layer.bias.tolist() == [7, 8]


def test_cut_anywhere_and_padded_are_refused(tmp_path, layers):
    data = packed(layers)
    for length in range(0, len(data), 7):
        with pytest.raises(ArchiveError, match="bytes"):
            read(tmp_path, data[:length])
    for extra in (b"\0", bytes(1000), bytes(10_000)):
        with pytest.raises(ArchiveError, match="call for"):
            read(tmp_path, data + extra)


def test_too_many_entries(tmp_path, layers):
    data = packed(layers)
    with pytest.raises(ArchiveError, match="conv has 54 weights"):
        read(tmp_path, b"\xff\xff\xff\xff" + data[4:])


def test_position_outside(tmp_path, layers):
    layers[0][3] = [15] * len(layers[0][3])
    with pytest.raises(ArchiveError, match=r"conv.*of 54"):
        read(tmp_path, packed(layers))


def test_zero_must_mean_zero(tmp_path, layers):
    layers[1][0][0] = 0.5
    with pytest.raises(ArchiveError, match=r"fc.*code 0 stands for 0\.5"):
        read(tmp_path, packed(layers))


def test_a_zero_with_a_sign_is_a_zero(tmp_path, layers):
    plain = read(tmp_path, packed(layers))
    layers[1][0][0] = -0.0
    layers[0][0][7] = -0.0
    net = read(tmp_path, packed(layers))
    assert net.layers[1].weight.tobytes() == plain.layers[1].weight.tobytes()
    for layer in net.layers:
        assert not np.signbit(layer.weight[layer.weight == 0]).any()
        assert not np.signbit(layer.codebook[0])
    back = archive.loads(archive.dumps(authors.as_stored(net, 4))).state_dict()
    for key, value in net.state_dict().items():
        assert back[key].tobytes() == value.tobytes()


def test_a_file_that_is_too_long_is_told_by_its_own_numbers(tmp_path, layers):
    most = sum(4 + layer.length(math.prod(layer.shape)) for layer in PLAN)
    with pytest.raises(ArchiveError, match=f"more than {most:,} bytes, but its entry counts call for"):
        read(tmp_path, packed(layers) + bytes(most))
    with pytest.raises(ArchiveError, match="fc has 200 weights, 300 entries do not fit"):
        read(tmp_path, packed(layers)[:4] + b"\x2c\1\0\0" + packed(layers)[8:])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs devices and named pipes")
def test_a_device_or_a_pipe_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", "/dev/zero", tmp_path, "a\0b"):
        with pytest.raises(ArchiveError, match="cannot be read"):
            authors.read_squeezenet(place)


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_must_be_finite(tmp_path, layers, part, value):
    layers[1][part][1] = value
    with pytest.raises(ArchiveError, match="not finite"):
        read(tmp_path, packed(layers))


def test_padding_must_be_zero(tmp_path, layers):
    while len(layers[1][2]) % 2 == 0:  # the last layer, so that its last half-byte ends the file
        layers[1][2].pop(), layers[1][3].pop()
    data = bytearray(packed(layers))
    read(tmp_path, data)
    data[-1] |= 0x10
    with pytest.raises(ArchiveError, match="half-byte"):
        read(tmp_path, data)


def test_missing_file(tmp_path):
    with pytest.raises(ArchiveError, match="cannot be read"):
        authors.read_squeezenet(tmp_path / "none.net")


def test_plans_have_the_published_numbers_of_weights():
    def size(plan):
        return sum(math.prod(layer.shape) for layer in plan), sum(layer.shape[0] for layer in plan)

    assert size(authors.SQUEEZENET) == (1_244_448, 3_976)


@pytest.fixture(scope="module")
def squeezenet():
    folder = os.environ.get("DCVIZ_DATA")
    path = Path(folder or ".") / "authors" / "compressed_SqueezeNet.net"
    if not folder or not path.is_file():
        pytest.skip("the authors' compressed_SqueezeNet.net is not in $DCVIZ_DATA/authors")
    return path, authors.read_squeezenet(path)


def test_authors_squeezenet(squeezenet):
    path, net = squeezenet
    assert path.stat().st_size == 675_763
    assert len(net.layers) == 26
    assert sum(layer.n_entries for layer in net.layers) == 422_083
    assert sum(layer.n_fillers for layer in net.layers) == 6_162
    assert sum(np.count_nonzero(layer.weight) for layer in net.layers) == 415_921
    for layer in net.layers:  # every filler bridges the longest gap, as in our relative index
        assert (layer.gaps[layer.codes == 0] == 15).all()
        index = relative_index.encode(np.flatnonzero(layer.weight), 4)
        assert np.array_equal(index.gaps, layer.gaps)
        assert np.array_equal(index.real, layer.codes != 0)


def test_authors_squeezenet_fits_our_net(squeezenet):
    _, stored = squeezenet
    net = models.build("squeezenet")
    net.load_state_dict({key: torch.from_numpy(value) for key, value in stored.state_dict().items()})
    torch.manual_seed(0)
    with torch.inference_mode():
        logits = net(60 * torch.randn(2, 3, 64, 64))
    assert logits.isfinite().all()
    assert logits.std() > 0.1  # the weights do something


def test_authors_squeezenet_cut_or_padded(squeezenet, tmp_path):
    data = squeezenet[0].read_bytes()
    for bad in (data[:-1], data[: len(data) // 2], data[:50], b"", data + b"\0"):
        (tmp_path / "bad.net").write_bytes(bad)
        with pytest.raises(ArchiveError, match="bytes"):
            authors.read_squeezenet(tmp_path / "bad.net")


def test_authors_squeezenet_recoded_is_the_same_net_in_fewer_bytes(squeezenet):
    _, net = squeezenet
    data = archive.dumps(authors.as_stored(net, authors.INDEX_BITS))
    back = archive.loads(data).state_dict()
    for key, value in net.state_dict().items():
        assert back[key].tobytes() == value.tobytes(), key
    assert len(data) < 563_700  # 675,763 as published
    assert archive.file_bytes(authors.as_stored(net)) < len(data)
