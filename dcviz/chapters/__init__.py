"""A room for each notebook: its labs, figures, tables, checks, measurements, and the maths that only it teaches.

`ch02_pruning` is the room of `02_pruning.ipynb`. Behind the same doors everywhere: `*_lab.py`, `figures.py`,
`tables.py`, `checks.py`, `measure.py`.
"""

import pkgutil
from importlib import import_module

ROOMS = tuple(sorted(room.name for room in pkgutil.iter_modules(__path__)))
"""Names of the rooms, in the order of the chapters."""


def every_check():
    """{"chapter.name": Check} of all exercises there are; the keys are those of the learner's file."""
    from dcviz.labkit.check import Check, prefix

    found = {}
    for room in ROOMS:
        module = import_module(f"{__name__}.{room}.checks")
        found |= {f"{prefix(room)}.{key}": value for key, value in vars(module).items() if isinstance(value, Check)}
    return found
