"""Hidden neurons in another order: the same net, shorter gaps.

Swap two hidden neurons together with all their connections and nothing changes but the place of their weights in the
file: rows of one layer, columns of the next. A good order puts neurons that listen to the same inputs side by side, or
those that keep most weights first, so that gaps (section 3.1 of the paper) are more uneven and Huffman coding finds
more to save. The decoder needs to know nothing of it.

Outputs of the net are the same sums in another order: equal up to float rounding.
"""

from dataclasses import replace

import numpy as np

from dcviz import archive
from dcviz.errors import NetError


def shortest(stored, orders=("C", "F"), rounds=3):
    """A pruned ``StoredNet`` with its hidden neurons in an order that makes the file small; never larger than before.

    For each pair of layers in turn the ``candidates`` are tried and measured, until nothing helps or ``rounds`` are
    over. orders: directions in which a pruned layer may be stored ("C" row by row, "F" column by column); each gets the
    better one. NetError unless each layer is fed by the one before it alone.
    """
    layers = [best_order(layer, orders) for layer in stored.layers]
    sizes = [archive.layer_bytes(layer) for layer in layers]
    for _ in range(rounds):
        before = sum(sizes)
        for at in range(len(layers) - 1):
            for order in candidates(*layers[at : at + 2]).values():
                pair = [best_order(layer, orders) for layer in permute(*layers[at : at + 2], order)]
                new = [archive.layer_bytes(layer) for layer in pair]
                if sum(new) < sum(sizes[at : at + 2]):
                    layers[at : at + 2], sizes[at : at + 2] = pair, new
        if sum(sizes) == before:
            break
    return replace(stored, layers=tuple(layers))


def permute(first, second, order):
    """Two ``Layer`` in a row with the neurons (or filters) between them in a new order: the new pair.

    order: permutation of 0..n-1, the old places in their new order. NetError if it is none, or the layers do not fit.
    """
    n = first.weight.shape[0]
    order = np.asarray(order)
    if not np.array_equal(np.sort(order), np.arange(n)):
        raise NetError(f"the {n} neurons of {first.name} need a permutation of 0 to {n - 1}")
    incoming = _by_neuron(first, second)[:, order].reshape(second.weight.shape)
    bias = None if first.bias is None else np.ascontiguousarray(first.bias[order])
    first = replace(first, weight=np.ascontiguousarray(first.weight[order]), bias=bias)
    return first, replace(second, weight=np.ascontiguousarray(incoming))


def candidates(first, second):
    """{name: order} of the neurons between two layers, worth trying.

    "busy first" sorts by weights kept, so that dead neurons and their gaps fall off the end. "alike in", "alike out"
    and "alike" start at the busiest neuron and go on to the most similar one left (Jaccard similarity of the kept
    places), judged by incoming weights, outgoing ones, or both.
    """
    fed = first.weight.reshape(first.weight.shape[0], -1) != 0
    feeds = _by_neuron(first, second).swapaxes(0, 1).reshape(len(fed), -1) != 0
    both = np.hstack([fed, feeds])
    return {
        "busy first": np.argsort(-fed.sum(1), kind="stable"),
        "busy first, out": np.argsort(-feeds.sum(1), kind="stable"),
        "alike in": chain(fed),
        "alike out": chain(feeds),
        "alike": chain(both),
    }


def chain(kept):
    """Rows of a bool array (n, m) -> order (n,): from the fullest row on, each time the most similar one left."""
    kept = np.asarray(kept, np.float32)
    shared = kept @ kept.T
    full = kept.sum(1)
    alike = shared / np.maximum(full[:, None] + full - shared, 1)  # Jaccard: both / either
    order = [int(full.argmax())]
    left = np.ones(len(kept), bool)
    left[order[0]] = False
    for _ in range(len(kept) - 1):
        nearest = int(np.where(left, alike[order[-1]], -1).argmax())
        order.append(nearest)
        left[nearest] = False
    return np.array(order)


def best_order(layer, orders=("C", "F")):
    """A ``Layer`` stored in whichever direction makes it smaller; one that stores every position stays as it is."""
    if layer.coding.index_bits is None:
        return layer
    return archive.shortest(layer, [replace(layer.coding, order=order) for order in orders])


def _by_neuron(first, second):
    """Weights of ``second`` as (outputs, neurons of ``first``, weights each)."""
    n, weight = first.weight.shape[0], second.weight
    if weight.ndim < 2 or weight.shape[1] % n:
        raise NetError(f"{second.name} is not fed by {first.name} alone: {weight.shape} after {first.weight.shape}")
    return weight.reshape(weight.shape[0], n, -1)
