"""Huffman codes (section 4 of the paper): from counts to a tree, code lengths and code words.

Join the two lightest nodes, again and again, until one is left; frequent symbols end up near the root
and get short code words. Only the *lengths* matter for the size of the file, and from the lengths
alone both sides rebuild the same *canonical* code words, so a file stores one small number per symbol.
``dcviz.ideas.bitstream`` writes and reads symbols with such a code.
"""

from collections import deque
from dataclasses import dataclass
from operator import index
from typing import NamedTuple

import numpy as np

from dcviz.errors import CodeError
from dcviz.ideas.bits import check_integers

MAX_LENGTH = 20  # longest code word: a decoding table then has at most 2**20 entries


class Merge(NamedTuple):
    """One step of the construction: ``left`` and ``right``, the two lightest nodes, become ``node``."""

    step: int
    node: int
    left: int
    right: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs here


@dataclass(frozen=True, eq=False)
class Tree:
    """A Huffman tree over ``alphabet`` symbols, as flat arrays indexed by node number.

    Nodes 0 .. alphabet-1 are the symbols (leaves); node alphabet+i is made by merge step i. ``parent``
    and ``depth`` are int64 arrays with -1 where there is none: absent symbols, and the root's parent.
    ``counts`` is a tuple of Python ints. ``root`` is -1 when no symbol occurs.
    """

    alphabet: int
    root: int
    merges: tuple
    counts: tuple
    parent: np.ndarray
    depth: np.ndarray

    def children(self, node):
        """(left, right) of an inner node, () of a leaf."""
        if node < self.alphabet:
            return ()
        merge = self.merges[node - self.alphabet]
        return merge.left, merge.right

    def path(self, symbol):
        """The way from the root to ``symbol`` as a string: 0 left, 1 right. CodeError when absent."""
        if not 0 <= symbol < self.alphabet or self.depth[symbol] < 0:
            raise CodeError(f"symbol {symbol} is not in the tree")
        bits = []
        node = int(symbol)
        while node != self.root:
            parent = int(self.parent[node])
            bits.append("01"[self.children(parent)[1] == node])
            node = parent
        return "".join(reversed(bits))


def merges(counts):
    """The steps of Huffman's construction, in order: counts (alphabet,) -> list of Merge.

    Ties go to the leaf before the inner node, to the smaller symbol, and to the node made earlier, so
    the same counts always give the same tree, and the shallowest of the optimal ones. m symbols that
    occur take m-1 steps. Raises CodeError for counts that are negative or not integers.
    """
    counts = _check_counts(counts)
    leaves = deque(sorted((count, symbol) for symbol, count in enumerate(counts) if count))
    made: deque = deque()  # inner nodes come out in growing weight, so two queues replace a heap

    def lightest():
        return leaves.popleft() if not made or (leaves and leaves[0][0] <= made[0][0]) else made.popleft()

    steps = []
    for step in range(len(leaves) - 1):
        (a, left), (b, right) = lightest(), lightest()
        node = len(counts) + step
        made.append((a + b, node))
        steps.append(Merge(step, node, left, right, a + b))
    return steps


def tree(counts):
    """The Huffman tree of ``counts`` (alphabet,), for drawing and inspecting: -> Tree.

    Raises CodeError for counts that are negative or not integers.
    """
    counts = _check_counts(counts)
    steps = merges(counts)
    present = [symbol for symbol, count in enumerate(counts) if count]
    root = steps[-1].node if steps else (present[0] if present else -1)
    parent = [-1] * (len(counts) + len(steps))
    depth = parent.copy()
    if root >= 0:
        depth[root] = 0
    for _, node, left, right, _ in reversed(steps):  # the root was made last: parents before children
        parent[left] = parent[right] = node
        depth[left] = depth[right] = depth[node] + 1
    counts = (*counts, *(merge.count for merge in steps))
    return Tree(len(counts) - len(steps), root, tuple(steps), counts, np.array(parent), np.array(depth))


def code_lengths(counts, max_length=MAX_LENGTH):
    """Bits per code word: counts (alphabet,) -> uint8 lengths (alphabet,), 0 for absent symbols.

    No prefix code with words of at most ``max_length`` bits takes fewer bits in total. A lone symbol
    gets length 1: it still needs a bit, or its number could not be read back. Raises CodeError for
    counts that are negative or not integers, and when ``max_length`` is too short for the alphabet.
    """
    counts = _check_counts(counts)
    if not 1 <= max_length <= MAX_LENGTH:
        raise CodeError(f"max_length must be 1 to {MAX_LENGTH}, not {max_length}")
    present = [symbol for symbol, count in enumerate(counts) if count]
    if len(present) > 1 << max_length:
        raise CodeError(f"{len(present)} symbols cannot have different codes of {max_length} bits at most")
    lengths = np.zeros(len(counts), np.uint8)
    if len(present) == 1:
        lengths[present] = 1
    elif present:
        depth = tree(counts).depth[present]
        lengths[present] = depth if depth.max() <= max_length else _package_merge(counts, present, max_length)
    return lengths


def block_code_length(density, block):
    """Mean bits per weight of a mask under a Huffman code over blocks of `block` weights -> float.

    Each weight is kept with probability `density`, independently of the others. Over single weights no code goes below
    1 bit; over longer blocks it comes down towards the entropy of one weight.
    Raises CodeError unless the density lies between 0 and 1 and the block in 1..16.

        block_code_length(0.1, 2) -> 0.645, with words of 1, 2, 3 and 3 bits for 00, 01, 10 and 11
    """
    if not 0 <= density <= 1 or not 1 <= block <= 16:
        raise CodeError(f"density must lie in 0..1 and block in 1..16, got {density} and {block}")
    ones = np.bitwise_count(np.arange(1 << block))
    shares = density**ones * (1 - density) ** (block - ones)
    counts = np.maximum(1, np.round(shares * 1e9)).astype(np.int64)  # code_lengths takes whole numbers
    return float((shares * code_lengths(counts)).sum()) / block


def _package_merge(counts, present, max_length):
    """Optimal lengths of at most ``max_length`` bits for the ``present`` symbols (package-merge).

    Think of coins: each symbol owns one coin of each level 1 .. max_length, worth its count. Level by
    level coins are paired into packages that compete with the coins of the next level. The cheapest
    2m-2 items of the last level make the code: a symbol is as long as the number of its coins in them.
    """
    order = sorted(present, key=lambda symbol: (counts[symbol], symbol))
    # weight * 2 for a coin, weight * 2 + 1 for a package: plain ints sort fast, and parity tells them apart
    coins = [2 * counts[symbol] for symbol in order]
    levels = [coins]
    for _ in range(max_length - 1):
        items = levels[-1]
        packages = [(a >> 1) + (b >> 1) << 1 | 1 for a, b in zip(items[::2], items[1::2], strict=False)]
        levels.append(sorted(coins + packages))
    length = np.zeros(len(order), np.int64)
    take = 2 * len(order) - 2
    for items in reversed(levels):
        packages = sum(item & 1 for item in items[:take])
        length[: take - packages] += 1  # the coins taken are always the lightest ones
        take = 2 * packages
    lengths = dict(zip(order, length.tolist(), strict=True))
    return [lengths[symbol] for symbol in present]


def check_lengths(lengths):
    """Check that ``lengths`` (alphabet,) describe a code that can be read: -> the same as uint8 array.

    Accepted: a complete prefix code (the Kraft sum of 2**-length is exactly 1), a lone symbol of length
    1, and no symbols at all. Raises CodeError otherwise: over-full codes cannot be told apart,
    incomplete ones leave bits that mean nothing, and lengths above MAX_LENGTH need too large a table.
    """
    lengths = check_integers(lengths, "code lengths")
    if lengths.size and lengths.max() > MAX_LENGTH:
        raise CodeError(f"code lengths must be 0 to {MAX_LENGTH}: found {lengths.min()} to {lengths.max()}")
    lengths = lengths.astype(np.uint8)
    per_length = np.bincount(lengths, minlength=2)[1:].tolist()
    kraft = sum(number << (MAX_LENGTH - length) for length, number in enumerate(per_length, 1))
    full = 1 << MAX_LENGTH
    if kraft > full:
        raise CodeError(f"over-full code: the Kraft sum of its lengths is {kraft / full:.6g}, above 1")
    if 0 < kraft < full and per_length != [1]:
        raise CodeError(f"incomplete code: the Kraft sum of its lengths is {kraft / full:.6g}, below 1")
    return lengths


def canonical_codes(lengths):
    """The canonical code words: lengths (alphabet,) -> uint32 codes (alphabet,), right-aligned.

    Words are numbered in the order of (length, symbol), each the one before plus 1, extended with zeros
    where the length grows. Absent symbols get 0. Raises CodeError as ``check_lengths`` does.
    """
    lengths = check_lengths(lengths)
    codes = np.zeros(lengths.size, np.uint32)
    order = canonical_order(lengths)
    if order.size:
        spare = lengths[order[-1]] - lengths[order].astype(np.int64)
        room = 1 << spare  # words of the greatest length that start with this word
        codes[order] = (np.cumsum(room) - room) >> spare
    return codes


def canonical_order(lengths):
    """Symbols that have a code, by (length, symbol): the order of their canonical words. int64."""
    order = np.argsort(lengths, kind="stable")
    return order[np.count_nonzero(lengths == 0) :]


def _check_counts(counts):
    """Counts as a list of Python ints of any size, or CodeError."""
    if isinstance(counts, np.ndarray):
        counts = counts.reshape(-1).tolist()
    try:
        counts = [index(count) for count in counts]
    except TypeError:
        raise CodeError("counts must be a vector of integers") from None
    if counts and min(counts) < 0:
        raise CodeError(f"counts must not be negative: symbol {counts.index(min(counts))} has {min(counts)}")
    return counts
