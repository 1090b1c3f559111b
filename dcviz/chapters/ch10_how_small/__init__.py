"""Chapter 10, how small can it get?"""

from dcviz.without_torch import opened_later

__getattr__ = opened_later(__name__)
