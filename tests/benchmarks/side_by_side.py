"""dcviz beside other libraries that do the same work, timed in turn in one run on one thread.

    python tests/benchmarks/side_by_side.py                  all works, as a table
    python tests/benchmarks/side_by_side.py huffman_decode   one of them
    python tests/benchmarks/side_by_side.py --json           the same for a program

Each repetition runs ours, then every peer once, so that a busy moment of the machine meets all of
them alike. The table shows medians, with the smallest and largest time behind; ratio is peer / ours.
Every result is checked: a peer that does other work is no peer. Preparation (making the data, turning
it into the form a library wants) is not timed.

A work is a function that takes the size and returns a Work; it joins by standing in WORKS.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy loads

import argparse
import gc
import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))  # runs from a checkout that is not installed

SIZE = 3_400_000  # about the weights a network of AlexNet's kind keeps
SLICE = 100_000  # what a plain Python loop gets; its time is scaled up to the whole
REPETITIONS = 7


@dataclass
class Run:
    """One contestant: ``call()`` does the work, ``check(result)`` says whether it is right.

    ``scale`` multiplies the time of one that only does a part; ``most`` bounds the repetitions of a
    slow one.
    """

    call: Callable
    check: Callable = lambda result: True
    scale: float = 1.0
    most: int = REPETITIONS


@dataclass
class Work:
    """``amount`` of ``unit`` done by our run and by those of the peers, {name: Run}."""

    amount: int
    unit: str
    ours: Run
    peers: dict = field(default_factory=dict)


# ---------------------------------------------------------------- works


def kmeans(n):
    """32 centroids and their members for weights on both sides of zero; linear start, at most 300 steps.

    The two bells leave no cluster empty on the way; where one is, libraries differ in what they do next.
    """
    import kmeans1d
    from sklearn.cluster import KMeans

    from dcviz.ideas import kmeans as one_d

    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(-0.05, 0.02, n // 2), rng.normal(0.05, 0.02, n - n // 2)])
    start = np.linspace(values.min(), values.max(), 32)
    column = values.reshape(-1, 1)

    def ours():
        centroids = one_d.kmeans(values, 32, init=start, max_iterations=300).centroids
        return centroids, one_d.assign(values, centroids)

    def sklearn():
        model = KMeans(32, init=start.reshape(-1, 1), n_init=1, max_iter=300, tol=0, algorithm="lloyd")
        model.fit(column)
        return model.cluster_centers_[:, 0], model.labels_

    centroids, labels = ours()

    def same(result):
        return np.allclose(result[0], centroids, atol=1e-5) and np.mean(result[1] == labels) > 0.999

    def exact():
        found = kmeans1d.cluster(ordered, 32)
        return np.array(found.centroids), np.array(found.clusters)

    def no_worse(result):
        return one_d.Lloyd(values).inertia(np.sort(result[0])) <= inertia * (1 + 1e-9)

    ordered = values.tolist()  # kmeans1d takes a list; it finds the exact optimum, more than Lloyd's steps promise
    inertia = one_d.Lloyd(values).inertia(centroids)
    peers = {"sklearn": Run(sklearn, same, most=1), "kmeans1d (exact)": Run(exact, no_worse, most=1)}
    return Work(n, "values", Run(ours, same), peers)


def letters(n):
    """Weight codes as 5-bit weight sharing makes them: 32 letters, Laplace-distributed, and their lengths."""
    from dcviz.ideas.entropy import histogram
    from dcviz.ideas.huffman import code_lengths

    values = np.random.default_rng(0).laplace(15.5, 3, n)
    symbols = np.clip(np.round(values), 0, 31).astype(np.uint8)
    return symbols, code_lengths(histogram(symbols, 32))


def word_strings(lengths):
    """{symbol: code word as a string of 0 and 1}."""
    from dcviz.ideas.huffman import canonical_codes

    codes = canonical_codes(lengths)
    return {s: f"{codes[s]:0{bits}b}" for s, bits in enumerate(lengths.tolist()) if bits}


def huffman_encode(n):
    """Symbols to bytes, the code being known."""
    from bitarray import bitarray
    from constriction import symbol

    from dcviz.ideas import bitstream

    symbols, lengths = letters(n)
    words = word_strings(lengths)
    code = {s: bitarray(word) for s, word in words.items()}
    as_list = symbols.tolist()
    data = bitstream.encode(symbols, lengths).data
    their_code = symbol.huffman.EncoderHuffmanTree(np.bincount(symbols, minlength=32).astype(float))

    def bitarray_():
        bits = bitarray()
        bits.encode(code, as_list)
        return bits

    def constriction():
        coder = symbol.QueueEncoder()
        for s in as_list:
            coder.encode_symbol(s, their_code)
        return coder.get_compressed_and_bitrate()[1]

    part = as_list[: min(SLICE, n // 2)]

    def python_loop():
        out, pending, held = bytearray(), 0, 0
        for s in part:
            for bit in words[s]:
                pending = pending << 1 | (bit == "1")
                held += 1
                if held == 8:
                    out.append(pending)
                    pending = held = 0
        return out

    bits = int(lengths[symbols].sum(dtype=np.int64))
    return Work(
        n,
        "symbols",
        Run(lambda: bitstream.encode(symbols, lengths)),
        {
            "bitarray": Run(bitarray_, lambda result: result.tobytes() == data),
            "constriction": Run(constriction, lambda result: result == bits, most=2),
            f"python_loop (scaled from {len(part)})": Run(
                python_loop, lambda out: data.startswith(out), scale=n / len(part), most=3
            ),
        },
    )


def huffman_decode(n):
    """Bytes back to symbols, the code being known."""
    from bitarray import bitarray, decodetree
    from bitarray.util import canonical_decode
    from constriction import symbol

    from dcviz.ideas import bitstream
    from dcviz.ideas.huffman import canonical_order

    symbols, lengths = letters(n)
    words = word_strings(lengths)
    as_list = symbols.tolist()
    stream = bitstream.encode(symbols, lengths)
    bits = bitarray()
    bits.frombytes(stream.data)
    del bits[stream.bits :]
    per_length = np.bincount(lengths[lengths > 0]).tolist()
    order = canonical_order(lengths).tolist()
    tree = decodetree({s: bitarray(word) for s, word in words.items()})

    counts = np.bincount(symbols, minlength=32).astype(float)
    encoder, their_code = symbol.QueueEncoder(), symbol.huffman.EncoderHuffmanTree(counts)
    for s in as_list:
        encoder.encode_symbol(s, their_code)
    compressed, _ = encoder.get_compressed_and_bitrate()
    their_tree = symbol.huffman.DecoderHuffmanTree(counts)

    def constriction():
        coder = symbol.QueueDecoder(compressed)
        return [coder.decode_symbol(their_tree) for _ in range(n)]

    meaning = {word: s for s, word in words.items()}
    part = stream.data[: min(SLICE, n // 2) * stream.bits // (8 * n)]  # whole bytes, no pad bits
    in_part = int(np.searchsorted(np.cumsum(lengths[symbols], dtype=np.int64), 8 * len(part), "right"))

    def python_loop():
        out, word = [], ""
        for byte in part:
            for place in range(7, -1, -1):
                word += "1" if byte >> place & 1 else "0"
                if word in meaning:
                    out.append(meaning[word])
                    word = ""
        return out

    def same(result):
        return result == as_list

    return Work(
        n,
        "symbols",
        Run(lambda: bitstream.decode(stream, lengths), lambda result: np.array_equal(result, symbols)),
        {
            "bitarray": Run(lambda: list(canonical_decode(bits, per_length, order)), same),
            "bitarray decodetree": Run(lambda: list(bits.decode(tree)), same),
            "constriction": Run(constriction, same, most=2),
            f"python_loop (scaled from {in_part})": Run(
                python_loop, lambda out: out == as_list[:in_part], scale=n / in_part, most=3
            ),
        },
    )


def latency(size, repetitions):
    """Mouse to picture in a real browser: our canvas beside `interact` and `plt.hist`; see latency.py."""
    import labs_latency
    import latency as measuring

    measured = measuring.latency() | {"labs": labs_latency.measure()}
    if "skipped" in measured:
        return {"work": "latency", "ours_s": None, "peers": {}, "ratio": {}, **measured}
    ours, peer = measured["ours"]["median_ms"], measured["interact"]["median_ms"]
    return {
        "work": "latency",
        "ours_s": ours / 1000,
        "peers": {"interact": peer / 1000},
        "ratio": {"interact": peer / ours},
        **measured,
    }


def latency_table(row):
    """The latency row as lines of text."""
    lines = ["latency: from a mouse event to the new picture"]
    if "skipped" in row:
        return f"{lines[0]}\n  skipped: {row['skipped']}"
    for who in ("ours", "interact"):
        numbers = row[who]
        lines.append(
            f"  {who:10}{numbers['weights']:>12,} weights   median {numbers['median_ms']:>7.1f} ms"
            f"   p95 {numbers['p95_ms']:>7.1f} ms"
        )
    burst, last = row["ours"]["burst_events_per_s"], row["ours"]["last_state_ms"]
    lines.append(
        f"  ratio of medians {row['ratio']['interact']:.1f}; "
        f"last state of a burst of {burst} events/s on screen after {last} ms"
    )
    import labs_latency

    return "\n".join([*lines, "labs: from an event to the new words and picture", labs_latency.table(row["labs"])])


WORKS = {"kmeans": kmeans, "huffman_encode": huffman_encode, "huffman_decode": huffman_decode}


def later(module, name):
    """A function of another file of this folder, imported when it is called."""
    return lambda *arguments: getattr(importlib.import_module(module), name)(*arguments)


MEASURED = {"latency": (latency, latency_table)}  # works with a clock of their own: (measure, as text)
for _work in ("layers", "file"):
    MEASURED[_work] = later("works_layers", _work), later("works_layers", f"{_work}_table")


# ---------------------------------------------------------------- timing


def compare(name, size=SIZE, repetitions=REPETITIONS):
    """Time one work, all contestants in turn: -> {"work", "ours_s", "peers", "ratio", ...}, medians.

    ``spread`` has the smallest and the largest seconds of each. RuntimeError for a wrong result.
    """
    work = WORKS[name](size)
    runs = {"ours": work.ours, **work.peers}
    seconds = {who: [] for who in runs}
    for turn in range(repetitions):
        for who, run in runs.items():
            if turn >= run.most:
                continue
            gc.collect()
            start = time.perf_counter()
            result = run.call()
            seconds[who].append((time.perf_counter() - start) * run.scale)
            if turn == 0 and not run.check(result):
                raise RuntimeError(f"{name}: {who} gives another result")
            del result
    median = {who: statistics.median(times) for who, times in seconds.items()}
    ours = median.pop("ours")
    return {
        "work": name,
        "ours_s": ours,
        "peers": median,
        "ratio": {who: theirs / ours for who, theirs in median.items()},
        "spread": {who: [min(times), max(times)] for who, times in seconds.items()},
        "repetitions": {who: len(times) for who, times in seconds.items()},
        "amount": work.amount,
        "unit": work.unit,
    }


def as_table(row):
    """One compared work as lines of text."""
    lines = [f"{row['work']}: {row['amount']:,} {row['unit']}"]
    lines.append(f"  {'':32}{'median':>10}  {'min .. max':>20}  {row['unit'] + '/s':>10}  {'peer/ours':>9}")
    for who, seconds in {"ours": row["ours_s"], **row["peers"]}.items():
        low, high = row["spread"][who]
        ratio = "" if who == "ours" else f"{row['ratio'][who]:.2f}"
        rate = f"{row['amount'] / seconds / 1e6:.2f} M"
        spread = f"{low:.4f} .. {high:.4f}"
        lines.append(f"  {who:32}{seconds:>8.4f} s  {spread:>20}  {rate:>10}  {ratio:>9}")
    return "\n".join(lines)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known = [*WORKS, *MEASURED]
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"any of: {', '.join(known)} (default: all)")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.add_argument("--size", type=int, default=SIZE, help=f"values or symbols (default: {SIZE})")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    options = parser.parse_args(arguments)
    unknown = [name for name in options.works if name not in known]
    if unknown:
        parser.error(f"no such work: {', '.join(unknown)} (there are: {', '.join(known)})")
    rows = []
    for name in options.works or known:
        measure, show = MEASURED.get(name, (None, as_table))
        if measure is None:
            rows.append(compare(name, options.size, options.repetitions))
        else:
            rows.append(measure(options.size, options.repetitions))
        if not options.json:
            print(show(rows[-1]), end="\n\n", flush=True)
    if options.json:
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
