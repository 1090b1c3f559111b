"""Figures: data in, matplotlib Axes in, artists out. No widgets, no maths beyond what a picture needs.

Each module holds one kind of figure; labs and chapters draw from the same functions, so that the static
picture of a lab and its live one agree. Make the Axes with `dcviz.theme.figure`.
"""

import pkgutil
from importlib import import_module

_MODULES = {module.name for module in pkgutil.iter_modules(__path__)}

__all__ = sorted(_MODULES)  # noqa: PLE0605, RUF100  (modules load when first used)


def __getattr__(name):
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_MODULES])
