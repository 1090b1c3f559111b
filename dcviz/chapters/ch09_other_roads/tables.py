"""Chapter 9's recorded rows as tables for a reader; what is recorded, measured now and quoted keeps its own column."""

import re

import numpy as np

from dcviz.chapters.ch09_other_roads import comparison
from dcviz.evidence import paper
from dcviz.nets import models
from dcviz.without_torch import Later

pd = Later("pandas")

PAPER, RECORDED = "paper, AlexNet (quoted)", "LeNet-300-100 (recorded)"


def roads(rows, combined=False):
    """``other_roads.all_roads`` -> DataFrame, one row a road and setting; alone or combined."""
    dense = next(row for row in rows if row["road"] == "dense")
    table = {}
    for row in rows:
        if row["combined"] == combined or row is dense:
            table[row["road"], row["setting"]] = {
                "file bytes": f"{row['file_bytes']:,}",
                "times smaller": f"{row['ratio']:.1f}x",
                "multiplications, dense kernel": f"{row['multiplications']:,}",
                "of them not by zero": f"{row['used']:,}",
                "held-out error %": f"{row['held_out_percent']:.2f}",
                "test error %": f"{row['error_percent']:.2f}",
            }
    return _recorded(table)


def table7(rows, figure6):
    """Table 7 beside ours: the paper's rows, and the ones of our own recordings that do the same -> DataFrame.

    rows: ``all_roads``, figure6: ``figure6``; errors of ours all on the 5,000 held-out digits.
    """
    ours = {
        "Baseline Caffemodel (BVLC)": _find(rows, "dense"),
        "SVD (Denton 2014)": _find(rows, "SVD", "rank 64 and 32"),
        "Pruning (Han 2015)": _stage(figure6, "pruning_only", "0.8 x"),
        "Pruning+Quantization": _stage(figure6, "pruning_plus_quantization", "0.8 x"),
        "Pruning+Quantization+Huffman": _find(rows, "Deep Compression", "1 x"),
    }
    table = {}
    for row in paper.table("table7_alexnet_comparison").rows:
        mine = ours.get(row["method"])
        table[row["method"]] = {
            (PAPER, "top-1 error %"): f"{row['top1_err']:.2f}",
            (PAPER, "size"): re.sub(r"(?<=\d)(?=[KM]B)", " ", row["size"]),  # as elsewhere
            (PAPER, "ratio"): f"{row['ratio']:g}x",
            (RECORDED, "setting"): "not built here" if mine is None else mine[0],
            (RECORDED, "error %"): "" if mine is None else f"{mine[1]:.2f}",
            (RECORDED, "file bytes"): "" if mine is None else f"{mine[2]:,}",
            (RECORDED, "ratio"): "" if mine is None else f"{mine[3]:.1f}x",
        }
    return pd.DataFrame.from_dict(table, orient="index")


def _find(rows, road, setting=""):
    row = next(row for row in rows if row["road"] == road and row["setting"].startswith(setting))
    return row["setting"], row["held_out_percent"], row["file_bytes"], row["ratio"]


def _stage(rows, curve, setting):
    row = next(row for row in rows if row["curve"] == curve and row["setting"].startswith(setting))
    return row["setting"], row["error_percent"], row["file_bytes"], 100 / row["percent"]


def curves(figure6):
    """Our curves of Fig. 6 as {curve: [(percent of the dense bytes, points gained), ...]}."""
    names = dict.fromkeys(row["curve"] for row in figure6)
    return {name: [(row["percent"], row["loss_points"]) for row in figure6 if row["curve"] == name] for name in names}


def paper_curves():
    """The paper's Fig. 6 in the same form, read off the figure."""
    record = paper.table("figure6_accuracy_vs_size")
    names = ("pruning_plus_quantization", "pruning_only", "quantization_only", "svd")
    return {name: [tuple(point) for point in record[name]] for name in names}


def smallest(points, loss):
    """The smallest size (percent) of a curve whose loss is at most ``loss`` points, or None."""
    return min((percent for percent, gained in points if gained >= -loss), default=None)


def smallest_table(figure6, loss=0.5):
    """Where each curve of Fig. 6 still loses at most ``loss`` points: paper's and ours -> DataFrame."""
    table = {}
    mine, theirs = curves(figure6), paper_curves()
    for name, points in theirs.items():
        row = {}
        for title, found in ((PAPER.replace("quoted", "read off Fig. 6"), points), (RECORDED, mine[name])):
            least = smallest(found, loss)
            row[title] = "none" if least is None else f"{least:.1f}% of the dense size"
        table[name.replace("_", " ").replace("plus", "+").replace("svd", "SVD")] = row
    return pd.DataFrame.from_dict(table, orient="index")


def filters(rows):
    """``other_roads.filters`` -> DataFrame: per fraction removed, each criterion's errors and work left."""
    whole = sum(comparison.multiplications(models.build("lenet-5")).values())
    table = {}
    for fraction in dict.fromkeys(row["fraction"] for row in rows):
        line = {}
        for title, key in (
            ("error % at once (recorded)", "raw_percent"),
            ("error % in three rounds, retrained (recorded)", "error_percent"),
            ("multiplications left % (recorded)", "multiplications"),
        ):
            for criterion in dict.fromkeys(row["criterion"] for row in rows):
                found = [r[key] for r in rows if (r["criterion"], r["fraction"]) == (criterion, fraction)]
                value = np.mean(found) * (100 / whole if key == "multiplications" else 1)
                line[title, criterion] = f"{value:.0f}" if key == "multiplications" else f"{value:.1f}"
        table[f"{fraction:.0%} gone"] = line
    return pd.DataFrame.from_dict(table, orient="index")


def temperatures(rows):
    """``other_roads.temperatures`` -> DataFrame: per temperature the error with all digits, and with one never seen."""
    table = {}
    for temperature in dict.fromkeys(row["temperature"] for row in rows):
        here = [row for row in rows if row["temperature"] == temperature]
        line = {("all digits seen (recorded)", "error %"): _mean(here, None, "error_percent")}
        for digit in (3, 7):
            title = f"no {digit} ever seen (recorded)"
            line[title, f"error %, {digit}s raised"] = _mean(here, digit, "shifted_percent")
            line[title, f"{digit}s named right %"] = _mean(here, digit, "found_percent")
        table["labels only" if temperature is None else f"T = {temperature}"] = line
    return pd.DataFrame.from_dict(table, orient="index")


def _mean(rows, missing, key):
    return f"{np.mean([row[key] for row in rows if row['missing'] == missing]):.1f}"


def factorisations(rows):
    """``other_roads.factorisations`` -> DataFrame, one row a factorisation."""
    table = {}
    for row in rows:
        table[row["layer"], row["road"], row["setting"]] = {
            "numbers stored for the layer": f"{row['numbers']:,}",
            "of the weights missing": f"{100 * row['relative_error']:.1f}%",
            "error of the net %": f"{row['error_percent']:.1f}",
        }
    return _recorded(table)


def _recorded(table):
    """{row: {column: text}} as a DataFrame whose columns all stand under "recorded"."""
    frame = pd.DataFrame.from_dict(table, orient="index")
    frame.columns = pd.MultiIndex.from_product([["recorded"], frame.columns])
    return frame


def way(row):
    """How the channels of a row of ``alexnet_filters.filters`` were chosen, in words."""
    if row["criterion"] is None:
        return "nothing removed"
    return f"{row['criterion']}, {'each layer its share' if row['even'] else 'layers compete'}"


def alexnet_filters(rows, fraction=0.5):
    """``alexnet_filters.filters`` -> DataFrame: the whole net, and all those that lost a fraction of their filters."""
    whole, table = rows[0], {}
    for row in rows:
        if row["fraction"] in (0, fraction):
            after = row["error_percent"]
            table[way(row)] = {
                "filters left, conv1 to conv5": ", ".join(map(str, row["widths"])),
                "multiplications left %": f"{100 * row['multiplications'] / whole['multiplications']:.0f}",
                "file MB": f"{row['file_bytes'] / 1e6:.0f}",
                "ms a picture": f"{row['milliseconds']:.1f}",
                "error % at once": f"{row['raw_percent']:.1f}",
                "error % after the lesson": "not taught" if after is None else f"{after:.1f}",
            }
    return _recorded(table)


def alexnet_curves(rows, key):
    """Rows of ``alexnet_filters.filters`` -> {way: [(percent of the multiplications left, error percent), ...]}.

    key: "raw_percent" or "error_percent"; every curve begins at the whole net; points that were not measured are left
    out, and so are ways without any.
    """
    whole, curves = rows[0], {}
    for row in rows[1:]:
        if row[key] is not None:
            start = [(100.0, whole[key])]
            left = 100 * row["multiplications"] / whole["multiplications"]
            curves.setdefault(way(row), start).append((left, row[key]))
    return curves
