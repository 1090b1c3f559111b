import numpy as np
import pytest
import torch

from dcviz import archive, pipeline
from dcviz.archive import Coding, Layer, StoredNet
from dcviz.errors import NetError
from dcviz.nets import datasets, training
from dcviz.pipeline import chains, reordering, shipped


def logits(stored):
    with torch.no_grad():
        return pipeline.restore(stored)(training.to_input(datasets.digits().test.images[:200])).numpy()


@pytest.mark.parametrize("name", ["lenet-300-100-small", "lenet-5-tiny"])
def test_the_shipped_nets_get_smaller_and_answer_the_same(name):
    before = shipped.compressed(name)
    after = reordering.shortest(before, chains.hidden(pipeline.restore(before)))
    assert len(archive.dumps(after)) < 0.99 * len(archive.dumps(before))
    np.testing.assert_allclose(logits(after), logits(before), rtol=1e-4, atol=1e-4)
    for old, new in zip(before.layers, after.layers, strict=True):
        assert np.array_equal(np.sort(old.weight.ravel()), np.sort(new.weight.ravel()))
    read = archive.loads(archive.dumps(after))
    for key, value in after.state_dict().items():
        assert value.tobytes() == read.state_dict()[key].tobytes()


@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5"])
def test_any_order_of_hidden_neurons_is_the_same_function(name):
    net = pipeline.stored_net(shipped.dense(name))
    rng = np.random.default_rng(0)
    layers = list(net.layers)
    for at in range(len(layers) - 1):
        order = rng.permutation(len(layers[at].weight))
        layers[at : at + 2] = reordering.permute(*layers[at : at + 2], order)
    moved = StoredNet(net.name, tuple(layers))
    assert not np.array_equal(moved.layers[0].weight, net.layers[0].weight)
    np.testing.assert_allclose(logits(moved), logits(net), rtol=1e-4, atol=1e-4)


def test_rows_bias_and_columns_move_together():
    first = Layer("a", np.arange(6, dtype=np.float32).reshape(3, 2), np.array([10, 20, 30], np.float32))
    second = Layer("b", np.arange(12, dtype=np.float32).reshape(2, 6))  # two weights for each neuron of a
    one, two = reordering.permute(first, second, [2, 0, 1])
    assert one.weight.tolist() == [[4, 5], [0, 1], [2, 3]]
    assert one.bias.tolist() == [30, 10, 20]
    assert two.weight.tolist() == [[4, 5, 0, 1, 2, 3], [10, 11, 6, 7, 8, 9]]
    assert first.weight[0].tolist() == [0, 1], "the layer given is left alone"


def test_a_chain_goes_from_the_fullest_row_to_the_most_similar_one_left():
    kept = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 1], [1, 0, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 0]], bool)
    assert reordering.chain(kept).tolist()[:2] == [1, 3]
    assert sorted(reordering.chain(kept)) == [0, 1, 2, 3, 4]
    order = reordering.chain(kept).tolist()
    assert abs(order.index(0) - order.index(2)) == 1


def test_a_net_that_is_no_chain_and_an_order_that_is_no_permutation_are_refused():
    first, second = Layer("a", np.ones((3, 2), np.float32)), Layer("b", np.ones((2, 4), np.float32))
    with pytest.raises(NetError, match="b is not fed by a alone"):
        reordering.permute(first, second, [0, 1, 2])
    with pytest.raises(NetError, match="permutation of 0 to 2"):
        reordering.permute(first, Layer("b", np.ones((2, 3), np.float32)), [0, 1, 1])


def test_a_layer_that_stores_every_position_keeps_its_direction():
    layer = Layer("a", np.ones((3, 2), np.float32), coding=Coding(order="F"))
    assert reordering.best_order(layer) is layer
