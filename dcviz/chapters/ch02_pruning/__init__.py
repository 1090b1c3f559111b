"""Chapter 02, pruning: section 2 of the paper and NIPS'15."""

from dcviz.without_torch import opened_later

__getattr__ = opened_later(__name__)
