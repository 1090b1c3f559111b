"""Files made by hand, with true checksums: each is refused for its one fault, in words that name the place."""

import numpy as np
import pytest

from dcviz import archive
from dcviz.archive import Coding, Layer, StoredNet, streams
from dcviz.archive.streams import MAX_CHUNK, MAX_WEIGHTS, Reader, Writer, read_symbols
from dcviz.archive.types import BIAS, CODED, SPARSE
from dcviz.errors import ArchiveError
from dcviz.ideas import bitstream, huffman

ONE = np.float32(1).tobytes()


def header(*layers, name=b"net", more=b""):
    """The header's section: records (name, flags, shape) of layers."""
    writer = Writer()
    writer.varint(len(name))
    writer.raw(name)
    writer.varint(len(layers))
    for layer, flags, shape in layers:
        writer.text(layer)
        writer.byte(flags)
        writer.byte(len(shape))
        for side in shape:
            writer.varint(side)
    writer.raw(more)
    return writer


def file(*payloads, more=b""):
    whole = Writer(archive.MAGIC + bytes([archive.VERSION]))
    for payload in payloads:
        for piece in Writer(payload).section():
            whole.raw(piece)
    whole.raw(more)
    return bytes(whole)


W = ("w", 0, (1,))
BROKEN = bytearray(file(header(W), ONE))
BROKEN[6] ^= 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes(BROKEN), "the header is damaged: its checksum does not match"),
        (file(header(W), ONE, more=b"ab"), "2 bytes too many at the end of the file"),
        (file(header(W, more=b"a"), ONE), "1 bytes too many at the end of the header"),
        (file(header(W), ONE + b"abc"), "3 bytes too many at the end of layer 'w'"),
        (file(header(W, name=b"\xff"), ONE), "a name in the header is not UTF-8"),
        (file(header(("w", 0, ()))), "layer 'w' declares 0 dimensions"),
        (file(header(("w", 0, (1,) * 9)), ONE), "layer 'w' declares 9 dimensions"),
        (file(header(("w", 0, (MAX_WEIGHTS,)), W)), f"the header declares more than {MAX_WEIGHTS:,} weights"),
        (file(header(("w", SPARSE, (1,))), b"\0"), "layer 'w' declares 0 index bits; 1 to 16 are possible"),
        (file(header(("w", SPARSE, (1,))), b"\x11"), "layer 'w' declares 17 index bits; 1 to 16 are possible"),
        (file(header(("w", SPARSE, (1,))), b"\1\2"), "layer 'w' declares 2 entries for 1 weights"),
        (file(header(W, W), ONE, ONE), "two layers have the same name"),
        (
            file(header(("w", BIAS, (1,))), ONE + b"\1" + np.float32(np.inf).tobytes()),
            "layer 'w' holds NaN or infinite values",
        ),
        (file(header(("w", CODED, (1,))), b"\0\0\0"), "a symbol among the weight_bits lies outside its alphabet of 0"),
        (
            file(header(("w", CODED, (2,))), b"\1" + ONE + b"\1\1\1\0"),
            "a code table ends in the middle of a run of absent symbols",
        ),
        (
            file(header(("w", CODED, (2,))), b"\1" + ONE + b"\1\1\6\0"),
            "a code table of 1 fields of 6 bits for 1 symbols",
        ),
        (
            file(header(("w", CODED, (2,))), b"\1" + ONE + b"\2"),
            "weight_bits are coded in a way (2) that this dcviz does not know",
        ),
    ],
)
def test_each_fault_has_its_sentence(data, message):
    with pytest.raises(ArchiveError) as error:
        archive.loads(data)
    assert str(error.value).partition(": ")[2] == message


def test_what_is_refused_is_one_byte_away_from_what_is_read():
    assert archive.loads(file(header(W), ONE)).layers[0].weight.tolist() == [1.0]
    assert archive.loads(file(header(("w", 0, (1,) * 8)), ONE)).layers[0].weight.shape == (1,) * 8


@pytest.mark.parametrize("chunk", [1, 5, MAX_CHUNK])
def test_chunks_of_any_length_up_to_the_longest_are_read(chunk):
    symbols = np.arange(12) % 3
    lengths = huffman.code_lengths([4, 4, 4])
    stream = bitstream.encode(symbols, lengths, chunk)
    writer = Writer([1])
    streams._write_table(writer, lengths)
    writer.varint(chunk)
    least = int(stream.chunk_bits.min())
    writer.varint(least)
    if len(stream.chunk_bits) > 1:
        writer.byte(8)
        writer.raw((stream.chunk_bits - least).astype(np.uint8).tobytes())
    writer.raw(stream.data)
    found = read_symbols(Reader(bytes(writer)), 12, 3, "weight_bits")
    assert found.symbols.tolist() == symbols.tolist()
    assert found.bits(np.ones(12, bool)) == int(stream.chunk_bits.sum())


@pytest.mark.parametrize(("chunk", "whole"), [(0, "0"), (MAX_CHUNK + 1, "131,073")])
def test_other_chunks_are_refused(chunk, whole):
    writer = Writer([1])
    streams._write_table(writer, huffman.code_lengths([4, 4]))
    writer.varint(chunk)
    writer.varint(12)
    writer.raw(b"\0\0")
    with pytest.raises(ArchiveError, match=f"chunks of {whole} symbols and 12 bits or more of weight_bits cannot be"):
        read_symbols(Reader(bytes(writer)), 12, 2, "weight_bits")


def test_numbers_of_seven_bits_take_one_byte():
    for value, data in ((127, b"\x7f"), (128, b"\x80\x01")):
        writer = Writer()
        writer.varint(value)
        assert bytes(writer) == data
        assert Reader(data).varint("header") == value


def test_no_symbols_take_no_bits():
    assert read_symbols(Reader(b"\0\3"), 0, 4, "biases").bits(np.zeros(0, bool)) == 0


@pytest.mark.parametrize(
    ("shared", "dtype", "width"), [(False, "float16", 16), (False, "float32", 32), (True, "float32", 2)]
)
def test_fillers_are_charged_what_they_take(shared, dtype, width):
    weights = np.zeros((1, 4096), np.float32)
    weights[0, ::64] = np.tile([1, 2, 3], 22)[:64]
    values = np.array([1, 2, 3], np.float32) if shared else None
    layer = Layer("w", weights, None, Coding(2, values, dtype=dtype))
    found = archive.breakdown(StoredNet("net", (layer,))).layers[0]
    assert found.shape == (1, 4096)
    assert (found.entries, found.fillers) == (1 + 63 * 16, 63 * 15)
    assert found.weight_bits == width
    assert found.parts["weight_bits_fillers"] == round(63 * 15 * width / 8)
    assert found.parts["index_bits_fillers"] == round(63 * 15 * 2 / 8)


def test_messages_begin_with_what_was_read(tmp_path):
    path = tmp_path / "net.dcz"
    path.write_bytes(b"ours?")
    for call, begins in (
        (lambda: archive.load(path), f"{path}: "),
        (lambda: archive.describe(path), f"{path}: "),
        (lambda: archive.loads(b"ours?"), "these bytes: "),
        (lambda: archive.describe_bytes(b"ours?"), "these bytes: "),
        (lambda: archive.loads(b"ours?", "the reply"), "the reply: "),
        (lambda: archive.describe_bytes(b"ours?", "the reply"), "the reply: "),
    ):
        with pytest.raises(ArchiveError) as error:
            call()
        assert str(error.value).startswith(begins)


def test_numbers_have_at_most_63_bits():
    assert Reader(b"\xff" * 8 + b"\x7f").varint("header") == 2**63 - 1
    with pytest.raises(ArchiveError, match=r"^a number among the header is malformed$"):
        Reader(b"\x80" * 9 + b"\x01").varint("header")


def test_a_cut_names_what_is_missing():
    with pytest.raises(ArchiveError, match=r"^cut short: 3 more bytes of biases expected, 2 left$"):
        Reader(b"ab").raw(3, "biases")
    with pytest.raises(ArchiveError, match=r"^cut short: 5 more bytes of payload expected, 1 left$"):
        Reader(b"\x05a").section("the header")


def test_a_single_value_takes_no_bits():
    writer = Writer()
    streams.write_symbols(writer, np.zeros(100, np.uint8), False, 0)
    assert bytes(writer) == b"\0\0"
