"""Live blocks of .dcz files for second_reader.py, from docs/format.md alone: no line of dcviz is used."""

import itertools
import math

import numpy as np
from second_streams import need


class Code:
    """An arithmetic code that is read bit by bit."""

    def __init__(self, data):
        self.data, self.at, self.number, self.width = data, 0, 0, 2**32 - 1
        for _ in range(4):
            self.byte()

    def byte(self):
        self.number = (self.number * 256 + (self.data[self.at] if self.at < len(self.data) else 0)) % 2**32
        self.at += 1

    def bit(self, chance):
        split = self.width // 65536 * chance
        one = self.number < split
        if one:
            self.width = split
        else:
            self.number, self.width = self.number - split, self.width - split
        while self.width < 2**24:
            self.byte()
            self.width *= 256
        return int(one)

    def learned(self, counter):
        """A bit whose chance is learned from those that the same counter has seen."""
        zeros, ones = counter
        bit = self.bit(min(max((2 * ones + 1) * 65536 // (2 * (zeros + ones) + 2), 1), 65535))
        counter[bit] += 1
        return bit

    def number_below(self, k, counters):
        low, high = 0, k
        while high - low > 1:
            middle = (low + high) // 2
            if self.learned(counters.setdefault((low, high), [0, 0])):
                low = middle
            else:
                high = middle
        return low

    def end(self):
        need(self.at >= len(self.data) and self.data[-1:] != b"\0" and self.number < self.width, "end of the code")


def table(payload):
    """The values of weights, or of a bias."""
    n = payload.varint()
    if not n:
        return []
    exponent = payload.u8()
    exponent -= 256 * (exponent > 127)
    need(n <= 255 and -64 <= exponent < 64, "table")
    ints = [byte - 256 * (byte > 127) for byte in payload.take(n)]
    need(ints[0] > -128 and all(a < b for a, b in itertools.pairwise(ints)), "values rise")
    return [i * 2.0**exponent for i in ints]


def mask(code, rows, columns, places, side):
    """Which places of the block are kept: a list of 0 and 1."""
    found, whole = [], [0, 0]
    of_rows, of_columns, of_places, of_near = ([[0, 0] for _ in range(n)] for n in (rows, columns, places, 3))
    for r in range(rows):
        for c in range(columns):
            for p in range(places):
                near = (found[-1] if p % side else 0) + (found[-side] if p >= side else 0)
                share = (whole[1] + 0.5) / (whole[0] + 0.5)
                kept = share / (1 + share)
                odds = share
                counters = (of_rows[r], 50.0), (of_columns[c], 50.0), (of_places[p], 20.0), (of_near[near], 20.0)
                for (zeros, ones), trust in counters:
                    odds = odds * ((ones + trust * kept) / (zeros + trust * (1 - kept))) / share
                bit = code.bit(min(max(int(65536 * (odds / (1 + odds))), 1), 65535))
                found.append(bit)
                for counter in (whole, of_rows[r], of_columns[c], of_places[p], of_near[near]):
                    counter[bit] += 1
    return found


def live_block(payload, shape, has_bias, most):
    """(weights, bias, places in the block) of the rest of a section, in float64."""
    places, rows, columns = payload.varint(), payload.varint(), payload.varint()
    row = math.prod(shape[1:])
    need(places and row % places == 0 and rows <= shape[0] and columns <= row // places, "live counts")
    size = rows * columns * places
    need(size <= most, "places")
    values = table(payload)
    need(0 not in values, "a value of zero")
    bias_values = table(payload) if has_bias else []
    code = Code(payload.take(len(payload.data) - payload.at))
    root = math.isqrt(places)
    side = root if root * root == places else places
    kept = mask(code, rows, columns, places, side)
    need(values or not any(kept), "no values")
    counters, block = {-1: {}, 0: {}, 1: {}}, []
    for n, one in enumerate(kept):
        p = n % places
        near = (np.sign(block[n - 1]) if p % side else 0) + (np.sign(block[n - side]) if p >= side else 0)
        block.append(values[code.number_below(len(values), counters[int(np.sign(near))])] if one else 0.0)
    weight, bias = np.zeros((shape[0], row // places, places)), np.zeros(shape[0])
    weight[:rows, :columns] = np.array(block).reshape(rows, columns, places)
    counters, same, before = {}, [0, 0], None
    for n in range(rows if bias_values else 0):
        if before is None or len(bias_values) == 1 or not code.learned(same):
            before = code.number_below(len(bias_values), counters)
        bias[n] = bias_values[before]
    code.end()
    return weight.reshape(shape), bias, size
