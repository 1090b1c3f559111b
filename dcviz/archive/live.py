"""A layer as its live block in one arithmetic code, for very small files: kind 5 of version 2, see docs/format.md.

In a file of a thousand bytes most bits say *where* single weights are, in layers most of whose neurons are dead. Here
dead neurons cost nothing: the live ones stand first, the file says how many there are, and inside that block each
place is coded as kept or cut with a chance learned from its row, its column and its neighbours. Values and biases go
through the same code, so no symbol is rounded up to whole bits; a value's chances know the signs beside it.

Chances are made with + - * / of IEEE doubles in the order written here, so every machine finds the same ones.
"""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from dcviz.errors import ArchiveError, CodebookError, WeightError
from dcviz.ideas.arithmetic import Decoder, Encoder, chance

MAX_LIVE = 1 << 18
"""Most places in the live blocks of a file: they are coded one by one."""
EXPONENTS = range(-64, 64)
MAX_VALUES = 255

TRUST = (50.0, 50.0, 20.0, 20.0)
"""Row, column, place and neighbours count for themselves once they have seen about so many weights; before, the whole
layer does."""


@dataclass(frozen=True)
class Shape:
    """A layer as (rows, columns, places), of which ``rows`` and ``columns`` live; places may make a square.

    Rows are the outputs; a column is an input with its places: a filter's pixels, or a map's that feed a unit.
    """

    outputs: int
    inputs: int
    places: int
    rows: int
    columns: int

    @property
    def side(self):
        """Places from one to that below it; all of them where there is no square."""
        root = math.isqrt(self.places)
        return root if root * root == self.places else self.places

    @property
    def size(self):
        """Places in the live block."""
        return self.rows * self.columns * self.places


def block_of(weight, bias, places):
    """The ``Shape`` of weights of any shape, and the weights in it: an array (rows, columns, places).

    WeightError unless ``places`` divides a row.
    """
    row = weight.size // len(weight)
    if places < 1 or row % places:
        raise WeightError(f"{places} places a column do not divide rows of {row:,} weights")
    whole = weight.reshape(len(weight), row // places, places)
    columns = whole.any((0, 2))
    rows = whole.any((1, 2)) | (False if bias is None else bias != 0)
    live = [int(np.flatnonzero(x).max(initial=-1)) + 1 for x in (rows, columns)]
    shape = Shape(*whole.shape, *live)
    return shape, whole[: shape.rows, : shape.columns]


def write(writer, weight, bias, places, where):
    """Append what follows the head of a layer: places and live counts, tables, and the code.

    WeightError and CodebookError, which begin with ``where``, for what cannot be held.
    """
    for array in (weight, bias):
        if array is not None and np.any(np.signbit(array) & (array == 0)):
            raise WeightError(f"{where} holds a -0.0, which a live block cannot")
    shape, block = block_of(weight, bias, places)
    if shape.size > MAX_LIVE:
        raise WeightError(f"{where} has a live block of {shape.size:,} places; at most {MAX_LIVE:,} are possible")
    mask, coder = block != 0, Encoder()
    kept = np.unique(block[mask])
    for count in (shape.places, shape.rows, shape.columns):
        writer.varint(count)
    _write_table(writer, kept, where)
    if bias is not None:
        bias = bias[: shape.rows]
        values = np.unique(bias) if bias.any() else bias[:0]
        _write_table(writer, values, f"bias of {where}")
    bits = mask.astype(np.uint8).reshape(-1)
    _mask(coder.put, bits, shape)
    codes = np.searchsorted(kept, block[mask])
    _values(coder.put, codes, np.flatnonzero(bits), kept, shape)
    if bias is not None:
        _repeated(coder.put, np.searchsorted(values, bias), len(values))
    writer.raw(coder.shortest())


@dataclass(frozen=True, eq=False)
class Block:
    """A live block, read: its ``shape``, where its weights are (walking its places), their codes and their table.

    The same of the bias, if there is one. bits: {"mask", "weights", "bias": what they take in the code}.
    """

    shape: Shape
    at: np.ndarray
    codes: np.ndarray
    table: np.ndarray
    bias_codes: np.ndarray
    bias_table: np.ndarray
    bits: dict

    def weight(self, shape, dtype):
        """The whole layer's weights."""
        said = self.shape
        weight = np.zeros((said.outputs, said.inputs, said.places), dtype)
        live = np.zeros(said.size, dtype)
        live[self.at] = self.table[self.codes]
        weight[: said.rows, : said.columns] = live.reshape(said.rows, said.columns, said.places)
        return weight.reshape(shape)

    def bias(self, dtype):
        """The whole layer's bias."""
        bias = np.zeros(self.shape.outputs, dtype)
        if len(self.bias_table):
            bias[: self.shape.rows] = self.bias_table[self.bias_codes]
        return bias


def read(reader, outputs, row, has_bias, most, name):
    """The ``Block`` in the rest of a section, of a layer of ``outputs`` rows of ``row`` weights.

    ArchiveError or CodeError for what breaks a rule; a block of more than ``most`` places is one.
    """
    places, rows, columns = (reader.varint("header") for _ in range(3))
    if not places or row % places or rows > outputs or columns > row // places:
        raise ArchiveError(f"layer {name!r}: {rows:,} rows and {columns:,} columns of {places:,} places cannot live")
    shape = Shape(outputs, row // places, places, rows, columns)
    if shape.size > most:
        raise ArchiveError(f"the live blocks up to layer {name!r} have more than {MAX_LIVE:,} places")
    table = _read_table(reader, f"the weights of layer {name!r}")
    if not table.all():
        raise ArchiveError(f"layer {name!r} has a zero among the values of weights that are not zero")
    bias_table = _read_table(reader, f"the bias of layer {name!r}") if has_bias else table[:0]
    code, spent = Decoder(bytes(reader.raw(reader.left, "weight_bits")), padded=True), Counter()

    def charged(part):
        def get(_, chance):
            bit = code.get(chance)
            spent[part] -= math.log2((chance if bit else 65536 - chance) / 65536)
            return bit

        return get

    mask = np.zeros(shape.size, np.uint8)
    _mask(charged("mask"), mask, shape)
    at = np.flatnonzero(mask)
    if at.size and not table.size:
        raise ArchiveError(f"layer {name!r} keeps weights but has no values for them")
    codes = np.zeros(at.size, np.intp)
    _values(charged("weights"), codes, at, table, shape)
    bias_codes = np.zeros(rows if bias_table.size else 0, np.intp)
    _repeated(charged("bias"), bias_codes, len(bias_table))
    code.check_end()
    return Block(shape, at, codes, table, bias_codes, bias_table, spent)


def prices(mask):
    """By how many bits it is dearer to keep a weight than to cut it -> like ``mask``, bool (rows, columns, places).

    By the chances that the coder has for each place when it has seen the whole mask.
    """
    mask = np.asarray(mask, np.float64)
    rows, columns, places = mask.shape
    shape, near = Shape(*mask.shape, rows, columns), np.zeros(mask.shape, int)
    square = mask.reshape(rows, columns, places // shape.side, shape.side) != 0
    beside = near.reshape(square.shape)
    beside[..., 1:] += square[..., :-1]
    beside[..., 1:, :] += square[..., :-1, :]
    share = (mask.sum() + 0.5) / (mask.size - mask.sum() + 0.5)
    kept, odds = share / (1 + share), np.full(mask.shape, share)
    groups = [np.arange(n).reshape([-1 if axis == i else 1 for i in range(3)]) for axis, n in enumerate(mask.shape)]
    for group, trust in zip((*groups, near), TRUST, strict=True):
        which = np.broadcast_to(group, mask.shape).reshape(-1)
        ones, all_ = np.bincount(which, mask.reshape(-1)), np.bincount(which)
        odds = odds * ((ones + trust * kept) / (all_ - ones + trust * (1 - kept)))[group] / share
    return -np.log2(odds)


# ------------------------------------------------------------------ walks: the same for writing and for reading


def _mask(through, mask, shape):
    """Code ``mask``, zeros and ones walking the block; ``through(bit, chance)`` -> bit writes it or reads it.

    The neighbours of a place in a square are those to the left and above.
    """
    places, side = shape.places, shape.side
    whole = [0, 0]
    rows, columns, spots, nears = ([[0, 0] for _ in range(n)] for n in (shape.rows, shape.columns, places, 3))
    n = 0
    for row in rows:
        for column in columns:
            for p, spot in enumerate(spots):
                left = p % side > 0 and mask[n - 1]
                above = p >= side and mask[n - side]
                seen = row, column, spot, nears[int(left) + int(above)]
                mask[n] = bit = through(int(mask[n]), _kept_chance(whole, seen))
                whole[bit] += 1
                for counter in seen:
                    counter[bit] += 1
                n += 1


def _kept_chance(whole, seen):
    """Chance that a weight is kept, in 2**-16: the layer's odds, times how much row, column, ... differ from them."""
    share = (whole[1] + 0.5) / (whole[0] + 0.5)
    kept = share / (1 + share)
    odds = share
    for (zeros, ones), trust in zip(seen, TRUST, strict=True):
        odds = odds * ((ones + trust * kept) / (zeros + trust * (1 - kept))) / share
    return min(max(int(65536 * (odds / (1 + odds))), 1), 65535)


def _values(through, codes, at, table, shape):
    """Code ``codes`` (n,) of the weights at places ``at``: one set of counters where the signs to the left and above
    are more often minus, one where they are more often plus, one for the rest."""
    signs, side = np.zeros(shape.size, np.int8), shape.side
    counters = {sign: defaultdict(lambda: [0, 0]) for sign in (-1, 0, 1)}
    plus = np.sign(table).astype(int).tolist()
    for n, (place, code) in enumerate(zip(at.tolist(), codes.tolist(), strict=True)):
        p = place % shape.places
        near = int(signs[place - 1] if p % side else 0) + int(signs[place - side] if p >= side else 0)
        codes[n] = code = _symbol(through, counters[(near > 0) - (near < 0)], code, len(table))
        signs[place] = plus[code]


def _symbol(through, seen, code, k):
    """Code one of k codes by halving the range of what it can be; every cut has a counter of its own."""
    low, high = 0, k
    while high - low > 1:
        middle = (low + high) // 2
        counter = seen[low, high]
        bit = through(int(code >= middle), chance(counter))
        counter[bit] += 1
        low, high = (middle, high) if bit else (low, middle)
    return low


def _repeated(through, codes, k):
    """Code ``codes`` (n,) below k of which many are like the one before: neurons sorted by their bias."""
    seen, same = defaultdict(lambda: [0, 0]), [0, 0]
    for n, code in enumerate(codes.tolist()):
        repeats = n > 0 and k > 1
        if repeats:
            repeats = through(int(code == codes[n - 1]), chance(same))
            same[repeats] += 1
        codes[n] = codes[n - 1] if repeats else _symbol(through, seen, code, k)


# ------------------------------------------------------------------ tables


def fixed_point(values, where="a layer"):
    """Values (n,) -> (exponent, ints (n,)) with values = ints * 2**exponent, ints from -127 to 127.

    CodebookError if there are no such numbers, or more than 255 values.
    """
    values = np.asarray(values, np.float64)
    if len(values) <= MAX_VALUES:
        for exponent in reversed(EXPONENTS):
            ints = values / 2.0**exponent
            if np.abs(ints).max(initial=0) > 127:
                break
            if np.array_equal(ints, np.rint(ints)):
                return exponent, ints.astype(np.int64)
    raise CodebookError(f"{where}: the values are not at most 255 multiples, by -127 to 127, of one power of two")


def rounded(values):
    """Values (n,) as float32 numbers that ``fixed_point`` can hold, each to the nearest; zeros stay, no other comes."""
    values = np.asarray(values, np.float64)
    most = np.abs(values).max(initial=0)
    if not most:
        return values.astype(np.float32)
    step = 2.0 ** math.ceil(math.log2(most / 127))
    least = np.where(values == 0, 0, step)
    return (np.sign(values) * np.maximum(np.abs(np.rint(values / step)) * step, least)).astype(np.float32)


def _write_table(writer, values, where):
    writer.varint(len(values))
    if len(values):
        exponent, ints = fixed_point(values, where)
        writer.byte(exponent & 255)
        writer.raw(ints.astype(np.int8).tobytes())


def _read_table(reader, what):
    n = reader.varint("codebooks")
    if not n:
        return np.zeros(0)
    exponent = (reader.byte("codebooks") ^ 128) - 128
    if exponent not in EXPONENTS or n > MAX_VALUES:
        raise ArchiveError(f"{n:,} values with an exponent of {exponent} are no table of {what}")
    ints = np.frombuffer(reader.raw(n, "codebooks"), np.int8)
    if ints[0] == -128 or np.any(np.diff(ints.astype(int)) <= 0):
        raise ArchiveError(f"the values of {what} do not rise from -127 on")
    return ints * 2.0**exponent
