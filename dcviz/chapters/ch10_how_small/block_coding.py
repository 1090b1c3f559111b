"""A LeNet in as few bytes as its live block needs: the step beyond gaps and Huffman codes, for very small nets.

In a file of 4,000 bytes most bits say *where* single weights are, in layers most of whose neurons are dead. Here dead
neurons cost nothing: the live ones stand first in each layer (``reordering.permute`` brings them there; the net stays
the same), the file says how many there are, and inside that block each place is coded as kept or cut with a chance
learned from its row, its column and its neighbours. The values of kept weights go through the same arithmetic coder
(``context_coding``), so no symbol is rounded up to whole bits. The paper's three ideas are all here: cut weights,
shared values, and short codes for what is frequent.

    file      magic and version, net name, live outputs per layer, tables, code, CRC-32 of all before it
    tables    per layer the values of its weights, then those of its bias: count, exponent, one signed byte each
    code      one arithmetic code: per layer its mask, the values of its weights, the values of its bias

Layers and shapes are those of ``SHAPES`` under the net's name. Chances are made with + - * / of IEEE doubles in the
order written here, so every machine finds the same ones.
"""

import itertools
import math
import zlib
from collections import Counter, defaultdict

import numpy as np

from dcviz.archive import Layer, StoredNet
from dcviz.archive.streams import Reader, Writer
from dcviz.chapters.ch10_how_small.context_coding import Decoder, Encoder, chance
from dcviz.errors import ArchiveError, CodebookError, NetError

HEAD = b"\x89DCB\x01"
"""Magic and version."""

SHAPES = {
    "lenet-300-100": {"fc1": (300, 784), "fc2": (100, 300), "fc3": (10, 100)},
    "lenet-5": {"conv1": (20, 1, 5, 5), "conv2": (50, 20, 5, 5), "fc1": (500, 800), "fc2": (10, 500)},
}
"""{net: {layer: shape of its weights}}: what a file need not say. Every layer has a bias, one value an output."""

TRUST = {"row": 50.0, "column": 50.0, "place": 20.0, "near": 20.0}
"""Each counts for itself once it has seen about so many weights; before, the whole layer does."""

EXPONENTS = range(-64, 64)
PARTS = ("header", "codebooks", "mask", "weight codes", "bias codes", "checksum")
"""What a byte can be for: the keys of ``describe``."""


def encode(net):
    """The bytes of a ``StoredNet`` that is a chain of layers as in ``SHAPES``. Zeros come back as +0.0.

    NetError for another net; CodebookError if the weights of a layer, or its bias, have values that ``fixed_point``
    cannot hold.
    """
    shapes = SHAPES.get(net.name, {})
    if {layer.name: layer.weight.shape for layer in net.layers} != shapes or any(x.bias is None for x in net.layers):
        raise NetError(f"{net.name!r} is not one of {', '.join(SHAPES)}, each layer with its own shape and a bias")
    blocks = [layer.weight.reshape(shape) for layer, shape in zip(net.layers, _blocks(shapes), strict=True)]
    biases = [layer.bias for layer in net.layers]
    live = _live(blocks, biases)
    writer, tables, coder = Writer(HEAD), Writer(), Encoder()
    writer.text(net.name)
    for count in live[1:]:
        writer.varint(count)
    for layer, block, bias, (inputs, outputs) in zip(net.layers, blocks, biases, itertools.pairwise(live), strict=True):
        block, bias = block[:outputs, :inputs], bias[:outputs]
        mask, values = block != 0, np.unique(bias + 0.0) if bias.any() else bias[:0]
        kept = np.unique(block[mask])
        for table in (kept, values):
            _write_table(tables, table, layer.name)
        _mask(coder.put, mask.astype(np.int64))
        _symbols(coder.put, np.searchsorted(kept, block[mask]), len(kept))
        _repeated(coder.put, np.searchsorted(values, bias), len(values))
    writer += tables + coder.shortest()
    return bytes(writer + zlib.crc32(writer).to_bytes(4, "little"))


def decode(data):
    """The ``StoredNet`` in the bytes that ``encode`` made. ArchiveError says what is wrong with others."""
    return _parse(data)[0]


def describe(data):
    """What the bytes are for -> {part: bytes}: parts of the arithmetic code are its shares, in fractions of bytes."""
    return _parse(data)[1]


def _parse(data):
    data = bytes(data)
    reader = Reader(data)
    if reader.raw(len(HEAD), "header") != HEAD:
        raise ArchiveError("not a file of a live block, or one of another version")
    reader = Reader(data[len(HEAD) : -4], {"header": len(HEAD), "checksum": 4})
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise ArchiveError("damaged: the checksum does not match")
    name = reader.text("header")
    if name not in SHAPES:
        raise ArchiveError("the file is of a net whose shapes are not known")
    shapes = SHAPES[name]
    live = [_blocks(shapes)[0][1]]
    for layer, shape in shapes.items():
        live.append(reader.varint("header"))
        if live[-1] > shape[0]:
            raise ArchiveError(f"{live[-1]:,} live outputs in {layer}, which has {shape[0]}")
    tables = [
        (_read_table(reader, f"the weights of {layer}"), _read_table(reader, f"the bias of {layer}"))
        for layer in shapes
    ]
    length = reader.left
    code = _Code(bytes(reader.raw(length, "code")))
    layers = []
    whole = zip(shapes.items(), _blocks(shapes), itertools.pairwise(live), tables, strict=True)
    for (layer, shape), block, (inputs, outputs), (kept, values) in whole:
        weight, bias = np.zeros(block, np.float32), np.zeros(shape[0], np.float32)
        mask = np.zeros((outputs, inputs, block[2]), np.int64)
        _mask(code.of("mask"), mask)
        mask = mask != 0
        if mask.any() and not len(kept):
            raise ArchiveError(f"{layer} keeps weights but has no values for them")
        codes = np.zeros(np.count_nonzero(mask), np.int64)
        _symbols(code.of("weight codes"), codes, len(kept))
        weight[:outputs, :inputs][mask] = kept[codes]
        if len(values):
            codes = np.zeros(outputs, np.int64)
            _repeated(code.of("bias codes"), codes, len(values))
            bias[:outputs] = values[codes]
        layers.append(Layer(layer, weight.reshape(shape), bias))
    net = StoredNet(name, tuple(layers))
    if encode(net) != data:
        raise ArchiveError("not the shortest form of its net: something is in the file that decodes to nothing")
    del reader.parts["code"]
    share = length / max(sum(code.bits.values()), 1e-9)
    parts = reader.parts | {part: bits * share for part, bits in code.bits.items()}
    return net, {part: parts.get(part, 0) for part in PARTS}


class _Code:
    """An arithmetic code being read, its bits charged to parts."""

    def __init__(self, data):
        self._decoder, self.bits = Decoder(data, padded=True), Counter()

    def of(self, part):
        """function (anything, chance) -> the next bit, charged to ``part``; stands where ``Encoder.put`` stands."""

        def get(_, chance):
            bit = self._decoder.get(chance)
            self.bits[part] -= math.log2((chance if bit else 65536 - chance) / 65536)
            return bit

        return get


# ------------------------------------------------------------------ walks: the same for writing and for reading


def _mask(through, mask):
    """Code ``mask`` (outputs, inputs, places), 0 and 1; ``through`` (bit, chance) -> bit writes it or reads it.

    Filters and groups of inputs that come from one map are squares, whose neighbours are the places to the left and
    above; other layers have one place an input, and no neighbours.
    """
    outputs, inputs, places = mask.shape
    side = math.isqrt(places) if math.isqrt(places) ** 2 == places else places
    whole, seen = [0, 0], defaultdict(lambda: [0, 0])
    for o, i, p in itertools.product(range(outputs), range(inputs), range(places)):
        near = int(p % side > 0 and mask[o, i, p - 1]) + int(p >= side and mask[o, i, p - side])
        about = {kind: seen[kind, at] for kind, at in zip(TRUST, (o, i, p, near), strict=True)}
        mask[o, i, p] = bit = through(int(mask[o, i, p]), _kept_chance(whole, about))
        for counter in (whole, *about.values()):
            counter[bit] += 1


def _kept_chance(whole, about):
    """Chance that a weight is kept, in 2**-16: the layer's odds, times how much row, column, ... differ from them."""
    odds = share = (whole[1] + 0.5) / (whole[0] + 0.5)
    kept = share / (1 + share)
    for kind, (zeros, ones) in about.items():
        odds = odds * ((ones + TRUST[kind] * kept) / (zeros + TRUST[kind] * (1 - kept))) / share
    return min(max(int(65536 * (odds / (1 + odds))), 1), 65535)


def _symbols(through, codes, k):
    """Code ``codes`` (n,) below k, each by halving the range of what it can be; every cut has a counter of its own."""
    seen = defaultdict(lambda: [0, 0])
    for n, code in enumerate(codes.tolist()):
        codes[n] = _symbol(through, seen, code, k)


def _symbol(through, seen, code, k):
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
            bit = through(int(code == codes[n - 1]), chance(same))
            same[bit] += 1
            repeats = bit
        codes[n] = codes[n - 1] if repeats else _symbol(through, seen, code, k)


# ------------------------------------------------------------------ tables and shapes


def fixed_point(values, where="a layer"):
    """Values (n,) -> (exponent, ints (n,)) with values = ints * 2**exponent, ints from -127 to 127.

    CodebookError if there are no such numbers, or more than 255 values.
    """
    values = np.asarray(values, np.float64)
    for exponent in reversed(EXPONENTS):
        ints = values / 2.0**exponent
        if len(values) > 255 or np.abs(ints).max(initial=0) > 127:
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
        return np.zeros(0, np.float32)
    exponent = (reader.byte("codebooks") ^ 128) - 128
    if exponent not in EXPONENTS:
        raise ArchiveError(f"an exponent of {exponent} among the values of {what}")
    return np.frombuffer(reader.raw(n, "codebooks"), np.int8).astype(np.float32) * np.float32(2.0**exponent)


def _blocks(shapes):
    """The shapes as (outputs, inputs, places): places are a filter's pixels, or a map's where a layer is fed by one."""
    found, before = [], None
    for shape in shapes.values():
        inputs = shape[1] if len(shape) == 4 else before or 1
        found.append((shape[0], inputs, math.prod(shape[1:]) // inputs))
        before = shape[0]
    return found


def _live(blocks, biases):
    """How many neurons of the input and of each layer are needed: up to the last that does or feeds anything."""
    live = [blocks[0].shape[1]]
    for at, (block, bias) in enumerate(zip(blocks, biases, strict=True)):
        does = block.any((1, 2)) | (bias != 0)
        if at + 1 < len(blocks):
            does |= blocks[at + 1].any((0, 2))
        live.append(int(np.flatnonzero(does).max(initial=-1)) + 1)
    return live
