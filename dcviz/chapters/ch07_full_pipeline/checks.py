"""Checks of chapter 07: count every bit of a compressed layer, and say how much smaller it is."""

from dcviz.labkit.check import Check


def _bits(nonzeros, fillers, weight_bits, index_bits, codebook, biases):
    return (nonzeros + fillers) * (weight_bits + index_bits) + 32 * codebook + 32 * biases


layer_bits = Check(
    "layer_bits",
    spec="Bits of a layer before Huffman coding: an entry for every non-zero weight and every filler, each with a "
    "weight code and a gap; then codebook and biases as float32.",
    solution=_bits,
    inputs=lambda rng: [
        (18816, 2651, 6, 5, 48, 300),
        (260, 0, 5, 4, 31, 10),
        (0, 0, 5, 5, 0, 500),
        tuple(int(x) for x in rng.integers(1, 1000, 6)),
    ],
    mistakes={
        "you forgot the fillers": lambda n, f, w, i, k, b: n * (w + i) + 32 * (k + b),
        "a filler has a gap, but it needs a weight code too (the zero)": lambda n, f, w, i, k, b: (
            n * (w + i) + f * i + 32 * (k + b)
        ),
        "you did not count the codebook": lambda n, f, w, i, k, b: (n + f) * (w + i) + 32 * b,
        "you did not count the biases (the paper does not either, it seems, but a file has to hold them)": (
            lambda n, f, w, i, k, b: (n + f) * (w + i) + 32 * k
        ),
        "that is bytes, not bits": lambda *x: _bits(*x) / 8,
    },
)

ratio = Check(
    "ratio",
    spec="How many times smaller the file is than all the net's parameters as float32, given the number of "
    "parameters and the length of the file in bytes.",
    solution=lambda parameters, file_bytes: 4 * parameters / file_bytes,
    inputs=lambda rng: [(266_610, 26_661), (431_080, 44_000), (1, 4), tuple(int(x) for x in rng.integers(1, 9999, 2))],
    mistakes={
        "a float32 has 4 bytes": lambda parameters, size: parameters / size,
        "a float32 has 4 bytes, not 32": lambda parameters, size: 32 * parameters / size,
        "that is the share that is left, not how many times smaller": lambda parameters, size: size / (4 * parameters),
    },
)
