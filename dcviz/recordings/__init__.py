"""Results that take too long for a lesson: measured once by a command, kept with its date and machine.

Each module of this package holds the measurements of one chapter; a measurement is a function without arguments
that returns rows (a list of dicts). ``python -m dcviz record NAME`` runs one and writes data/recorded/NAME.json;
``load(NAME)`` reads it back. Chapters show such rows in a column of their own, marked as recorded.
"""

import datetime
import json
from dataclasses import dataclass
from importlib import import_module

from dcviz import machine
from dcviz.errors import DataError
from dcviz.files import DATA, atomic_write, check_writable, read_json

FOLDER = DATA / "recorded"

RECORDINGS = {
    "pruning_methods": "pruning:methods",
    "pruning_penalties": "pruning:penalties",
    "squeezenet_fillers": "sparse_storage:squeezenet_fillers",
    "squeezenet_recoded": "sparse_storage:squeezenet_recoded",
    "weight_sharing_bits": "weight_sharing:errors_by_bits_and_start",
    "quantization_bits": "trained_quantization:errors_by_bits",
    "layer_times": "speed:layer_times",
    "layer_densities": "speed:layer_densities",
    "layer_activity": "speed:layer_activity",
    "speed_limits": "speed:speed_limits",
    "frontier_grid": "how_small:grid",
    "shipped_nets": "how_small:shipped",
    "shipped_seeds": "how_small:seeds",
    "nnc_sizes": "how_small:standard",
    "alexnet_activity": "speed:alexnet_activity",
    "other_roads": "other_roads:all_roads",
    "other_roads_figure6": "other_roads:figure6",
    "other_roads_filters": "other_roads:filters",
    "alexnet_filters": "alexnet_filters:filters",
    "other_roads_temperatures": "other_roads:temperatures",
    "other_roads_factorisations": "other_roads:factorisations",
    "transfer_errors": "open_questions:transfer_errors",
    "alexnet_transfer": "alexnet_transfer:transfer_rows",
    "small_sets": "open_questions:small_sets",
    "starts_finetuned": "open_questions:starts",
    "googlenet_layers": "googlenet:googlenet_layers",
    "squeezenet_layers": "googlenet:squeezenet_layers",
}
"""{name: "module:function"} of every measurement, the module inside this package."""

PROGRAMS = {
    "alexnet_training": "python -m dcviz.alexnet_training",
    "alexnet_cifar10": "python -m dcviz.alexnet_report",
    "alexnet_bits": "python -m dcviz.alexnet_report --bits",
}
"""{name: command} of what programs of their own measured and kept."""


@dataclass(frozen=True)
class Recorded:
    """Rows as measured once, and when, by which command and on what machine."""

    name: str
    command: str
    date: str
    machine: str
    rows: list

    @property
    def note(self):
        """One line for captions: recorded when, on what, by which command."""
        return f"recorded {self.date} on {self.machine} by `{self.command}`"


def load(name):
    """The ``Recorded`` called ``name``; DataError if it is missing, with the command that makes it."""
    path = FOLDER / f"{name}.json"
    try:
        recorded = Recorded(**read_json(path))
        texts = (recorded.name, recorded.command, recorded.date, recorded.machine)
        if not all(isinstance(text, str) for text in texts) or not isinstance(recorded.rows, list):
            raise ValueError("not the fields of a recording")
        if not all(isinstance(row, dict) for row in recorded.rows):
            raise ValueError("a row is no object")
        return recorded
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"the recorded results {name!r} cannot be read from {path} ({error}); "
            f"remake them with: python -m dcviz record {name}"
        ) from error


def record(name):
    """Measure now and write data/recorded/NAME.json; returns the ``Recorded``. DataError for an unknown name.

    OutputError, before anything is measured, where that file cannot be written.
    """
    if name not in RECORDINGS:
        raise DataError(f"there is no measurement called {name!r}; known are {', '.join(RECORDINGS)}")
    check_writable(FOLDER)
    module, function = RECORDINGS[name].split(":")
    rows = getattr(import_module(f"{__name__}.{module}"), function)()
    return keep(name, f"python -m dcviz record {name}", rows)


def keep(name, command, rows):
    """Write data/recorded/NAME.json: rows that ``command`` measured just now; returns the ``Recorded``."""
    recorded = Recorded(name, command, datetime.date.today().isoformat(), machine.name(), rows)
    text = json.dumps(vars(recorded), indent=1)
    atomic_write(FOLDER / f"{name}.json", lambda file: file.write((text + "\n").encode()))
    return recorded
