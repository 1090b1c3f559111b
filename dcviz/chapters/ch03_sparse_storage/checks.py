"""Checks of chapter 03: encode, decode, choose the width of a gap."""

import numpy as np

from dcviz.chapters.ch03_sparse_storage.figures import index_strip
from dcviz.ideas import relative_index
from dcviz.labkit import theme
from dcviz.labkit.check import Check
from dcviz.labkit.decision import Decision, by_layer


def _encode(weights, bits):
    positions = np.flatnonzero(weights)
    index = relative_index.encode(positions, bits)
    values = np.zeros(index.gaps.size)
    values[index.real] = np.asarray(weights)[positions]
    return index.gaps.tolist(), values.tolist()


def _entries(
    weights, bits, *, first=-1, minus=1, filler=None, fillers=True, trailing=False, longest=0, most=None, early=0
):
    """The encoder with one thing changed, entry by entry, as a learner would write it.

    most: fillers before one weight; early: 1 puts a filler where the weight is just within reach.
    """
    gaps, values, previous = [], [], first
    reach = 2**bits + longest
    filler = reach - minus if filler is None else filler(bits)
    for position in np.flatnonzero(weights):
        put = 0
        while fillers and put != most and position - previous > reach - early:
            gaps.append(filler)
            values.append(0.0)
            previous += reach
            put += 1
        gaps.append(int(position - previous - minus))
        values.append(float(weights[position]))
        previous = position
    while trailing and len(weights) - 1 - previous > reach:
        gaps.append(filler)
        values.append(0.0)
        previous += reach
    return gaps, values


def _weight_at_filler(weights, bits):
    gaps, values = _encode(weights, bits)
    for i in reversed(range(len(values) - 1)):
        if values[i] == 0.0:
            values[i] = values[i + 1]
    return gaps, values


def _layers(rng):
    """The paper's Figure 2 first, then every gap at the border of a width, nothing, everything, random."""
    figure = np.zeros(16)
    figure[[1, 4, 15]] = 3.4, 0.9, 1.7
    edge, past, far = np.zeros(40), np.zeros(40), np.zeros(70)
    edge[[7, 15]], past[[8, 17]], far[40] = 1.0, -2.0, 0.5
    sparse = np.where(rng.random(200) < 0.05, rng.normal(size=200), 0.0)
    cases = [(figure, 3), (figure, 1), (edge, 3), (past, 3), (far, 2), (np.zeros(9), 2)]
    return [*cases, (np.arange(1.0, 6.0), 2), (sparse, 3), (sparse, 4)]


def _draw(arguments, yours, target):
    """The layer with the entries of the target, and, if it can be drawn, with the learner's."""
    weights, bits = arguments
    size = min(32, len(weights))
    figure, axes = theme.figure(12, 7, rows=2)
    for axis, (gaps, values), title in zip(axes, (target, yours), ("target", "yours"), strict=True):
        try:
            steps = np.cumsum(np.asarray(gaps, np.int64)[:24] + 1) - 1
            real = [bool(value) for value in values]
            shown = [entry for entry in zip(steps.tolist(), gaps, real, strict=False) if entry[0] < size]
            shown = [entry for i, entry in enumerate(shown) if entry[0] > (shown[i - 1][0] if i else -1)]
        except (TypeError, ValueError):
            shown = []
        index_strip(axis, size, shown)
        axis.set_title(f"{title}: {_few(gaps)}, {bits} bits per gap", loc="left")
    return figure


def _few(gaps):
    gaps = list(gaps) if hasattr(gaps, "__iter__") else [gaps]
    return ", ".join(map(str, gaps[:16])) + (", …" if len(gaps) > 16 else "")


encode = Check(
    "encode",
    spec="Return (gaps, values): one entry per kept weight, gap − 1 since the entry before (the first counts "
    "from −1), and filler entries (2**bits - 1, value 0.0) where the next weight is more than 2**bits away.",
    solution=_encode,
    inputs=_layers,
    mistakes={
        "fillers are missing: a gap beyond 2**bits does not fit, so bridge it with fillers": lambda w, b: _entries(
            w, b, fillers=False
        ),
        "one filler is not always enough: a long gap needs `while`, not `if`": lambda w, b: _entries(w, b, most=1),
        "a gap of exactly 2**bits still fits: a filler only where the next weight is farther, > and not >=": (
            lambda w, b: _entries(w, b, early=1)
        ),
        "return two lists, the gaps and the values, not a list of pairs": lambda w, b: list(
            zip(*_encode(w, b), strict=True)
        ),
        "off by one, as the figure prints it: its first gap counts from 0, not from -1, and gaps stand "
        "there as they are, so that a gap of 2**bits does not fit into its bits": lambda w, b: _entries(
            w, b, first=0, minus=0
        ),
        "you store the gap itself; store gap - 1, since a gap is never 0": lambda w, b: _entries(w, b, minus=0),
        "the first gap counts from -1, so that a weight at position 0 has gap 1": lambda w, b: _entries(w, b, first=0),
        "a filler stores 2**bits - 1 (its gap is 2**bits); 2**bits itself does not fit into the bits": lambda w, b: (
            _entries(w, b, filler=lambda b: 2**b)
        ),
        "a filler bridges 2**bits positions, not 2**bits - 1": lambda w, b: _entries(w, b, longest=-1),
        "nothing follows the last weight: no fillers there; the shape says where the layer ends": lambda w, b: _entries(
            w, b, trailing=True
        ),
        "a filler's value is 0.0, not the weight that comes after it": _weight_at_filler,
        "these are absolute positions; store the difference to the entry before": lambda w, b: (
            np.flatnonzero(w).tolist(),
            np.asarray(w)[np.flatnonzero(w)].tolist(),
        ),
    },
    draw=_draw,
)


def _place(gaps, values, size, positions):
    weights = np.zeros(size)
    inside = (positions >= 0) & (positions < size)
    weights[positions[inside]] = np.asarray(values, float)[: len(positions)][inside]
    return weights


def _decode(gaps, values, size):
    return _place(gaps, values, size, relative_index.decode(gaps))


def _decode_without_fillers(gaps, values, size):
    real = [i for i, value in enumerate(values) if value != 0.0]
    gaps, values = [gaps[i] for i in real], [values[i] for i in real]
    return _place(gaps, values, size, np.cumsum(np.array(gaps, int) + 1) - 1)


def _streams(rng):
    return [(*_encode(weights, bits), len(weights)) for weights, bits in _layers(rng)]


decode = Check(
    "decode",
    spec="Return the layer as an array of `size` weights: each value at its position, zeros elsewhere.",
    solution=_decode,
    inputs=_streams,
    mistakes={
        "add 1 to every stored gap before summing: what is stored is gap - 1": lambda g, v, n: _place(
            g, v, n, np.cumsum(np.array(g, int))
        ),
        "the sum starts at -1, not at 0: subtract 1 at the end": lambda g, v, n: _place(
            g, v, n, np.cumsum(np.array(g, int) + 1)
        ),
        "add 1 to every stored gap before summing, not after: each entry adds one more position": lambda g, v, n: (
            _place(g, v, n, np.cumsum(np.array(g, int)) - 1)
        ),
        "a filler's gap counts although its value is zero: sum first, then drop fillers": _decode_without_fillers,
        "the stored gaps are not positions: take their running sum": lambda g, v, n: _place(g, v, n, np.array(g, int)),
    },
)


def _file(answers):
    from dcviz.pipeline import choices  # torch only when it is needed

    return choices.gaps(answers[0], huffman=False)


gap_widths = Decision(
    "gap_widths",
    spec='Return {layer: (bits of a gap, walk)} for LeNet-300-100 at the paper\'s densities; walk is "C", row by row, '
    'or "F", column by column. Weights have codes of 5 bits. The file may have at most 32,200 bytes.',
    solution=by_layer((5, "F"), (5, "C"), (3, "C")),
    outcome=_file,
    budget=32_200,
    mistakes={
        "the paper's width, row by row everywhere: look at which walk makes fewer fillers in fc1": by_layer(
            *[(5, "C")] * 3
        ),
        "column by column is better in one layer only": by_layer(*[(5, "F")] * 3),
        "8 bits avoid every filler, and every weight pays for it": by_layer(*[(8, "F"), (8, "C"), (8, "C")]),
        "with 3 bits fillers swarm in fc1, where gaps are long": by_layer(*[(3, "F"), (3, "C"), (3, "C")]),
        "each layer needs two choices, its bits and its walk": by_layer(5, 5, 5),
        "a width is a whole number of bits": by_layer((5.5, "F"), (5, "C"), (3, "C")),
        'the walk is named "C" or "F"': by_layer((5, "columns"), (5, "rows"), (3, "rows")),
    },
)


def _choices(rng):
    weights = [np.where(rng.random(600) < density, 1.0, 0.0) for density in (0.02, 0.08, 0.3, 0.7)]
    weights.append(np.where(np.arange(600) % 100 < 12, 1.0, 0.0))
    return [(w, value_bits) for w in weights for value_bits in (1, 5, 32)]


def _cheapest(weights, price):
    positions = np.flatnonzero(weights)
    return min(range(1, 13), key=lambda b: price(relative_index.count_entries(positions, b), b))


def _no_fillers(weights, value_bits):
    longest = int(np.diff(np.flatnonzero(weights), prepend=-1).max())
    return max(1, (longest - 1).bit_length())


best_bits = Check(
    "best_bits",
    spec="Return the bits per gap, 1 to 12, that give the fewest bits in total; the smallest if several do.",
    solution=lambda weights, value_bits: _cheapest(weights, lambda n, b: n * (b + value_bits)),
    inputs=_choices,
    mistakes={
        "you minimise the bits of the gaps alone; each filler costs value_bits as well": lambda w, c: _cheapest(
            w, lambda n, b: n * b
        ),
        "you avoid every filler; a few of them can be cheaper than wider gaps for all": _no_fillers,
        "you leave the fillers out of the count: then fewer bits always look better": lambda w, c: 1,
        "that is the width that costs the most": lambda w, c: _cheapest(w, lambda n, b: -n * (b + c)),
    },
)
