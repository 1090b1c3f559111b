"""Numbers in this chapter's text that no record holds by itself; see `dcviz.evidence.prose`. Arguments are texts."""

from dcviz.chapters.ch06_huffman import tables


def huffman_saves(net):
    """Share of a shipped file that its Huffman coding saves, both files written."""
    return tables.whole_file_saving(net)
