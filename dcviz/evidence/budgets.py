"""What a net costs by the paper: bytes at every stage; joules and watts for one inference.

The sizes follow from its Tables 1 to 5 and are quoted. Energy is arithmetic on its 45 nm table: nothing is measured.
Lengths of our own files are in `pipeline.shipped`.
"""

from dcviz.evidence import paper

_UNITS = {"KB": 1e3, "MB": 1e6}


def paper_bytes(net, stage):
    """Bytes of a net at a stage as the paper prints them, or as its printed ratio gives them -> float.

    The pruned stage counts the weights alone, as the paper's pruning factor does: no index.
    """
    name, table = paper.NETS[net]
    row = next(row for row in paper.table("table1_overview")["rows"] if row["net"] == name)
    total, dense = paper.table(table)["total"], _bytes(row["ref"]["size"])
    return {
        "dense": dense,
        "pruned": dense / total["pruning_factor"],
        "shared": dense / total["ratio_PQ"],
        "coded": _bytes(row["compressed"]["size"]),
    }[stage]


def guessed_bytes(parameters, stage):
    """Bytes of a net of your own -> float, *if* it compressed as well as AlexNet did in the paper."""
    return 4 * parameters * paper_bytes("alexnet", stage) / paper_bytes("alexnet", "dense")


def paper_connections(net):
    """Weights of a net of the paper, biases not counted -> int."""
    return paper.table("derived_layer_checks")["nets"][paper.NETS[net][0]]["n_weights"]


def fetch_joules(weights, bits, picojoules):
    """Energy to read weights of `bits` each from a memory that takes `picojoules` for 32 bits -> joules."""
    return weights * bits / 32 * picojoules * 1e-12


def arithmetic_joules(connections):
    """Energy of one float32 multiplication and one addition per connection at 45 nm -> joules."""
    table = paper.table("energy_table_45nm_pj")
    return connections * (table["fp32_mult"] + table["fp32_add"]) * 1e-12


def implied_bandwidths():
    """How fast the paper's machines read the dense first layer -> rows, one per machine and net.

    machine, layer, bytes, microseconds (Table 8, dense, batch 1), bytes_per_second = bytes / time.
    """
    times, checks = paper.table("table8_time_us"), paper.table("derived_layer_checks")["nets"]
    rows = []
    for machine, columns in times["data"].items():
        for net, label in (("AlexNet", "AlexNet_FC6"), ("VGG-16", "VGG16_FC6")):
            weights = next(row["n"] for row in checks[net]["rows"] if row["layer"] == "fc6")
            micro = columns["dense_b1"][times["layers"].index(label)]
            rows.append(
                {
                    "machine": machine,
                    "layer": f"{net} fc6",
                    "bytes": 4 * weights,
                    "microseconds": micro,
                    "bytes_per_second": 4 * weights / micro * 1e6,
                }
            )
    return rows


def _bytes(text):
    number, unit = text.split()
    return float(number) * _UNITS[unit]
