"""Chapters 3 and 6: the compressed SqueezeNet that the paper's authors published."""

from dcviz import archive
from dcviz.archive import authors, coders
from dcviz.archive.authors import squeezenet_path
from dcviz.ideas import sparse_formats


def squeezenet_fillers():
    """Rows layer, kept (percent), fillers, random: what a random mask of that density would need.

    Layers that keep less than half of their weights, then all of these together. Reads
    $DCVIZ_DATA/authors/compressed_SqueezeNet.net; DataError without it.
    """
    rows = []
    for layer in authors.read_squeezenet(squeezenet_path()).layers:
        weights, stored = layer.weight.size, layer.n_entries - layer.n_fillers
        if 2 * stored < weights:
            entries = sparse_formats.expected_entries(stored / weights, authors.INDEX_BITS) * weights
            rows.append(
                {
                    "layer": layer.name,
                    "kept": round(100 * stored / weights, 1),
                    "fillers": layer.n_fillers,
                    "random": round(entries - stored, 1),
                }
            )
    total = {key: round(sum(row[key] for row in rows), 1) for key in ("fillers", "random")}
    return [*rows, {"layer": "together", "kept": None, **total}]


def squeezenet_recoded():
    """Rows file, bytes: the authors' file, the same bytes under general-purpose compressors, and as .dcz.

    Reads $DCVIZ_DATA/authors/compressed_SqueezeNet.net; DataError without it.
    """
    path = squeezenet_path()
    data, net = path.read_bytes(), authors.read_squeezenet(path)
    rows = [{"file": "as published (fixed-length codes, 4-bit gaps)", "bytes": len(data)}]
    rows += [{"file": f"published file, {name}", "bytes": size} for name, size in coders.files(data).items()]
    recoded = {"4-bit gaps": authors.as_stored(net, authors.INDEX_BITS), "best width of gaps": authors.as_stored(net)}
    rows += [{"file": f".dcz, Huffman, {name}", "bytes": archive.file_bytes(net)} for name, net in recoded.items()]
    return rows
