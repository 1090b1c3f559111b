"""Numbers in this chapter's text that no record holds by itself; see `dcviz.evidence.prose`. Arguments are texts."""

from dcviz.chapters.ch06_huffman import tables
from dcviz.pipeline import choices


def huffman_saves(net):
    """Share of a shipped file that its Huffman coding saves, both files written."""
    return tables.whole_file_saving(net)


def paper_widths():
    """Bytes of the Huffman-coded file with the paper's gaps of 5 bits, row by row in every layer."""
    return choices.gaps(dict.fromkeys(choices.LAYERS, (5, "C")), huffman=True).file_bytes
