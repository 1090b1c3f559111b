"""Numbers in this chapter's text that no record holds by itself; see `dcviz.evidence.prose`. Arguments are texts."""

from dcviz.chapters.ch06_huffman import humps, tables
from dcviz.pipeline import choices


def huffman_saves(net):
    """Share of a shipped file that its Huffman coding saves, both files written."""
    return tables.whole_file_saving(net)


def paper_widths():
    """Bytes of the Huffman-coded file with the paper's gaps of 5 bits, row by row in every layer."""
    return choices.gaps(dict.fromkeys(choices.LAYERS, (5, "C")), huffman=True).file_bytes


def hole(layer):
    """The smallest kept weight of "fc6", "fc7" or "fc8" over the largest, in the AlexNet file of section 4."""
    return humps.of_file("alexnet-cifar10-paper")[layer].hole


def kept_of(layer):
    """Share of the layer's weights in that file."""
    return humps.of_file("alexnet-cifar10-paper")[layer].density


def reach(layer):
    """The largest weight of a layer of the dense AlexNet, in standard deviations of the layer."""
    one = humps.of_dense("alexnet-cifar10")[layer]
    return max(abs(one.min), abs(one.max)) / one.std


def values_in_the_hole(init):
    """Shared values without a weight in the hole of fc8, from a start of k-means; the pruned AlexNet's weights."""
    return humps.values_in_the_hole("alexnet-cifar10-pruned", init)
