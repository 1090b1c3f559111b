"""The learner's own file: which predictions were made, which exercises were tried and passed.

It is ``dcviz-progress.json`` in the working folder, which for a notebook is the folder it lies in, or wherever the
environment variable DCVIZ_PROGRESS points; ``DCVIZ_PROGRESS=off`` keeps nothing. The format::

    {"version": 1, "predictions": {"ch02-one-sigma": 68.3}, "exercises": {"pruning.mask": true}}

``true`` is passed, ``false`` tried. The file belongs to the learner: to copy, to hand in, to delete. One that is
missing, damaged or cannot be written never stops a lab; a damaged one is set aside before a new one is written, and
one of an unknown version is left as it is.
"""

import json
import os
import threading
from pathlib import Path

from dcviz.files import alone, atomic_write

VERSION = 1
PREDICTIONS, EXERCISES = KINDS = "predictions", "exercises"

_LOCK = threading.Lock()


def path():
    """Where the learner's file is, or None if nothing shall be kept."""
    place = os.environ.get("DCVIZ_PROGRESS") or "dcviz-progress.json"
    return None if place == "off" else Path(place)


def recorded(kind):
    """{key: value} of one kind, ``"predictions"`` or ``"exercises"``; empty if the file cannot be read."""
    return dict(_load()[0][kind])


def trouble():
    """Why the file cannot be read, in a sentence, or ``""``. A missing file is no trouble."""
    return _load()[1]


def record(kind, key, value):
    """Keep ``value`` (number, string or bool) under ``key``. Returns ``""``, or a sentence why it is not kept."""
    where = path()
    if where is None:
        return "DCVIZ_PROGRESS is off"
    with _LOCK, alone(where.parent):  # two open chapters are two processes
        content, why, keep = _load()
        if why and keep:
            return why
        content[kind] = {**content[kind], key: value}
        try:
            if why:
                os.replace(where, where.with_name(f"{where.stem}.damaged{where.suffix}"))
            text = json.dumps(content, indent=1, sort_keys=True) + "\n"
            atomic_write(where, lambda file: file.write(text.encode()))
        except OSError as error:
            return f"{where} cannot be written: {error.strerror or error}"
    return ""


def reset():
    """Forget everything. Returns ``""``, or a sentence why the file is still there (an unknown version stays)."""
    where = path()
    if where is None:
        return ""
    with _LOCK, alone(where.parent):
        _, why, keep = _load()
        if why and keep:
            return why
        try:
            where.unlink(missing_ok=True)
        except OSError as error:
            return f"{where} cannot be removed: {error.strerror or error}"
    return ""


def _load():
    """(content, why it cannot be used or "", whether it must stay untouched then)."""
    where, empty = path(), {"version": VERSION, **{kind: {} for kind in KINDS}}
    if where is None:
        return empty, "", False
    try:
        found = json.loads(where.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return empty, "", False
    except OSError as error:
        return empty, f"{where} cannot be read: {error.strerror or error}", True
    except (ValueError, RecursionError):
        return empty, f"{where} is damaged; it is set aside when something new is kept", False
    version = found.get("version") if isinstance(found, dict) else None
    if isinstance(version, int) and version != VERSION:
        return empty, f"{where} is of version {version}, this dcviz knows version {VERSION}; it is left as it is", True
    if version != VERSION or not all(isinstance(found.get(kind, {}), dict) for kind in KINDS):
        return empty, f"{where} is damaged; it is set aside when something new is kept", False
    return {**empty, **found}, "", False
