"""Timings as tables; the paper's Tables 8 and 9 beside ours.

What is quoted from the paper, recorded on our machine and computed stands in columns of its own.
"""

from dataclasses import asdict

import numpy as np

from dcviz.chapters.ch08_speed_and_energy import energy, gpu_times, phones, timing
from dcviz.evidence import paper
from dcviz.labkit.markup import number


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
            "resident bytes": f"{row['resident_bytes']:,}",
            "GB/s": round(row["moved_bytes"] / row["seconds"] / 1e9, 1),
            "on": f"{row['device']}, {row['threads']} thread{'s' * (row['threads'] > 1)}, {row['clock']} time"
            + ", caches emptied" * row["cold"],
        }
        for row in rows
    )


def _frame(table):
    """{row: {column: value}} as a DataFrame; pandas comes with the first one, not with the chapter's first cell."""
    import pandas as pd

    return pd.DataFrame.from_dict(table, orient="index")


CORE_I7, PAPER = "Core i7-5930k", "paper (quoted)"
OURS, COUNTED = "this workbook (recorded)", "45 nm count (computed)"


def table_8(rows, batch=1, machine=CORE_I7):
    """Table 8 for one machine of the paper beside recorded rows of ``layer_times``: microseconds per input.

    rows: list of dicts. Returns a DataFrame, the six layers and the geometric means of the speed-ups.
    """
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
    frame = _frame(table)
    ratios = [column for column in frame if "speed-up" in column[1]]
    frame.loc["geometric mean"] = {column: timing.geometric_mean(frame[column]) for column in ratios}
    places = {column: 2 if column in ratios else 1 for column in frame}
    return frame.apply(lambda cells: [f"{x:,.{places[cells.name]}f}" if x == x else "" for x in cells])


def crossover(rows, layer, method):
    """The smallest recorded batch at which dense is as fast as a method, in words: "2", or "never up to 128"."""
    rows = [row for row in rows if row["layer"] == layer]
    batch = timing.crossover_batch(rows, method)
    return f"never up to {max(row['batch'] for row in rows)}" if batch is None else str(batch)


def crossovers(rows):
    """From which batch on dense is as fast, per layer, from recorded rows (list of dicts) -> DataFrame."""
    table = {}
    for name in dict.fromkeys(row["layer"] for row in rows):
        mine = [row for row in rows if row["layer"] == name]
        found = {method: timing.crossover_batch(mine, method) for method in timing.METHODS[1:]}
        most = max(row["batch"] for row in mine)
        table[name] = {method: str(batch) if batch else f"over {most}" for method, batch in found.items()}
    return _frame(table)


def table_9(machine=CORE_I7):
    """Table 9 for one machine as joules, beside the 45 nm count for our forms: a DataFrame, batch 1.

    Weights come from the cache of *this* machine if they fit, so the computed columns differ between machines.
    """
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
    return _frame(table).map(lambda x: x if isinstance(x, str) else f"{x:,.{int(x < 1000)}f}")


TITAN = "Titan X"
NO_GPU = (
    "**No GPU stands here yet.** The machines on which this workbook was made have none, and none of its times are "
    "guessed. `python -m dcviz record gpu_times` measures one in at most eight minutes (`--device cpu` rehearses that "
    "on any machine); then its columns appear here."
)


def gpu(recorded, batch=1):
    """Tables 8 and 9 for the paper's GPU beside a recorded one, cold caches: microseconds an input, and millijoules.

    recorded: the ``Recorded`` of ``gpu_times``, or None: then the paper's columns stand alone. What was skipped is "".
    """
    quoted = {(r["layer"], r["case"]): r for r in energy.paper_joules() if r["machine"] == TITAN}
    ours = f"{card(recorded)} (recorded)" if recorded else ""
    table = {}
    for name, label in zip(timing.six_layers(), paper.table("table8_time_us")["layers"], strict=True):
        dense, sparse = (quoted[label, f"{form}_b{batch}"] for form in ("dense", "sparse"))
        row = {
            (f"{TITAN}, paper (quoted)", "dense µs"): number(dense["microseconds"], 5),
            (f"{TITAN}, paper (quoted)", "CSR µs"): number(sparse["microseconds"], 5),
            (f"{TITAN}, paper (quoted)", "CSR speed-up"): number(dense["microseconds"] / sparse["microseconds"]),
            (f"{TITAN}, from Tables 8, 9", "dense mJ"): number(dense["millijoules"]),
            (f"{TITAN}, from Tables 8, 9", "CSR mJ"): number(sparse["millijoules"]),
        }
        for method in gpu_times.METHODS if recorded else ():
            found = gpu_times.find(recorded, what="time", layer=name, batch=batch, method=method, caches="cold")
            spent = gpu_times.find(recorded, what="energy", layer=name, batch=batch, method=method)
            row[ours, f"{method} µs"] = number(1e6 * found[0]["seconds"] / batch) if found else ""
            row[ours, f"{method} mJ"] = number(1e3 * spent[0]["joules"] / batch) if spent else ""
        table[name] = row
    return _frame(table)


def card(recorded):
    """The name of the GPU of a recording of ``gpu_times``."""
    return gpu_times.find(recorded, what="device")[0]["name"]


def launches(recorded, layer="alexnet/fc7", batch=1):
    """One layer on a recorded GPU with cold caches, warm, and played back from a graph: DataFrame of microseconds."""
    rows = gpu_times.find(recorded, what="time", layer=layer, batch=batch)
    table = {m: {c: "" for c in gpu_times.CACHES} for m in dict.fromkeys(row["method"] for row in rows)}
    for row in rows:
        table[row["method"]][row["caches"]] = number(1e6 * row["seconds"])
    return _frame(table)


def running(rows):
    """AlexNet run expanded and compressed, as recorded (``running_nets.rows``): memory and time, a DataFrame."""
    return _frame(
        {
            row["form"]: {
                "fully connected layers, MB": round(row["linear_bytes"] / 1e6, 1),
                "whole process, MB": round(row["held_bytes"] / 1e6),
                "its peak, MB": round(row["peak_bytes"] / 1e6),
                "before it was opened, MB": round(row["ready_bytes"] / 1e6),
                "a picture, ms": round(1e3 * row["seconds"], 1),
                "of these fully connected, ms": round(1e3 * row["linear_seconds"], 2),
            }
            for row in rows
        }
    )


def viable():
    """Every phone, form by form: pictures of AlexNet and tokens of chapter 12's model a second, and energy of each.

    Estimated (``phones.estimate``). A DataFrame.
    """
    table = {}
    for phone in phones.phones():
        for form in (*phones.FORMS, *([phones.NPU] if phone.npu_ops else [])):
            row = {}
            for net, title, unit in (("alexnet", "AlexNet", "pictures"), (phones.TOKENS, "language model", "tokens")):
                found = phones.estimate(net, form, phone)
                row[title, f"{unit}/s"] = number(found.per_second)
                row[title, "mJ each"] = number(found.millijoules)
                row[title, "weights from"] = found.memory
            row["", "chip's numbers"] = "seen in print" if phone.checked else "unconfirmed"
            table[phone.name, form] = row
    return _frame(table)
