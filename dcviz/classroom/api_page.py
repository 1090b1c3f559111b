"""Pages of everything public, made from the docstrings by pdoc: ``python -m dcviz api FOLDER``."""

import pkgutil
import warnings

import dcviz
from dcviz.errors import OutputError


def modules():
    """Names of the modules that have a page -> list. ``dcviz.labs`` has none: it only names what stands elsewhere."""
    names = [module.name for module in pkgutil.walk_packages(dcviz.__path__, "dcviz.")]
    return [name for name in names if name != "dcviz.labs" and "._" not in name]


def write(folder, names=None):
    """A page for each module, all by default, and a search over them -> path of the first page.

    The modules are imported for it. OutputError where pdoc is not installed.
    """
    try:
        import pdoc
    except ImportError as error:
        raise OutputError('the pages are made by pdoc: pip install "dcviz[api]"') from error
    pdoc.render.configure(show_source=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The module specification")  # named, and found in its package, too
        pdoc.pdoc(*(modules() if names is None else names), output_directory=folder)
    return folder / "index.html"
