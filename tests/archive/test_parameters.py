"""Version 2 of the file: tensors of any type, kept or coded, and ties; record by record."""

from pathlib import Path

import numpy as np
import pytest
from random_files import section
from test_archive_costs import peak, watched

from dcviz import archive
from dcviz.archive import Coding, Kept, Layer, Lossless, More, StoredNet, Tie, reader as archive_reader, streams
from dcviz.errors import ArchiveError, WeightError

GOLDEN = Path(__file__).parent / "golden" / "version-2.dcz"
HALVES = (np.arange(60).reshape(5, 12) * 7 % 5 - 2).astype(np.float32) / 4


INTEGERS = {"bfloat16": "<u2", "float16": "<f2", "float32": "<f4", "float64": "<f8"}


def golden_net():
    """Records of every kind by a formula, so that no library's random numbers are part of the file."""
    pruned = np.where(np.arange(60).reshape(5, 12) % 7 < 2, HALVES, 0).astype(np.float32)
    values = np.unique(pruned[pruned != 0])
    coded = Coding(3, values, np.unique(HALVES[:, 0]), True, "float16", "float16", "F")
    kept = [
        Kept(f"kept.{dtype}", np.arange(6).reshape(2, 3).astype(held), dtype) for dtype, held in archive.DTYPES.items()
    ]
    odd = np.array([np.nan, -0.0, np.inf, -np.inf, 1e-45], np.float32)
    return StoredNet(
        "a golden net of version 2",
        (
            Layer("fc1", HALVES, HALVES[:, 0].copy(), Coding()),
            Layer("half", HALVES, HALVES[:, 0].copy(), Coding(dtype="float16", bias_dtype="float16"), dtype="float16"),
            Layer("brain", pruned, None, Coding(4, values, dtype="bfloat16"), True, "bfloat16"),
            Layer("shared", pruned, HALVES[:, 0].copy(), coded, dtype="float32"),
            Layer("double", pruned / np.float64(3), None, Coding(5, dtype="float64"), dtype="float64"),
            Layer("narrow", pruned.astype(np.float64), None, Coding(5, dtype="float16"), dtype="float64"),
            *(Kept(k.name, k.array.astype(bool), "bool") if k.dtype == "bool" else k for k in kept),
            Kept("odd", odd),
            Kept("scalar", np.array(7, np.int64)),
            Kept("empty", np.zeros((0, 3), np.float32)),
            *(Lossless(f"planes.{d}", (np.arange(16) * 4051).astype(h), d) for d, h in INTEGERS.items()),
            Layer("long", HALVES, None, Coding(4), True),
            More(Layer("long", HALVES[:2], None, Coding(), True)),
            More(Kept("long", HALVES[:1] * 2)),
            More(Lossless("long", HALVES[:3])),
            Tie("again", "fc1.bias"),
            Tie("twice", "fc1.bias"),
            Tie("once more", "scalar"),
        ),
    )


NET = golden_net()
DATA = archive.dumps(NET)


def assert_same(first, second):
    assert first.name == second.name
    ours, theirs = first.state_dict(), second.state_dict()
    assert list(ours) == list(theirs)
    for key in ours:
        assert ours[key].dtype == theirs[key].dtype
        assert ours[key].shape == theirs[key].shape
        assert ours[key].tobytes() == theirs[key].tobytes(), key
    assert first.dtypes() == second.dtypes()
    assert first.ties() == second.ties()


def test_every_kind_of_record_comes_back_bit_for_bit(tmp_path):
    path = tmp_path / "net.dcz"
    assert archive.save(path, NET) == len(DATA) == path.stat().st_size
    read = archive.load(path)
    assert_same(read, NET)
    assert archive.dumps(read) == DATA
    assert read.dtypes()["brain"] == "bfloat16"
    assert read.state_dict()["again"] is read.state_dict()["fc1.bias"]


def test_the_golden_file_of_version_2_stays_readable():
    assert GOLDEN.read_bytes()[4] == 2
    assert_same(archive.load(GOLDEN), NET)
    assert GOLDEN.read_bytes() == DATA, "the same bytes, while 2 is current"


def test_every_byte_is_charged():
    found = archive.describe_bytes(DATA)
    assert sum(found.parts.values()) == found.file_bytes == len(DATA)
    assert min(found.parts.values()) >= 0
    assert found.version == 2
    pieces = [record.piece if isinstance(record, More) else record for record in NET.layers]
    assert found.parts["kept"] == sum(piece.array.nbytes for piece in pieces if type(piece) is Kept)
    assert found.dense_bytes == NET.dense_bytes() == sum(layer.dense_bytes for layer in found.layers)
    assert [layer.kind for layer in found.layers][-4:] == ["lossless", "tie", "tie", "tie"]
    assert found.layers[-1].file_bytes == len("once more") + 1 + 1 + 1 + 1 + 4, "length, kind, name, number, checksum"
    assert found.layers[1].dense_bytes == 2 * (60 + 5)
    assert "float16" in found.sentence


def test_a_net_that_version_1_can_hold_is_written_as_version_1():
    first, *_ = NET.layers
    for layers, version in (
        ((first,), 1),
        ((first, Kept("k", HALVES)), 2),
        ((Layer("w", HALVES, coding=Coding(dtype="float64")),), 2),
        ((Layer("w", HALVES, dtype="float64"),), 2),
    ):
        net = StoredNet("net", layers)
        assert archive.dumps(net)[4] == version
        assert_same(archive.loads(archive.dumps(net)), net)


def test_every_cut_of_a_file_is_refused():
    for length in range(len(DATA)):
        with pytest.raises(ArchiveError):
            archive.loads(DATA[:length])
    with pytest.raises(ArchiveError, match="1 bytes too many"):
        archive.loads(DATA + b"\0")


def test_records_in_each_others_places_are_refused():
    places = [slice(start - 1, end + 4) for start, end in _sections(DATA) if end - start < 128]
    one, two = [place for place in places if DATA[place][1:2] == b"\2"][:2]
    swapped = DATA[: one.start] + DATA[two] + DATA[one.stop : two.start] + DATA[one] + DATA[two.stop :]
    assert len(swapped) == len(DATA)
    with pytest.raises(ArchiveError, match="is damaged: its checksum does not match"):
        archive.loads(swapped)


def test_every_single_changed_byte_is_refused():
    for place in range(len(DATA)):
        damaged = bytearray(DATA)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(ArchiveError):
            archive.loads(bytes(damaged))


def file(*payloads, count=None, head=None):
    """A file of version 2 out of the payloads of its records."""
    header = streams.Writer(b"\3net\0")
    header.varint(len(payloads) if count is None else count)
    whole = streams.Writer(archive.MAGIC + b"\2")
    whole.raw(section(head or bytes(header)))
    for number, payload in enumerate(payloads):
        whole.raw(section(payload, number))
    return bytes(whole)


ONE = np.float32(1).tobytes()
W = b"\0\1w\x80\0\1\1" + ONE
K = b"\1\1k\x08\1\2ab"
HALF_OF_FLOAT = b"\0\1w\x80" + bytes([1]) + b"\1\1" + np.float32(1 + 2**-20).tobytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (file(head=b"\3net\2\0"), "the file has features (2) that this dcviz does not know"),
        (file(head=b"\3net\0\x81\x80\4"), "the header declares 65,537 records; at most 65,536 are possible"),
        (file(W, count=2), "cut short: 1 more bytes of header expected, 0 left"),
        (file(W, K, count=1), "13 bytes too many at the end of the file"),
        (file(b"\7\1w"), "record 0 is of a kind (7) that this dcviz does not know"),
        (file(W, W), "two tensors have the key 'w'"),
        (file(W + b"x"), "1 bytes too many at the end of layer 'w'"),
        (file(W.replace(b"\x80\0\1", b"\x84\0\1")), "layer 'w' has flags that exclude each other"),
        (file(W.replace(b"\x80\0\1", b"\x80\x10\1")), "layer 'w' has flags that exclude each other"),
        (file(W.replace(b"\x80\0\1", b"\x80\x40\1")), "layer 'w' has flags that exclude each other"),
        (file(HALF_OF_FLOAT), "layer 'w' holds values that are not exactly float16"),
        (file(b"\0\1w\x80\1\1\1" + np.float32(1e6).tobytes()), "layer 'w' holds values that are not exactly float16"),
        (file(b"\0\1w\x80\x0c\1\1" + np.float64(0.1).tobytes()), "layer 'w' holds values that are not exactly float32"),
        (file(b"\0\1w\x80\x0a\1\1\x80\x7f"), "layer 'w' holds NaN or infinite values"),
        (file(b"\0\1w\x80\0\2" + 2 * b"\x80\x80\x80\1"), "layer 'w' declares the shape (2097152, 2097152), beyond 1"),
        (file(K + b"c"), "1 bytes too many at the end of tensor 'k'"),
        (file(K[:-1]), "cut short: 2 more bytes of kept expected, 1 left"),
        (file(b"\1\1k\x63\1\2ab"), "tensor 'k' is of a type (99) that this dcviz does not know"),
        (file(b"\1\1k\x08\x09" + b"\1" * 9 + b"a"), "tensor 'k' declares 9 dimensions"),
        (file(b"\1\1k\x08\3\0" + 2 * b"\x80\x80\x80\1"), "tensor 'k' declares the shape (0, 2097152, 2097152), beyond"),
        (file(b"\1\1k\x0c\1\2\1\2"), "tensor 'k' has truth values other than 0 and 1"),
        (file(K, b"\2\1t\1"), "tie 't' is to tensor 1 of 1"),
        (file(K, b"\2\1t\0", b"\2\1u\1"), "tie 'u' is to 't', a tie itself"),
        (file(K, b"\2\1k\0"), "two tensors have the key 'k'"),
        (file(K, b"\2\1t\0x"), "1 bytes too many at the end of tie 't'"),
    ],
)
def test_each_fault_has_its_sentence(data, message):
    for read in (archive.loads, archive.describe_bytes):
        with pytest.raises(ArchiveError) as error:
            read(data)
        assert str(error.value).partition(": ")[2].startswith(message)


def test_what_is_refused_is_one_byte_away_from_what_is_read():
    read = archive.loads(file(W, K, b"\2\1t\1"))
    assert read.state_dict()["w"].tolist() == [1.0]
    assert read.state_dict()["t"].tobytes() == b"ab"


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ((Kept("k", np.ones(2), "float8"),), "dtype must be one of"),
        ((Kept("k", np.ones(2), "float32"),), "float32 is held by a NumPy array of float32"),
        ((Kept("k", HALVES, "bfloat16"),), "bfloat16 is held by a NumPy array of uint16"),
        ((Kept("k", np.array(["a"], object)),), "dtype must be one of"),
        ((Kept("k", [1.0], "float64"),), "held by a NumPy array"),
        ((Kept("k", np.ones((1,) * 9)),), "9 dimensions; at most 8"),
        ((Kept("k", np.broadcast_to(np.int8(0), (0, 1 << 30, 1 << 30))),), "at most 1,099,511,627,776 numbers"),
        ((Kept("k" * 1025, np.ones(2)),), "takes 1,025 bytes"),
        ((Tie("t", "k"),), "'t' is tied to 'k', which is no tensor that stands before it"),
        ((Tie("t", None),), "is tied to None"),
        ((Kept("k", np.ones(2)), Tie("t", "k"), Tie("u", "t")), "'u' is tied to 't'"),
        ((Kept("k", np.ones(2)), Tie("k", "k")), "tie 'k' appears twice"),
        ((Kept("k.bias", HALVES), Layer("k", HALVES, HALVES[0])), "layer 'k' appears twice"),
        ((Layer("w", HALVES / 3, dtype="float16"),), "float16 cannot hold exactly"),
        ((Layer("w", HALVES, HALVES[0] / 3, dtype="bfloat16"),), "bias of layer 'w' has values that bfloat16 cannot"),
        ((Layer("w", HALVES, coding=Coding(codebook=HALVES / 3), dtype="float16"),), "codebook of layer 'w' has"),
        ((Layer("w", HALVES / 3.0, dtype="float32", coding=Coding(dtype="bfloat16")),), "bfloat16 cannot hold"),
        ((Layer("w", HALVES, dtype="int8"),), "dtype must be one of"),
        (("a string",), "not as str"),
    ],
)
def test_the_writer_refuses_what_the_reader_would(records, message):
    with pytest.raises(WeightError, match=message):
        archive.dumps(StoredNet("net", records))


def test_records_are_written_and_read_one_by_one(tmp_path):
    path, million = tmp_path / "net.dcz", 1 << 20
    made = (Kept(str(i), np.full(million, i, np.float32)) for i in range(16))
    size, memory = peak(lambda: archive.save_records(path, "net", 16, made))
    assert size == path.stat().st_size > 16 * 4 * million
    assert memory < 3 * 4 * million

    def total():
        with archive.open_records(path) as records:
            assert (records.name, records.count, records.version) == ("net", 16, 2)
            return sum(float(record.array[0]) for record in records)

    found, memory = peak(total)
    assert found == sum(range(16))
    assert memory < 3 * 4 * million
    assert peak(lambda: archive.describe(path))[1] < 3 * 4 * million


def test_records_of_version_1_are_read_one_by_one_too(tmp_path):
    net = StoredNet("net", NET.layers[:1])
    archive.save(tmp_path / "net.dcz", net)
    with archive.open_records(tmp_path / "net.dcz") as records:
        assert_same(StoredNet(records.name, tuple(records)), net)
        assert records.version == 1


def test_other_numbers_of_records_than_were_said_leave_no_file(tmp_path):
    for count in (0, 2):
        with pytest.raises(WeightError, match=f"was to have {count} records, but 1 came"):
            archive.save_records(tmp_path / "net.dcz", "net", count, iter(NET.layers[:1]))
    assert list(tmp_path.iterdir()) == []


def test_a_few_bytes_cannot_ask_for_much_memory():
    million = 1 << 20
    pruned = b"\x80\x80\x80\x80\1"  # 2^28 weights of which none is stored
    record = b"\0\1%c\x81\0\1" + pruned + b"\4\0\0\0"
    data = file(*(record.replace(b"%c", bytes([i])) for i in range(65, 70)))
    with pytest.raises(ArchiveError, match=r"its layers up to 'B' declare 2,147,483,648 bytes of weights"):
        archive.describe_bytes(data)
    with watched() as most, pytest.raises(ArchiveError, match="more than the 1,048,576 bytes that the caller allows"):
        archive.loads(data, max_bytes=million)
    assert most() < million
    ties = file(K, *(b"\2\2%c%c\0" % (i // 100 + 1, i % 100 + 1) for i in range(5000)))
    assert peak(lambda: archive.loads(ties))[1] < 16 * million


def test_a_record_costs_a_kilobyte():
    record = b"\1%b\0\1\1" + ONE
    many = file(*(record.replace(b"%b", b"\4%04d" % i) for i in range(4096)))
    for read in (archive.describe_bytes, archive.loads):
        found, memory = peak(lambda read=read: read(many))
        assert len(found.layers) == 4096
        assert memory < 4096 * 1024 + (1 << 20)


def test_rows_follow_on_bare_layers_and_tensors_alone():
    layer, row = Layer("w", HALVES), Layer("w.weight", HALVES[:1], bare=True)
    for before in ((layer,), (Layer("w", HALVES, HALVES[0]),), (Kept("w.weight", np.array(1.0)),), ()):
        with pytest.raises(WeightError, match=r"more of 'w\.weight' does not follow on rows"):
            archive.dumps(StoredNet("net", (*before, More(row))))
    body = b"\1\1" + ONE
    for key in (b"\x0aw.weight", b"\6w.bias"):
        bare = b"\0\1w\x10\0" + body + b"\1" + ONE
        more = b"\4\0" + bytes([len(key) - 1]) + key[1:] + b"\x80\0" + body
        with pytest.raises(ArchiveError, match="does not follow on rows"):
            archive.loads(file(bare, more))


def test_the_writer_counts_what_the_reader_will(monkeypatch):
    for limit, value in (("MAX_ARRAYS", 999), ("ARRAYS_PER_BYTE", 3)):
        monkeypatch.setattr(streams, limit, value)
    net = StoredNet("net", (Lossless("w", np.zeros(500, np.float32)),))
    with pytest.raises(WeightError, match="has layers of 2,000 bytes in a file of 15"):
        archive.dumps(net)


def test_the_caller_says_how_much_may_be_taken():
    size = NET.dense_bytes() + 2 * 65 + 2 * 60  # float16 and bfloat16 layers lie in float32 arrays
    assert_same(archive.loads(DATA, max_bytes=max(size, len(DATA))), NET)
    data = archive.dumps(StoredNet("n", (Kept("k", np.zeros(1000, np.float32)), Layer("w", HALVES, dtype="float16"))))
    for less in (4000 + 239, 3999):
        with pytest.raises(ArchiveError, match="that the caller allows"):
            archive.loads(data, max_bytes=less)


def test_bfloat16_rounds_as_torch_does():
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(0).integers(0, 1 << 32, 100_000, np.uint64).astype(np.uint32).view(np.float32)
    values = np.concatenate([values, np.float32([0, -0.0, np.inf, -np.inf, 3.4e38, 1e-45])])
    values = values[~np.isnan(values)]
    theirs = torch.from_numpy(values).bfloat16()
    ours = archive.narrowed(values, "bfloat16")
    assert np.array_equal(ours, theirs.view(torch.uint16).numpy())
    assert np.array_equal(archive.widened(ours, "bfloat16"), theirs.float().numpy())
    assert np.isnan(archive.widened(archive.narrowed(np.float32([np.nan]), "bfloat16"), "bfloat16")).all()


def test_hostile_payloads_with_true_checksums_give_archive_errors_only():
    rng, sound = np.random.default_rng(0), 0
    places = list(_sections(DATA))
    for _ in range(250):
        which = int(rng.integers(len(places)))
        start, end = places[which]
        damaged = bytearray(DATA)
        for _ in range(rng.integers(1, 4)):
            damaged[rng.integers(start, end)] = rng.integers(256)
        damaged[end : end + 4] = section(bytes(damaged[start:end]), max(which - 1, 0))[-4:]
        try:
            net = archive.loads(bytes(damaged), max_bytes=1 << 22)
        except ArchiveError:
            continue
        sound += 1
        assert archive.dumps(archive.loads(archive.dumps(net))) == archive.dumps(net)
    assert 15 < sound < 235


def _sections(data):
    reader = streams.Reader(data)
    reader.raw(5, "header")
    while reader.left:
        size = reader.varint("header")
        start = reader.size - reader.left
        yield start, start + size
        reader.raw(size + 4, "header")


def test_a_kind_is_read_and_written():
    kinds = {DATA[start] for start, _ in list(_sections(DATA))[1:]}
    assert kinds == {0, 1, 2, 3, 4}
    assert set(archive_reader._KINDS) == kinds | {5}, "live blocks have a golden file of their own"
