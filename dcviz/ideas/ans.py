"""Asymmetric numeral systems (ANS): code words of a fraction of a bit, a few lines beyond Huffman.

Section 4 of the paper codes with Huffman, whose words have whole bits. An ANS coder keeps the whole message
as one number: a symbol of probability p makes it about 1/p times larger, log2(1/p) bits longer, fractions
included. It comes as near to the entropy as its frequencies do, at the price of a larger table.
"""

import numpy as np

from dcviz.errors import CodeError

PRECISION = 14  # probabilities are multiples of 2**-14
_LOW = 1 << 16  # the state stays in 2**16 .. 2**32 - 1


def quantise(counts):
    """Counts (alphabet,) -> int64 frequencies with sum 2**PRECISION, at least 1 where a symbol occurs.

    CodeError when there are no symbols, or more than fit.
    """
    counts = np.asarray(counts)
    present = np.flatnonzero(counts)
    total = 1 << PRECISION
    if not 0 < present.size <= total:
        raise CodeError(f"ANS frequencies need 1 to {total} symbols that occur, not {present.size}")
    frequencies = np.zeros(counts.size, np.int64)
    frequencies[present] = np.maximum(1, np.round(counts[present] / counts.sum() * total))
    while (excess := int(frequencies.sum()) - total) > 0:  # take from the frequent ones: it hurts least
        most = np.argmax(frequencies)
        frequencies[most] -= min(excess, max(1, frequencies[most] // 8))
    frequencies[np.argmax(frequencies)] -= excess
    return frequencies


def encode(symbols, frequencies):
    """Symbols (n,) -> bytes. CodeError for a symbol of frequency 0.

    The state's low 16 bits are written out whenever it would grow beyond 32.
    """
    starts = (np.cumsum(frequencies) - frequencies).tolist()
    frequencies = np.asarray(frequencies).tolist()
    state, words = _LOW, []
    for symbol in reversed(np.asarray(symbols).tolist()):  # a stack: what goes in last comes out first
        if not 0 <= symbol < len(frequencies) or not frequencies[symbol]:
            raise CodeError(f"symbol {symbol} has no frequency")
        f = frequencies[symbol]
        if state >= f << (32 - PRECISION):
            words.append(state & 0xFFFF)
            state >>= 16
        state = (state // f << PRECISION) + state % f + starts[symbol]
    return np.array([state >> 16, state & 0xFFFF, *reversed(words)], ">u2").tobytes()


def decode(data, n, frequencies):
    """Bytes -> ``n`` symbols, the inverse of ``encode``. CodeError unless the bytes end with the symbols."""
    if len(data) < 4 or len(data) % 2:
        raise CodeError(f"{len(data)} bytes are not an ANS stream")
    symbol_at = np.repeat(np.arange(len(frequencies)), frequencies).tolist()
    starts = (np.cumsum(frequencies) - frequencies).tolist()
    frequencies = np.asarray(frequencies).tolist()
    first, second, *words = np.frombuffer(data, ">u2").tolist()
    state, at, symbols = first << 16 | second, 0, []
    for _ in range(n):
        slot = state & ((1 << PRECISION) - 1)
        symbol = symbol_at[slot]
        symbols.append(symbol)
        state = frequencies[symbol] * (state >> PRECISION) + slot - starts[symbol]
        if state < _LOW and at < len(words):
            state = state << 16 | words[at]
            at += 1
    if at != len(words) or state != _LOW:
        raise CodeError("damaged ANS stream: it does not end where it should")
    return np.array(symbols, np.min_scalar_type(max(len(frequencies) - 1, 0)))
