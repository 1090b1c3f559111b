"""Where files live, and writing them so that a stop at any moment leaves the old one or the new one."""

import glob
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: what a killed process leaves behind stays there
    fcntl = None  # type: ignore[assignment]

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
MODELS = DATA / "models"


def cache_dir():
    """Folder for downloads and parsed data: ``$DCVIZ_CACHE``, else data/cache beside the package."""
    return Path(os.environ.get("DCVIZ_CACHE") or DATA / "cache")


@contextmanager
def replacing(path):
    """The Path of an empty scratch file beside ``path``; after the block it is put in place of ``path`` in one step.

    If the block raises, ``path`` is as it was and nothing is left beside it. A killed process leaves its scratch file,
    which the next write to the same ``path`` takes away.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    scratch, lock = _scratch(path)
    try:
        yield scratch
        os.chmod(scratch, 0o666 & ~_umask())
        sync_and_replace(scratch, path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    finally:
        if lock is not None:
            os.close(lock)


def atomic_write(path, write):
    """Call ``write(file)`` on a temporary binary file, then put that in place of ``path`` in one step.

    Returns what ``write`` returns. Raises what it raises, or OSError; then ``path`` is as it was and nothing is left
    beside it.
    """
    with replacing(path) as scratch, open(scratch, "w+b") as file:
        return write(file)


def sync_and_replace(scratch, path):
    """Put a finished file in place of ``path`` in one step, its bytes on the disk first."""
    with open(scratch, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(scratch, path)


def _scratch(path):
    """A new scratch file and the open handle whose lock says that somebody is at work on it (None on Windows)."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        if fcntl is None:
            os.close(handle)
            return Path(name), None
        with suppress(OSError):  # some network drives have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.exists(name):
            return Path(name), handle
        os.close(handle)  # another process swept it away before it was locked


def _sweep(path):
    """Remove the scratch files of killed processes: those that nobody has locked."""
    for name in glob.glob(f".{glob.escape(path.name)}.*.part", root_dir=path.parent) if fcntl else ():
        with suppress(OSError), open(path.parent / name, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path.parent / name)


@contextmanager
def alone(folder):
    """For reading a file and writing it anew: one process at a time, by the lock of the folder it lies in.

    Where there are no locks (Windows, some network drives), or the folder cannot be made, nobody waits.
    """
    handle = None
    with suppress(OSError, AttributeError):  # fcntl is None on Windows
        Path(folder).mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
