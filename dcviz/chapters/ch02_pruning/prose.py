"""Numbers in this chapter's text that no record holds by itself; see `dcviz.evidence.prose`. Arguments are texts."""

import math

import numpy as np

from dcviz import archive
from dcviz.evidence import recordings
from dcviz.pipeline.shipped import compressed_path


def gaussian_below_sigma():
    """Share of a Gaussian within one standard deviation."""
    return math.erf(1 / math.sqrt(2))


def times_the_errors(method, other, density):
    """How many times as many errors one way of cutting makes as another, recorded, mean of the seeds."""
    return _error(method, density) / _error(other, density)


def alexnet_weights():
    """Weights of the eight layers of the AlexNet that ships."""
    return sum(layer.weights for layer in archive.describe(compressed_path("alexnet-cifar10")).layers)


def _error(method, density):
    rows = [row for row in recordings.load("pruning_methods").rows if row["method"] == method]
    return np.mean([row["error"] for row in rows if round(row["density"], 2) == float(density)])
