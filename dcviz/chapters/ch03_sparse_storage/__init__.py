"""Chapter 03, sparse storage: what it costs to say where the remaining weights are (section 2, Fig. 2)."""

from dcviz.without_torch import opened_later

__getattr__ = opened_later(__name__)
