"""Chapter 07, the full pipeline: Tables 1 to 6."""

from dcviz.without_torch import opened_later

__getattr__ = opened_later(__name__)
