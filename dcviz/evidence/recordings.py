"""Results that take too long for a lesson: measured once by a command, kept with its date and machine.

A chapter's measurements stand in its room, in `measure.py`; a measurement is a function without arguments that
 returns rows (a list of dicts). ``python -m dcviz record NAME`` runs one and writes data/recorded/NAME.json;
``load(NAME)`` reads it back. Chapters show such rows in a column of their own, marked as recorded.
"""

import datetime
import inspect
from dataclasses import dataclass
from importlib import import_module

from dcviz.errors import DataError
from dcviz.evidence import machine, resumed
from dcviz.files import DATA, INSTALLED, cache_dir, check_writable, made_by, read_json

FOLDER = DATA / "recorded"

RECORDINGS = {
    "pruning_methods": "ch02_pruning.measure:methods",
    "pruning_penalties": "ch02_pruning.measure:penalties",
    "squeezenet_fillers": "ch03_sparse_storage.measure:squeezenet_fillers",
    "squeezenet_recoded": "ch03_sparse_storage.measure:squeezenet_recoded",
    "weight_sharing_bits": "ch04_weight_sharing.measure:errors_by_bits_and_start",
    "quantization_bits": "ch05_trained_quantization.measure:errors_by_bits",
    "weight_journey": "ch07_full_pipeline.measure:weight_journey",
    "layer_times": "ch08_speed_and_energy.measure:layer_times",
    "layer_densities": "ch08_speed_and_energy.measure:layer_densities",
    "layer_activity": "ch08_speed_and_energy.measure:layer_activity",
    "speed_limits": "ch08_speed_and_energy.measure:speed_limits",
    "frontier_grid": "ch10_how_small.measure:grid",
    "shipped_nets": "ch10_how_small.measure:shipped",
    "shipped_seeds": "ch10_how_small.measure:seeds",
    "nnc_sizes": "ch10_how_small.measure:standard",
    "block_grid": "ch10_how_small.measure:block_grid",
    "alexnet_running": "ch08_speed_and_energy.running_nets:rows",
    "alexnet_activity": "ch08_speed_and_energy.measure:alexnet_activity",
    "other_roads": "ch09_other_roads.measure:all_roads",
    "other_roads_figure6": "ch09_other_roads.measure:figure6",
    "other_roads_filters": "ch09_other_roads.measure:filters",
    "alexnet_filters": "ch09_other_roads.alexnet_filters:filters",
    "other_roads_temperatures": "ch09_other_roads.measure:temperatures",
    "other_roads_factorisations": "ch09_other_roads.measure:factorisations",
    "transfer_errors": "ch11_open_questions.measure:transfer_errors",
    "alexnet_transfer": "ch11_open_questions.alexnet_transfer:transfer_rows",
    "small_sets": "ch11_open_questions.measure:small_sets",
    "starts_finetuned": "ch11_open_questions.measure:starts",
    "googlenet_layers": "ch11_open_questions.googlenet:googlenet_layers",
    "squeezenet_layers": "ch11_open_questions.googlenet:squeezenet_layers",
    "today_pruning": "ch12_today.measure:pruning",
    "today_sharing": "ch12_today.measure:share",
    "today_files": "ch12_today.measure:files",
    "token_times": "ch08_speed_and_energy.measure:token_times",
}
"""{name: "module:function"} of every measurement, the module inside `dcviz.chapters`."""

OPTIONAL = {"gpu_times": "ch08_speed_and_energy.gpu_times:rows"}
"""As ``RECORDINGS``, of what not every machine can measure: a chapter says so where no record is there (``find``)."""

PROGRAMS = {
    "alexnet_training": "python -m dcviz alexnet train",
    "alexnet_cifar10": "python -m dcviz alexnet measure",
    "alexnet_bits": "python -m dcviz alexnet measure --bits",
    "lenet_block": "python -m dcviz block --widths 6 12 40 --weights 2300 --bytes 1694",
    "checkpoint_shrunk": "python tests/benchmarks/shrink_checkpoint.py --keep",
    "own_net": "python tests/benchmarks/own_net.py",
    "published_nets": "python tests/benchmarks/pitch.py",
    "large_layers": "python tests/benchmarks/large_layers.py",
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
    place = FOLDER / f"{name}.json"
    try:
        recorded = Recorded(**read_json(place))
        texts = (recorded.name, recorded.command, recorded.date, recorded.machine)
        if not all(isinstance(text, str) for text in texts) or not isinstance(recorded.rows, list):
            raise ValueError("not the fields of a recording")
        if not all(isinstance(row, dict) for row in recorded.rows):
            raise ValueError("a row is no object")
        return recorded
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"the recorded results {name!r} cannot be read from {place} ({error}); "
            f"{made_by(f'python -m dcviz record {name}')}"
        ) from error


def find(name):
    """The ``Recorded`` called ``name``, of OPTIONAL; None where nobody has measured it yet; DataError as ``load``."""
    return load(name) if (FOLDER / f"{name}.json").exists() else None


def path(name, device=None):
    """Where what is measured now is kept: data/recorded/NAME.json of a checkout, else in the folder of the caches.

    What ships in an installed package stays as it is, and is what the chapters show. With ``device`` "cpu", a
    rehearsal that chapters do not show, always beside the caches.
    """
    if device == "cpu":
        return cache_dir() / "recorded" / f"{name}-rehearsal.json"
    return (cache_dir() / "recorded" if INSTALLED else FOLDER) / f"{name}.json"


def record(name, **options):
    """Measure now and keep it in ``path(name, device)``; returns the ``Recorded``.

    options: for the measurement. DataError for an unknown name or option; OutputError, before anything is
    measured, where that file cannot be written.
    """
    known = RECORDINGS | OPTIONAL
    if name not in known:
        raise DataError(f"there is no measurement called {name!r}; known are {', '.join(known)}")
    place = path(name, options.get("device"))
    check_writable(place.parent)
    module, function = known[name].split(":")
    measure = getattr(import_module(f"dcviz.chapters.{module}"), function)
    if wrong := set(options) - set(inspect.signature(measure).parameters):
        raise DataError(f"the measurement {name!r} has no option {', '.join(sorted(wrong))}")
    said = "".join(f" --{option} {value}" for option, value in options.items())
    return keep(name, f"python -m dcviz record {name}{said}", measure(**options), place)


def keep(name, command, rows, place=None):
    """Keep in ``path(name)``, or at ``place``, the rows that ``command`` measured just now -> the ``Recorded``."""
    recorded = Recorded(name, command, datetime.date.today().isoformat(), machine.name(), rows)
    resumed.keep(place or path(name), vars(recorded))
    return recorded
