"""Live blocks in one arithmetic code: what comes back, what it costs, and what is refused."""

import random
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import random_files
import second_live
import second_reader
import two_readers
from random_files import section, varint

from dcviz import archive
from dcviz.archive import Coding, Layer, StoredNet, live, streams
from dcviz.errors import ArchiveError, CodebookError, WeightError
from dcviz.ideas.entropy import entropy

GOLDEN = Path(__file__).parent / "golden" / "version-2-live.dcz"
SHAPES = {"conv1": (20, 1, 5, 5), "conv2": (50, 20, 5, 5), "fc1": (500, 800), "fc2": (10, 500)}
PLACES = {"conv1": 25, "conv2": 25, "fc1": 16, "fc2": 1}


def live_net(seed=0, alive=(6, 12, 40, 10), density=0.2, k=6, dtype="float32"):
    """LeNet-5 with random weights of k values in a live block."""
    rng, layers, inputs = np.random.default_rng(seed), [], 1
    values = np.array([v for v in range(-k, k + 1) if v], np.float32)[:k] / 16
    for (name, shape), outputs in zip(SHAPES.items(), alive, strict=True):
        block = np.zeros((shape[0], np.prod(shape[1:]) // PLACES[name], PLACES[name]), archive.types.working(dtype))
        bias = np.zeros(shape[0], block.dtype)
        kept = rng.random((outputs, inputs, PLACES[name])) < density
        block[:outputs, :inputs][kept] = rng.choice(values, kept.sum())
        bias[:outputs] = rng.choice([-0.5, 0, 0.25], outputs)
        layers.append(Layer(name, block.reshape(shape), bias, Coding(live=PLACES[name]), dtype=dtype))
        inputs = outputs
    return StoredNet("lenet-5", tuple(layers))


def same(one, other):
    return one.name == other.name and two_readers.same(one.state_dict(), other.state_dict())


def golden_net():
    """By a formula, so that no library's random numbers are part of the file."""
    weight = (np.arange(4 * 3 * 9) * 7 % 11 % 5 - 2).clip(-1).astype(np.float32).reshape(4, 3, 3, 3) / 4
    weight[3:], weight[:, 2:] = 0, 0
    bias = np.array([0.5, 0.5, -1, 0], np.float32)
    return StoredNet(
        "a golden net of live blocks",
        (
            Layer("conv", weight, bias, Coding(live=9)),
            Layer("fc", weight.reshape(4, 27), None, Coding(live=9)),
            Layer("half", weight.reshape(12, 9), None, Coding(live=1), bare=True, dtype="float16"),
            Layer("still", np.zeros((2, 2), np.float32), np.zeros(2, np.float32), Coding(live=1)),
            archive.Kept("steps", np.array(7)),
        ),
    )


def test_the_golden_file_stays_readable():
    data = GOLDEN.read_bytes()
    assert same(archive.loads(data), golden_net())
    assert archive.dumps(golden_net()) == data, "the same bytes, while 2 is current"
    assert two_readers.same(second_reader.read(data), golden_net().state_dict())


@pytest.mark.parametrize("dtype", archive.FLOATS)
@pytest.mark.parametrize("density", [0.0, 0.003, 0.3, 1.0])
def test_a_net_comes_back(density, dtype, tmp_path):
    net = live_net(density=density, dtype=dtype)
    archive.save(tmp_path / "net.dcz", net)
    back = archive.load(tmp_path / "net.dcz")
    assert same(net, back)
    assert back.dtypes() == net.dtypes()
    assert archive.dumps(back) == archive.dumps(net)
    with archive.open_records(tmp_path / "net.dcz") as records:
        assert [record.name for record in records] == list(SHAPES)


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10), min_size=4, max_size=4), st.floats(0, 1), st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_any_net_comes_back_to_two_readers(seed, alive, density, k):
    net = live_net(seed, alive=alive, density=density, k=k)
    data = archive.dumps(net)
    assert same(net, archive.loads(data))
    assert two_readers.same(second_reader.read(data), net.state_dict())
    found = archive.describe_bytes(data)
    assert sum(found.parts.values()) == found.file_bytes == len(data)
    assert found.dense_bytes == net.dense_bytes()
    assert [layer.nonzeros for layer in found.layers] == [np.count_nonzero(layer.weight) for layer in net.layers]


def test_nothing_but_the_block_costs_bytes():
    net = live_net()
    parts, size = archive.breakdown(net).parts, archive.file_bytes(net)
    blocks = [live.block_of(layer.weight, layer.bias, layer.coding.live)[1] for layer in net.layers]
    mask = sum(b.size * entropy([np.count_nonzero(b), b.size - np.count_nonzero(b)]) for b in blocks) / 8
    codes = sum(np.count_nonzero(b) * entropy(np.unique(b[b != 0], return_counts=True)[1]) for b in blocks) / 8
    assert mask < parts["index_bits"] < 1.03 * mask + 12  # nothing to learn in random places: that is soon found out
    assert 0.98 * codes < parts["weight_bits"] < codes + 40
    assert parts["checksums"] == 4
    assert parts["header"] < 80
    assert size < mask + codes + 220


def test_what_stands_in_crowds_costs_less():
    def size(shuffled, sign):
        rng, net = np.random.default_rng(0), live_net(density=0)
        weight = net.layers[2].weight
        weight[:40, :192] = 0.25 * (rng.random((40, 1)) * rng.random((1, 192)) > 0.35)
        weight[:40, :192] *= sign(np.arange(192) // 16 % 2 - 0.5)  # signs agree inside a map
        if shuffled:
            weight[:40, :192] = rng.permutation(weight[:40, :192].reshape(-1)).reshape(40, 192)
        weight[weight == 0] = 0
        parts = archive.breakdown(net).parts
        return parts["index_bits"] + parts["weight_bits"]

    assert size(False, np.ones_like) < 0.8 * size(True, np.ones_like), "full rows and columns"
    assert size(False, np.sign) - size(False, np.ones_like) < 0.7 * (size(True, np.sign) - size(True, np.ones_like))


def test_every_byte_is_guarded():
    data = archive.dumps(live_net(alive=(3, 4, 5, 6), density=0.1))
    for at in range(len(data)):
        for bad in (data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], data[:at]):
            for read in (archive.loads, archive.describe_bytes):
                with pytest.raises(ArchiveError):
                    read(bad)
            with pytest.raises(second_reader.Refused):
                second_reader.read(bad)


def sealed(*records, features=1, count=None):
    """A file with one checksum."""
    body = b"\x89DCZ\2" + b"".join(
        varint(len(part)) + part
        for part in (b"\3net" + bytes([features, len(records) if count is None else count]), *records)
    )
    return body + zlib.crc32(body).to_bytes(4, "little")


# a layer w of 2 x 4 weights without a bias, columns of one place, of which 1 x 1 live, whose value is 2
W = b"\5\1w\1\2\4\1\1\1\1\0\2"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (W.replace(b"w\1", b"w\x81"), "layer 'w' is of a form (129) that this dcviz does not know"),
        (W.replace(b"w\1", b"w\x19"), "layer 'w' has flags that exclude each other"),
        (b"\5\1w\1\0\4", "layer 'w' declares the shape (0, 4)"),
        (b"\5\1w\1\2\4\3\1\1", "layer 'w': 1 rows and 1 columns of 3 places cannot live"),
        (b"\5\1w\1\2\4\0\1\1", "layer 'w': 1 rows and 1 columns of 0 places cannot live"),
        (b"\5\1w\1\2\4\1\3\1", "layer 'w': 3 rows and 1 columns of 1 places cannot live"),
        (b"\5\1w\1\2\4\1\1\5", "layer 'w': 1 rows and 5 columns of 1 places cannot live"),
        (b"\5\1w\1\2\4\1\1\1\1\x40\2", "1 values with an exponent of 64 are no table of the weights of layer 'w'"),
        (b"\5\1w\1\2\4\1\1\1\x80\2\0\2", "256 values with an exponent of 0 are no table of the weights of layer 'w'"),
        (b"\5\1w\1\2\4\1\1\1\2\0\2\2", "the values of the weights of layer 'w' do not rise"),
        (b"\5\1w\1\2\4\1\1\1\1\0\x80", "the values of the weights of layer 'w' do not rise"),
        (b"\5\1w\1\2\4\1\1\1\2\0\xff\0", "layer 'w' has a zero among the values"),
        (b"\5\1w\1\2\4\1\1\1\0", "layer 'w' keeps weights but has no values for them"),
        (W + b"\1\1\1\1\1", "is damaged: damaged context-coded stream"),
        (W + b"\1\0", "is damaged: damaged context-coded stream"),
        (W[:-1], "cut short"),
        (b"\4\5\1w\1\2\4\1\1\1\1\0\2", "more of a tensor is of a kind (5) that cannot be"),
        (W.replace(b"w\1", b"w\x21")[:-2] + b"\x1f\2", "layer 'w' holds values that are not exactly float16"),
    ],
)
def test_each_fault_has_its_sentence(record, message):
    for data in (sealed(record), b"\x89DCZ\2" + section(b"\3net\0\1") + section(record)):
        for read in (archive.loads, archive.describe_bytes):
            with pytest.raises(ArchiveError) as error:
                read(data)
            assert message in str(error.value)
        with pytest.raises(second_reader.Refused):
            second_reader.read(data)


def test_the_layer_that_the_faults_are_made_of():
    assert archive.loads(sealed(W)).layers[0].weight.tolist() == [[2, 0, 0, 0], [0, 0, 0, 0]]
    assert archive.loads(b"\x89DCZ\2" + section(b"\3net\0\1") + section(W)).layers[0].weight[0, 0] == 2


def test_one_checksum_is_for_small_files_and_for_any_record():
    kept = b"\1\1k\0\1\2" + bytes(8)
    assert archive.loads(sealed(kept)).state_dict()["k"].tolist() == [0, 0]
    long = b"\1\1k\x0a\1" + varint(1 << 16) + bytes(1 << 16)
    with pytest.raises(ArchiveError, match="has one checksum; at most 65,536 can"):
        archive.loads(sealed(long))
    with pytest.raises(ArchiveError, match=r"features \(3\)"):
        archive.loads(sealed(kept, features=3))
    for at in range(4, 12):
        with pytest.raises(ArchiveError):
            archive.loads(sealed()[:at])
    with pytest.raises(ArchiveError, match="15 bytes too many at the end of the file"):
        archive.loads(sealed(kept, count=0))
    large = live_net(density=1, alive=(20, 50, 190, 10), k=9)
    data = archive.dumps(large)
    assert len(data) > streams.MAX_SEALED
    assert archive.describe_bytes(data).parts["checksums"] == 4 * 5
    assert same(archive.loads(data), large)


def test_the_places_of_a_file_are_bounded(monkeypatch):
    head = b"\5\1w\1" + varint(1 << 10) + varint(1 << 10)
    with pytest.raises(ArchiveError, match="have more than 262,144 places"):
        archive.loads(sealed(head + b"\1" + varint(1 << 10) + varint(1 << 10) + b"\1\0\1"))
    monkeypatch.setattr(live, "MAX_LIVE", 50)
    layers = [Layer(f"w{i}", np.ones((5, 6), np.float32), None, Coding(live=1), True) for i in range(2)]
    with pytest.raises(WeightError, match="60 places together; at most 50"):
        archive.dumps(StoredNet("net", tuple(layers)))
    record = lambda i: b"\5\2w" + b"%d" % i + b"\x11\5\6\1\5\6\1\0\1"  # noqa: E731
    with pytest.raises(ArchiveError, match="up to layer 'w1' have more than 50"):
        archive.loads(sealed(record(0), record(1)))
    with pytest.raises(WeightError, match="live block of 60 places; at most 50"):
        archive.dumps(StoredNet("net", (Layer("w", np.ones((5, 12), np.float32), None, Coding(live=1)),)))


def test_memory_is_asked_for_before_it_is_taken():
    net = live_net(density=0.01)
    data = archive.dumps(net)
    assert same(archive.loads(data, max_bytes=net.dense_bytes()), net)
    with pytest.raises(ArchiveError, match="that the caller allows"):
        archive.loads(data, max_bytes=net.dense_bytes() - 1)


def test_what_cannot_be_written():
    def dumped(weight, bias=None, places=1):
        weight = np.array(weight, np.float32)
        return archive.dumps(StoredNet("net", (Layer("w", weight, bias, Coding(live=places)),)))

    with pytest.raises(CodebookError, match="layer 'w': the values are not at most 255 multiples"):
        dumped([[0.1, 0.2, 0.3]])
    with pytest.raises(CodebookError, match="bias of layer 'w'"):
        dumped([[1.0]], np.array([0.1], np.float32) + 2**-20)
    with pytest.raises(WeightError, match=r"-0\.0"):
        dumped([[-0.0, 1]])
    with pytest.raises(WeightError, match="do not divide rows of 3 weights"):
        dumped([[1, 2, 3]], places=2)
    with pytest.raises(WeightError, match="one place or more"):
        dumped([[1, 2, 3]], places=0)
    with pytest.raises(WeightError, match="one value a row"):
        dumped([[1, 2, 3]], np.zeros(2, np.float32))
    with pytest.raises(WeightError, match="NaN"):
        dumped([[1, np.nan]])
    first, second = (Layer("w", np.ones((2, 2), np.float32), None, Coding(live=1), True) for _ in range(2))
    with pytest.raises(WeightError, match="does not follow on rows"):
        archive.dumps(StoredNet("net", (first, archive.More(second))))


@given(st.lists(st.floats(-1e6, 1e6, width=32), max_size=20))
@settings(max_examples=60, deadline=None)
def test_rounded_values_are_fixed_points(values):
    near = live.rounded(values)
    exponent, ints = live.fixed_point(near) if np.abs(values or [0]).max() > 1e-15 else (0, near)
    assert np.array_equal(ints * 2.0**exponent, near)
    assert np.array_equal(near == 0, np.float32(values) == 0)
    assert np.abs(near - values).max(initial=0) <= np.abs(values or [0]).max() / 63.5


def test_prices_are_what_the_coder_charges():
    rng = np.random.default_rng(0)
    mask = rng.random((30, 6, 25)) < rng.random((30, 1, 1)) * rng.random((1, 6, 1))
    prices = live.prices(mask)
    assert prices[mask].mean() < prices[~mask].mean(), "where much is kept, it costs less to keep"
    chance = 1 / (1 + 2**prices)
    bits = -np.log2(np.where(mask, chance, 1 - chance)).sum()
    layer = Layer("w", mask.reshape(30, -1).astype(np.float32), None, Coding(live=25))
    coded = archive.breakdown(StoredNet("net", (layer,))).parts["index_bits"]
    assert bits / 8 < coded < 1.1 * bits / 8 + 10, "the coder has to learn the chances, these know them"
    apart = live.prices(np.eye(4, dtype=bool)[None].repeat(3, 0).reshape(3, 4, 4))
    assert apart.shape == (3, 4, 4)


def test_two_readers_judge_chance_alike():
    read = 0
    for number in range(300):
        data = random_files.block(random.Random(number))
        found = two_readers.ours(data)
        assert two_readers.same(found, two_readers.theirs(data)), number
        read += found is not None
    assert 100 < read < 290, "some are nets, some are refused"


def test_the_second_reader_of_blocks_stands_on_its_own():
    text = Path(second_live.__file__).read_text()
    assert "import dcviz" not in text
    assert "from dcviz" not in text
    assert len(text.splitlines()) < 200


def test_shortest_takes_a_live_block_where_it_is_smaller():
    net = live_net(density=0.1)
    for layer in net.layers:
        codings = [Coding(4, np.unique(layer.weight[layer.weight != 0]), huffman=True), layer.coding]
        assert archive.shortest(layer, codings).coding.live == layer.coding.live
