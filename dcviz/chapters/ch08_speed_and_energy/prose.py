"""Numbers in this chapter's text that no record holds by itself; see `dcviz.evidence.prose`. Arguments are texts."""

from dcviz.chapters.ch08_speed_and_energy import timing
from dcviz.evidence import paper, recordings


def speed_up(layer, method):
    """How many times faster than dense a method was recorded at batch 1."""
    return _row(layer, "dense")["seconds"] / _row(layer, method)["seconds"]


def nanoseconds_an_entry(layer):
    """Recorded time of CSR at batch 1 for each weight kept: two operations are one weight."""
    row = _row(layer, "csr")
    return 2e9 * row["seconds"] / row["operations"]


def titan_gigabytes(layer):
    """GB a second at which the paper's Titan X read a layer: its dense bytes over its time in Table 8, batch 1."""
    times = paper.table("table8_time_us")
    micro = times["data"]["Titan X"]["dense_b1"][timing.six_layers().index(layer)]
    return timing.paper_layers()[layer].resident_bytes("dense") / micro / 1e3


def titan_tenth(form):
    """Microseconds in which a card that reads ten times as fast as the Titan X reads AlexNet's fc6 in a form."""
    layer = "alexnet/fc6"
    return timing.paper_layers()[layer].resident_bytes(form) / titan_gigabytes(layer) / 1e4


def _row(layer, method):
    wanted = layer, method, 1
    rows = recordings.load("layer_times").rows
    return next(row for row in rows if (row["layer"], row["method"], row["batch"]) == wanted)
