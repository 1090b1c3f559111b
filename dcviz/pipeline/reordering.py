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
from dcviz.archive import Kept, Layer
from dcviz.errors import NetError


def shortest(stored, hidden, orders=("C", "F"), rounds=3):
    """A pruned ``StoredNet`` with its hidden neurons in an order that makes the file small; never larger than before.

    hidden: the sets of neurons that may change places (``chains.hidden``). For each in turn the ``candidates`` are
    tried and measured, until nothing helps or ``rounds`` are over. orders: directions in which a pruned layer may be
    stored ("C" row by row, "F" column by column); each gets the better one.
    """
    layers = [best_order(layer, orders) for layer in stored.layers]
    home = {key: at for at, layer in enumerate(layers) for key in layer.tensors()}
    hidden = [neurons for neurons in hidden if all(place.key in home for place in neurons.places)]
    sizes = [_size(layer) for layer in layers]
    for _ in range(rounds):
        before = sum(sizes)
        for neurons in hidden:
            at = sorted({home[place.key] for place in neurons.places})
            state = {key: array for i in at for key, array in layers[i].tensors().items()}
            for order in orders_to_try(*(neurons.weights(state, role) != 0 for role in ("out", "in"))).values():
                state = {key: array for i in at for key, array in layers[i].tensors().items()}
                state |= neurons.moved(state, order)
                new = [best_order(_with(layers[i], state), orders) for i in at]
                lengths = [_size(layer) for layer in new]
                if sum(lengths) < sum(sizes[i] for i in at):
                    for i, layer, length in zip(at, new, lengths, strict=True):
                        layers[i], sizes[i] = layer, length
        if sum(sizes) == before:
            break
    return replace(stored, layers=tuple(layers))


def _size(record):
    return archive.layer_bytes(record) if isinstance(record, Layer) else 0  # kept tensors are as long in any order


def _with(layer, state):
    """A record with the arrays that a {key: array} has for it."""
    if isinstance(layer, Kept):
        return replace(layer, array=state[layer.name])
    if layer.bare:
        return replace(layer, weight=state[layer.name])
    bias = None if layer.bias is None else state[f"{layer.name}.bias"]
    return replace(layer, weight=state[f"{layer.name}.weight"], bias=bias)


def permute(first, second, order):
    """Two ``Layer`` in a row with the neurons (or filters) between them in a new order: the new pair.

    The second must be fed by the first alone, which their shapes say only in part: ``chains.hidden`` proves it.
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
    """{name: order} of the neurons between two ``Layer`` in a row, worth trying; see ``orders_to_try``."""
    fed = first.weight.reshape(first.weight.shape[0], -1) != 0
    return orders_to_try(fed, _by_neuron(first, second).swapaxes(0, 1).reshape(len(fed), -1) != 0)


def orders_to_try(fed, feeds):
    """{name: order (n,)} of n neurons by which of their weights are kept: bool (n, m) incoming, bool (n, k) outgoing.

    "busy first" sorts by weights kept, so that dead neurons and their gaps fall off the end. "alike in", "alike out"
    and "alike" start at the busiest neuron and go on to the most similar one left (Jaccard similarity of the kept
    places), judged by incoming weights, outgoing ones, or both.
    """
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
    """A ``Layer`` stored in whichever direction makes it smaller; one that stores every position stays, as all else."""
    if not isinstance(layer, Layer) or layer.coding.index_bits is None:
        return layer
    return archive.shortest(layer, [replace(layer.coding, order=order) for order in orders])


def _by_neuron(first, second):
    """Weights of ``second`` as (outputs, neurons of ``first``, weights each)."""
    n, weight = first.weight.shape[0], second.weight
    if weight.ndim < 2 or weight.shape[1] % n:
        raise NetError(f"{second.name} is not fed by {first.name} alone: {weight.shape} after {first.weight.shape}")
    return weight.reshape(weight.shape[0], n, -1)
