"""Timings as tables; the paper's Tables 8 and 9 beside ours.

What is quoted from the paper, recorded on our machine and computed stands in columns of its own.
"""

from dataclasses import asdict

import numpy as np

from dcviz.chapters.ch08_speed_and_energy import energy, timing
from dcviz.errors import DataError
from dcviz.evidence import paper


def geometric_mean_speedup(rows, method, batch=1):
    """Geometric mean over layers of dense time / time of ``method`` -> float. rows: list of Timing."""
    times = {(row.layer, row.method): row.seconds for row in rows if row.batch == batch}
    ratios = [times[layer, "dense"] / seconds for (layer, m), seconds in times.items() if m == method]
    if not ratios:
        raise DataError(f"no timings of {method} at batch {batch}")
    return float(timing.geometric_mean(ratios))


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
            "on": f"{row['device']}, {row['threads']} thread{'s' * (row['threads'] > 1)}, {row['clock']} time"
            + ", caches emptied" * row["cold"],
        }
        for row in rows
    )


CORE_I7, PAPER = "Core i7-5930k", "paper (quoted)"
OURS, COUNTED = "this workbook (recorded)", "45 nm count (computed)"


def table_8(rows, batch=1, machine=CORE_I7):
    """Table 8 for one machine of the paper beside recorded rows of ``layer_times``: microseconds per input.

    rows: list of dicts. Returns a DataFrame, the six layers and the geometric means of the speed-ups.
    """
    import pandas as pd

    quoted = paper.table("table8_time_us")["data"][machine]
    ours = {(r["layer"], r["method"]): 1e6 * r["seconds"] / batch for r in rows if r["batch"] == batch}
    table = {}
    for i, name in enumerate(timing.six_layers()):
        dense, sparse = (quoted[f"{form}_b{batch}"][i] for form in ("dense", "sparse"))
        mine = {method: ours[name, method] for method in timing.METHODS}
        table[name] = {
            (PAPER, "dense µs"): dense,
            (PAPER, "sparse µs"): sparse,
            (PAPER, "speed-up"): dense / sparse,
            **{(OURS, f"{method} µs"): micro for method, micro in mine.items()},
            **{(OURS, f"{m} speed-up"): mine["dense"] / mine[m] for m in timing.METHODS[1:]},
        }
    frame = pd.DataFrame.from_dict(table, orient="index")
    ratios = [column for column in frame if "speed-up" in column[1]]
    frame.loc["geometric mean"] = {column: timing.geometric_mean(frame[column]) for column in ratios}
    digits = {column: 2 if column in ratios else 1 for column in frame}
    return frame.round(digits).astype(object).where(frame.notna(), "")


def crossover(rows, layer, method):
    """The smallest recorded batch at which dense is as fast as a method, in words: "2", or "never up to 128"."""
    rows = [row for row in rows if row["layer"] == layer]
    batch = timing.crossover_batch(rows, method)
    return f"never up to {max(row['batch'] for row in rows)}" if batch is None else str(batch)


def crossovers(rows):
    """From which batch on dense is as fast, per layer, from recorded rows (list of dicts) -> DataFrame."""
    import pandas as pd

    table = {}
    for name in dict.fromkeys(row["layer"] for row in rows):
        mine = [row for row in rows if row["layer"] == name]
        found = {method: timing.crossover_batch(mine, method) for method in timing.METHODS[1:]}
        most = max(row["batch"] for row in mine)
        table[name] = {method: str(batch) if batch else f"over {most}" for method, batch in found.items()}
    return pd.DataFrame.from_dict(table, orient="index")


def table_9(machine=CORE_I7):
    """Table 9 for one machine as joules, beside the 45 nm count for our forms: a DataFrame, batch 1.

    Weights come from the cache of *this* machine if they fit, so the computed columns differ between machines.
    """
    import pandas as pd

    quoted = {(r["layer"], r["case"]): r for r in energy.paper_joules() if r["machine"] == machine}
    table = {}
    for name, label in zip(timing.six_layers(), paper.table("table9_power_w")["layers"], strict=True):
        dense, sparse = (quoted[label, case] for case in ("dense_b1", "sparse_b1"))
        layer = timing.paper_layers()[name]
        counted = {m: energy.model(layer, m, active=layer.active) for m in timing.METHODS}
        table[name] = {
            (PAPER, "dense W"): dense["watts"],
            (PAPER, "sparse W"): sparse["watts"],
            ("computed from Tables 8, 9", "dense mJ"): dense["millijoules"],
            ("computed from Tables 8, 9", "sparse mJ"): sparse["millijoules"],
            ("computed from Tables 8, 9", "gain"): dense["millijoules"] / sparse["millijoules"],
            **{(COUNTED, f"{method} µJ"): 1e6 * e.joules for method, e in counted.items()},
            (COUNTED, "weights from"): ", ".join(e.source.rsplit(" ", 1)[1] for e in counted.values()),
            (COUNTED, "gain"): counted["dense"].joules / counted["compressed"].joules,
        }
    frame = pd.DataFrame.from_dict(table, orient="index")
    return frame.round(1)
