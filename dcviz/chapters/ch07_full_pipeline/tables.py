"""The paper's tables beside our own numbers: what is quoted and what is measured stand in separate columns."""

from dcviz import archive
from dcviz.evidence import paper, recordings
from dcviz.labkit.markup import drawn
from dcviz.labkit.prediction import Prediction
from dcviz.nets import models
from dcviz.pipeline import shipped
from dcviz.without_torch import Later

pd = Later("pandas")

PAPER, OURS = "paper (quoted)", "this workbook (measured now)"
ASKED = {("lenet-300-100", "fc1"): ("ch06-mean-length", "asked in 06")}
"""{(net, layer): (the question whose answer is this layer's weight bits, what stands there until it is told)}."""

PARTS = {
    "header": "header",
    "checksums": "checksums",
    "codebooks": "codebooks",
    "code_tables": "Huffman tables",
    "weight_bits": "weights' codes",
    "weight_bits_fillers": "fillers' codes",
    "index_bits": "weights' gaps",
    "index_bits_fillers": "fillers' gaps",
    "lane_starts": "starts of lanes",
    "biases": "biases",
}
"""{part of a file: what its bytes are for, in words}."""


def table1(rows):
    """Table 1 as a DataFrame; ``rows`` as ``reference.measure`` gives them."""
    quoted = {row["net"].lower(): row for row in paper.table("table1_overview")["rows"]}
    table = {}
    for row in rows:
        theirs = quoted[shipped.net_of(row["net"])]
        table[row["net"]] = {
            (PAPER, "dense"): theirs["ref"]["size"],
            (PAPER, "file"): theirs["compressed"]["size"],
            (PAPER, "ratio"): f"{theirs['ratio']}x",
            (PAPER, "error dense %"): f"{theirs['ref']['top1_err']:.2f}",
            (PAPER, "error file %"): f"{theirs['compressed']['top1_err']:.2f}",
            (OURS, "dense bytes"): f"{row['dense_bytes']:,}",
            (OURS, "file bytes"): f"{row['file_bytes']:,}",
            (OURS, "ratio"): f"{row['ratio']:.1f}x",
            (OURS, "error dense %"): f"{row['dense_error_percent']:.2f}",
            (OURS, "error file %"): f"{row['error_percent']:.2f}",
        }
    return pd.DataFrame.from_dict(table, orient="index")


def layers(net, breakdown):
    """Table 2, 3, 4 or 5 as a DataFrame: per layer the paper's P+Q+H columns beside a file's ``archive.Breakdown``.

    "of dense %" is the layer's share of file bytes over its dense weights; ours counts code tables, checksums
    and biases, the paper's seems not to count biases. What an open question of chapter 06 asks for is left out.
    """
    quoted, names, table = paper.layers(net), models.paper_names(net), {}
    for layer in breakdown.layers:
        row = quoted[names[layer.name]]
        asked, instead = ASKED.get((net, layer.name), (None, None))
        table[f"{drawn(layer.name)} ({row['layer']})"] = {
            (PAPER, "kept %"): row["weights_pct_P"],
            (PAPER, "weight bits"): row["weight_bits_PQH"],
            (PAPER, "index bits"): row["index_bits_PQH"],
            (PAPER, "of dense %"): row["compress_rate_pct_PQH"],
            (OURS, "kept %"): round(100 * layer.nonzeros / layer.weights, 1),
            (OURS, "fillers"): f"{layer.fillers:,}",
            (OURS, "weight bits"): instead if asked and not Prediction.told(asked) else round(layer.weight_bits, 2),
            (OURS, "index bits"): round(layer.index_bits, 2),
            (OURS, "of dense %"): round(100 * layer.file_bytes / (4 * layer.weights), 2),
        }
    return pd.DataFrame.from_dict(table, orient="index")


def alexnet():
    """Stages of the shipped AlexNets as recorded: a DataFrame. Sizes are lengths of files, errors in percent."""
    rows = {}
    for row in recordings.load("alexnet_cifar10").rows:
        rows[row["stage"]] = {
            "file bytes": f"{row['file_bytes']:,}",
            "ratio": f"{row['ratio']:.1f}x",
            "held-out error %": round(row["held_out_error_percent"], 2),
            "test error %": "" if row["test_error_percent"] is None else f"{row['test_error_percent']:.2f}",
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def parts(net):
    """What every byte of a ``StoredNet``'s file is for, as a DataFrame of bytes: rows are parts, columns layers."""
    breakdown = archive.breakdown(net)
    columns = [*(layer.parts for layer in breakdown.layers), breakdown.parts]
    table = pd.DataFrame(dict(enumerate(columns)))
    table.columns = [*(drawn(layer.name) for layer in breakdown.layers), "whole file"]
    table.index = pd.Index([PARTS[name] for name in table.index], name="bytes for")
    return table[table.iloc[:, -1] > 0].map("{:,}".format)
