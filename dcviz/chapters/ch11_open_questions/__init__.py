"""Chapter 11, open questions."""

from dcviz.without_torch import opened_later

__getattr__ = opened_later(__name__)
