"""Chapter 05, trained quantization: gradients of shared weights (section 3.3)."""

from dcviz.without_torch import opened_later

__getattr__ = opened_later(__name__)
