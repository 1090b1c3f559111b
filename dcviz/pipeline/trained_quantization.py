"""Weights that share a few values, and learning those values: section 3 and Fig. 3, in torch.

Forward: every weight is the centroid that its code points to. Backward: the gradients of all weights
with the same code are *summed* (eq. 3); that is the centroid's gradient.
"""

import numpy as np
import torch

from dcviz.errors import CodebookError
from dcviz.ideas.kmeans import assign, kmeans
from dcviz.ideas.pruning import check_weights
from dcviz.ideas.rate_distortion import assign_by_rate
from dcviz.pipeline import parameters


def reduce_gradient(gradient, codes, k):
    """Sum of the gradients of each cluster's weights (eq. 3), as `ideas.shared_values`, of tensors -> (k,)."""
    return gradient.new_zeros(k).index_add_(0, codes.reshape(-1), gradient.reshape(-1))


def codebooks(net, k, init="linear", seed=0, max_iterations=300):
    """Centroids by k-means on the non-zero weights of each named layer: {layer: k} -> {layer: centroids (k,)}.

    A layer with fewer distinct weights than centroids keeps all of them; one without weights gets no codebook.
    ``max_iterations`` 0 gives the starting centroids. NetError for a layer that the net does not have.
    """
    layers = parameters.named(net, k)
    values = {}
    for name in k:
        weights = check_weights(layers[name].weight, name)
        values[name] = weights[weights != 0]
    return {
        name: kmeans(kept, min(k[name], len(np.unique(kept))), init, seed, max_iterations).centroids
        for name, kept in values.items()
        if kept.size
    }


def _variance(weights):
    """In the weights' own precision, unless that overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = weights.var()
    return found if np.isfinite(found) else weights.var(dtype=np.float64)


class SharedWeights:
    """Constraint for ``training.fit``: only the codebooks (and biases) learn, codes and zeros stay.

    ``codebooks``: {layer name: centroids (k,)}. Each non-zero weight gets its code once, here: the nearest centroid's,
    or with ``rate`` > 0 one that also has a short code word (``rate_distortion``). Exact zeros are pruned and stay
    zero. Layers without a codebook are left as they are; of those, ``still`` names what training must not move
    either: a norm's weights, pruned to nothing, would else learn as biases do.
    """

    def __init__(self, net, codebooks, rate=0.0, still=()):
        self.net = net
        self._layers = []
        self._still = {id(target.weight) for target in parameters.named(net, still).values()}
        layers = parameters.named(net, codebooks)
        for name, centroids in codebooks.items():
            weight = layers[name].weight
            if not weight.is_contiguous():
                weight.data = weight.data.contiguous()
            values = check_weights(weight, name).reshape(-1)
            places = np.flatnonzero(values)
            if not places.size:
                continue  # a layer pruned to nothing has nothing to share
            if not len(centroids):
                raise CodebookError(f"layer {name!r} has {places.size:,} weights left but an empty codebook")
            kept, centroids = values[places], np.asarray(centroids, np.float64)
            codes = assign_by_rate(kept, centroids, rate * _variance(kept)) if rate else assign(kept, centroids)
            centroid = torch.nn.Parameter(torch.as_tensor(centroids.astype(np.float32)).to(weight.device))
            self._layers.append(
                (
                    name,
                    weight,
                    centroid,
                    torch.as_tensor(places).to(weight.device),
                    torch.as_tensor(codes.astype(np.int64)).to(weight.device),
                )
            )
        self.after_step()

    def parameters(self):
        """The centroids of every layer that is not frozen, and the biases."""
        shared = {id(weight) for _, weight, _, _, _ in self._layers} | self._still
        return [c for _, weight, c, _, _ in self._layers if weight.requires_grad] + [
            p for p in self.net.parameters() if p.dim() == 1 and p.requires_grad and id(p) not in shared
        ]

    def after_backward(self):
        """Each centroid's gradient is the sum over its cluster."""
        for _, weight, centroid, places, codes in self._layers:
            if weight.grad is not None:  # frozen, or not used by this loss
                centroid.grad = reduce_gradient(weight.grad.reshape(-1)[places], codes, len(centroid))

    def resume(self, step):
        """An interrupted run goes on at ``step``: the centroids have moved, the codes are what they were."""
        self.after_step()

    def after_step(self):
        """Write the moved centroids back into the weights."""
        with torch.no_grad():
            for _, weight, centroid, places, codes in self._layers:
                weight.view(-1)[places] = centroid[codes]

    def codebooks(self):
        """{layer name: float32 centroids (k,), in the order of the codes}."""
        return {name: centroid.detach().cpu().numpy().copy() for name, _, centroid, _, _ in self._layers}

    def round_to(self, dtype):
        """Round centroids to what the file will hold, so that file and net stay equal bit for bit."""
        with torch.no_grad(), np.errstate(over="ignore"):  # too large a centroid is refused as infinite
            for _, _, centroid, _, _ in self._layers:
                rounded = centroid.cpu().numpy().astype(dtype).astype(np.float32)
                centroid.copy_(torch.as_tensor(rounded))
        self.after_step()
