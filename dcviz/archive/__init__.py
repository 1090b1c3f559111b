"""The .dcz file: a compressed net that decodes bit for bit, with every byte accounted for.

    file     magic, version, section(header), one section per record
    section  varint length, payload, CRC-32 of the payload
    header   net name; in version 1 per layer its name, what its payload holds, and its shape
    record   a layer: [gaps]  [codebook]  values  [bias]
             in version 2, behind its name and shape, also a tensor as it is, or a tie to an earlier one
             or, for very small nets, a layer's live block in one arithmetic code

A layer is coded by what its ``Coding`` says, so one format holds every stage of the paper's pipeline: all weights as
floats (dense), relative index + floats (pruned), relative index + codes (shared), both Huffman-coded (coded).
The specification is docs/format.md.
"""

from contextlib import contextmanager

from dcviz.archive.reader import Records, opened, read_breakdown, read_net
from dcviz.archive.streams import Reader
from dcviz.archive.types import (
    DTYPES,
    FLOATS,
    KEPT,
    MAGIC,
    PARAMETERS,
    PARTS,
    VERSION,
    Breakdown,
    Coding,
    Entries,
    Kept,
    Layer,
    LayerBreakdown,
    Lossless,
    More,
    StoredNet,
    Tie,
    narrowed,
    widened,
)
from dcviz.archive.writer import pieces, record_pieces, shortest, write_layer
from dcviz.errors import ArchiveError
from dcviz.files import atomic_write

__all__ = [
    "DTYPES",
    "FLOATS",
    "KEPT",
    "MAGIC",
    "PARAMETERS",
    "PARTS",
    "VERSION",
    "ArchiveError",
    "Breakdown",
    "Coding",
    "Entries",
    "Kept",
    "Layer",
    "LayerBreakdown",
    "Lossless",
    "More",
    "Records",
    "StoredNet",
    "Tie",
    "breakdown",
    "describe",
    "describe_bytes",
    "dumps",
    "file_bytes",
    "layer_bytes",
    "load",
    "loads",
    "narrowed",
    "open_records",
    "save",
    "save_records",
    "shortest",
    "widened",
]


def save(path, net):
    """Write a ``StoredNet`` to ``path`` in one step; returns the file's length in bytes.

    WeightError for NaN, infinite or empty weights or values that the dtype cannot hold exactly; CodebookError
    if a weight is not in its codebook. Nothing is written in either case.
    """
    return atomic_write(path, lambda file: sum(file.write(piece) for piece in pieces(net)))


def save_records(path, name, count, records):
    """Write a net of ``count`` records, out of any iterable, to ``path`` in one step; returns the file's length.

    Always version 2. A net that is too large for memory goes through record by record. Errors as ``save``, and
    WeightError for another number of records; whatever the iterable raises goes on. Nothing is written then.
    """
    return atomic_write(path, lambda file: sum(file.write(piece) for piece in record_pieces(name, count, records)))


@contextmanager
def open_records(path, *, max_bytes=None, entries=False):
    """The ``Records`` of the file at ``path``: each is read when its turn comes, and only one is in memory.

        with archive.open_records("net.dcz") as records:
            for record in records: ...

    entries: give float32 matrices that are stored as gaps and codes as ``Entries``: their weights are not expanded.
    ArchiveError and ``max_bytes`` as for ``load``, when the place in question is reached.
    """
    with opened(path) as file:
        yield Records(file, path, max_bytes, entries)


def load(path, *, max_bytes=None):
    """Read the ``StoredNet`` in the file at ``path``; ArchiveError names what is wrong with it.

    ``max_bytes``: refuse a file that is longer, or whose arrays together would be, before memory is taken.
    Arrays of ``Kept`` tensors cannot be written to: they lie in the bytes that were read.
    """
    with opened(path) as file:
        return read_net(file, path, max_bytes)


def describe(path, *, max_bytes=None):
    """The ``Breakdown`` of the file at ``path``, all of which is checked for it; no array of weights is made.

    ArchiveError as for ``load``; ``max_bytes``: refuse a longer file.
    """
    with opened(path) as file:
        return read_breakdown(file, path, max_bytes)


def breakdown(net):
    """The ``Breakdown`` of the file that a ``StoredNet`` would make."""
    return describe_bytes(dumps(net))


def describe_bytes(data, where="these bytes", *, max_bytes=None):
    """The ``Breakdown`` of the bytes of a .dcz file; ArchiveError and ``max_bytes`` as for ``describe``."""
    return read_breakdown(Reader(data), where, max_bytes)


def loads(data, where="these bytes", *, max_bytes=None):
    """The ``StoredNet`` in the bytes of a .dcz file; ArchiveError and ``max_bytes`` as for ``load``."""
    return read_net(Reader(data), where, max_bytes)


def dumps(net):
    """The bytes of the .dcz file of a ``StoredNet``; raises what ``save`` raises."""
    return b"".join(pieces(net))


def file_bytes(net):
    """The length of the file that a ``StoredNet`` would make, for nets too large to hold twice."""
    return sum(len(piece) for piece in pieces(net))


def layer_bytes(layer):
    """Bytes that a ``Layer`` takes in a file, without its record in the header."""
    return len(write_layer(layer))
