"""Where files live, reading them within bounds, and writing them so that a stop leaves the old one or the new one."""

import errno
import glob
import json
import os
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

from dcviz.errors import DataError, OutputError

try:
    import fcntl
except ImportError:  # Windows: what a killed process leaves behind stays there
    fcntl = None  # type: ignore[assignment]

FULL = {getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG") if hasattr(errno, name)}
"""Numbers of the errors of a disk, or of a user's share of it, that is full."""
PACKAGE = Path(__file__).resolve().parent
INSTALLED = (PACKAGE / "workbook").is_dir()
"""True for a package out of a wheel, which carries the top of the repository in its folder ``workbook``."""
ROOT = PACKAGE / "workbook" if INSTALLED else PACKAGE.parent
DATA = ROOT / "data"
MODELS = DATA / "models"


def cache_dir():
    """Folder for downloads and parsed data, which the user may write.

    ``$DCVIZ_CACHE``; else ``data/cache`` of a checkout; else, for an installed package and for a checkout that cannot
    be written to, the system's place for a user's caches.
    """
    if os.environ.get("DCVIZ_CACHE"):
        return Path(os.environ["DCVIZ_CACHE"])
    beside = DATA / "cache"
    if not INSTALLED and (beside.is_dir() or os.access(DATA, os.W_OK)):
        return beside
    from platformdirs import user_cache_path

    return user_cache_path("dcviz", appauthor=False)


def made_by(command):
    """The end of a message about a file that ships: how to get it again. A command remakes it in a checkout alone."""
    return "install dcviz again" if INSTALLED else f"remake it with {command}"


def regular(path):
    """A regular file, or what a link to one leads to, open for reading as bytes.

    OSError if there is none, and for a folder, a device or a pipe: those may have no end, or hang.
    """
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, str(error), str(path)) from error
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return open(path, "rb")


def read(path, most):
    """The bytes of a regular file; OSError as ``regular``, and for a file of more than ``most`` bytes."""
    with regular(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"more than {most:,} bytes", str(path))
    return data


def read_json(path, most=16 << 20):
    """The value in a JSON file; OSError as ``read``, ValueError if it is no JSON, or nested without end."""
    try:
        return json.loads(read(path, most).decode("utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def shipped_json(path):
    """The value in a JSON file that ships; DataError, with what to do, if it is missing or damaged."""
    try:
        return read_json(path)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing, it ships with dcviz: install dcviz again") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}") from error


def check_writable(folder, size=1 << 20):
    """Make a folder and see that ``size`` bytes can be written there: asked before long work, not after it.

    OutputError says why not: a file of that name, no permission, a full disk.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = getattr(error, "strerror", None) or error
        raise OutputError(f"{folder}: files cannot be written there ({why})") from error


@contextmanager
def replacing(path):
    """The Path of an empty scratch file beside ``path``; after the block it is put in place of ``path`` in one step.

    If the block raises, ``path`` is as it was and nothing is left beside it. A killed process leaves its scratch file,
    which the next write to the same ``path`` takes away. An OSError for want of room, or of a place, names ``path``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    try:
        scratch, lock = _scratch(path)
    except OSError as error:
        error.filename = str(path)  # not the scratch file's, which nobody knows
        raise
    try:
        yield scratch
        os.chmod(scratch, 0o666 & ~_umask())
        sync_and_replace(scratch, path)
    except BaseException as error:
        scratch.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in FULL and error.filename is None:
            error.filename = str(path)
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
def alone(path, timeout=-1):
    """For reading a file and writing it anew: one process at a time, by the lock of a hidden file beside it.

    TimeoutError if others have kept the lock for ``timeout`` seconds; -1 waits for ever. Where there are no locks, or
    nothing can be written, nobody waits.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(Path(path).with_name(f".{Path(path).name}.lock"), timeout=timeout)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise
    except (OSError, NotImplementedError):  # an unwritable folder, a network drive without locks
        pass
    try:
        yield
    finally:
        lock.release()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
