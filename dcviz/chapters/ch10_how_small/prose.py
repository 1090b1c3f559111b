"""Numbers in this chapter's text that no record holds by itself; see `dcviz.evidence.prose`. Arguments are texts."""

import itertools
from functools import cache

import numpy as np

from dcviz.chapters.ch10_how_small import allocation, tables
from dcviz.evidence import recordings
from dcviz.ideas import pruning, rate_distortion
from dcviz.ideas.entropy import entropy, histogram
from dcviz.ideas.kmeans import kmeans
from dcviz.pipeline import choices
from dcviz.pipeline.shipped import dense


def priced(rate, what):
    """Codes of 3% of fc1 at a price of a bit: entropy in "bits", or root mean square "distance" in deviations."""
    values, centroids = _kept()
    codes = rate_distortion.assign_by_rate(values, centroids, float(rate) * values.var())
    if what == "bits":
        return entropy(histogram(codes, len(centroids)))
    return float(np.sqrt(np.mean((values - centroids[codes]) ** 2)) / values.std())


@cache
def _kept():
    weights = dense("lenet-300-100").fc1.weight.detach().numpy()
    values = np.asarray(weights[pruning.mask_from_density(weights, 0.03)], np.float64)
    return values, kmeans(values, 15).centroids


def least_and_most_saved(which):
    """The "least" or "most" that one part of the coding saves on the ladder, of the bytes before it."""
    sizes = [size for _, size, _ in tables.steps(recordings.load("frontier_grid").rows)][-7:]
    return {"least": min, "most": max}[which](1 - after / before for before, after in itertools.pairwise(sizes))


def standard_saves(net):
    """Share of Huffman's bytes that the standard's coder saves."""
    row = next(row for row in recordings.load("nnc_sizes").rows if row["name"] == net)
    return 1 - row["nnc"] / row["huffman"]


def file_at_no_price(k):
    """Bytes of the exercise's file with k shared values a layer, when a bit costs nothing."""
    return choices.priced(0.0, int(k)).file_bytes


def blocks():
    """How many blocks AllocationLab has."""
    return len(allocation.every())


def bits_of(width, what, weights="1300", bits="4"):
    """Bits for a kept weight of a recorded block: to say "which" it is, or "what"."""
    part = {"which": "which weights", "what": "what they are"}[what]
    return 8 * allocation.split(allocation.blocks()[width, int(weights), int(bits)])[part] / int(weights)


def best_block(what):
    """The recorded block with fewest errors: its "error" on held-out digits, percent, or its "bytes"."""
    row = min(allocation.blocks().values(), key=lambda row: row["error_percent"])
    return row[{"error": "error_percent", "bytes": "file_bytes"}[what]]
