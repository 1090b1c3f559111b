import numpy as np
import pytest

from dcviz import archive
from dcviz.archive import Coding, Layer, coders
from dcviz.chapters.ch10_how_small import bounds
from dcviz.pipeline import shipped


@pytest.fixture(scope="module")
def stored():
    return shipped.compressed("lenet-300-100-small")


@pytest.fixture(scope="module")
def table(stored):
    return bounds.whole(stored)


def test_the_file_adds_up_and_stands_where_it_should(stored, table):
    size = len(archive.dumps(stored))
    assert table.loc["sum", bounds.HUFFMAN] == pytest.approx(size, abs=1)
    assert size == shipped.compressed_path("lenet-300-100-small").stat().st_size
    assert table.loc["sum", bounds.FIXED] > size > table.loc["sum", bounds.NEIGHBOURS]
    assert (table >= 0).all().all()


def test_a_trained_mask_goes_below_the_bound_for_independent_weights(stored, table):
    assert table.loc[bounds.WHICH, bounds.HUFFMAN] < table.loc[bounds.WHICH, bounds.BOUND]
    assert table.loc[bounds.WHAT, bounds.HUFFMAN] > table.loc[bounds.WHAT, bounds.BOUND]
    masks = bounds.mask_table(stored.layers[0])
    trained, shuffled = masks["as trained"], masks["shuffled"]
    alone, given, coded = masks.index[0], masks.index[2], masks.index[4]
    assert trained[alone] == shuffled[alone]
    assert trained[given] <= trained[coded] < 1.02 * trained[given]
    assert trained[given] < 0.85 * trained[alone]
    assert shuffled[given] > 0.99 * shuffled[alone]
    assert shuffled.drop(alone).ge(trained.drop(alone)).all()


def test_ratios_are_those_of_the_sums(stored, table):
    ratio = stored.dense_bytes() / table.loc["sum", bounds.HUFFMAN]
    assert bounds.with_ratios(table, stored.dense_bytes()).loc["times smaller", bounds.HUFFMAN] == f"{ratio:.1f}x"


def test_kept_weights_stand_in_crowds(stored):
    found = bounds.chances(stored.layers[0])
    weights = stored.layers[0].weight
    assert sum(n for n, _ in found.values()) == weights.size
    assert sum(n * p for n, p in found.values()) == pytest.approx(np.count_nonzero(weights))
    assert found["left and above"][1] > 5 * found["neither"][1]


def test_neighbours_follow_the_shape():
    assert bounds.offsets(Layer("conv", np.ones((2, 1, 5, 5), np.float32))) == (1, 5)
    assert bounds.offsets(Layer("fc", np.ones((2, 784), np.float32))) == (1, 28)
    assert bounds.offsets(Layer("fc", np.ones((2, 30), np.float32))) == (1,)


def test_an_empty_mask_and_a_full_one_cost_next_to_nothing():
    for value in (0, 1):
        layer = Layer("fc", np.full((50, 60), value, np.float32), None, Coding())
        assert bounds.mask_bound(layer) == 0
        assert bounds.mask_by_neighbours(layer) < 20


def test_all_coders_stand_in_the_table():
    net = shipped.compressed("lenet-5-tiny")
    table = bounds.by_compressor(net)
    assert {"Huffman", "ANS", "fixed-length", *coders.COMPRESSORS} <= set(table.index)
    sizes = [int(n.replace(",", "")) for n in table["bytes"] if n[0].isdigit()]
    assert sizes[1:] == sorted(sizes[1:])
    assert sizes[0] < min(sizes[1:])
