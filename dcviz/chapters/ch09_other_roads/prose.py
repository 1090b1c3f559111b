"""Numbers in this chapter's text that no record holds by itself; see `dcviz.evidence.prose`. Arguments are texts."""

import numpy as np

from dcviz.evidence import recordings


def filters_at_once(criterion, fraction):
    """Mean error % of LeNet-5 right after so large a share of its channels went by a criterion."""
    rows = recordings.load("other_roads_filters").rows
    wanted = criterion, float(fraction)
    return float(np.mean([row["raw_percent"] for row in rows if (row["criterion"], row["fraction"]) == wanted]))


def best_of_the_others(limit):
    """The largest ratio of all roads taken alone, but Deep Compression, with at most ``limit`` % test error."""
    return max(
        row["ratio"]
        for row in recordings.load("other_roads").rows
        if not row["combined"] and row["road"] != "Deep Compression" and row["error_percent"] <= float(limit)
    )
