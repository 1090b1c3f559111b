"""Long measurements that can be stopped at any moment: what is finished is kept, the same command goes on."""

import json
from contextlib import contextmanager
from pathlib import Path

from dcviz.files import atomic_write, read_json


def keep(path, value):
    """Write plain values as JSON to ``path`` in one step; its folder is made."""
    text = json.dumps(value, indent=1)
    atomic_write(Path(path), lambda file: file.write((text + "\n").encode()))


def kept(path, function):
    """What ``function()`` gives, plain values, or gave the last time: it is kept as JSON in the file ``path``."""
    try:
        return read_json(path)
    except (OSError, ValueError):
        keep(path, function())
    return read_json(path)


@contextmanager
def rows(path, jobs):
    """The rows of {key: function without arguments -> row}, in this order; what is measured is kept in ``path``.

    The file goes away when the block ends well, so that the next measurement measures again.
    """
    done = read_json(path) if path.exists() else {}
    for key, job in jobs.items():
        if key not in done:
            done[key] = job()
            keep(path, done)
            print(f"{len(done)} of {len(jobs)}: {key} {json.dumps(done[key])}", flush=True)
    yield [done[key] for key in jobs]
    path.unlink(missing_ok=True)
