"""How near is a file to the shortest one possible? Entropy bounds of a compressed net beside real coders, in bytes.

A pruned and shared layer says two things: *which* weights are kept (the mask), and *what* they are (the codes). Coded
one by one, independently, n mask bits of density p need n H(p) bits and the codes their own entropy; codebooks and
biases come on top. Real coders are measured: what they wrote was decoded again and compared.
"""

import functools

import numpy as np

from dcviz import archive
from dcviz.archive import coders
from dcviz.chapters.ch10_how_small import context_coding
from dcviz.errors import CodeError
from dcviz.ideas.entropy import entropy, histogram
from dcviz.without_torch import Later

pd = Later("pandas")

WHICH, WHAT, BOOKS, BIASES, REST = "which weights", "what they are", "codebooks", "biases", "header, checks"
PARTS = (WHICH, WHAT, BOOKS, BIASES, REST)
FIXED, HUFFMAN, ANS = "fixed-length", "Huffman: the file", "ANS"
NEIGHBOURS, BOUND = "by neighbours", "bound, one by one"
COLUMNS = (FIXED, HUFFMAN, ANS, NEIGHBOURS, BOUND)
WIDTHS = {784: 28, 800: 4}
"""{inputs of a layer: width of the picture that they are}: digits, and LeNet-5's last feature maps."""


def mask(layer):
    """Which weights of a ``Layer`` are kept, row by row: bool array (n,)."""
    return np.asarray(layer.weight).reshape(-1) != 0


def offsets(layer):
    """How far back a weight's known neighbours stand: the input to the left and, in a picture, the one above."""
    shape = layer.weight.shape
    width = shape[-1] if len(shape) == 4 else WIDTHS.get(shape[-1])
    return (1,) if width is None else (1, width)


def mask_bound(layer):
    """Bytes for the mask if weights are kept independently of each other: n H(p) / 8 -> float."""
    kept = mask(layer)
    return kept.size * entropy(histogram(kept.astype(int))) / 8


def mask_by_neighbours(layer):
    """Bytes of the mask under ``context_coding``; it was decoded again and compared."""
    return _by_neighbours(mask(layer).tobytes(), offsets(layer))


@functools.cache
def _by_neighbours(mask, offsets):
    """Of a mask as bytes, 0 and 1: a second of work for a large layer, and two tables have it."""
    bits = np.frombuffer(mask, np.uint8)
    data = context_coding.encode(bits, offsets)
    if not np.array_equal(context_coding.decode(data, bits.size, offsets), bits):
        raise CodeError(f"a mask of {bits.size:,} bits does not come back")
    return len(data)


def costs(layer):
    """{part: {column: bytes}} of one stored ``Layer``, all ``PARTS`` but the rest, all ``COLUMNS``."""
    gaps, codes = (coders.streams(layer)[name] for name in (coders.GAPS, coders.WEIGHT_CODES))
    real = codes.symbols if codes.filler is None else codes.symbols[codes.symbols != codes.filler]
    parts = archive.breakdown(archive.StoredNet("one", (layer,))).parts
    found = {
        WHICH: {BOUND: mask_bound(layer), NEIGHBOURS: mask_by_neighbours(layer)},
        WHAT: {BOUND: real.size * entropy(histogram(real)) / 8, NEIGHBOURS: coders.ans_size(real).bytes},
        BOOKS: dict.fromkeys(COLUMNS, parts["codebooks"]),
        BIASES: dict.fromkeys(COLUMNS, parts["biases"]),
    }
    for part, stream in ((WHICH, gaps), (WHAT, codes)):
        found[part] |= {
            FIXED: coders.fixed_size(stream.symbols, stream.width).bytes,
            HUFFMAN: coders.huffman_size(stream.symbols, stream.width).bytes,
            ANS: coders.ans_size(stream.symbols).bytes,
        }
    return found


def whole(stored):
    """The same of a whole ``StoredNet``: a DataFrame of bytes, parts x columns, the sum below.

    "Huffman: the file" adds up to the length of the file; the others have the same header and checks, the bound none.
    """
    layers = [costs(layer) for layer in stored.layers]
    table = {part: {c: sum(layer[part][c] for layer in layers) for c in COLUMNS} for part in PARTS[:-1]}
    rest = len(archive.dumps(stored)) - sum(row[HUFFMAN] for row in table.values())
    table[REST] = dict.fromkeys(COLUMNS, rest) | {BOUND: 0}
    table["sum"] = {c: sum(row[c] for row in table.values()) for c in COLUMNS}
    return pd.DataFrame(table).T[list(COLUMNS)].round().astype(int)


def with_ratios(table, dense_bytes):
    """``whole`` as text with thousands separators, and how many times smaller than dense each sum is."""
    text = table.map("{:,}".format)
    text.loc["times smaller"] = [f"{dense_bytes / n:.1f}x" for n in table.loc["sum"]]
    return text


def mask_table(layer, seed=0):
    """Bytes of a layer's mask as it was trained and with its weights shuffled: a DataFrame.

    A shuffled mask has the same density; what becomes longer is what a coder had found in the neighbourhood.
    """
    rng = np.random.default_rng(seed)
    weight = np.asarray(layer.weight)
    mixed = archive.Layer(layer.name, rng.permutation(weight.ravel()).reshape(weight.shape), None, layer.coding)
    columns = {}
    for name, one in (("as trained", layer), ("shuffled", mixed)):
        bits, back = mask(one).astype(int), offsets(one)
        gaps = coders.streams(one)[coders.GAPS]
        columns[name] = {
            "entropy, weight by weight": mask_bound(one),
            "entropy, if the left neighbour is known": _given(bits, back[:1]),
            "entropy, if all neighbours are known": _given(bits, back),
            "gaps + Huffman, as in the file": coders.huffman_size(gaps.symbols, gaps.width).bytes,
            "arithmetic coding by neighbours": mask_by_neighbours(one),
        }
    return pd.DataFrame(columns).round().astype(int)


def _given(bits, back):
    return bits.size * context_coding.conditional_entropy(bits, context_coding.contexts(bits, back)) / 8


def chances(layer):
    """{neighbours: (how many weights have such neighbours, share of them that is kept)} of a stored ``Layer``."""
    bits, back = mask(layer).astype(int), offsets(layer)
    which = context_coding.contexts(bits, back)
    names = ("left", "above")[: len(back)]
    found = {}
    for context in range(1 << len(back)):
        here = which == context
        kept = " and ".join(name for digit, name in enumerate(names) if context >> digit & 1) or "neither"
        found[kept] = int(here.sum()), float(bits[here].mean()) if here.any() else 0.0
    return found


def by_compressor(stored):
    """Bytes of all gaps and weight codes of a net, stream by stream, under every coder: a DataFrame, smallest first."""
    streams = [stream for layer in stored.layers for stream in coders.streams(layer).values()]
    found = {}
    for stream in streams:
        for size in coders.sizes(stream):
            found.setdefault(size.coder, []).append(size.bytes)
    total = {name: None if None in sizes else sum(sizes) for name, sizes in found.items()}
    missing = [name for name, size in total.items() if size is None]
    rows = sorted((size, name) for name, size in total.items() if size is not None)
    least = sum(coders.bound(stream) for stream in streams)
    table = {"entropy of gaps and codes, no tables": f"{least:,.0f}"} | {name: f"{size:,}" for size, name in rows}
    return pd.DataFrame({"bytes": table | dict.fromkeys(missing, "not installed here")})


def mask_formula(layer):
    """n H(p) with a layer's numbers in it: LaTeX."""
    kept = mask(layer)
    n, p = kept.size, kept.mean()
    one, other = p * np.log2(1 / p), (1 - p) * np.log2(1 / (1 - p))
    return (
        rf"\begin{{aligned}} n\,H(p) &= n\left(p\log_2\frac1p + (1-p)\log_2\frac1{{1-p}}\right)"
        rf" = {_tex(n)}\,({one:.4f} + {other:.4f})\\"
        rf" &= {_tex(n * (one + other))}\ \text{{bits}} = {_tex(mask_bound(layer))}\ \text{{bytes}} \end{{aligned}}"
    )


def conditional_formula(layer):
    """The conditional entropy of a layer's mask, given the neighbour on the left, with its numbers: LaTeX."""
    bits = mask(layer).astype(int)
    left = context_coding.contexts(bits, (1,))
    terms, total = [], 0.0
    for context in (0, 1):
        own = bits[left == context]
        each = entropy(histogram(own, 2))
        total += own.size * each / 8
        terms.append(rf"{_tex(own.size)}\cdot H({own.mean():.3f})")
    return rf"n\,H(\text{{kept}} \mid \text{{left}}) = {' + '.join(terms)} = {_tex(total)}\ \text{{bytes}}"


def _tex(number):
    """A whole number as the text writes it: 235,200."""
    return f"{number:,.0f}".replace(",", "{,}")
