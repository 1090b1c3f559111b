"""Layout and drawing of Huffman figures."""

import numpy as np
import pytest

from dcviz.chapters.ch06_huffman import figures
from dcviz.errors import CodeError
from dcviz.ideas import huffman
from dcviz.labkit import theme

RNG = np.random.default_rng(8)
COUNTS = RNG.integers(0, 400, 33)


def bits_of(shown, index):
    return "".join(shown.bit[i] for i in shown.path(index))


def test_paths_of_the_layout_are_the_paths_of_the_tree():
    tree = huffman.tree(COUNTS)
    shown = figures.layout(tree)
    leaves = [i for i, kind in enumerate(shown.kind) if kind == figures.LEAF]
    assert sorted(shown.node[i] for i in leaves) == np.flatnonzero(COUNTS).tolist()
    assert [shown.x[i] for i in leaves] == list(range(len(leaves)))  # no two in a column, in order
    for i in leaves:
        assert bits_of(shown, i) == tree.path(shown.node[i])
        assert shown.y[i] == tree.depth[shown.node[i]]
        assert shown.share[i] == pytest.approx(COUNTS[shown.node[i]] / COUNTS.sum())
    for i, parent in enumerate(shown.parent):
        assert parent < i  # parents first
    assert shown.depth == tree.depth.max()


def test_inner_nodes_stand_between_their_children():
    shown = figures.layout(huffman.tree(COUNTS))
    for i, kind in enumerate(shown.kind):
        children = [shown.x[j] for j, parent in enumerate(shown.parent) if parent == i]
        if kind == figures.INNER:
            assert min(children) < shown.x[i] < max(children)


def test_rare_branches_close_and_open():
    tree = huffman.tree(COUNTS)
    shown = figures.layout(tree, rare=0.05)
    closed = [i for i, kind in enumerate(shown.kind) if kind == figures.BRANCH]
    assert closed
    assert all(shown.share[i] < 0.05 for i in closed)
    assert sum(shown.below[i] for i, kind in enumerate(shown.kind) if kind != figures.INNER) == np.count_nonzero(COUNTS)
    opened = figures.layout(tree, rare=0.05, opened=[shown.node[closed[0]]])
    assert opened.columns == shown.columns + 1
    assert figures.layout(tree, rare=2.0).kind[0] == figures.INNER  # the root never closes


def test_a_tree_as_deep_as_its_alphabet():
    counts = [1, 1]
    while len(counts) < 3000:
        counts.append(sum(counts[-2:]))
    shown = figures.layout(huffman.tree(counts))
    assert shown.depth == 2999
    assert shown.columns == 3000


@pytest.mark.parametrize("counts", [COUNTS, [5], [0, 3, 0], [1, 1], [8, 4, 2, 1, 1], RNG.integers(1, 9, 256)])
def test_paths_of_the_canonical_tree_are_the_words_in_the_file(counts):
    lengths = huffman.code_lengths(counts)
    codes = huffman.canonical_codes(lengths)
    tree = figures.canonical_tree(counts, lengths)
    present = np.flatnonzero(lengths).tolist()
    assert tree.counts[tree.root] == sum(counts)
    for symbol in present if len(present) > 1 else ():
        assert tree.path(symbol) == f"{codes[symbol]:0{lengths[symbol]}b}"
    shown = figures.layout(tree)
    order = [shown.node[i] for i, kind in enumerate(shown.kind) if kind == figures.LEAF]
    assert order == huffman.canonical_order(lengths).tolist()


def test_no_symbols_no_tree():
    for tree in (huffman.tree([0, 0]), figures.canonical_tree([0], [0])):
        shown = figures.layout(tree)
        assert (shown.node, shown.columns) == ([], 0)
    with pytest.raises(CodeError):
        figures.canonical_tree([1, 2], [1, 0, 3])


def test_drawing_shows_leaves_edges_and_the_chosen_path():
    tree = huffman.tree([8, 4, 2, 1, 1])
    shown = figures.layout(tree)
    _, axes = theme.figure()
    drawn = figures.draw_tree(axes, shown, selected=3)
    assert (len(drawn["leaves"]), len(drawn["edges"])) == (5, 8)
    assert len(drawn["path"][0].get_xdata()) == len(tree.path(3)) + 1
    widths = sorted(line.get_linewidth() for line in drawn["edges"])
    assert widths[-1] > 2 * widths[0]
    _, axes = theme.figure()
    half = figures.draw_tree(axes, shown, selected=3, step=2)
    assert len(half["edges"]) == 4  # two merges, two edges each


def test_bars_and_points_hold_the_numbers():
    lengths = huffman.code_lengths(COUNTS)
    _, axes = theme.figure()
    bars, mark = figures.symbol_bars(axes, COUNTS)
    assert [bar.get_height() for bar in bars] == COUNTS.tolist()
    assert not mark.get_visible()
    _, axes = theme.figure()
    points, _, stars = figures.length_against_information(axes, COUNTS, lengths, yours=lengths + 1)
    seen = COUNTS > 0
    np.testing.assert_allclose(points.get_xdata(), -np.log2(COUNTS[seen] / COUNTS.sum()))
    np.testing.assert_array_equal(points.get_ydata(), lengths[seen])
    np.testing.assert_array_equal(stars.get_ydata(), lengths[seen] + 1)


def test_huffman_never_goes_below_one_bit_but_blocks_do():
    _, axes = theme.figure()
    lines = figures.one_bit(axes, {"fc1": 0.08})
    single, pairs = lines["Huffman, weight by weight"].get_ydata(), lines["Huffman, blocks of 2"].get_ydata()
    bound = lines["entropy"].get_ydata()
    np.testing.assert_allclose(single, 1)
    assert np.all(np.asarray(pairs) >= np.asarray(bound) - 1e-6)
    assert pairs[0] < 0.52
