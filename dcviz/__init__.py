"""dcviz: the package behind an interactive workbook on *Deep Compression* (Han, Mao, Dally, ICLR 2016).

``import dcviz`` stays light: torch and the widgets come in only with the parts that need them.

A net of your own, in five lines (docs/your-own-net.md says more):

    >>> import dcviz, torch
    >>> make = lambda: torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
    >>> net, loader = make(), [(torch.randn(32, 64), torch.randint(10, (32,))) for _ in range(9)]

    >>> recipe = dcviz.recipe_for(net, density=0.1, bits=4)
    >>> small = dcviz.compress(net, recipe=recipe, data=loader, loss=torch.nn.CrossEntropyLoss())
    >>> size = small.save("mine.dcz")
    >>> print(small.report)  # doctest: +ELLIPSIS
    Sequential: ... bytes, ...x smaller than 76,840 bytes of float32
    bytes: weights ..., positions ..., biases ..., names and sums ...
    ...
    >>> same = dcviz.open("mine.dcz", into=make())
"""

from dcviz import without_torch

__version__ = "0.1.0"

__all__ = ["compress", "load", "recipe_for"]

without_torch.install()


def __getattr__(name):
    if name == "load":
        from dcviz.pipeline.pretrained import load

        return load
    if name == "compress":
        from dcviz.pipeline import compress

        return compress
    if name == "recipe_for":
        from dcviz.pipeline.choosing import recipe_for

        return recipe_for
    if name == "open":  # not in __all__: "from dcviz import *" leaves Python's own alone
        from dcviz.pipeline import open_net

        return open_net
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__, "open"])
