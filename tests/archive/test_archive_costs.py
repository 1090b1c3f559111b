"""What a file may cost to read is bounded by what it says: hostile files, and counts of the work they make."""

import os
import sys
import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest
from random_files import packed, section, varint

from dcviz import archive
from dcviz.archive import Coding, Layer, StoredNet, reader as archive_reader
from dcviz.archive.streams import MAX_LAYERS
from dcviz.archive.types import BIAS, BIAS_CODED, CODED, COLUMNS, SPARSE
from dcviz.errors import ArchiveError
from dcviz.ideas import bits, bitstream

ONE = np.float32(1).tobytes()
FREE = bytes([0, 0])  # symbols of no bits
MILLION = 1 << 20


def file(layers):
    """The bytes of a file of (name, flags, shape, payload) layers."""
    records = b"".join(
        varint(len(name)) + name.encode() + bytes([flags, len(shape)]) + b"".join(map(varint, shape))
        for name, flags, shape, _ in layers
    )
    header = varint(3) + b"net" + varint(len(layers)) + records
    return archive.MAGIC + b"\1" + section(header) + b"".join(section(payload) for *_, payload in layers)


def peak(work):
    """(what ``work()`` gives, the most memory that Python and NumPy held for it, in bytes)."""
    with watched() as most:
        result = work()
    return result, most()


@contextmanager
def watched():
    """A function that says the most memory which Python and NumPy held in the block, in bytes."""
    tracemalloc.start()
    found = []
    try:
        yield lambda: found[0]
    finally:
        found.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()


@pytest.fixture
def steps(monkeypatch):
    """Counts of the work of decoding: steps of all lanes, and bits that are looked up one by one."""
    seen = {"steps": 0, "bits": 0, "table": 0}
    run, follow, table = bitstream._run, bitstream.follow, bitstream._table

    def counted_run(windows, at, table, width, rows):
        seen["steps"] += rows.shape[1]
        return run(windows, at, table, width, rows)

    def counted_follow(jump, n):
        seen["bits"] += len(jump)
        return follow(jump, n)

    def counted_table(order, sizes):
        made = table(order, sizes)
        seen["table"] += made.size
        return made

    monkeypatch.setattr(bitstream, "_run", counted_run)
    monkeypatch.setattr(bitstream, "follow", counted_follow)
    monkeypatch.setattr(bitstream, "_table", counted_table)
    return seen


# ------------------------------------------------------------------ sizes that nothing stands behind

PRUNED = bytes([1]) + varint(MILLION - 1) + FREE + varint(1) + ONE + FREE
EIGHT = (4, 4, 4, 4, 4, 4, 16, 16)


def test_layers_of_no_bits_are_described_without_their_entries(monkeypatch):
    """8 KB that took 17.6 s and 1.1 GB: 256 layers of 2^20 in 8 dimensions, walked by columns."""
    data = file([(f"w{i}", SPARSE | CODED | COLUMNS, EIGHT, PRUNED) for i in range(256)])
    assert len(data) < 14_000
    seen = []
    monkeypatch.setattr(archive_reader, "blocks", lambda n, *size: seen.append(n) or bits_blocks(n, *size))
    found, memory = peak(lambda: archive.describe_bytes(data))
    assert max(seen) == 1, "entries of no bits are looked at once, not one by one"
    assert memory < 4 << 20
    assert found.dense_bytes == 4 << 28
    assert found.layers[0].nonzeros == found.layers[0].entries == MILLION - 1
    with pytest.raises(ArchiveError, match="takes more than the 100,000,000 bytes that the caller allows"):
        archive.loads(data, max_bytes=100_000_000)
    weight, memory = peak(
        lambda: archive.loads(file([("w", SPARSE | CODED | COLUMNS, EIGHT, PRUNED)])).layers[0].weight
    )
    assert memory < 4 * MILLION + (1 << 20)
    assert weight.flags.c_contiguous
    assert np.array_equal(weight.ravel(order="F"), np.arange(MILLION) < MILLION - 1)


bits_blocks = archive_reader.blocks


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("entries", [0, 1, 5, 6, 7, 35, 36, 100, 119, 120])
def test_entries_of_no_bits_stand_at_the_first_places(order, entries):
    shape = (4, 3, 2, 5)
    payload = bytes([3]) + varint(entries) + FREE + varint(1) + ONE + FREE
    weight = archive.loads(file([("w", SPARSE | CODED | COLUMNS * (order == "F"), shape, payload)])).layers[0].weight
    assert weight.ravel(order=order).tolist() == [1.0] * entries + [0.0] * (120 - entries)


def test_constant_layers_and_biases_are_filled_not_looked_up():
    """5.5 KB that took 3.4 s and 1 GB."""
    payload = varint(1) + ONE + FREE + varint(MILLION) + varint(1) + ONE + FREE
    data = file([("w", CODED | BIAS | BIAS_CODED, (MILLION,), payload)])
    net, memory = peak(lambda: archive.loads(data))
    assert memory < 8 * MILLION + (1 << 20), "the two arrays and nothing like them"
    assert net.layers[0].weight.sum() == net.layers[0].bias.sum() == MILLION
    assert peak(lambda: archive.describe_bytes(data))[1] < 1 << 20


# ------------------------------------------------------------------ streams cut so that they take many steps


def one_bit_words(n, chunk):
    """A stream of n words of one bit, in chunks of some length: -> (bytes, symbols)."""
    symbols = np.random.default_rng(0).integers(0, 2, n)
    sizes = [min(chunk, n - i) for i in range(0, n, chunk)]
    fewest = min(sizes)
    table = bytes([1]) + varint(2) + bytes([1]) + packed([(1, 1), (1, 1)])
    more = b""
    if len(sizes) > 1:
        width = (max(sizes) - fewest).bit_length()
        more = bytes([width]) + packed([(size - fewest, width) for size in sizes])
    return table + varint(chunk) + varint(fewest) + more + np.packbits(symbols).tobytes(), symbols


@pytest.mark.parametrize("chunk", [1, 7, 1024, 1 << 17])
@pytest.mark.parametrize("n", [1, 1000, 3 << 17])
def test_steps_grow_with_the_bits_however_a_stream_is_cut(chunk, n, steps):
    """131 KB of one-bit words in chunks of 2^17 took 5 to 7 s."""
    stream, symbols = one_bit_words(n, chunk)
    data = file([("w", CODED, (n,), varint(2) + ONE + np.float32(-1).tobytes() + stream)])
    weight, memory = peak(lambda: archive.loads(data).layers[0].weight)
    assert np.array_equal(weight, 1 - 2 * symbols)
    assert steps["steps"] * bitstream.STEP <= 8 * len(data)
    assert steps["bits"] <= n + (n // bitstream.BLOCK + 1) * 64 + 64
    assert memory < 4 * n + 32 * len(data) + (16 << 20)


def test_many_small_streams_make_no_large_tables(steps):
    """Words of 20 bits would ask for a table of 2^20 entries, for a few symbols in each of many layers."""
    lengths = [*range(1, 21), 20]
    words = [(2 << i) - 2 for i in range(20)] + [(1 << 20) - 1]
    symbols = [20, 0, 19, 3]
    table = varint(21) + bytes([5]) + packed([(length, 5) for length in lengths])
    stream = bytes([1]) + table + varint(4) + varint(sum(lengths[s] for s in symbols))
    stream += packed([(words[s], lengths[s]) for s in symbols])
    payload = varint(21) + np.arange(21, dtype="<f4").tobytes() + stream
    data = file([(f"w{i}", CODED, (4,), payload) for i in range(200)])
    net = archive.loads(data)
    assert all(layer.weight.tolist() == symbols for layer in net.layers)
    assert steps["table"] + steps["bits"] <= 8 * len(data)


def test_wide_alphabets_cost_what_their_tables_say():
    """Gaps of 16 bits have 65,536 symbols, but a code table of two of them is a few bytes."""
    table = varint(2) + bytes([1]) + packed([(1, 1), (1, 1)])
    stream = bytes([1]) + table + varint(1) + varint(1) + packed([(0, 1)])
    payload = bytes([16]) + varint(1) + stream + varint(1) + ONE + FREE
    data = file([(f"w{i}", SPARSE | CODED, (1,), payload) for i in range(300)])
    assert peak(lambda: archive.loads(data))[1] < 1 << 20


def test_a_large_net_takes_little_more_than_its_arrays():
    """16.8 MB that declared 256 MB took 2.5 GB: gaps and codes of one bit each."""
    n = 1 << 22
    gaps = bytes([0, 1]) + bytes(n // 8)
    codes = bytes([0, 1]) + b"\x55" * (n // 8)
    payload = bytes([1]) + varint(n) + gaps + varint(2) + ONE + np.float32(-1).tobytes() + codes
    for order in (0, COLUMNS):
        data = file([("w", SPARSE | CODED | order, (1 << 11, 1 << 11), payload)])
        net, memory = peak(lambda data=data: archive.loads(data))
        assert net.layers[0].weight.sum() == 0
        assert memory < (1 + bool(order)) * 4 * n + 20 * len(data) + (8 << 20)
        assert peak(lambda data=data: archive.describe_bytes(data))[1] < 20 * len(data) + (8 << 20)


# ------------------------------------------------------------------ limits


def test_layers_names_and_headers_have_limits():
    """18.8 MB of 2^20 tiny layers took 44 s."""
    layers = [(str(i), 0, (1,), ONE) for i in range(MAX_LAYERS)]
    assert len(archive.loads(file(layers)).layers) == MAX_LAYERS
    for data, message in (
        (file([*layers, ("more", 0, (1,), ONE)]), "declares 4,097 layers; at most 4,096"),
        (archive.MAGIC + b"\1" + section(varint(3) + b"net" + varint(MILLION)), "declares 1,048,576 layers"),
        (file([("n" * 1025, 0, (1,), ONE)]), "a name of 1,025 bytes in the header; at most 1,024"),
        (archive.MAGIC + b"\1" + varint(1 << 23 | 1), "the header would take 8,388,609 bytes; at most 8,388,608"),
    ):
        with pytest.raises(ArchiveError, match=message):
            archive.loads(data)


def test_the_caller_says_how_much_may_be_taken(tmp_path):
    net = StoredNet("net", (Layer("w", np.zeros((50, 20), np.float32), np.ones(50, np.float32), Coding(8)),))
    path, size = tmp_path / "net.dcz", 4 * 1050
    archive.save(path, net)
    for read in (lambda n: archive.load(path, max_bytes=n), lambda n: archive.loads(path.read_bytes(), max_bytes=n)):
        assert read(size).layers[0].weight.shape == (50, 20)
        for less in (size - 1, 4 * 1000 - 1, 100, 0):
            with pytest.raises(ArchiveError, match=f"takes more than the {less:,} bytes that the caller allows"):
                read(less)
    assert archive.describe(path, max_bytes=path.stat().st_size).dense_bytes == size
    with pytest.raises(ArchiveError, match="that the caller allows"):
        archive.describe(path, max_bytes=path.stat().st_size - 1)


# ------------------------------------------------------------------ what is no file, or no .dcz file


def test_the_magic_is_read_before_the_rest(tmp_path):
    """A sparse file of 5 GB took 25 s and 5.3 GB."""
    path = tmp_path / "large.dcz"
    for begin, message in ((b"", "not a .dcz file"), (archive.MAGIC + b"\1", "cut short: 1 more bytes of header")):
        with open(path, "wb") as large:
            large.write(begin)
            large.truncate(5 << 30)
        for read in (archive.load, archive.describe):
            with watched() as most, pytest.raises(ArchiveError, match=message):
                read(path)
            assert most() < 1 << 20
        with pytest.raises(ArchiveError, match="allows" if begin else "not a .dcz file"):
            archive.load(path, max_bytes=1 << 30)


@pytest.mark.skipif(sys.platform == "win32", reason="no such files there")
def test_what_is_no_regular_file_is_not_read(tmp_path):
    pipe = tmp_path / "pipe.dcz"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/zero", "/dev/null", tmp_path):
        for read in (archive.load, archive.describe):
            with pytest.raises(ArchiveError, match="cannot be read: "):
                read(path)
    with pytest.raises(ArchiveError, match="cannot be read: "):
        archive.load("a\0b")


def test_a_file_is_read_a_section_at_a_time(tmp_path):
    path, layer = tmp_path / "net.dcz", np.zeros((MILLION,), np.float32)
    archive.save(path, StoredNet("net", tuple(Layer(str(i), layer) for i in range(8))))
    found, memory = peak(lambda: archive.describe(path))
    assert found.dense_bytes == 8 * layer.nbytes
    assert memory < 2.5 * layer.nbytes


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "net.dcz"
    archive.save(path, StoredNet("net", tuple(Layer(str(i), np.ones(30_000, np.float32)) for i in range(3))))
    with archive_reader.opened(path) as reader:
        os.truncate(path, 200_000)
        with pytest.raises(ArchiveError, match="cut short while it was read"):
            archive_reader.read_net(reader, path)


def test_following_jumps_is_looking_one_after_the_other():
    rng = np.random.default_rng(0)
    jump = np.minimum(np.arange(500) + rng.integers(0, 9, 500), 499)
    for n in (1, 2, 3, 100, 700):
        at, expected = 0, []
        for _ in range(n):
            expected.append(at)
            at = int(jump[at])
        assert bits.follow(jump, n).tolist() == expected
