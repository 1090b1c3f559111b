"""Where files live, and writing them so that a stop at any moment leaves the old one or the new one."""

import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
MODELS = DATA / "models"


def cache_dir():
    """Folder for downloads and parsed data: ``$DCVIZ_CACHE``, else data/cache beside the package."""
    return Path(os.environ.get("DCVIZ_CACHE") or DATA / "cache")


def atomic_write(path, write):
    """Call ``write(file)`` on a temporary binary file, then put that in place of ``path`` in one step.

    Raises what ``write`` raises, or OSError; then ``path`` is as it was and nothing is left beside it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(scratch, 0o666 & ~_umask())
        os.replace(scratch, path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
