"""Chapter 12, the three ideas today."""

from dcviz.without_torch import opened_later

__getattr__ = opened_later(__name__)
