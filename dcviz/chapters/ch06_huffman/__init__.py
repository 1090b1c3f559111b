"""Chapter 06, Huffman coding (section 4)."""

from dcviz.without_torch import opened_later

__getattr__ = opened_later(__name__)
