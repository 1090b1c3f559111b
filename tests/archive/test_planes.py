"""Floats coded by their exponents come back bit for bit, whatever they are."""

import contextlib

import numpy as np
import pytest

from dcviz.archive.planes import BLOCK, FORMATS, pattern_type, read_planes, write_planes
from dcviz.archive.streams import Reader, Writer
from dcviz.errors import DcvizError


def there_and_back(patterns, dtype):
    writer = Writer()
    write_planes(writer, patterns, dtype)
    reader = Reader(bytes(writer))
    found = np.concatenate([patterns[:0].astype(pattern_type(dtype)), *read_planes(reader, len(patterns), dtype)])
    reader.end("the planes")
    assert found.dtype == pattern_type(dtype)
    np.testing.assert_array_equal(found, patterns)
    return len(writer)


@pytest.mark.parametrize("dtype", FORMATS)
def test_any_bits_come_back(dtype):
    kind = pattern_type(dtype)
    most = np.iinfo(kind).max
    random = np.random.default_rng(0).integers(0, most, 5000, dtype=kind, endpoint=True)
    edges = np.array([0, 1, most, most // 2, most // 2 + 1], kind)  # +0.0, the smallest, NaNs, -0.0
    for patterns in (random, edges, edges[:1], edges[:0], np.zeros(3000, kind)):
        there_and_back(patterns, dtype)


@pytest.mark.parametrize(("dtype", "most"), [("float16", 14.6), ("float32", 26.9), ("float64", 55.9)])
def test_weights_around_zero_take_fewer_bits_than_their_dtype(dtype, most):
    weights = (0.02 * np.random.default_rng(1).normal(size=1 << 16)).astype(dtype)
    assert 8 * there_and_back(weights.view(pattern_type(dtype)), dtype) / weights.size < most


def test_a_bfloat16_takes_about_eleven_bits_and_a_float32_made_of_it_no_more():
    weights = 0.02 * np.random.default_rng(2).normal(size=1 << 16).astype(np.float32)
    upper = weights.view(np.uint32) >> 16
    short = there_and_back(upper.astype(np.uint16), "bfloat16")
    assert 8 * short / weights.size < 11
    assert there_and_back(upper << 16, "float32") < short + 100


def test_more_than_one_block():
    there_and_back(np.arange(BLOCK + 3, dtype=np.uint16), "bfloat16")


def test_damaged_bytes_are_refused_or_give_other_numbers_of_the_same_count():
    weights = np.random.default_rng(3).normal(size=400).astype(np.float32).view(np.uint32)
    writer = Writer()
    write_planes(writer, weights, "float32")
    for at in range(len(writer)):
        data = bytearray(writer)
        data[at] ^= 0x41
        with contextlib.suppress(DcvizError):
            assert sum(map(len, read_planes(Reader(bytes(data)), 400, "float32"))) == 400
    with pytest.raises(DcvizError):
        list(read_planes(Reader(bytes(writer[:-1])), 400, "float32"))
