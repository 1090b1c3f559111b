"""dcviz: the package behind an interactive workbook on *Deep Compression* (Han, Mao, Dally, ICLR 2016).

``import dcviz`` stays light: torch and the widgets come in only with the parts that need them.
"""

from dcviz import without_torch

__version__ = "0.1.0"

__all__ = ["load"]

without_torch.install()


def __getattr__(name):
    if name == "load":
        from dcviz.pipeline.pretrained import load

        return load
    if name == "open":  # not in __all__: "from dcviz import *" leaves Python's own alone
        from dcviz.pipeline import open_net

        return open_net
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__, "open"])
