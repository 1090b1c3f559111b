"""A checkpoint in, a .dcz file out, and back: for who has the weights of a net and neither its code nor its data.

One shot: tensors are pruned, shared and coded as the paper does, but nothing is retrained, so errors grow sooner.
``lossless`` keeps every bit and codes alone. Long tensors are cut in pieces along their first dimension, each coded by
itself, so that a checkpoint larger than the memory passes.
"""

import lzma
import math
import zlib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import torch
import zstandard

from dcviz import archive
from dcviz.archive import Coding, Kept, Layer, Lossless, More, Tie
from dcviz.archive.streams import ARRAYS_PER_BYTE, MAX_ARRAYS
from dcviz.errors import ArchiveError, OutputError, RecipeError
from dcviz.ideas.kmeans import assign, kmeans
from dcviz.ideas.pruning import mask_from_density
from dcviz.nets import checkpoints
from dcviz.nets.schedules import is_finite, is_whole
from dcviz.pipeline import parameters

PIECE = 1 << 22
"""Most numbers of a piece, unless a single row has more."""
SMALL = 1 << 10
"""Tensors with fewer numbers are kept: a codebook and a code table would take what sharing saves."""
FLOATS = tuple(getattr(torch, name) for name in archive.FLOATS)
SHARED, EXACT, KEPT, TIED = "pruned and shared", "every bit, coded", "kept", "tied"


@dataclass(frozen=True)
class Row:
    """What became of one tensor.

    how: ``SHARED``, ``EXACT``, ``KEPT`` or ``TIED``; with NaN or infinity a tensor is kept, at least in part
    density: share of its numbers that are not zero in the file
    error: squared change of its numbers over their squares, 0 where nothing changed
    """

    key: str
    dtype: str
    shape: tuple[int, ...]
    how: str
    dense_bytes: int
    density: float = 1.0
    error: float = 0.0


@dataclass(frozen=True)
class Shrunk:
    """What ``shrink`` did. ``left_out``: keys of what else the checkpoint held, such as an optimizer's state."""

    path: Path
    file_bytes: int
    dense_bytes: int
    rows: tuple[Row, ...]
    left_out: tuple[str, ...]

    @property
    def ratio(self):
        """Bytes of the checkpoint's tensors in their own types / bytes of the file."""
        return self.dense_bytes / self.file_bytes


def shrink(source, target, *, density=1.0, bits=6, only=(), skip=(), lossless=False, progress=None):
    """Write the checkpoint ``source`` (``checkpoints.opened``) as a .dcz file: -> ``Shrunk``.

    density: share of a tensor's weights that stay, the largest. bits: of a weight code, 1 to 16. only, skip: patterns
    of keys with ``*`` and ``?``. Without ``only``, tensors of floats with two dimensions or more, and 1,024 numbers or
    more, are compressed; all else is kept as it is, and counts. progress(done, total) is told bytes.
    The file is written in one step or not at all.
    RecipeError for impossible settings and for a pattern that no key fits; DataError for what is no checkpoint;
    OutputError if ``target`` is the checkpoint itself.
    """
    if not (is_finite(density) and 0 < density <= 1):
        raise RecipeError(f"density must be above 0 and at most 1, not {density!r}")
    if not is_whole(bits, 1 + (density < 1), 16):
        raise RecipeError(f"bits must be {1 + (density < 1)} to 16 at density {density}, not {bits!r}")
    _check_other(source, target)
    with checkpoints.opened(source) as checkpoint:
        chosen = _chosen(checkpoint.entries, tuple(only), tuple(skip), lossless)
        rows: list[Row] = []

        def records():
            done = 0
            for entry in checkpoint.entries:
                if entry.same is not None:
                    rows.append(Row(entry.key, checkpoints.TYPES[entry.dtype], entry.shape, TIED, 0))
                    yield Tie(entry.key, entry.same)
                    continue
                how = KEPT if entry.key not in chosen else EXACT if lossless else SHARED
                changes = _Changes()
                for first, last in _cuts(entry.shape):
                    piece = checkpoint.tensor(entry.key)
                    piece = piece[first:last] if entry.shape else piece
                    record = _record(entry.key, piece, how, density, bits)
                    changes.add(piece, record)
                    yield More(record) if first else record
                rows.append(changes.row(entry, how))
                done += entry.nbytes
                if progress is not None:
                    progress(done, checkpoint.dense_bytes)

        count = sum(1 if entry.same is not None else len(_cuts(entry.shape)) for entry in checkpoint.entries)
        size = archive.save_records(target, Path(source).name.partition(".")[0], count, records())
        return Shrunk(Path(target), size, checkpoint.dense_bytes, tuple(rows), checkpoint.left_out)


def _check_other(source, target):
    """OutputError if the file to be written is the one to be read."""
    if Path(target).exists() and Path(source).exists() and Path(target).samefile(source):
        raise OutputError(f"{target}: that is the file to be read; give the new one another name")


def expand(source, target, *, progress=None):
    """Write the tensors of a .dcz file, of any version, as a .safetensors file: -> its length in bytes.

    Tied tensors are written under each of their keys, since a .safetensors file has no ties. progress(done, total) is
    told records. ArchiveError for what is no .dcz file, and for one that would take more than 1 GiB, or 4,096 bytes for
    each of its own; the new file is written in one step or not at all. OutputError as ``shrink``.
    """
    _check_other(source, target)
    entries: dict[str, tuple] = {}
    with archive.open_records(source) as net:
        total = net.count
        for record in net:
            if isinstance(record, Tie):
                entries[record.name] = entries[record.other]
            for key, array in record.tensors().items():
                rows = entries[key][1][0] if isinstance(record, More) else 0
                shape = (rows + array.shape[0], *array.shape[1:]) if array.ndim else ()
                entries[key] = (record.dtypes()[key], shape)

    def pieces():
        with archive.open_records(source) as net:
            for done, record in enumerate(net, 1):
                if isinstance(record, Tie):
                    yield record.other
                for array in record.tensors().values():
                    yield np.ascontiguousarray(array).data.cast("B") if array.size else b""
                if progress is not None:
                    progress(done, total)

    types = {key: getattr(torch, dtype) for key, (dtype, _) in entries.items()}
    size = sum(types[key].itemsize * math.prod(shape) for key, (_, shape) in entries.items())
    if size > max(MAX_ARRAYS, ARRAYS_PER_BYTE * Path(source).stat().st_size):
        raise ArchiveError(f"{source}: with tied tensors written each by itself it would take {size:,} bytes")
    named = [(key, checkpoints.TYPES[types[key]], shape) for key, (_, shape) in entries.items()]
    return checkpoints.write(target, named, pieces())


def beside(source):
    """Bytes that general-purpose compressors make of a checkpoint's numbers, tied tensors once: {name: bytes}."""
    coders = {
        "zip (deflate)": zlib.compressobj(),
        "zstd -3": zstandard.ZstdCompressor(3).compressobj(),
        "xz": lzma.LZMACompressor(),
    }
    sizes = dict.fromkeys(coders, 0)
    with checkpoints.opened(source) as checkpoint:
        for entry in checkpoint.entries:
            for first, last in _cuts(entry.shape) if entry.same is None else ():
                tensor = checkpoint.tensor(entry.key)
                piece = parameters.array(tensor[first:last] if entry.shape else tensor).tobytes()
                for name, coder in coders.items():
                    sizes[name] += len(coder.compress(piece))
    return {name: sizes[name] + len(coder.flush()) for name, coder in coders.items()}


def _chosen(entries, only, skip, lossless):
    """The keys of the tensors that are compressed."""
    for pattern in (*only, *skip):
        if not any(fnmatchcase(entry.key, pattern) for entry in entries):
            raise RecipeError(f"no tensor's key fits the pattern {pattern!r}; keys are like {entries[0].key!r}")

    def fits(key, patterns):
        return any(fnmatchcase(key, pattern) for pattern in patterns)

    def asked(entry):
        if only:
            return fits(entry.key, only) and math.prod(entry.shape) > 0
        return math.prod(entry.shape) >= SMALL and (lossless or len(entry.shape) > 1)

    return {
        entry.key
        for entry in entries
        if entry.same is None and entry.dtype in FLOATS and asked(entry) and not fits(entry.key, skip)
    }


def _cuts(shape):
    """Where a tensor is cut along its first dimension: list of (first, last), one pair if it is not."""
    if not shape or math.prod(shape) <= PIECE:
        return [(0, shape[0] if shape else 1)]
    rows = max(1, PIECE // math.prod(shape[1:]))
    return [(first, min(first + rows, shape[0])) for first in range(0, shape[0], rows)]


def _record(key, piece, how, density, bits):
    """A tensor, or a piece of one, as a record of a .dcz file."""
    dtype = parameters.dtype_name(piece)
    if how == EXACT:
        return Lossless(key, parameters.array(piece), dtype)
    if how == SHARED and bool(torch.isfinite(piece).all()):
        return _shared(key, piece, dtype, density, bits)
    return Kept(key, parameters.array(piece), dtype)


def _shared(key, piece, dtype, density, bits):
    weights = piece.contiguous().to(torch.float64 if piece.dtype == torch.float64 else torch.float32).numpy()
    weights = np.atleast_1d(weights)
    kept = mask_from_density(weights, density) & (weights != 0) if density < 1 else np.ones(weights.shape, bool)
    values, index_bits = weights[kept], None
    if density < 1:
        index_bits = min(max(math.ceil(math.log2(4 / density)), 4), 12)
    shared = np.zeros(weights.shape, weights.dtype)
    codebook = np.zeros(0, weights.dtype)
    if values.size:
        k = min(2**bits - (density < 1), len(np.unique(values)))
        centroids = kmeans(values, k).centroids
        rounded = torch.from_numpy(centroids).to(piece.dtype).to(torch.from_numpy(weights).dtype).numpy() + 0.0
        shared[kept] = rounded[assign(values, centroids)]
        codebook = np.unique(rounded)
    coding = Coding(index_bits, codebook, huffman=True, dtype=dtype)
    return Layer(key, shared.reshape(piece.shape), None, coding, bare=True, dtype=dtype)


class _Changes:
    """Adds up how the pieces of a tensor changed."""

    def __init__(self):
        self._numbers = self._kept = self._square = self._error = 0.0
        self._how = set()

    def add(self, piece, record):
        """Count a piece and the record made of it."""
        if isinstance(record, Kept):
            self._how.add(type(record))
            self._numbers += piece.numel()
            self._kept += piece.numel()
            return
        before, after = piece.to(torch.float64).numpy(), record.weight
        self._numbers += after.size
        self._kept += np.count_nonzero(after)
        self._square += float(np.square(before).sum())
        self._error += float(np.square(before - after).sum())

    def row(self, entry, how):
        """The ``Row`` of the whole tensor."""
        return Row(
            entry.key,
            checkpoints.TYPES[entry.dtype],
            entry.shape,
            KEPT if Kept in self._how else how,
            entry.nbytes,
            float(self._kept / max(self._numbers, 1)),
            float(self._error / self._square if self._square else 0.0),
        )
