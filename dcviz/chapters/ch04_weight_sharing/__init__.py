"""Chapter 04, weight sharing: k-means and its starts (sections 3.1 and 3.2)."""

from dcviz.without_torch import opened_later

__getattr__ = opened_later(__name__)
