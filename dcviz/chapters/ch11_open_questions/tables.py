"""Chapter 11's recorded rows as means with their spread, differences between paired runs, and tables."""

import numpy as np

from dcviz.chapters.ch11_open_questions import figures, measure
from dcviz.labkit.markup import signed
from dcviz.without_torch import Later

pd = Later("pandas")


def spread(rows, key, value="error_percent"):
    """{group: (mean, standard deviation, n)} of a number over rows with one ``key(row)``; spread over n - 1."""
    groups = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row[value])
    return {
        group: (float(np.mean(found)), float(np.std(found, ddof=1)) if len(found) > 1 else 0.0, len(found))
        for group, found in groups.items()
    }


def transfer_curves(rows):
    """Rows of transfer_errors -> {road: {examples: (mean error %, deviation, draws)}}."""
    curves = {road: {} for road in figures.NAMES}
    for (road, n), found in spread([r for r in rows if r["road"]], lambda r: (r["road"], r["examples"])).items():
        curves[road][n] = found
    return curves


def old_errors(rows):
    """Rows of transfer_errors -> {start: error % of the net as it was}: "everything" is the compressed net, "dense"."""
    return {r["start"]: r["error_percent"] for r in rows if r["road"] is None}


def small_set_points(rows, n):
    """Rows of small_sets with n examples -> pruned {net: {density: (mean, deviation, runs)}}, dense {net: (...)}."""
    found = spread([r for r in rows if r["examples"] == n], lambda r: (r["net"], r["density"]))
    levels = {net: found.pop((net, 1.0)) for net in ("dense", "dense, longer")}
    points = {}
    for (net, density), point in found.items():
        points.setdefault(net, {})[density] = point
    return points, levels


def gains(rows, n, rival="dense, longer"):
    """By how much each pruned net of small_sets beats its own rival, seed by seed -> {(net, density): (mean, dev, n)}.

    Percentage points, positive where pruning helps. Pairs of one seed share digits and first weights, so their
    differences spread less than the errors do.
    """
    rows = [r for r in rows if r["examples"] == n]
    level = {r["seed"]: r["error_percent"] for r in rows if r["net"] == rival}
    pairs = [{**r, "gain": level[r["seed"]] - r["error_percent"]} for r in rows if r["density"] < 1]
    return spread(pairs, lambda r: (r["net"], r["density"]), "gain")


def start_groups(rows, value):
    """Rows of starts -> {start: [(mean, deviation, runs) at each k]}, and the list of k."""
    found = spread([r for r in rows if r["start"]], lambda r: (r["start"], r["k"]), value)
    ks = sorted({k for _, k in found})
    return {start: [found[start, k] for k in ks] for start in measure.STARTS}, ks


def transfer_table(rows):
    """Rows of transfer_errors -> DataFrame: a row for each road, bytes of the update, mean error by examples."""
    curves, sent = transfer_curves(rows), {r["road"]: r["bytes"] for r in rows if r["road"]}
    table = {
        road: {"bytes to send": f"{sent[road]:,}"}
        | {f"{n:,} examples": f"{mean:.1f}" for n, (mean, *_) in found.items()}
        for road, found in curves.items()
    }
    return pd.DataFrame.from_dict(table, orient="index")


def sizes(rows):
    """The numbers of examples in rows of small_sets, ascending."""
    return sorted({r["examples"] for r in rows})


def about(size):
    """A number of bytes to two digits, in words: 1,312 -> "about 1,300"."""
    return f"about {float(f'{size:.2g}'):,.0f}"


def in_words(points):
    """A gain in percentage points as the options of chapter 11's question."""
    if abs(points) <= 1:
        return "stays within a point"
    return "falls by more than a point" if points > 0 else "rises by more than a point"


def gain_table(rows):
    """Rows of small_sets -> DataFrame: mean gain and deviation by net and density (rows) and examples (columns)."""
    table = {}
    for n in sizes(rows):
        for (net, density), (mean, deviation, _) in gains(rows, n).items():
            row = table.setdefault((net, f"{100 * density:g}% kept"), {})
            row[f"{n:,} digits"] = f"{signed(mean, 1)} ± {deviation:.1f}"
    return pd.DataFrame.from_dict({key: table[key] for key in sorted(table, key=lambda key: key[0])}, orient="index")
