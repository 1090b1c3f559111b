"""Round trips, an independent decoder (bitarray), and hostile streams."""

import dataclasses

import numpy as np
import pytest
from bitarray import bitarray
from bitarray.util import canonical_decode
from hypothesis import given, settings, strategies as st

from dcviz.errors import CodeError
from dcviz.ideas import bitstream
from dcviz.ideas.bits import FEW
from dcviz.ideas.bitstream import BitStream, decode, default_chunk, encode, pack_fixed, unpack_fixed
from dcviz.ideas.entropy import histogram, mean_length
from dcviz.ideas.huffman import canonical_codes, canonical_order, code_lengths


def laplace(n, scale=1.5, seed=0):
    """Symbols of 32 letters with a peak in the middle, like the codes of a layer's weights."""
    values = np.random.default_rng(seed).laplace(15.5, scale, n)
    return np.clip(np.round(values), 0, 31).astype(np.uint8)


def round_trip(symbols, chunk=None, lengths=None):
    symbols = np.asarray(symbols)
    counts = histogram(symbols)
    lengths = code_lengths(counts) if lengths is None else lengths
    stream = encode(symbols, lengths, chunk)
    assert stream.n == symbols.size
    assert stream.chunk_bits.dtype == np.int64
    assert stream.bits == round(mean_length(counts, lengths[: counts.size]) * symbols.size)
    assert len(stream.data) == (stream.bits + 7) // 8
    back = decode(stream, lengths)
    assert back.dtype == np.min_scalar_type(max(len(lengths) - 1, 0))
    np.testing.assert_array_equal(back, symbols)
    return stream


@given(st.lists(st.integers(0, 40), max_size=300), st.one_of(st.none(), st.integers(1, 400)))
def test_round_trip(symbols, chunk):
    round_trip(np.array(symbols, np.int64), chunk)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=300), st.integers(1, 50))
def test_bits_are_the_code_words_in_order(symbols, chunk):
    lengths = code_lengths(histogram(symbols))
    codes = canonical_codes(lengths)
    text = "".join(f"{codes[s]:0{lengths[s]}b}" for s in symbols)
    stream = encode(symbols, lengths, chunk)
    assert stream.data == bitarray(text).tobytes()
    parts = [symbols[i : i + chunk] for i in range(0, len(symbols), chunk)]
    assert stream.chunk_bits.tolist() == [sum(int(lengths[s]) for s in part) for part in parts]


@pytest.mark.parametrize("scale", [0.3, 1.5, 6])
def test_an_independent_decoder_reads_our_stream(scale):
    symbols = laplace(50_000, scale)
    lengths = code_lengths(histogram(symbols))
    stream = encode(symbols, lengths)
    bits = bitarray()
    bits.frombytes(stream.data)
    per_length = np.bincount(lengths[lengths > 0], minlength=1).tolist()
    theirs = canonical_decode(bits[: stream.bits], per_length, canonical_order(lengths).tolist())
    assert bytes(theirs) == symbols.tobytes()


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 129, 640, 2000])
@pytest.mark.parametrize("chunk", [1, 7, 64, 65])
def test_chunk_and_tile_boundaries(n, chunk):
    stream = round_trip(laplace(n), chunk)
    assert stream.chunk_bits.size == -(-n // chunk)


@pytest.mark.parametrize("n", [1023, 1024, 1025, 2047, 2048, 2049])
def test_default_chunk_boundaries(n):
    assert round_trip(laplace(n)).chunk == bitstream.CHUNK


@pytest.mark.parametrize("extra", [-1, 0, 1, 5])
def test_lanes_are_decoded_in_blocks(extra):
    stream = round_trip(laplace(3 * (2 * bitstream.LANES + extra) - 1), chunk=3)
    assert stream.chunk_bits.size == 2 * bitstream.LANES + extra


def test_default_chunk_keeps_the_number_of_lanes_in_bounds():
    assert default_chunk(0) == default_chunk(4 * 2**20) == 1024
    for n in (4 * 2**20 + 1, 61_000_000, 138_000_000):
        assert 0.9 * bitstream.LANES < n / default_chunk(n) <= bitstream.LANES


@pytest.mark.parametrize("symbols", [[], [0], [5], [5] * 1000, [0, 3] * 500])
def test_small_alphabets(symbols):
    round_trip(np.array(symbols, np.int64))


def test_one_letter_takes_one_bit_each():
    assert round_trip(np.full(1000, 3)).bits == 1000


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.int64, np.uint64, ">u2"])
def test_any_integer_type(dtype):
    round_trip(laplace(1000).astype(dtype))


def test_two_to_the_sixteen_symbols():
    symbols = np.random.default_rng(0).permutation(np.tile(np.arange(2**16), 2))
    round_trip(symbols)


def test_more_symbols_than_sixteen_bits_hold():
    lengths = np.zeros(70_000, np.uint8)
    lengths[[3, 65_536, 69_999]] = 1, 2, 2
    round_trip(np.array([3, 65_536, 69_999, 3, 3] * 100), 7, lengths)


def test_code_words_of_the_greatest_length():
    lengths = np.array([*range(1, 21), 20], np.uint8)
    round_trip(np.random.default_rng(0).integers(0, 21, 5000), 100, lengths)


@pytest.mark.parametrize(
    ("symbols", "lengths", "message"),
    [
        ([0, 2], [1, 1], "outside"),
        ([2**63], [1, 1], "outside"),
        ([0, 2], [1, 1, 0], "symbol 2 has no code"),
        ([0], [], "outside"),
        ([-1], [1, 1], "negative"),
        ([0.0], [1, 1], "integers"),
        ([[0]], [1, 1], "vector"),
        ([[0], [0, 1]], [1, 1], "vector"),
        ([0], [1, 1, 1], "over-full"),
    ],
)
def test_encode_refuses_what_it_cannot_write(symbols, lengths, message):
    with pytest.raises(CodeError, match=message):
        encode(symbols, lengths)


@pytest.mark.parametrize("chunk", [0, -1, 1.5, "a"])
def test_encode_refuses_bad_chunks(chunk):
    with pytest.raises(CodeError, match="chunk"):
        encode([0, 1], [1, 1], chunk)


# ---------------------------------------------------------------- damage

LENGTHS = code_lengths(histogram(laplace(3000)))
STREAM = encode(laplace(3000), LENGTHS, 100)


@pytest.mark.parametrize(
    "change",
    [
        {"n": 2999},
        {"n": 3001},
        {"n": 2900},
        {"n": 0},
        {"n": -1},
        {"n": 2**62},
        {"n": 10**30},
        {"n": 1.5},
        {"n": None},
        {"chunk": 0},
        {"chunk": 99},
        {"chunk": 101},
        {"chunk": 10**30},
        {"chunk": "100"},
        {"data": STREAM.data[:-1]},
        {"data": STREAM.data + b"\0"},
        {"data": b""},
        {"data": None},
        {"data": "text"},
        {"chunk_bits": STREAM.chunk_bits[:-1]},
        {"chunk_bits": STREAM.chunk_bits[::-1]},
        {"chunk_bits": np.append(STREAM.chunk_bits, 0)},
        {"chunk_bits": STREAM.chunk_bits.astype(float)},
        {"chunk_bits": -STREAM.chunk_bits},
        {"chunk_bits": np.full(30, 2**63, np.uint64)},
        {"chunk_bits": np.full(30, 2**62)},
        {"chunk_bits": [10**30] * 30},
        {"chunk_bits": [[1], [1, 2]]},
        {"chunk_bits": None},
    ],
    ids=lambda change: "-".join(change),  # no brackets: test runners take tests by name
)
def test_fields_that_do_not_fit_are_refused(change):
    with pytest.raises(CodeError):
        decode(dataclasses.replace(STREAM, **change), LENGTHS)


def test_a_chunk_end_moved_by_one_bit_is_found():
    for lane in range(STREAM.chunk_bits.size - 1):
        bits = STREAM.chunk_bits.copy()
        bits[lane] += 1
        bits[lane + 1] -= 1
        with pytest.raises(CodeError, match=f"chunk {lane} "):
            decode(dataclasses.replace(STREAM, chunk_bits=bits), LENGTHS)


def test_pad_bits_must_be_zero():
    stream = encode([0, 1, 0], [1, 1])
    with pytest.raises(CodeError, match="pad bits"):
        decode(dataclasses.replace(stream, data=bytes([stream.data[0] | 1])), [1, 1])


def test_a_bit_that_no_word_starts_with_is_found():
    stream = encode([1] * 10, [0, 1])
    with pytest.raises(CodeError, match="does not end"):
        decode(dataclasses.replace(stream, data=b"\x08\0"), [0, 1])


@pytest.mark.parametrize("lengths", [[], [0, 0], [1, 1, 1], [1, 2], [1], None, [21], LENGTHS[:-1]])
def test_lengths_of_another_code_are_refused(lengths):
    with pytest.raises(CodeError):
        decode(STREAM, lengths)


@given(st.integers(0, 8 * len(STREAM.data) - 1))
def test_a_flipped_bit_is_found_or_leaves_a_stream_of_the_same_length(bit):
    data = bytearray(STREAM.data)
    data[bit // 8] ^= 0x80 >> bit % 8
    try:
        symbols = decode(dataclasses.replace(STREAM, data=bytes(data)), LENGTHS)
    except CodeError:
        return
    again = encode(symbols, LENGTHS, STREAM.chunk)  # another, equally valid stream
    assert again.data == bytes(data)
    np.testing.assert_array_equal(again.chunk_bits, STREAM.chunk_bits)


wild_ints = st.one_of(st.integers(-2, 70), st.integers(), st.none(), st.floats())
wild_codes = st.sampled_from([[1, 1], [0, 1], [1, 2, 2], [3] * 8, [*range(1, 21), 20], LENGTHS.tolist()])


@settings(max_examples=300)
@given(
    st.binary(max_size=40),
    wild_ints,
    wild_ints,
    st.one_of(st.lists(st.integers(-1, 90), max_size=12), st.lists(wild_ints, max_size=5)),
    st.one_of(wild_codes, st.lists(st.integers(-1, 25), max_size=6)),
)
def test_hostile_fields_give_code_error_or_a_valid_stream(data, n, chunk, chunk_bits, lengths):
    try:
        symbols = decode(BitStream(data, n, chunk, chunk_bits), lengths)
    except CodeError:
        return
    assert encode(symbols, lengths, chunk).data == data


@settings(max_examples=300)
@given(st.data(), st.binary(max_size=60), wild_codes, st.integers(1, 70))
def test_random_bytes_with_fitting_fields(draw, data, lengths, chunk):
    """Fields that agree with each other, so that the hostile bits reach the decoder itself."""
    bits = max(8 * len(data) - draw.draw(st.integers(0, 7)), 0)
    longest = max(lengths)
    n = draw.draw(st.integers(-(-bits // longest), bits))
    chunks = -(-n // chunk)
    cuts = sorted(draw.draw(st.lists(st.integers(0, bits), min_size=max(chunks - 1, 0), max_size=max(chunks - 1, 0))))
    chunk_bits = np.diff([0, *cuts, bits]) if chunks else np.zeros(0, np.int64)
    stream = BitStream(data, n, chunk, chunk_bits)
    try:
        symbols = decode(stream, lengths)
    except CodeError:
        return
    again = encode(symbols, lengths, chunk)
    assert again.data == data
    assert again.chunk_bits.tolist() == chunk_bits.tolist()


# ---------------------------------------------------------------- fixed width


@given(st.integers(0, 32), st.data())
def test_fixed_width_round_trip(width, draw):
    symbols = draw.draw(st.lists(st.integers(0, 2**width - 1), max_size=100))
    data = pack_fixed(symbols, width)
    assert data == bitarray("".join(f"{s:0{width}b}" for s in symbols if width)).tobytes()
    back = unpack_fixed(data, len(symbols), width)
    assert back.tolist() == symbols
    assert back.dtype.itemsize * 8 >= width


@pytest.mark.parametrize("width", [1, 3, 5, 8, 13, 32])
def test_fixed_width_over_several_blocks(width):
    symbols = np.random.default_rng(width).integers(0, 2**width, 200_003)
    np.testing.assert_array_equal(unpack_fixed(pack_fixed(symbols, width), symbols.size, width), symbols)


@pytest.mark.parametrize("n", [FEW, FEW + 1])
@pytest.mark.parametrize("width", [1, 3, 5, 8, 13, 32])
def test_few_symbols_and_many_are_packed_into_the_same_bits(width, n):
    symbols = np.random.default_rng(width).integers(0, 2**width, 2 * n)[::-2]
    assert pack_fixed(symbols, width) == bitarray("".join(f"{s:0{width}b}" for s in symbols)).tobytes()


def test_fixed_width_agrees_with_a_huffman_code_of_equal_lengths():
    symbols = laplace(999)
    assert pack_fixed(symbols, 5) == encode(symbols, [5] * 32).data


@pytest.mark.parametrize(
    ("symbols", "width"), [([8], 3), ([1], 0), ([2**32], 32), ([-1], 3), ([0.5], 3), ([1], 33), ([1], -1), ([1], 2.0)]
)
def test_pack_refuses_what_does_not_fit(symbols, width):
    with pytest.raises(CodeError):
        pack_fixed(symbols, width)


@pytest.mark.parametrize(
    ("data", "n", "width"),
    [
        (b"", 1, 3),
        (b"ab", 1, 3),
        (b"\xff", 1, 3),
        (b"a", 0, 3),
        (b"a", 5, 0),
        (b"a", 2**62, 8),
        (b"a", -1, 8),
        (b"a", 1, 33),
        (b"a", 1.0, 8),
        ("a", 1, 8),
    ],
)
def test_unpack_refuses_damage(data, n, width):
    with pytest.raises(CodeError):
        unpack_fixed(data, n, width)


@given(st.binary(max_size=40), st.integers(0, 200), st.integers(0, 40))
def test_unpack_of_random_bytes_gives_code_error_or_a_valid_stream(data, n, width):
    try:
        symbols = unpack_fixed(data, n, width)
    except CodeError:
        return
    assert pack_fixed(symbols, width) == data


def test_refusals_name_the_field():
    for change, lengths, message in (
        ({"n": 1.5}, LENGTHS, "n must be an integer, not float"),
        ({"chunk_bits": [-1]}, LENGTHS, "chunk_bits must not be negative: found -1"),
        ({}, np.zeros(3, np.uint8), f"{STREAM.n} symbols, but the code has no words"),
    ):
        with pytest.raises(CodeError) as error:
            decode(dataclasses.replace(STREAM, **change), lengths)
        assert str(error.value) == message


@pytest.mark.parametrize("n", [1, 9, 3000, 70_000])
@pytest.mark.parametrize("chunk", [1, 100, 70_000])
def test_a_lone_symbol_has_one_word(n, chunk):
    stream = bitstream.encode(np.zeros(n, np.uint8), [1], chunk)
    assert not bitstream.decode(stream, [1]).any()
    for place in {0, n // 2, n - 1}:
        data = bytearray(stream.data)
        data[place // 8] |= 128 >> place % 8
        with pytest.raises(CodeError, match="does not end where it should"):
            bitstream.decode(dataclasses.replace(stream, data=bytes(data)), [1])
