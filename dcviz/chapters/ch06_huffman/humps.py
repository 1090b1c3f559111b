"""Why a layer's kept weights make one hill or two: how wide the hole around zero is, against how far weights reach.

Pruning takes away what is smaller than a threshold, so no pruned layer has weights around zero. Figure 5 of the paper
shows two hills of codes; chapter 06 asks where ours are.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from dcviz.ideas.kmeans import kmeans
from dcviz.nets import models
from dcviz.pipeline import shipped

FLAT = 5 / 9
"""The bimodality coefficient of a flat distribution. More than that points to two hills."""

VALUES = 32
"""Shared values of Figure 5: codes of 5 bits."""


@dataclass(frozen=True)
class Kept:
    """The kept weights of a layer of ``size`` weights: ``values`` (k,), ascending, ``counts`` (k,) times each."""

    values: np.ndarray
    counts: np.ndarray
    size: int

    @property
    def density(self):
        """Share of the layer's weights that is kept."""
        return float(self.counts.sum() / self.size)

    @property
    def smallest(self):
        """The smallest magnitude that is kept: where the hole around zero ends."""
        return float(np.abs(self.values).min())

    @property
    def largest(self):
        """The largest magnitude."""
        return float(np.abs(self.values).max())

    @property
    def hole(self):
        """The share of the reach, zero to the largest magnitude, in which no weight lies."""
        return self.smallest / self.largest

    @property
    def bimodality(self):
        """Sarle's coefficient, (skewness squared + 1) / kurtosis: ``FLAT`` of a flat distribution, 1 of two points."""
        share = self.counts / self.counts.sum()
        away = self.values - share @ self.values
        second, third, fourth = (float(share @ away**n) for n in (2, 3, 4))
        return (third**2 / second**3 + 1) / (fourth / second**2)

    def cut(self, density):
        """What one more cut by magnitude leaves, down to ``density`` of the layer; of equal weights, some."""
        order = np.argsort(-np.abs(self.values), kind="stable")
        before = np.cumsum(self.counts[order]) - self.counts[order]
        counts = np.zeros_like(self.counts)
        counts[order] = np.clip(round(density * self.size) - before, 0, self.counts[order])
        left = counts > 0
        return Kept(self.values[left], counts[left], self.size)


@cache
def of_file(net):
    """{the paper's name of a layer: its ``Kept``} of the fully connected layers in a shipped AlexNet's file."""
    names, found = models.paper_names("alexnet"), {}
    for layer in shipped.compressed(net).layers:
        if layer.weight.ndim == 2:
            kept = layer.weight[layer.weight != 0]
            values, counts = np.unique(kept, return_counts=True)
            found[names[layer.name]] = Kept(values.astype(float), counts, layer.weight.size)
    return found


@cache
def of_dense(net):
    """{the paper's name of a layer: its ``Sketch``} of a dense AlexNet, too large to ship."""
    names = models.paper_names("alexnet")
    return {names[sketch.name]: sketch for sketch in shipped.sketches(net)}


def one_cut(sketch, density, points=4096):
    """The ``Kept`` of a dense layer cut once by magnitude, by its ``Sketch``, which knows no signs: both are alike."""
    n = round(density * sketch.n)
    ranks = sketch.n - n + (np.arange(points) + 0.5) * n / points
    magnitudes = np.interp(ranks, sketch.ranks, sketch.magnitudes).astype(float)
    ends = [sketch.threshold_for_density(density), max(abs(sketch.min), abs(sketch.max))]
    magnitudes = np.concatenate([ends[:1], magnitudes[1:-1], ends[1:]])
    counts = np.full(points, n / (2 * points))
    return Kept(np.concatenate([-magnitudes[::-1], magnitudes]), np.concatenate([counts, counts]), sketch.n)


def values_in_the_hole(net, init):
    """Of ``VALUES`` shared values for fc8's kept weights in a file, those in the hole, where no weight is: int.

    init: where k-means starts; "linear" is the paper's choice. What starts far from every weight stays there.
    """
    fc8 = of_file(net)["fc8"]
    centroids = kmeans(np.repeat(fc8.values, fc8.counts), VALUES, init).centroids
    return int((np.abs(centroids) < fc8.smallest).sum())


def compared(net, dense):
    """{what: ``Kept``}: fc6 to fc8 of a shipped AlexNet's file, fc8 cut on to fc6's density, and cuts of the dense net.

    Those are one cut each, of fc6 to fc8's density and of fc8 to fc6's. ``dense`` is the name of its sketches.
    """
    found, before = of_file(net), of_dense(dense)
    few, many = found["fc6"].density, found["fc8"].density
    return found | {
        f"fc8, cut on to {100 * few:.0f}%": found["fc8"].cut(few),
        f"dense fc6, cut once to {100 * many:.0f}%": one_cut(before["fc6"], many),
        f"dense fc8, cut once to {100 * few:.0f}%": one_cut(before["fc8"], few),
    }
