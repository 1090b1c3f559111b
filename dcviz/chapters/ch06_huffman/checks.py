"""Checks of chapter 06: entropy, code lengths by merging, canonical words, gaps for a coded file, decoding."""

import heapq

import numpy as np

from dcviz.chapters.ch06_huffman import figures
from dcviz.ideas import entropy as entropies, huffman
from dcviz.labkit import theme
from dcviz.labkit.check import Check
from dcviz.labkit.decision import Decision, by_layer


class _OptimalLengths(Check):
    """Ties make several codes equally good: any prefix code with the fewest bits in total passes."""

    def _run(self, function, arguments):
        return _best_or_given(arguments[0], super()._run(function, arguments))

    def _try(self, function, arguments):
        return _best_or_given(arguments[0], super()._try(function, arguments))


def _best_or_given(counts, yours):
    best = huffman.code_lengths(counts).tolist()
    try:
        given = np.asarray(yours)
        if given.shape != (len(best),) or given.dtype.kind not in "iuf":
            return yours
        if not np.array_equal(given > 0, np.asarray(counts) > 0):
            return yours
        huffman.check_lengths(given.astype(int) if np.all(given == np.round(given)) else given)
        same = int((given * counts).sum()) == int((np.asarray(best) * counts).sum())
    except (TypeError, ValueError):
        return yours
    return best if same else yours


# ------------------------------------------------------------------ entropy


def _ratios(counts):
    with np.errstate(divide="ignore", invalid="ignore"):
        p = counts / counts.sum()
        return p, np.log2(p)


def _with_log(log):
    def wrong(counts):
        p = counts[counts > 0] / counts.sum()
        return float(-(p * log(p)).sum())

    return wrong


def _with_zeros(counts):
    p, log = _ratios(counts)
    with np.errstate(invalid="ignore"):
        return float(-(p * log).sum())


def _unweighted_information(counts):
    _, log = _ratios(counts[counts > 0])
    return float(-log.mean())


entropy = Check(
    "entropy",
    spec="Return the entropy of `counts`, in bits per symbol: the sum of p * log2(1/p), p = count / total.",
    solution=lambda counts: entropies.entropy(counts),
    inputs=lambda rng: [
        (np.array([8, 4, 2, 2]),),
        (np.array([5, 5]),),
        (np.array([7, 0, 1, 0, 3]),),
        (np.array([9]),),
        (rng.integers(0, 50, 30),),
    ],
    mistakes={
        "you use the natural logarithm; bits need np.log2": _with_log(np.log),
        "you use log10; bits need np.log2": _with_log(np.log10),
        "a count of zero gives 0 * log(0) = NaN; leave symbols out that never occur": _with_zeros,
        "the sign is the wrong way round: log2(p) is negative": lambda counts: -entropies.entropy(counts),
        "you average the information of the symbols; weight each by its p": _unweighted_information,
    },
)


# ------------------------------------------------------------------ code lengths


def _merged(counts, pick=heapq.heappop, root=0, lone=1, absent=False, weigh=int.__add__):
    """Code lengths by merging, with knobs to do it wrong: `pick` takes a node off the heap, `weigh` a new one."""
    heap = [(int(count), i, [i]) for i, count in enumerate(counts) if count or absent]
    heapq.heapify(heap)
    lengths = [0] * len(counts)
    if len(heap) == 1:
        lengths[heap[0][2][0]] = lone
        return lengths
    for symbol in (i for _, _, members in heap for i in members):
        lengths[symbol] = root
    step = len(counts)
    while len(heap) > 1:
        (a, _, left), (b, _, right) = pick(heap), pick(heap)
        for symbol in left + right:
            lengths[symbol] += 1
        heapq.heappush(heap, (weigh(a, b), step, left + right))
        step += 1
    return lengths


def _shannon(counts):
    total = int(np.sum(counts))
    return [int(np.ceil(np.log2(total / int(count)))) if count else 0 for count in counts]


def _largest(heap):
    heap.sort()
    return heap.pop()


def _draw_lengths(arguments, yours, target):
    figure, axes = theme.figure(8, 4.6)
    counts = np.asarray(arguments[0])
    fits = np.shape(yours) == counts.shape and np.asarray(yours).dtype.kind in "iuf"
    figures.length_against_information(axes, counts, np.asarray(target), np.asarray(yours) if fits else None)
    axes.set_title("what the task asks for, and yours" if fits else "what the task asks for")
    return figure


code_lengths = _OptimalLengths(
    "code_lengths",
    spec="Return a list with the code length of each symbol by Huffman's merging: 0 for absent symbols, "
    "1 for a symbol that is alone. With ties, any best code is right.",
    solution=lambda counts: huffman.code_lengths(counts).tolist(),
    inputs=lambda rng: [
        (np.array([10, 6, 2, 1, 1]),),
        (np.array([1, 1, 1, 1, 1]),),
        (np.array([4, 0, 9, 0, 1, 2]),),
        (np.array([0, 7, 0]),),
        (np.array([1, 1, 2, 3, 5, 8, 13, 21]),),
        (rng.integers(1, 1000, 20),),
    ],
    mistakes={
        "you merge the two largest nodes; take the two smallest": lambda c: _merged(c, _largest),
        "a new node weighs as much as both children together, not as much as the heavier one": (
            lambda c: _merged(c, weigh=max)
        ),
        "you round log2(1/p) up: such a code (Shannon's) can be read, but merging finds a shorter one": _shannon,
        "every length is one too large: the root itself costs no bit": lambda c: _merged(c, root=1),
        "a symbol that is alone still needs one bit, or its number could not be read back": (
            lambda c: _merged(c, lone=0)
        ),
        "symbols that never occur get a code; leave them out of the heap": lambda c: _merged(c, absent=True),
    },
    draw=_draw_lengths,
)


# ------------------------------------------------------------------ canonical code words


def _canonical(lengths):
    codes = huffman.canonical_codes(np.asarray(lengths))
    return [f"{int(code):0{n}b}" if n else "" for code, n in zip(codes, lengths, strict=True)]


def _words(lengths, order, shift=True, pad=True):
    words, code, before = [""] * len(lengths), -1, 0
    for symbol in order:
        n = int(lengths[symbol])
        code = code + 1
        if shift and before:
            code <<= n - before if n > before else 0
        before = n
        words[symbol] = f"{code:0{n}b}" if pad else f"{code:b}"
    return words


def _present(lengths):
    return [i for i, n in enumerate(lengths) if n]


def _by_length(lengths):
    return sorted(_present(lengths), key=lambda i: (lengths[i], i))


canonical = Check(
    "canonical",
    spec="Return the canonical code words as text, '' for length 0: in the order of (length, symbol) each "
    "word is the one before plus 1, with zeros appended where the length grows.",
    solution=lambda lengths: _canonical(lengths),
    inputs=lambda rng: [
        ([2, 1, 3, 3],),
        ([1, 2, 3, 4, 4],),
        ([3, 0, 3, 2, 2, 0, 2],),
        ([0, 1],),
        ([3, 3, 3, 3, 3, 3, 3, 3],),
        (huffman.code_lengths(rng.integers(1, 200, 17)).tolist(),),
    ],
    mistakes={
        "you go through the symbols in their order: that is no prefix code. Sort by (length, symbol) first": (
            lambda lengths: _words(lengths, _present(lengths))
        ),
        "you forget to append zeros where the length grows: a short word then begins a longer one": (
            lambda lengths: _words(lengths, _by_length(lengths), shift=False)
        ),
        "leading zeros are gone: pad each word to its length, f'{code:0{length}b}'": (
            lambda lengths: _words(lengths, _by_length(lengths), pad=False)
        ),
        "among words of one length the smaller symbol comes first": (
            lambda lengths: _words(lengths, sorted(_present(lengths), key=lambda i: (lengths[i], -i)))
        ),
    },
)


# ------------------------------------------------------------------ bits


def _counts_and_lengths(rng):
    counts = rng.integers(0, 300, 24)
    return counts, huffman.code_lengths(counts).astype(int)


mean_length = Check(
    "mean_length",
    spec="Return the mean bits per symbol, when symbol i occurs counts[i] times and takes lengths[i] bits.",
    solution=lambda counts, lengths: entropies.mean_length(counts, lengths),
    inputs=lambda rng: [
        (np.array([8, 4, 2, 2]), np.array([1, 2, 3, 3])),
        (np.array([1, 0, 7]), np.array([1, 0, 1])),
        _counts_and_lengths(rng),
    ],
    mistakes={
        "you take the plain mean of the lengths; a frequent symbol must weigh more": (
            lambda counts, lengths: float(np.mean(lengths))
        ),
        "you return the bits of the whole message; divide by how many symbols it has": (
            lambda counts, lengths: float((counts * lengths).sum())
        ),
        "you divide by the size of the alphabet; divide by how many symbols the message has": (
            lambda counts, lengths: float((counts * lengths).sum() / len(counts))
        ),
    },
)


def _file(answers):
    from dcviz.pipeline import choices  # torch only when it is needed

    return choices.gaps(answers[0], huffman=True)


gap_widths = Decision(
    "gap_widths",
    spec='Return {layer: (bits of a gap, "C" or "F")} for the net of chapter 03, whose gaps and codes are now '
    "Huffman-coded. The file may have at most 23,500 bytes, code tables included.",
    solution=by_layer((8, "C"), (8, "F"), (5, "C")),
    outcome=_file,
    budget=23_500,
    mistakes={
        "this was good when every gap took its full width; now a rare long gap may have a long word, and a filler "
        "still costs two words": by_layer((5, "F"), (5, "C"), (3, "C")),
        "the paper's 5 bits put in fillers that wider gaps would save": by_layer(*[(5, "C")] * 3),
        "column by column makes fewer fillers, but the gaps of fc1 are more even then, and even gaps code badly": (
            by_layer(*[(8, "F")] * 3)
        ),
        "6 bits are still too few for fc1 at 8%": by_layer(*[(6, "C")] * 3),
        "each layer needs two choices, its bits and its walk": by_layer(8, 8, 8),
        "a gap has at most 16 bits": by_layer((20, "C"), (8, "F"), (5, "C")),
    },
)

# ------------------------------------------------------------------ decoding


def _decode(data, words, n, flip=False, stop=True, clear=True):
    symbols, word = [], ""
    for byte in data:
        bits = f"{byte:08b}"
        for bit in bits[::-1] if flip else bits:
            if stop and len(symbols) == n:
                return symbols
            word += bit
            if word in words:
                symbols.append(words.index(word))
                word = "" if clear else word[-1]
    return symbols


def _message(rng, counts, n):
    words = _canonical(huffman.code_lengths(counts).tolist())
    present = np.flatnonzero(counts)
    symbols = rng.choice(present, n, p=np.asarray(counts)[present] / np.sum(counts))
    bits = "".join(words[symbol] for symbol in symbols)
    data = bytes(int(bits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(bits), 8))
    return data, words, n


decode = Check(
    "decode",
    spec="Return the list of the first `n` symbols in `data` (bytes; the most significant bit of each byte "
    "comes first). `words[symbol]` is the code word as text, '' for absent symbols.",
    solution=lambda data, words, n: _decode(data, words, n),
    inputs=lambda rng: [
        (b"\x5a", ["0", "10", "11"], 4),
        _message(rng, np.array([50, 20, 10, 5]), 30),
        _message(rng, np.array([1, 0, 30, 4, 4, 9, 0, 2]), 41),
        _message(rng, np.array([0, 3]), 9),
        (b"", ["0", "1"], 0),
    ],
    mistakes={
        "you read each byte from its least significant bit; the most significant comes first": (
            lambda data, words, n: _decode(data, words, n, flip=True)
        ),
        "you decode the zeros that pad the last byte, too; stop after n symbols": (
            lambda data, words, n: _decode(data, words, n, stop=False)
        ),
        "after a symbol the next word starts empty; you keep its last bit": (
            lambda data, words, n: _decode(data, words, n, clear=False)
        ),
    },
)
