"""Where torch is not installed: dcviz is imported all the same, and the first call that needs torch says so.

Where it is, it comes as late: `opened_later` runs a module when it is first used, so a page shows its first lab before;
`Later("pandas")` is a package that does not belong to dcviz.

Nets cannot run then. What needs none goes on: the three ideas, .dcz files, every lab whose numbers come from a file.
A finder, the last to be asked, gives a stand-in for ``torch`` and its modules: any name is found in it, can be a base
class, an annotation or a decorator, and raises TorchMissing when it is called.
"""

import functools
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

from dcviz.errors import TorchMissing

HOW = "pip install torch --index-url https://download.pytorch.org/whl/cpu"
"""PyTorch's own index of builds for the CPU: some 190 MB to fetch, where a build for GPUs is several gigabytes."""


def install():
    """Let the stand-in be found where torch is not; once."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


def here():
    """True if the real torch is here."""
    import torch

    return not isinstance(torch, _Module)


def _refuse(what):
    raise TorchMissing(f"{what} needs torch, which is not installed. To install it: {HOW}. {GOES_ON}")


GOES_ON = "Without it nets do not run; the three ideas, .dcz files and the labs that read files do."


_DECORATORS = ("torch.no_grad", "torch.enable_grad", "torch.inference_mode")


class _StandIn(type):
    """Type of all stand-ins; what a class of ours makes of one as its base has it, too."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _stand_in(f"{cls.of}.{name}")

    def __call__(cls, *_, **__):
        if cls.of in _DECORATORS:  # they are called when a module is imported
            return _Off()
        return _refuse(cls.of if cls.__name__ == cls.of.rpartition(".")[2] else cls.__name__)


@functools.cache
def _stand_in(name):
    return _StandIn(name.rpartition(".")[2], (), {"of": name})


class _Off:
    def __call__(self, function):
        return functools.wraps(function)(lambda *_, **__: _refuse(function.__name__))

    def __enter__(self):
        _refuse("torch.no_grad")

    def __exit__(self, *_):
        pass


class _Module(ModuleType):
    __version__ = "0"

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _stand_in(f"{self.__name__}.{name}")


class _Finder:
    def find_spec(self, name, path=None, target=None):
        parts = name.startswith("torch.") and isinstance(sys.modules["torch"], _Module)  # the real one may lack some
        return ModuleSpec(name, self, is_package=True) if name == "torch" or parts else None

    def create_module(self, spec):
        return _Module(spec.name)

    def exec_module(self, module):
        pass


def opened_later(package, home=None):
    """A package's ``__getattr__``: of what ``from package import name`` asks for, a module is run at its first use.

    home: the module that has what else the package names.
    """

    def find(name):
        if not name.startswith("_") and find_spec(f"{package}.{name}"):
            return Later(f"{package}.{name}")
        if home is None or name.startswith("__"):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{home}"), name)

    return find


class Later(ModuleType):
    """A module that is imported when anything of it is asked for, from any thread."""

    def __getattribute__(self, name):
        return getattr(_opened(self), name)

    def __setattr__(self, name, value):
        setattr(_opened(self), name, value)

    def __delattr__(self, name):
        delattr(_opened(self), name)

    def __dir__(self):
        return dir(_opened(self))


def _opened(later):
    return import_module(object.__getattribute__(later, "__name__"))
