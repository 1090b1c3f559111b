import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dcviz import archive
from dcviz.archive import Coding, Layer, StoredNet, streams, writer
from dcviz.errors import ArchiveError, CodebookError, WeightError
from dcviz.pipeline import shipped

GOLDEN = Path(__file__).parent / "golden"


def bits_of(array):
    return np.asarray(array, np.float32).view(np.uint32)


def assert_same(first, second):
    assert first.name == second.name
    ours, theirs = first.state_dict(), second.state_dict()
    assert list(ours) == list(theirs)
    for key in ours:
        assert ours[key].shape == theirs[key].shape
        np.testing.assert_array_equal(bits_of(ours[key]), bits_of(theirs[key]))


def shared_weights(shape, density, k, seed=0):
    """Weights of which ``density`` are non-zero and take at most ``k`` values."""
    rng = np.random.default_rng(seed)
    values = np.sort(rng.normal(size=k).astype(np.float32))
    weights = values[rng.integers(k, size=shape)]
    weights[rng.random(shape) >= density] = 0
    return weights.astype(np.float32), values


def every_coding(values):
    for index_bits in (None, 1, 3, 5, 16):
        yield Coding(index_bits)
        for huffman in (False, True):
            for order in "CF":
                codebook = values if index_bits else np.concatenate([[0], values])
                yield Coding(index_bits, codebook, huffman=huffman, order=order)


@pytest.mark.parametrize("shape", [(7,), (30, 40), (4, 3, 5, 5)])
@pytest.mark.parametrize("density", [0.0, 0.03, 0.5, 1.0])
def test_every_stage_decodes_bit_for_bit_and_accounts_for_every_byte(shape, density, tmp_path):
    weights, values = shared_weights(shape, density, k=9)
    bias = np.linspace(-1, 1, shape[0], dtype=np.float32)
    for number, coding in enumerate(every_coding(values)):
        net = StoredNet("some net", (Layer("fc1", weights, bias, coding), Layer("scale", bias, bare=True)))
        path = tmp_path / f"{number}.dcz"
        size = archive.save(path, net)
        assert size == path.stat().st_size
        assert_same(archive.load(path), net)
        breakdown = archive.describe(path)
        assert sum(breakdown.parts.values()) == breakdown.file_bytes == size
        assert min(breakdown.parts.values()) >= 0
        assert breakdown.dense_bytes == 4 * (weights.size + 2 * bias.size)
        assert breakdown.layers[0].nonzeros == np.count_nonzero(weights)
        assert archive.dumps(archive.load(path)) == path.read_bytes(), "reading and writing again changes the file"


def test_fillers_are_counted_as_the_relative_index_makes_them(tmp_path):
    weights = np.zeros((1, 16), np.float32)
    weights[0, [1, 4, 15]] = 3.4, 0.9, 1.7  # Fig. 2: one filler at position 12 with 3 bits
    net = StoredNet("fig2", (Layer("fc", weights, None, Coding(3, np.unique(weights[weights != 0]))),))
    archive.save(tmp_path / "fig2.dcz", net)
    layer = archive.describe(tmp_path / "fig2.dcz").layers[0]
    assert (layer.nonzeros, layer.entries, layer.fillers, layer.codebook) == (3, 4, 1, 4)
    assert (layer.weight_bits, layer.index_bits) == (2.0, 3.0)


def test_a_negative_zero_is_a_weight_of_its_own():
    weights = np.array([0.0, -0.0, 1.0, -0.0], np.float32)
    for coding in (Coding(), Coding(4), Coding(4, np.array([-0.0, 1.0])), Coding(None, np.array([0.0, -0.0, 1.0]))):
        net = StoredNet("zeros", (Layer("w", weights, None, coding),))
        assert_same(archive.loads(archive.dumps(net)), net)
    with pytest.raises(CodebookError):
        archive.dumps(StoredNet("zeros", (Layer("w", weights, None, Coding(None, np.array([0.0, 1.0]))),)))


def test_both_zeros_may_stand_in_one_codebook():
    values = np.array([0.5, -0.0, 0.0, -0.0, 1.0, 0.0], np.float32)
    weights = values[np.random.default_rng(0).integers(6, size=(9, 50))]
    for index_bits in (None, 1, 3):
        for huffman in (False, True):
            coding = Coding(index_bits, values, np.float32([-0.0, 0.0]), huffman)
            net = StoredNet("zeros", (Layer("w", weights, np.float32([0.0, -0.0, 0.0]), coding),))
            read = archive.loads(archive.dumps(net))
            assert_same(read, net)
            assert_same(archive.loads(archive.dumps(read)), net)


def test_biases_may_share_values_too(tmp_path):
    weights, values = shared_weights((60, 20), 0.3, 7)
    bias = np.repeat(np.array([0.0, -0.5, 0.25], np.float32), 20)
    sizes = {}
    for huffman in (False, True):
        coding = Coding(4, values, np.unique(bias), huffman, bias_dtype="float16")
        net = StoredNet("net", (Layer("fc", weights, bias, coding),))
        assert_same(archive.loads(archive.dumps(net)), net)
        breakdown = archive.breakdown(net)
        assert sum(breakdown.parts.values()) == breakdown.file_bytes
        sizes[huffman] = breakdown.parts["biases"]
        assert archive.dumps(archive.loads(archive.dumps(net))) == archive.dumps(net)
    plain = archive.breakdown(StoredNet("net", (Layer("fc", weights, bias, Coding(4, values)),)))
    assert max(sizes.values()) < plain.parts["biases"] / 4
    with pytest.raises(CodebookError, match="bias of layer 'fc': 20 values are not in its codebook"):
        archive.dumps(StoredNet("net", (Layer("fc", weights, bias, Coding(4, values, np.array([-0.5, 0.0]))),)))


def test_huffman_is_used_only_where_it_is_shorter():
    weights, values = shared_weights((50, 60), 0.2, 15)

    def size(part, huffman):
        return archive.layer_bytes(Layer("w", part, None, Coding(5, values, huffman=huffman)))

    assert size(weights, True) < size(weights, False)
    assert size(weights[:1, :4], True) <= size(weights[:1, :4], False)


def test_float16_holds_exactly_what_was_rounded_to_it():
    weights = np.linspace(-1, 1, 12, dtype=np.float16).astype(np.float32).reshape(3, 4)
    net = StoredNet("half", (Layer("w", weights, weights[:, 0], Coding(dtype="float16", bias_dtype="float16")),))
    assert_same(archive.loads(archive.dumps(net)), net)
    with pytest.raises(WeightError, match="float16 cannot hold"):
        archive.dumps(StoredNet("half", (Layer("w", weights + np.float32(1e-6), None, Coding(dtype="float16")),)))
    with pytest.raises(WeightError, match="float16 cannot hold"):
        archive.dumps(StoredNet("half", (Layer("w", weights + np.float32(1e6), None, Coding(dtype="float16")),)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_refused_and_nothing_is_written(bad, tmp_path):
    weights = np.ones((3, 3), np.float32)
    weights[1, 1] = bad
    for layer in (Layer("fc7", weights), Layer("fc7", np.ones((3, 3), np.float32), weights[1])):
        with pytest.raises(WeightError, match=r"fc7.*1 NaN or infinite"):
            archive.save(tmp_path / "bad.dcz", StoredNet("net", (layer,)))
    assert list(tmp_path.iterdir()) == []


def test_other_bad_nets_are_refused():
    ok = np.ones((2, 2), np.float32)
    with pytest.raises(WeightError, match=r"'a'.* is empty"):
        archive.dumps(StoredNet("net", (Layer("a", np.zeros((0, 3), np.float32)),)))
    with pytest.raises(WeightError, match="'a' appears twice"):
        archive.dumps(StoredNet("net", (Layer("a", ok), Layer("a", ok))))
    with pytest.raises(CodebookError, match="layer 'a': 4 values are not in its codebook"):
        archive.dumps(StoredNet("net", (Layer("a", ok, None, Coding(3, np.array([0.5]))),)))
    with pytest.raises(WeightError, match="dtype must be one of"):
        archive.dumps(StoredNet("net", (Layer("a", ok, None, Coding(dtype="float8")),)))
    with pytest.raises(CodebookError, match="cannot be read as numbers"):
        archive.dumps(StoredNet("net", (Layer("a", ok, None, Coding(codebook=["x"])),)))


@pytest.mark.parametrize("order", ["K", "A", "c", None])
def test_an_order_that_would_give_other_weights_back_is_refused(order):
    weights = np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4))
    for index_bits in (None, 4):
        with pytest.raises(WeightError, match="layer 'w': order must be C or F, not"):
            archive.dumps(StoredNet("net", (Layer("w", weights, None, Coding(index_bits, order=order)),)))
        with pytest.raises(WeightError, match="order must be C or F"):
            archive.layer_bytes(Layer("w", weights, None, Coding(index_bits, order=order)))


ONES = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Layer("w", ONES, ONES), r"a bias must have one dimension, not the shape \(2, 3\)"),
        (Layer("w", ONES, ONES[0, 0]), "a bias must be a NumPy array of real numbers"),
        (Layer("w", ONES, np.ones(7, np.float32), Coding(bias_codebook=ONES[0, :1])), "no longer than the weights"),
        (Layer("w", ONES, ONES[0], bare=True), "is bare: it has no bias"),
        (Layer("w", np.float32(1)), "weights must be a NumPy array"),
        (Layer("w", np.ones((1,) * 9)), "an array of 1 to 8 dimensions"),
        (Layer("w", ONES.astype(complex)), "real numbers"),
        (Layer("w", ONES.astype(object)), "real numbers"),
        (
            Layer("w", np.broadcast_to(np.float32(0), (1 << 20, 1 << 21))),
            "has 2,199,023,255,552 weights; at most 1,099,511,627,776",
        ),
        (Layer("\ud800", ONES), "is no Unicode text"),
        (Layer("w" * 1025, ONES), "takes 1,025 bytes; at most 1,024 are possible"),
        (Layer("é" * 513, ONES), "takes 1,026 bytes"),
        (Layer(7, ONES), "must be text, not int"),
    ],
)
def test_the_writer_refuses_what_the_reader_would(layer, message):
    with pytest.raises(WeightError, match=message):
        archive.dumps(StoredNet("net", (layer,)))


def test_a_net_of_too_many_names_layers_or_weights_is_refused(monkeypatch):
    layers = tuple(Layer(str(i), ONES[:1, :1]) for i in range(4097))
    for net, message in (
        (StoredNet("\ud800", layers[:1]), "name of the net, .* is no Unicode text"),
        (StoredNet("n" * 1025, layers[:1]), "name of the net, .* takes 1,025 bytes"),
        (StoredNet("net", layers[:1] * 65_537), "has 65,537 records; at most 65,536"),
    ):
        with pytest.raises(WeightError, match=message):
            archive.dumps(net)
    most = StoredNet("n" * 1024, layers[:4096])
    assert_same(archive.loads(archive.dumps(most)), most)
    for limit, value in (("MAX_WEIGHTS", 99), ("MAX_ARRAYS", 396), ("ARRAYS_PER_BYTE", 3)):
        monkeypatch.setattr(streams, limit, value)
    pruned = Layer("w", np.zeros((10, 10), np.float32), None, Coding(9))
    with pytest.raises(WeightError, match="has layers of 400 bytes in a file of 12; at most 396 bytes, or 3 for each"):
        archive.dumps(StoredNet("net", (pruned,)))


def test_more_layers_or_weights_than_version_1_can_hold_make_version_2(monkeypatch):
    layers = tuple(Layer(str(i), ONES[:1, :1] * i) for i in range(4097))
    for count, version in ((4096, 1), (4097, 2)):
        data = archive.dumps(StoredNet("net", layers[:count]))
        assert data[4] == version
        assert_same(archive.loads(data), StoredNet("net", layers[:count]))
    monkeypatch.setattr(streams, "MAX_WEIGHTS", 6)
    assert [archive.dumps(StoredNet("net", (Layer("w", w),)))[4] for w in (ONES, np.ones(7, np.float32))] == [1, 2]


def test_more_values_than_a_huffman_code_has_words_are_kept_at_fixed_length():
    values = np.arange(1 << 20 | 1, dtype=np.float32)
    net = StoredNet("many", (Layer("w", values, None, Coding(None, values, huffman=True)),))
    assert_same(archive.loads(archive.dumps(net)), net)


def example_file():
    weights, values = shared_weights((40, 50), 0.1, 12)
    layers = (
        Layer("fc1", weights, np.arange(40, dtype=np.float32), Coding(4, values, huffman=True)),
        Layer("fc2", *2 * (weights[:, 0].copy(),), Coding()),
    )
    return StoredNet("lenet", layers), archive.dumps(StoredNet("lenet", layers))


def test_every_cut_of_a_file_is_refused():
    _, data = example_file()
    for length in range(len(data)):
        with pytest.raises(ArchiveError):
            archive.loads(data[:length])
    with pytest.raises(ArchiveError, match="1 bytes too many"):
        archive.loads(data + b"\0")


def test_every_single_changed_byte_is_refused():
    net, data = example_file()
    for place in range(len(data)):
        for change in (0x01, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[place] ^= change
            with pytest.raises(ArchiveError):
                archive.loads(bytes(damaged))
    assert_same(archive.loads(data), net)


def _sections(data):
    """[(payload start, payload end)] of a file's sections."""
    at, found = 5, []
    while at < len(data):
        length = shift = 0
        while True:
            byte = data[at]
            length |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                break
        found.append((at, at + length))
        at += length + 4
    return found


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_hostile_payloads_with_true_checksums_give_archive_errors_only(data):
    """Whoever recomputes the checksum gets past it; then every field must hold on its own."""
    _, good = example_file()
    damaged = bytearray(good)
    start, end = data.draw(st.sampled_from(_sections(good)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(start, end - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    damaged[end : end + 4] = zlib.crc32(bytes(damaged[start:end])).to_bytes(4, "little")
    try:
        net = archive.loads(bytes(damaged))
    except ArchiveError:
        return
    assert all(np.isfinite(value).all() for value in net.state_dict().values())


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_archive_errors_only(data):
    for bytes_ in (data, archive.MAGIC + data, archive.MAGIC + bytes([archive.VERSION]) + data):
        with pytest.raises(ArchiveError):
            archive.loads(bytes_)


def test_a_file_that_declares_too_much_is_refused_before_memory_is_taken():
    header = streams.Writer()
    header.text("bomb")
    header.varint(1)
    header.text("w")
    header.byte(0)
    header.byte(2)
    header.varint(1 << 31)
    header.varint(1 << 31)
    file = streams.Writer(archive.MAGIC + bytes([archive.VERSION]))
    for piece in header.section():
        file.raw(piece)
    with pytest.raises(ArchiveError, match="declares the shape"):
        archive.loads(bytes(file))


def test_a_constant_layer_of_any_size_comes_back():
    for size in (streams.MAX_FREE, streams.MAX_FREE + 1):
        weights = np.full((1, size), 0.5, np.float32)
        for index_bits in (None, 3):
            net = StoredNet("flat", (Layer("w", weights, None, Coding(index_bits, weights[0, :1], huffman=True)),))
            assert_same(archive.loads(archive.dumps(net)), net)


def test_a_few_bytes_cannot_ask_for_many_entries():
    header = streams.Writer()
    header.text("bomb")
    header.varint(1)
    header.text("w")
    header.byte(2)  # codes for every position
    header.byte(1)
    header.varint(1 << 27)
    payload = streams.Writer()
    payload.varint(1)
    payload.raw(b"\0\0\x80\x3f")
    payload.raw(bytes([0, 0]))  # fixed-length codes of no bits
    file = streams.Writer(archive.MAGIC + bytes([archive.VERSION]))
    for piece in header.section():
        file.raw(piece)
    for piece in payload.section():
        file.raw(piece)
    with pytest.raises(ArchiveError, match="in no bits"):
        archive.loads(bytes(file))


def golden_net():
    """Weights by a formula, so that no library's random numbers are part of the file."""
    steps = np.arange(600).reshape(20, 30)
    weights = np.where(steps * 7919 % 10 < 2, (steps * 31 % 7 - 3) / 4, 0).astype(np.float32)
    bias = (np.arange(20) % 3 / 8).astype(np.float32)
    weights[0, :2] = -0.0, 3.0
    values = np.unique(np.abs(weights[weights != 0]))
    coded = Coding(4, values, np.unique(bias), True, "float16", "float16", "F")
    layers = (
        Layer("conv1", weights.reshape(20, 30, 1, 1), bias, Coding()),
        Layer("fc1", weights, bias, Coding(5)),
        Layer("fc2", np.abs(weights), bias, Coding(3, values)),
        Layer("fc3", np.abs(weights), bias, coded),
        Layer("scale", bias, bare=True),
    )
    return StoredNet("a golden net", layers)


def test_a_file_of_every_format_version_stays_readable():
    assert_same(archive.load(GOLDEN / "version-1.dcz"), golden_net())
    assert archive.dumps(golden_net()) == (GOLDEN / "version-1.dcz").read_bytes(), "the same bytes, while 1 is current"


def test_messages_name_the_file_and_the_fault(tmp_path):
    path = tmp_path / "net.dcz"
    with pytest.raises(ArchiveError, match=r"net\.dcz cannot be read"):
        archive.load(path)
    path.write_bytes(b"PK\x03\x04 not ours")
    with pytest.raises(ArchiveError, match=r"net\.dcz: not a \.dcz file"):
        archive.load(path)
    path.write_bytes(archive.MAGIC + b"\x63")
    with pytest.raises(ArchiveError, match="format version 99"):
        archive.describe(path)
    _, data = example_file()
    path.write_bytes(data[:-10] + bytes([data[-10] ^ 1]) + data[-9:])
    with pytest.raises(ArchiveError, match=r"net\.dcz: layer 'fc2' is damaged: its checksum"):
        archive.load(path)


def test_saving_over_a_file_replaces_it_whole_or_not_at_all(tmp_path):
    net, data = example_file()
    path = tmp_path / "net.dcz"
    archive.save(path, net)
    bad = StoredNet("bad", (Layer("w", np.array([np.nan], np.float32)),))
    with pytest.raises(WeightError):
        archive.save(path, bad)
    assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


def test_the_length_of_a_file_is_known_without_holding_it():
    net = StoredNet("net", (Layer("fc", np.arange(12, dtype=np.float32).reshape(3, 4), np.ones(3, np.float32)),))
    assert archive.file_bytes(net) == len(archive.dumps(net))
    assert archive.describe_bytes(archive.dumps(net)).file_bytes == archive.file_bytes(net)


def test_a_bias_that_its_type_cannot_hold_is_refused_by_name():
    layer = Layer("fc1", np.ones((1, 2), np.float32), np.array([1 / 3], np.float32), Coding(bias_dtype="float16"))
    with pytest.raises(WeightError, match=r"^bias of layer 'fc1' .* float16"):
        archive.dumps(archive.StoredNet("mine", (layer,)))


def test_the_shortest_coding_is_found_as_if_each_were_written():
    rng = np.random.default_rng(0)
    weight = (rng.integers(1, 5, (30, 40)) * (rng.random((30, 40)) < 0.05)).astype(np.float32)
    layer = Layer("fc", weight)
    values = np.float32([1, 2, 3, 4])
    codings = [Coding(b, values, huffman=True, order=o) for b in (2, 3, 4, 5, 6, 9) for o in ("C", "F")]
    codings += [Coding(None, np.float32([0, 1, 2, 3, 4]), huffman=True), Coding()]
    sizes = [archive.layer_bytes(replace(layer, coding=coding)) for coding in codings]
    assert archive.shortest(layer, codings).coding is codings[sizes.index(min(sizes))]
    assert archive.shortest(layer, codings[-1:]).coding is codings[-1]
    assert archive.shortest(layer, codings[:1] * 2).coding is codings[0]


def exhaustive(layer, codings):
    sizes = [archive.layer_bytes(replace(layer, coding=coding)) for coding in codings]
    return codings[sizes.index(min(sizes))]


@settings(max_examples=20)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 40), st.integers(1, 90)),
    st.sampled_from([0, 0.002, 0.05, 0.3, 1]),
    st.integers(1, 40),
    st.booleans(),
)
def test_the_shortest_coding_is_found_without_writing_each(seed, shape, density, values, shared_bias):
    rng = np.random.default_rng(seed)
    skewed = rng.geometric(0.3, shape).clip(0, values) * rng.choice([-1, 1], shape)
    weight = np.where(rng.random(shape) < density, skewed, 0).astype(np.float32)
    weight[rng.random(shape) < 0.001] = -0.0  # an entry like any other
    bias = rng.integers(-3, 4, shape[0]).astype(np.float32) if shape[0] <= weight.size else None
    codebook = np.unique(np.append(weight, np.float32(values)).view(np.uint32)).view(np.float32)
    if rng.random() < 0.5:
        codebook = codebook[codebook.view(np.uint32) != 0]
    shared = Coding(
        codebook=codebook, bias_codebook=np.unique(bias) if shared_bias else None, huffman=True, dtype="float16"
    )
    codings = [
        replace(shared, index_bits=bits, order=order, huffman=huffman)
        for bits in (1, 2, 3, 4, 5, 8, 16)
        for order in "CF"
        for huffman in (True, False)
    ]
    codings += [Coding(index_bits=bits, order=order) for bits in (1, 2, 3, 5, 8, 16) for order in "CF"]
    codings += [Coding(), replace(shared, codebook=np.append(codebook, 99).astype(np.float32))]
    codings[-1] = replace(codings[-1], index_bits=int(rng.integers(1, 9)))
    rng.shuffle(codings)
    layer = Layer("fc", weight, bias)
    assert archive.shortest(layer, codings).coding is exhaustive(layer, codings)


def test_of_codings_without_a_codebook_the_shortest_alone_is_written(monkeypatch):
    written, write_layer = [], writer.write_layer
    monkeypatch.setattr(writer, "write_layer", lambda *args: (written.append(args), write_layer(*args))[1])
    weight = np.zeros((40, 50), np.float32)
    weight.flat[::23] = np.arange(1, 88)
    codings = [Coding(index_bits=bits, order=order) for bits in range(2, 11) for order in "CF"]
    assert archive.shortest(Layer("fc", weight), codings).coding.index_bits == 5
    assert len(written) == 1


@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5"])
def test_the_shortest_coding_of_a_shipped_layer_is_found_without_writing_each(name):
    for layer in shipped.compressed(name).layers:
        if isinstance(layer, Layer) and layer.coding.index_bits is not None:
            codings = [replace(layer.coding, index_bits=bits, order=order) for bits in range(2, 9) for order in "CF"]
            assert archive.shortest(layer, codings).coding is exhaustive(layer, codings), layer.name
