"""Chapter 3: fillers in the compressed SqueezeNet that the paper's authors published."""

import os
from pathlib import Path

from dcviz import authors, sparse_formats
from dcviz.errors import DataError


def squeezenet_fillers():
    """Rows layer, kept (percent), fillers, random: what a random mask of that density would need.

    Layers that keep less than half of their weights, then all of these together. Reads
    $DCVIZ_DATA/authors/compressed_SqueezeNet.net; DataError without it.
    """
    path = Path(os.environ.get("DCVIZ_DATA") or ".") / "authors" / "compressed_SqueezeNet.net"
    if not path.exists():
        raise DataError(f"{path} is missing; it is in github.com/songhan/SqueezeNet-Deep-Compression")
    rows = []
    for layer in authors.read_squeezenet(path).layers:
        weights, stored = layer.weight.size, layer.n_entries - layer.n_fillers
        if 2 * stored < weights:
            entries = sparse_formats.expected_entries(stored / weights, authors.INDEX_BITS) * weights
            rows.append({"layer": layer.name, "kept": round(100 * stored / weights, 1),
                         "fillers": layer.n_fillers, "random": round(entries - stored, 1)})  # fmt: skip
    total = {key: round(sum(row[key] for row in rows), 1) for key in ("fillers", "random")}
    return [*rows, {"layer": "together", "kept": None, **total}]
