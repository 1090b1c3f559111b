"""Timings as tables: shown, saved, read back and compared."""

import json
from dataclasses import asdict

import numpy as np
import torch

from dcviz import machine
from dcviz.errors import DataError
from dcviz.files import atomic_write
from dcviz.timing import Timing


def geometric_mean_speedup(rows, method, batch=1):
    """Geometric mean over layers of dense time / time of ``method`` -> float. rows: list of Timing."""
    times = {(row.layer, row.method): row.seconds for row in rows if row.batch == batch}
    ratios = [times[layer, "dense"] / seconds for (layer, m), seconds in times.items() if m == method]
    if not ratios:
        raise DataError(f"no timings of {method} at batch {batch}")
    return float(np.exp(np.mean(np.log(ratios))))


def table(rows):
    """Timings as a DataFrame: one row each, microseconds, speed-up over dense, bytes and GB/s."""
    import pandas as pd

    rows = [asdict(row) for row in rows]
    key = ("layer", "batch", "active", "device")
    dense = {tuple(row[k] for k in key): row["seconds"] for row in rows if row["method"] == "dense"}
    return pd.DataFrame(
        {
            "layer": row["layer"],
            "batch": row["batch"],
            "active %": round(100 * row["active"], 1),
            "method": row["method"],
            "µs": round(1e6 * row["seconds"], 1),
            "quartiles": f"{1e6 * row['low']:.0f} .. {1e6 * row['high']:.0f}",
            "speed-up": round(dense.get(tuple(row[k] for k in key), np.nan) / row["seconds"], 2),
            "resident bytes": row["resident_bytes"],
            "GB/s": round(row["moved_bytes"] / row["seconds"] / 1e9, 1),
            "on": f"{row['device']}, {row['threads']} thread{'s' * (row['threads'] > 1)}, {row['clock']} time",
        }
        for row in rows
    )


def save(rows, path):
    """Write timings as JSON, with the machine and torch's version, to be compared later."""
    record = {"machine": machine.name(), "torch": torch.__version__, "rows": [asdict(row) for row in rows]}
    atomic_write(path, lambda file: file.write((json.dumps(record, indent=1) + "\n").encode()))


def load(path):
    """Read what ``save`` wrote -> list of Timing. Raises DataError for a missing or damaged file."""
    try:
        with open(path, encoding="utf-8") as file:
            return [Timing(**row) for row in json.load(file)["rows"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"no timings can be read from {path}: {error}") from error


def compare(before, after):
    """Two lists of Timing -> DataFrame of those in both: microseconds before and after, and their ratio."""
    import pandas as pd

    def key(row):
        return row.layer, row.method, row.batch, row.active, row.device

    old = {key(row): row for row in before}
    rows = [(*key(row)[:3], old[key(row)].seconds, row.seconds) for row in after if key(row) in old]
    frame = pd.DataFrame(rows, columns=["layer", "method", "batch", "before µs", "after µs"])
    frame["before / after"] = (frame["before µs"] / frame["after µs"]).round(2)
    frame[["before µs", "after µs"]] *= 1e6
    return frame.round(2)
