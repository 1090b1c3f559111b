"""Arithmetic coding of bits, each with a chance of its own: what is likely takes a fraction of a bit.

The step beyond Huffman's code (section 4 of the paper), which gives every symbol whole bits. Nothing but the code is
stored where the chances are learned on the way: the decoder's counters (``chance``) learn the same.
"""

from dcviz.errors import CodeError

_ONE = 1 << 16  # chances are multiples of 2**-16
_TOP = 1 << 32


class Encoder:
    """Bits, each with its own chance, into one arithmetic code: the bytes of a number inside an ever smaller interval.

    ``chance`` is that of a 1, in multiples of 2**-16, from 1 to 2**16 - 1.
    """

    def __init__(self):
        self._low, self._width, self._out = 0, _TOP - 1, bytearray()

    def put(self, bit, chance):
        """Code one bit; returns it."""
        split = (self._width >> 16) * chance
        if bit:
            self._width = split
        else:
            self._low += split
            self._width -= split
        if self._low >= _TOP:  # a carry runs through the bytes that are out already
            self._low -= _TOP
            self._carry()
        while self._width < 1 << 24:
            self._out.append(self._low >> 24)
            self._low = self._low << 8 & _TOP - 1
            self._width <<= 8
        return bit

    def _carry(self):
        at = len(self._out) - 1
        while self._out[at] == 255:
            self._out[at] = 0
            at -= 1
        self._out[at] += 1

    def bytes(self):
        """The code, to its last digit."""
        return bytes(self._out + self._low.to_bytes(4, "big"))

    def shortest(self):
        """The code in as few bytes as tell its interval, for a ``Decoder`` that goes on with zeros. Ends the coding."""
        for zeros in (32, 24, 16, 8, 0):
            last = -(-self._low >> zeros) << zeros
            if last < self._low + self._width:
                break
        if last >= _TOP:
            self._carry()
        return bytes(self._out + (last & _TOP - 1).to_bytes(4, "big")).rstrip(b"\0")


class Decoder:
    """The inverse of ``Encoder``: asked with the same chances it gives the same bits.

    With ``padded`` the code goes on with zeros where the bytes end, else their end is a CodeError.
    """

    def __init__(self, data, padded=False):
        if len(data) < 4 and not padded:
            raise CodeError(f"{len(data)} bytes are not a context-coded stream")
        self._data, self._at, self._padded = data, 4, padded
        self._code, self._width = int.from_bytes(bytes(data[:4]).ljust(4, b"\0"), "big"), _TOP - 1

    def get(self, chance):
        """The next bit."""
        split = (self._width >> 16) * chance
        bit = self._code < split
        if bit:
            self._width = split
        else:
            self._code -= split
            self._width -= split
        while self._width < 1 << 24:
            if self._at < len(self._data):
                byte = self._data[self._at]
            elif self._padded:
                byte = 0
            else:
                raise CodeError("damaged context-coded stream: it ends before its bits")
            self._code = (self._code << 8 | byte) & _TOP - 1
            self._at += 1
            self._width <<= 8
        return int(bit)

    def check_end(self):
        """CodeError unless the bytes end with the bits; those of a ``padded`` code may do so earlier, but not in 0."""
        ends = self._at >= len(self._data) and self._data[-1:] != b"\0" if self._padded else self._at == len(self._data)
        if not ends or self._code >= self._width:
            raise CodeError("damaged context-coded stream: it does not end where it should")


def chance(counter):
    """That of a 1 after a counter has seen so many [zeros, ones], in multiples of 2**-16 (Krichevsky, Trofimov)."""
    zeros, ones = counter
    return min(max((2 * ones + 1) * _ONE // (2 * (zeros + ones) + 2), 1), _ONE - 1)
