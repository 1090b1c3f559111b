"""Checks of chapter 08: the least time of a layer, a product from the compressed form, joules, the crossover batch."""

import numpy as np

from dcviz.labkit.check import Check

least_time = Check(
    "least_time",
    spec="Return the seconds that a layer takes at least: it has to move `bytes_moved` bytes at `bytes_per_second` "
    "and to do `operations` at `operations_per_second`, both at the same time.",
    solution=lambda bytes_moved, operations, bytes_per_second, operations_per_second: max(
        bytes_moved / bytes_per_second, operations / operations_per_second
    ),
    inputs=lambda rng: [
        (151e6, 75e6, 20e9, 100e9),
        (151e6, 4.8e9, 20e9, 100e9),
        (0, 1e9, 1e9, 1e9),
        (4.0, 1.0, 2.0, 8.0),
    ],
    mistakes={
        "moving and computing overlap: the longer one counts, not the sum": lambda moved, ops, bandwidth, peak: (
            moved / bandwidth + ops / peak
        ),
        "the slower of the two decides, not the faster": lambda moved, ops, bandwidth, peak: min(
            moved / bandwidth, ops / peak
        ),
        "that is the memory side only; with a large batch computing takes longer": lambda moved, ops, bandwidth, peak: (
            moved / bandwidth
        ),
        "time is amount over speed": lambda moved, ops, bandwidth, peak: max(bandwidth / max(moved, 1e-9), peak / ops),
    },
)


def _product(gaps, codes, starts, codebook, x, rows):
    y = np.zeros(rows)
    for j in range(len(x)):
        row = -1
        for e in range(starts[j], starts[j + 1]):
            row += gaps[e] + 1
            y[row] += codebook[codes[e]] * x[j]
    return y


def _wrong(first=-1, step=1, restart=True, add=True, code=True):
    """The product with one thing wrong; rows beyond the end are dropped, so that each gives some answer."""

    def product(gaps, codes, starts, codebook, x, rows):
        y, row = np.zeros(rows), first
        for j in range(len(x)):
            row = first if restart else row
            for e in range(starts[j], starts[j + 1]):
                row += gaps[e] + step
                value = (codebook[codes[e]] if code else codes[e]) * x[j]
                if 0 <= row < rows:
                    y[row] = y[row] + value if add else value
        return y

    return product


def _layers(rng):
    """Three small matrices in the compressed form: with a filler, random, and with an empty column."""
    book = np.array([-0.5, 0.25, 1.0, 0.0])
    filler = [3, 255, 43, 0, 1], [0, 3, 1, 2, 0], [0, 3, 5], book, np.array([2.0, -1.0]), 400
    gaps, starts = rng.integers(0, 6, 24), np.array([0, 8, 16, 24])
    drawn = gaps, rng.integers(0, 3, 24), starts, book, rng.normal(size=3), 60
    empty = [0, 0, 2], [2, 1, 0], [0, 2, 2, 3], book, np.array([1.0, 5.0, 0.0]), 4
    return [tuple(map(np.array, case[:3])) + case[3:] for case in (filler, drawn, empty)]


product = Check(
    "product",
    spec="Return y, `rows` floats: for each input j add codebook[code] * x[j] to y[row] for its entries "
    "starts[j] .. starts[j + 1] - 1. A gap is stored minus 1, and every column starts anew before row 0.",
    solution=_product,
    inputs=_layers,
    mistakes={
        "a stored gap is the gap minus 1: add 1 to it": _wrong(step=0),
        "rows count from -1: the first entry of a column with stored gap 0 is row 0": _wrong(first=0),
        "every column starts anew: set the row back to -1": _wrong(restart=False),
        "outputs collect from many inputs: += and not =": _wrong(add=False),
        "a code is a place in the codebook, not the weight itself": _wrong(code=False),
    },
)

millijoules = Check(
    "millijoules",
    spec="Return the energy in millijoules of a layer that takes `microseconds` at `watts`.",
    solution=lambda microseconds, watts: microseconds * watts / 1e3,
    inputs=lambda rng: [(7516.2, 83.5), (134.8, 181.0), (1.0, 1.0)],
    mistakes={
        "that is in microjoules: 1 mJ = 1000 µJ": lambda micro, watts: micro * watts,
        "that is in joules: 1 J = 1000 mJ": lambda micro, watts: micro * watts * 1e-6,
        "energy is power times time, not power per time": lambda micro, watts: watts / micro,
    },
)

crossover = Check(
    "crossover",
    spec="Return the smallest batch at which dense is at least as fast, or 0 if there is none. `dense` and `sparse` "
    "are dicts {batch: seconds}.",
    solution=lambda dense, sparse: min((b for b in dense if dense[b] <= sparse[b]), default=0),
    inputs=lambda rng: [
        ({1: 5.0, 2: 5.5, 4: 6.0, 8: 7.0}, {1: 2.0, 2: 4.0, 4: 6.0, 8: 16.0}),
        ({8: 7.0, 1: 9.0}, {8: 6.0, 1: 1.0}),
        ({64: 1.0, 16: 1.0, 1: 2.0}, {64: 3.0, 16: 2.0, 1: 1.0}),
    ],
    mistakes={
        "at least as fast: equal counts": lambda dense, sparse: min(
            (b for b in dense if dense[b] < sparse[b]), default=0
        ),
        "that is the batch from which sparse is as fast; it is the other way round": lambda dense, sparse: min(
            (b for b in dense if sparse[b] <= dense[b]), default=0
        ),
        "the smallest such batch, not the largest": lambda dense, sparse: max(
            (b for b in dense if dense[b] <= sparse[b]), default=0
        ),
    },
)
