"""Numbers in this chapter's text that no record holds by itself; see `dcviz.evidence.prose`. Arguments are texts."""

import numpy as np

from dcviz.evidence import recordings


def start_error(start, k):
    """Mean error % of the nets with k values from a start, before fine-tuning."""
    rows = recordings.load("starts_finetuned").rows
    return float(np.mean([row["error_percent"] for row in rows if (row["start"], row["k"]) == (start, int(k))]))


def start_lead(k):
    """Points by which the optimal codebook's error is below the next best start's, before fine-tuning."""
    return min(start_error(start, k) for start in ("linear", "density", "forgy")) - start_error("optimal", k)
