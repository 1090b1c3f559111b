"""Numbers in this chapter's text that no record holds by itself; see `dcviz.evidence.prose`. Arguments are texts."""

from dcviz.evidence import recordings


def speed_up(layer, method):
    """How many times faster than dense a method was recorded at batch 1."""
    return _row(layer, "dense")["seconds"] / _row(layer, method)["seconds"]


def nanoseconds_an_entry(layer):
    """Recorded time of CSR at batch 1 for each weight kept: two operations are one weight."""
    row = _row(layer, "csr")
    return 2e9 * row["seconds"] / row["operations"]


def _row(layer, method):
    wanted = layer, method, 1
    rows = recordings.load("layer_times").rows
    return next(row for row in rows if (row["layer"], row["method"], row["batch"]) == wanted)
