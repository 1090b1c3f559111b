"""Bytes allocated to neurons, to single weights or to bits of a weight: small blocks of LeNet-5, as recorded.

Each row of the record ``block_grid`` is a short training of one block: its file and its error on held-out digits.
"""

import itertools
from functools import cache

from dcviz.errors import DataError
from dcviz.evidence import recordings
from dcviz.files import made_by

WIDTHS = {"4-6-16": (4, 6, 16), "6-10-32": (6, 10, 32), "10-20-64": (10, 20, 64)}
"""{name: live filters of conv1, of conv2, live units of fc1}."""

WEIGHTS, BITS = (800, 1300, 2000), (2, 3, 4)
"""Weights kept in the block, and bits of a code before it is coded: 2**bits shared values a layer."""

DIGITS, SHORT = 12_800, {"passes": 15, "share_passes": 6}
"""How short the trainings are: digits of the 55,000, and passes over them."""

BUDGETS = (700, 1000, 1300)
"""Bytes that a file may take in the lab."""


def every():
    """(width, weights, bits) of every block."""
    return list(itertools.product(WIDTHS, WEIGHTS, BITS))


@cache
def blocks():
    """{(width, weights, bits): row of the record}, in the order of ``every``; DataError for a block without a row."""
    rows = {(tuple(row["widths"]), row["weights"], row["values"]): row for row in recordings.load("block_grid").rows}
    try:
        return {(width, weights, bits): rows[WIDTHS[width], weights, 2**bits] for width, weights, bits in every()}
    except KeyError as error:
        again = made_by("python -m dcviz record block_grid")
        raise DataError(f"the record block_grid has no row for the block {error}; {again}") from error


def best(budget, width=None):
    """The key of the block with fewest errors among those of at most ``budget`` bytes, of a ``width`` or of any.

    None if none fits. Of equal errors the smaller file.
    """
    fits = {key: row for key, row in blocks().items() if row["file_bytes"] <= budget and width in (None, key[0])}
    return min(fits, key=lambda key: (fits[key]["error_percent"], fits[key]["file_bytes"]), default=None)


def weights_of(width):
    """All weights of a block of a width, kept or not: int."""
    first, second, units = WIDTHS[width]
    return 25 * first + 25 * first * second + 16 * second * units + 10 * units


def split(row):
    """{part: bytes} of a row's file: which weights, what they are, shared values and biases, header and checksum."""
    parts = row["parts"]
    found = {
        "which weights": parts["index_bits"] + parts["index_bits_fillers"] + parts["weight_bits_fillers"],
        "what they are": parts["weight_bits"],
        "shared values, biases": parts["codebooks"] + parts["biases"],
    }
    return found | {"header": row["file_bytes"] - sum(found.values())}
