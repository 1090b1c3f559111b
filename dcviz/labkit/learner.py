"""The learner's own file: which predictions were made or shown, which exercises were tried and passed.

It is ``dcviz-progress.json`` in the working folder, which for a notebook is the folder it lies in, or wherever the
environment variable DCVIZ_PROGRESS points; ``DCVIZ_PROGRESS=off`` keeps nothing. The format::

    {"version": 1, "predictions": {"ch02-one-sigma": 68.3}, "exercises": {"pruning.mask": true},
     "best": {"pruning.densities": 278931}, "shown": {"ch02-method": true}}

``true`` is passed, ``false`` tried; ``best`` holds the fewest bytes of exercises that are scored, ``shown`` the
questions whose answer was shown without a guess. The file belongs to the learner: to copy, to hand in, to delete. One
that is missing, damaged or cannot be written never stops a lab; a damaged one is set aside before a new one is written,
and one of an unknown version, larger than 1 MB, or no regular file (a device, a pipe) is left as it is. A symbolic link
is followed, and stays a link. Kernels that record at once wait for one another, so nothing is lost.
"""

import json
import os
import threading
from pathlib import Path

from dcviz.files import alone, atomic_write, read_json

VERSION = 1
MOST = 1 << 20
"""Bytes of the file at most."""
PATIENCE = 10
"""Seconds to wait for other kernels that record."""
PREDICTIONS, EXERCISES, BEST, SHOWN = KINDS = "predictions", "exercises", "best", "shown"
VALUES = str, int, float  # bool is an int

SUCCESSORS = {
    "pruning.ratio": "pruning.densities",
    "sparse_storage.total_bits": "sparse_storage.gap_widths",
    "weight_sharing.linear_init": "weight_sharing.codebooks",
    "huffman.total_bits": "huffman.gap_widths",
    "full_pipeline.layer_bits": "full_pipeline.file_bytes",
    "full_pipeline.ratio": "full_pipeline.recipe",
}
"""Exercises that gave their place to another: who passed the old one has passed."""

_LOCK = threading.Lock()


def path():
    """Where the learner's file is, or None if nothing shall be kept."""
    place = os.environ.get("DCVIZ_PROGRESS") or "dcviz-progress.json"
    return None if place == "off" else Path(place)


def recorded(kind):
    """{key: value} of one of ``KINDS``; empty if the file cannot be read."""
    found = dict(_load()[0].get(kind, {}))
    if kind == EXERCISES:
        for old, new in SUCCESSORS.items():
            if old in found:
                found[new] = found.get(new) is True or found[old]
    return found


def trouble():
    """Why the file cannot be read, in a sentence, or ``""``. A missing file is no trouble."""
    return _load()[1]


def record(kind, key, value):
    """Keep ``value`` (number, string or bool) under ``key``. Returns ``""``, or a sentence why it is not kept."""
    if path() is None:
        return "DCVIZ_PROGRESS is off"
    if not isinstance(value, VALUES):
        return f"a {type(value).__name__} cannot be kept: only a number, a text, true or false"

    def write(where, content, damaged):
        content[kind] = {**content.get(kind, {}), key: value}
        text = json.dumps(content, indent=1, sort_keys=True) + "\n"
        if len(text) > MOST:
            return f"{where} would grow larger than {MOST:,} bytes"
        if damaged:
            os.replace(where, where.with_name(f"{where.stem}.damaged{where.suffix}"))
        atomic_write(where, lambda file: file.write(text.encode()))
        return ""

    return _change(write, "written")


def reset():
    """Forget everything. Returns ``""``, or a sentence why the file is still there (an unknown version stays)."""
    return "" if path() is None else _change(lambda where, *_: where.unlink(missing_ok=True) or "", "removed")


def _change(change, done):
    """``change(file, content, is it damaged)`` while no other kernel writes; a sentence instead of any OSError."""
    where = Path(os.path.realpath(path()))  # written through a link, not over it
    _, why, keep = _load()
    if keep:  # nothing is made beside a device, not even a lock
        return why
    try:
        with _LOCK, alone(where, PATIENCE):  # two open chapters are two processes
            content, why, keep = _load()
            return why if keep else change(where, content, bool(why))
    except TimeoutError:
        return f"{where} is kept busy by another kernel"
    except OSError as error:
        return f"{where} cannot be {done}: {error.strerror or error}"


def _load():
    """(content, why it cannot be used or "", whether it must stay untouched then)."""
    where, empty = path(), {"version": VERSION, PREDICTIONS: {}, EXERCISES: {}}
    if where is None:
        return empty, "", False
    try:
        found = read_json(where, MOST)
    except (FileNotFoundError, NotADirectoryError):
        return empty, "", False
    except OSError as error:
        return empty, f"{where} cannot be read: {error.strerror or error}", True
    except ValueError:
        return empty, f"{where} is damaged; it is set aside when something new is kept", False
    version = found.get("version") if isinstance(found, dict) else None
    if type(version) is int and version != VERSION:
        return empty, f"{where} is of version {version}, this dcviz knows version {VERSION}; it is left as it is", True
    if type(version) is not int or not all(_sound(found.get(kind, {})) for kind in KINDS):
        return empty, f"{where} is damaged; it is set aside when something new is kept", False
    return {**empty, **found}, "", False


def _sound(values):
    return isinstance(values, dict) and all(isinstance(value, VALUES) for value in values.values())
