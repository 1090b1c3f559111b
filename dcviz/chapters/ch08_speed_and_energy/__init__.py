"""Chapter 08, speed and energy (section 6.3, Tables 8 and 9)."""

from dcviz.without_torch import opened_later

__getattr__ = opened_later(__name__)
