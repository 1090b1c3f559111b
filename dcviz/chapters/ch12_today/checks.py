"""Checks of chapter 12: parts of a bfloat16, bytes with coded exponents, Wanda, 2:4, corrected and weighted values."""

import numpy as np

from dcviz.chapters.ch12_today import bfloat16, scores
from dcviz.labkit.check import Check


def _split(bits):
    return tuple(int(part[0]) for part in bfloat16.split(np.array([bits])).values())


split = Check(
    "split",
    spec="The sign, exponent and mantissa of a bfloat16, given as the integer of its 16 bits: 1, 8 and 7 of them, "
    "from the top.",
    solution=_split,
    inputs=lambda rng: [(0x3F80,), (0xBF80,), (0x0000,), (0x7F7F,), (0xC2F7,), (int(rng.integers(0, 2**16)),)],
    mistakes={
        "that is float16: its exponent has 5 bits": lambda bits: (bits >> 15, bits >> 10 & 31, bits & 1023),
        "the exponent still has the sign in it": lambda bits: (bits >> 15, bits >> 7, bits & 127),
        "the mantissa has 7 bits": lambda bits: (bits >> 15, bits >> 7 & 255, bits & 255),
        "the parts stand the other way round": lambda bits: (bits & 1, bits >> 1 & 255, bits >> 9),
    },
)


def _coded_bytes(counts, lengths):
    return int(counts.sum()) + -(-int((counts * lengths).sum()) // 8)


coded_bytes = Check(
    "coded_bytes",
    spec="Bytes of bfloat16 weights with Huffman-coded exponents: `counts[e]` weights have the exponent e, whose code "
    "word has `lengths[e]` bits. Each weight keeps one byte, sign and mantissa; the exponents' bits fill whole bytes.",
    solution=_coded_bytes,
    inputs=lambda rng: [
        (np.array([8, 4, 2, 2]), np.array([1, 2, 3, 3])),
        (np.array([1, 0, 2]), np.array([1, 0, 1])),
        (np.array([5]), np.array([1])),
        (rng.integers(1, 100, 4), np.array([2, 2, 2, 2])),
    ],
    mistakes={
        "sign and mantissa are missing": lambda counts, lengths: -(-int((counts * lengths).sum()) // 8),
        "that is bits, not bytes": lambda counts, lengths: int((counts * (8 + lengths)).sum()),
        "a started byte is a whole one": lambda counts, lengths: int(counts.sum()) + int((counts * lengths).sum()) // 8,
        "each exponent counts once, however often it occurs": lambda counts, lengths: (
            int(counts.sum()) + -(-int(lengths.sum()) // 8)
        ),
    },
)


def _wanda(weight, x, keep):
    score = np.abs(weight) * np.sqrt((x**2).sum(0))
    order = np.argsort(-score, axis=1, kind="stable")[:, :keep]
    mask = np.zeros(weight.shape, bool)
    np.put_along_axis(mask, order, True, axis=1)
    return mask


def _whole(weight, x, keep):
    score = (np.abs(weight) * np.sqrt((x**2).sum(0))).ravel()
    mask = np.zeros(weight.size, bool)
    mask[np.argsort(-score, kind="stable")[: keep * len(weight)]] = True
    return mask.reshape(weight.shape)


def _layers(rng):
    weight, x = rng.normal(size=(4, 6)), rng.normal(size=(10, 6)) * np.array([1, 5, 0.2, 1, 3, 0.1])
    return [
        (weight, x, 3),
        (weight, x - 2, 2),
        (np.array([[1.0, -3.0], [0.1, 0.2]]), np.array([[4.0, 1.0]]), 1),
        (10 * rng.normal(size=(3, 1)) * rng.normal(size=(3, 8)), rng.normal(size=(5, 8)) ** 3, 4),
    ]


wanda = Check(
    "wanda",
    spec="Wanda's mask, bool (rows, columns): in every row the `keep` weights with the largest |w| x norm of their "
    "input stay. `x` (texts, columns) holds the inputs; the norm is the root of the sum of squares of a column.",
    solution=_wanda,
    inputs=_layers,
    mistakes={
        "the inputs are not looked at: that is pruning by magnitude": lambda w, x, keep: _wanda(
            w, np.ones_like(x), keep
        ),
        "the sign of a weight says nothing about its importance": lambda w, x, keep: _wanda(np.maximum(w, 0), x, keep),
        "each output (row) keeps as many; you compare across the whole layer": _whole,
        "the largest scores stay, not the smallest": lambda w, x, keep: ~_wanda(w, x, w.shape[1] - keep),
        "the norm is of the inputs, not of their mean": lambda w, x, keep: _wanda(w, x.mean(0, keepdims=True), keep),
    },
)


def _two_of_four(score):
    return scores.two_of_four(score)


def _half_of_row(score):
    order = np.argsort(-score, axis=1, kind="stable")[:, : score.shape[1] // 2]
    mask = np.zeros(score.shape, bool)
    np.put_along_axis(mask, order, True, axis=1)
    return mask


two_of_four = Check(
    "two_of_four",
    spec="A mask, bool (rows, columns): of every four neighbours in a row (columns 0-3, 4-7, ...) the two with the "
    "highest score stay, whatever the others have.",
    solution=_two_of_four,
    inputs=lambda rng: [
        (np.array([[9.0, 8.0, 7.0, 6.0, 1.0, 2.0, 3.0, 4.0]]),),
        (rng.random((3, 8)),),
        (rng.random((1, 4)),),
        (rng.random((4, 12)) * np.array([1.0, 10.0, 100.0] * 4),),
    ],
    mistakes={
        "half of the row stays, but not two of every four": _half_of_row,
        "the groups lie along the rows, not down the columns": lambda score: (
            _two_of_four(np.ascontiguousarray(score.T)).T if len(score) % 4 == 0 else ~_two_of_four(score)
        ),
        "the highest stay, not the lowest": lambda score: _two_of_four(-score),
        "two of four stay; you keep one": lambda score: (
            score.reshape(len(score), -1, 4) == score.reshape(len(score), -1, 4).max(2, keepdims=True)
        ).reshape(score.shape),
    },
)


def _correct(row, kept, gram):
    return scores.correct(row[None], kept[None], gram, damp=0.0)[0].astype(np.float64)


def _kept(kept, values):
    new = np.zeros(len(kept))
    new[kept] = values
    return new


def _part(gram, rows, columns):
    return gram[np.ix_(rows, columns)]


def _rows(rng):
    found = []
    for n, texts in ((3, 20), (5, 30), (6, 40)):
        x = rng.normal(size=(texts, n)) @ rng.normal(size=(n, n))
        kept = rng.random(n) < 0.6
        kept[0] = True
        kept[-1] = False
        found.append((rng.normal(size=n), kept, x.T @ x))
    return found


correct = Check(
    "correct",
    spec="The weights of one row (columns,) after pruning: zero where `kept` is False; the others are the "
    "least-squares answer, so that x @ new comes nearest to x @ row. `gram` G is x.T @ x. Solve G[K, K] new[K] = "
    "(G row)[K].",
    solution=_correct,
    inputs=_rows,
    mistakes={
        "the kept weights did not move: that is a mask alone": lambda row, kept, gram: row * kept,
        "the right side is G times the row, not the row": lambda row, kept, gram: _kept(
            kept, np.linalg.solve(_part(gram, kept, kept), row[kept])
        ),
        "what the cut weights did has to be added, not taken away": lambda row, kept, gram: _kept(
            kept, row[kept] - np.linalg.solve(_part(gram, kept, kept), _part(gram, kept, ~kept) @ row[~kept])
        ),
        "the cut weights are back": lambda row, kept, gram: row,
    },
    rtol=1e-4,
)


def _weighted_mean(values, importance):
    return float((values * importance).sum() / importance.sum())


weighted_centroid = Check(
    "weighted_centroid",
    spec="The value for weights that share one, if it shall make sum(importance x (value - weight)^2) smallest.",
    solution=_weighted_mean,
    inputs=lambda rng: [
        (np.array([0.0, 1.0]), np.array([1.0, 3.0])),
        (np.array([-1.0, 0.5, 2.0]), np.array([0.0, 1.0, 1.0])),
        (rng.normal(size=8), rng.random(8)),
        (rng.normal(size=5), np.full(5, 0.1)),
    ],
    mistakes={
        "that is the plain mean: importance is ignored": lambda values, importance: float(values.mean()),
        "divide by the sum of importance, not by the count": lambda values, importance: float(
            (values * importance).sum() / len(values)
        ),
        "that is the most important weight, not the best compromise": lambda values, importance: float(
            values[importance.argmax()]
        ),
    },
)


def _tokens(weights, bits, bytes_per_second, operations_per_second, batch):
    return batch / max(weights * bits / 8 / bytes_per_second, 2 * weights * batch / operations_per_second)


tokens_per_second = Check(
    "tokens_per_second",
    spec="Tokens a second of a language model with so many `weights` of so many `bits`, all `batch` texts together. "
    "For one token of every text all weights are read once, and each does two operations a text; the slower decides.",
    solution=_tokens,
    inputs=lambda rng: [
        (7e9, 16, 50e9, 1e12, 1),
        (7e9, 4, 50e9, 1e12, 1),
        (7e9, 16, 50e9, 1e12, 64),
        (1e9, 8, 1e12, 1e12, 8),
        (float(rng.integers(1, 9)) * 1e9, 4.5, 20e9, 5e11, 2),
    ],
    mistakes={
        "eight bits are a byte": lambda w, bits, move, work, n: n / max(w * bits / move, 2 * w * n / work),
        "each weight multiplies and adds: two operations": lambda w, bits, move, work, n: (
            n / max(w * bits / 8 / move, w * n / work)
        ),
        "weights are read once for the whole batch": lambda w, bits, move, work, n: (
            n / max(n * w * bits / 8 / move, 2 * w * n / work)
        ),
        "that is one text's rate; there are `batch` of them": lambda w, bits, move, work, n: (
            _tokens(w, bits, move, work, n) / n
        ),
    },
)
