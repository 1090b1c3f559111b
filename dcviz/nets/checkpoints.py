"""Checkpoints of any net: .safetensors (also in several files) and PyTorch's .pt and .pth, one tensor at a time.

Nothing in a checkpoint is run: PyTorch's files are read with ``weights_only``, which takes tensors and plain values
and refuses everything else.
"""

import contextlib
import json
import math
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from dcviz.errors import DataError
from dcviz.files import read_json, regular, replacing

NAMES = {
    "BF16": torch.bfloat16,
    "BOOL": torch.bool,
    "F16": torch.float16,
    "F32": torch.float32,
    "F64": torch.float64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "I8": torch.int8,
    "U16": torch.uint16,
    "U32": torch.uint32,
    "U64": torch.uint64,
    "U8": torch.uint8,
}
"""{name of a type in a .safetensors file: torch's}: every type that a checkpoint may hold here."""

TYPES = {dtype: name for name, dtype in NAMES.items()}

INDEX = ".safetensors.index.json"
STATES = ("state_dict", "model_state_dict", "model", "net")
"""Where a training script may keep the state dict among other things."""


MOST_TENSORS, MOST_DIMENSIONS, MOST_NUMBERS = 1 << 16, 8, 1 << 40
"""Of a checkpoint, and of a tensor in it: no more than a .dcz file holds."""
MOST_BYTES, BYTES_PER_BYTE = 1 << 30, 1 << 12
"""Bytes that the tensors of a .pt file, some of which may lie in the same memory, take: so many, or so many a byte."""


@dataclass(frozen=True)
class Entry:
    """One tensor of a checkpoint: its key, torch dtype, shape, and ``same``, an earlier key with which it is tied."""

    key: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    same: str | None = None

    @property
    def nbytes(self):
        """Bytes of its numbers."""
        return self.dtype.itemsize * torch.Size(self.shape).numel()


class Checkpoint:
    """Tensors of a checkpoint in its order. ``entries``: list of ``Entry``; ``left_out``: keys of what is no tensor.

    Tensors are mapped from the disk, so that no more of them is in memory than is looked at.
    """

    def __init__(self, path, entries, load, left_out=()):
        self.path, self.entries, self.left_out = path, entries, tuple(left_out)
        self._load = load

    def tensor(self, key):
        """One tensor on the CPU; DataError if the file is damaged there."""
        try:
            return self._load(key)
        except (SafetensorError, OSError, RuntimeError) as error:
            raise DataError(f"{self.path}: tensor {key!r} cannot be read: {error}") from error

    @property
    def dense_bytes(self):
        """Bytes of all numbers, each tied tensor once."""
        return sum(entry.nbytes for entry in self.entries if entry.same is None)


@contextlib.contextmanager
def opened(path):
    """A ``Checkpoint`` of a .safetensors file, of an index of several or the folder with it, or of a .pt or .pth file.

    DataError for anything else, for a damaged file, for objects other than tensors that would have to be unpickled,
    for types that no file of ours holds (complex, sparse, quantized), and for more than ``MOST_TENSORS`` and its like.
    """
    path = Path(path)
    with contextlib.ExitStack() as stack:
        if path.is_dir():
            path = _only_index(path)
        if path.name.endswith(INDEX):
            yield _sharded(path, stack)
        elif path.suffix == ".safetensors":
            yield _safetensors(path, {None: path}, stack)
        elif path.suffix in (".pt", ".pth", ".bin", ".ckpt"):
            yield _pytorch(path)
        else:
            raise DataError(f"{path}: not a checkpoint that dcviz reads (.safetensors, {INDEX}, .pt, .pth)")


def _only_index(folder):
    found = sorted(folder.glob(f"*{INDEX}")) or sorted(folder.glob("*.safetensors"))
    if len(found) != 1:
        raise DataError(f"{folder}: expected one {INDEX} or one .safetensors file in this folder, found {len(found)}")
    return found[0]


def _sharded(path, stack):
    try:
        places = read_json(path)["weight_map"]
        names = {name for name in places.values() if isinstance(name, str)}
        if len(names) != len(set(places.values())) or any(Path(name).name != name for name in names):
            raise ValueError("a file name in it is none")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not an index of .safetensors files: {error}") from error
    found = _safetensors(path, {name: path.parent / name for name in sorted(names)}, stack)
    missing = places.keys() - {entry.key for entry in found.entries}
    if missing:
        raise DataError(f"{path}: {len(missing)} tensors are in none of its files, the first: {min(missing)!r}")
    return found


def _safetensors(path, parts, stack):
    entries, home = [], {}
    for part in parts.values():
        try:
            regular(part).close()
            file = stack.enter_context(safe_open(part, "pt"))
            keys = file.offset_keys() if hasattr(file, "offset_keys") else file.keys()
            if len(keys) + len(entries) > MOST_TENSORS:
                raise DataError(f"{part}: more than {MOST_TENSORS:,} tensors")
            for key in keys:
                view = file.get_slice(key)
                if view.get_dtype() not in NAMES:
                    raise DataError(f"{part}: tensor {key!r} is of the type {view.get_dtype()}, which is not supported")
                if key in home:
                    raise DataError(f"{part}: tensor {key!r} is in another file of this checkpoint too")
                entries.append(_entry(part, key, NAMES[view.get_dtype()], tuple(view.get_shape())))
                home[key] = file
        except (SafetensorError, OSError, RuntimeError) as error:  # the last where there is no room to map it
            raise DataError(f"{part} cannot be read as a .safetensors file: {error}") from error
    return Checkpoint(path, entries, lambda key: home[key].get_tensor(key))


def _entry(path, key, dtype, shape, same=None):
    """An ``Entry``; DataError for a key or a shape that no .dcz file could hold."""
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{path}: the key {key!r} is no Unicode text") from error
    if len(shape) > MOST_DIMENSIONS or math.prod(size for size in shape if size) > MOST_NUMBERS:
        raise DataError(
            f"{path}: tensor {key!r} has {len(shape)} dimensions, {shape[:MOST_DIMENSIONS]}; at most {MOST_DIMENSIONS} "
            f"and {MOST_NUMBERS:,} numbers are possible"
        )
    return Entry(key, dtype, shape, same)


def _check_packed(path):
    """DataError for what is no regular file, and for parts that are packed: a few bytes may ask for all memory."""
    try:
        with regular(path) as file:
            packed = zipfile.is_zipfile(file) and any(
                part.compress_type != zipfile.ZIP_STORED for part in zipfile.ZipFile(file).infolist()
            )
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, struct.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if packed:
        raise DataError(
            f"{path}: its parts are packed, as those of no state dict are: a few bytes could ask for all memory"
        )


def _pytorch(path):
    _check_packed(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old formats: they are read all the same
            try:
                found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            except RuntimeError:  # an old file that is no zip cannot be mapped
                found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises all kinds of things for a file that is none of its own
        named = re.search(r"GLOBAL ([\w.]+)", str(error))  # the rest is advice to read more, which could run code
        raise DataError(
            f"{path} cannot be read as tensors and plain values alone{f': it names {named[1]}' if named else ''}; "
            "a state dict can, as torch.save(net.state_dict(), ...) writes it"
        ) from error
    state, left_out = _state_of(found, path)
    entries, seen = [], {}
    for key, tensor in state.items():
        plain = tensor.layout == torch.strided and not (tensor.is_quantized or tensor.is_nested or tensor.is_meta)
        if not plain or tensor.dtype not in TYPES:
            raise DataError(f"{path}: tensor {key!r} is {tensor.dtype}, {tensor.layout}: not supported")
        where = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        same = seen.setdefault(where, key) if tensor.numel() else key
        entries.append(_entry(path, key, tensor.dtype, tuple(tensor.shape), None if same == key else same))
    checkpoint = Checkpoint(path, entries, state.__getitem__, left_out)
    if len(entries) > MOST_TENSORS or checkpoint.dense_bytes > max(MOST_BYTES, BYTES_PER_BYTE * path.stat().st_size):
        raise DataError(f"{path}: {len(entries):,} tensors of {checkpoint.dense_bytes:,} bytes in so small a file")
    return checkpoint


def _state_of(found, path):
    """The tensors of a loaded file, {key: tensor}, and the keys of what else there was."""
    left_out = []
    for name in STATES:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            left_out = sorted(str(key) for key in found if key != name)
            found = found[name]
    if not isinstance(found, Mapping):
        raise DataError(f"{path} holds no state dict, but {type(found).__name__}")
    tensors = {key: value for key, value in found.items() if isinstance(value, torch.Tensor) and isinstance(key, str)}
    tensors = {key: value.detach() for key, value in tensors.items()}
    left_out += sorted(str(key) for key in found if key not in tensors)
    if not tensors:
        raise DataError(f"{path} holds no tensors by name (among {', '.join(left_out[:5]) or 'nothing'})")
    return tensors, left_out


BLOCK = 1 << 20
"""Bytes that are copied at a time."""


def write(path, entries, pieces):
    """Write a .safetensors file in one step; returns its length in bytes.

    entries: (key, name in ``NAMES``, shape) of every tensor in order; pieces: the bytes of all tensors, one after the
    other, in pieces of any length, so that no more than one piece is in memory. A piece that is the key of an earlier
    tensor stands for all its bytes. DataError if they do not add up.
    """
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for key, name, shape in entries:
        end = at + NAMES[name].itemsize * torch.Size(shape).numel()
        header[key] = {"dtype": name, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as scratch, open(scratch, "w+b") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        written = 0
        for piece in pieces:
            first, last = header[piece]["data_offsets"] if isinstance(piece, str) else (0, 0)
            for begin in range(first, last, BLOCK):
                file.seek(8 + len(text) + begin)
                block = file.read(min(BLOCK, last - begin))
                file.seek(0, 2)
                written += file.write(block)
            written += 0 if isinstance(piece, str) else file.write(piece)
        if written != at:
            raise DataError(f"{path}: {written:,} bytes of tensors where {at:,} were announced")
        return 8 + len(text) + at
