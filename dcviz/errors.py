"""Every error that dcviz raises on purpose. Each message says what is wrong and where."""


class DcvizError(Exception):
    """Base of all errors raised on purpose by dcviz."""


class WeightError(DcvizError, ValueError):
    """Weights that cannot be compressed: NaN, infinite, empty, or of a wrong shape or type."""


class CodebookError(DcvizError, ValueError):
    """A codebook that cannot be made or used: too many centroids, unsorted, or missing a value."""


class CodeError(DcvizError, ValueError):
    """A bit stream or code that cannot be read: no prefix code, damaged bits, unknown symbol."""


class ArchiveError(DcvizError):
    """A .dcz file that is not one, is damaged, or claims what it cannot hold."""


class DataError(DcvizError):
    """A data set that is missing, truncated or altered."""


class NetError(DcvizError):
    """A net that dcviz does not know, or a layer type that it cannot compress."""


class RecipeError(DcvizError, ValueError):
    """A recipe that asks for the impossible."""


class TorchMissing(DcvizError, ImportError):
    """Something needs torch, which is not installed here."""


class OutputError(DcvizError):
    """A place where files shall be written and cannot be."""


class LinkError(DcvizError, ValueError):
    """A deep link, the ``repr`` of a lab, that brings no lab back."""


class Stopped(DcvizError):
    """Work was stopped on request, half-way: by `RunButton`'s stop, or by `stop()` of a long run."""


def check_known(what, value, known):
    """NetError, with all that there are, unless ``value`` is one of the texts ``known``. what: such as "layer"."""
    if value not in known:
        raise NetError(f"no {what} {value!r}; there are {', '.join(known)}")
