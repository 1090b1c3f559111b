"""Fields of a fixed width: the narrowest type that holds them, and refusals that say what was given."""

import numpy as np
import pytest

from dcviz.errors import CodeError
from dcviz.ideas import bits


@pytest.mark.parametrize(
    ("width", "dtype"), [(0, np.uint8), (1, np.uint8), (8, np.uint8), (9, np.uint16), (16, np.uint16), (17, np.uint32)]
)
def test_symbols_come_back_in_the_narrowest_type(width, dtype):
    symbols = np.arange(5) % 2**width
    found = bits.unpack_fixed(bits.pack_fixed(symbols, width), 5, width)
    assert found.dtype == dtype
    assert found.tolist() == symbols.tolist()


def test_the_widest_field_has_32_bits():
    assert bits.unpack_fixed(bits.pack_fixed([2**32 - 1], 32), 1, 32).tolist() == [2**32 - 1]


def test_no_values_are_bytes_of_the_narrowest_type():
    assert bits.check_integers([], "symbols").dtype == np.uint8
    assert bits.pack_fixed([], 7) == b""


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bits.pack_fixed([4], 2), "symbol 4 does not fit into 2 bits"),
        (lambda: bits.pack_fixed([1], 33), "width must be 0 to 32, not 33"),
        (lambda: bits.pack_fixed([1], 1.5), "width must be an integer, not float"),
        (lambda: bits.pack_fixed([-1], 3), "symbols must not be negative: found -1"),
        (lambda: bits.pack_fixed([[1]], 3), "symbols must be a vector of integers, not int64 (1, 1)"),
        (lambda: bits.pack_fixed([[1], [1, 2]], 3), "symbols must be a vector of integers"),
        (lambda: bits.unpack_fixed(b"", 0, 33), "width must be 0 to 32, not 33"),
        (lambda: bits.unpack_fixed(b"", 0, "3"), "width must be an integer, not str"),
        (lambda: bits.unpack_fixed(b"", -1, 3), "n must be 0 or more, not -1"),
        (lambda: bits.unpack_fixed(b"", 1.0, 3), "n must be an integer, not float"),
        (lambda: bits.unpack_fixed([1], 1, 8), "data must be bytes, not list"),
        (lambda: bits.unpack_fixed(b"ab", 1, 8), "8 bits take 1 bytes, but there are 2"),
        (lambda: bits.unpack_fixed(b"\x01", 1, 7), "the pad bits after the last symbol are not zero"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(CodeError) as error:
        call()
    assert str(error.value) == message
