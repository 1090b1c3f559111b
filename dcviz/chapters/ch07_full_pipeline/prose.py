"""Numbers in this chapter's text that no record holds by itself; see `dcviz.evidence.prose`. Arguments are texts."""

from dcviz import archive
from dcviz.evidence import paper
from dcviz.nets import models
from dcviz.pipeline.shipped import compressed_path


def training_factor():
    """How many times longer AlexNet trains with pruning than without (NIPS 2015)."""
    hours = paper.table("nips2015_pruning")["alexnet_hours"]
    return (hours["train"] + hours["retrain"]) / hours["train"]


def weights_to_one_kept(file):
    """Weights of a shipped file's net for each that it keeps."""
    layers = archive.describe(compressed_path(file)).layers
    return sum(layer.weights for layer in layers) / sum(layer.nonzeros for layer in layers)


def share_of_file(file, layer):
    """Share of an AlexNet's file that layers of the paper's name take, "fc6" or all that begin with "conv"."""
    breakdown = archive.describe(compressed_path(file))
    return sum(one.file_bytes for one in _called(breakdown, layer)) / breakdown.file_bytes


def share_of_weights(file, layer):
    """Share of an AlexNet's weights, kept or not, that are in layers of the paper's name."""
    breakdown = archive.describe(compressed_path(file))
    return sum(one.weights for one in _called(breakdown, layer)) / sum(one.weights for one in breakdown.layers)


def _called(breakdown, layer):
    names = models.paper_names("alexnet")
    return [one for one in breakdown.layers if names[one.name].startswith(layer)]
