"""Numbers in this chapter's text that no record holds by itself; see `dcviz.evidence.prose`. Arguments are texts."""

from dcviz.chapters.ch03_sparse_storage import tables
from dcviz.ideas import sparse_formats
from dcviz.pipeline import choices


def random_entries(percent, bits):
    """Entries per 100 weights of a random mask that keeps so many percent."""
    return 100 * sparse_formats.expected_entries(float(percent) / 100, int(bits))


def paper_widths():
    """Bytes of the file with the paper's gaps, row by row in every layer, not Huffman-coded."""
    return choices.gaps(dict.fromkeys(choices.LAYERS, (tables.FIVE_BITS, "C")), huffman=False).file_bytes
