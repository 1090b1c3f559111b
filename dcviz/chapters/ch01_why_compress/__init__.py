"""Chapter 01, why compress: what delay, memory and energy ask of a net."""

from dcviz.without_torch import opened_later

__getattr__ = opened_later(__name__)
