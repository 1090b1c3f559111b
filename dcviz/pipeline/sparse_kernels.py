"""Multiply straight from the compressed form: shared weights and relative index, no float weight in memory.

A layer's weights (rows = outputs, columns = inputs) are walked column by column, as the paper's authors do in their
hardware. Two bytes make an entry: the gap to the previous row of the same column, and the code of its shared weight.

    entry     low byte   gap - 1 since the previous entry of the column, starting at row -1 (relative_index)
              high byte  place in the codebook; the last place holds 0.0, for fillers

Why by column: an input that is zero (after a ReLU most are) costs nothing, its whole column is passed over. What is
left for a column with input a is: multiply the few codebook values by a, then add one of these products per entry to
``y[row]``. The outputs are a few KB and stay in the first-level cache, the only large thing that is read is 2 bytes
per entry. Columns that are skipped break up the reading, so the next one is asked for while this one is added.

``product`` runs compiled code if Numba is installed (``pip install dcviz[fast]``), plain torch otherwise. On a GPU it
is a Triton kernel (``sparse_kernels_triton``), which comes with torch there.
"""

import ctypes
import functools
import importlib.util
import math
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from dcviz.errors import CodebookError, CodeError, WeightError
from dcviz.ideas.sparse_formats import KERNEL_GAP_BITS as GAP_BITS

MAX_CODES = 2**8 - 1  # one of 256 places is for fillers
KERNELS = ("numba", "torch", "triton")
_FLOAT = torch.float32  # torch has a thousand names: cold, finding one takes microseconds
_threads = torch.get_num_threads
_SHARED = 2**17  # entries that are worth two threads
_PAUSE = 8
_alone: list[float] = [0, _PAUSE]  # calls to come on one thread; how many after the next that waits for another
_OUTPUTS = 16  # made at once
_PASSES = 2  # a batch pays once its inputs, one by one, would take more than about two passes over all entries
_WIDTHS = (4, 8, 16, 32, 64, 128)  # inputs that are added at once
_KINDS = {"entries": np.uint16, "starts": np.uint32, "codebook": np.float32}
_BLOCK = 2**18  # entries that the torch kernel unpacks at a time: some MB


@dataclass(frozen=True, eq=False)
class CompressedLayer:
    """A matrix as entries of gap and code, column by column.

    entries: uint16, shape (entries,), gap - 1 + 256 * code
    starts: uint32, shape (columns + 1,); column j has the entries starts[j] .. starts[j + 1] - 1
    codebook: float32, shape (k + 1,), the shared weights and 0.0
    shape: (rows, columns) of the matrix
    Arrays of another kind are converted; what lies here is a copy, and cannot be written. Raises CodeError for what
    cannot be, and for entries that lead out of the matrix or the codebook: the compiled code trusts them.
    """

    entries: np.ndarray
    starts: np.ndarray
    codebook: np.ndarray
    shape: tuple

    def __post_init__(self):
        rows, columns = shape = tuple(self.shape)
        if not all(isinstance(size, int | np.integer) and 0 <= size < 2**31 for size in shape):
            raise CodeError(f"a matrix has whole numbers of rows and columns below 2^31, not {shape}")
        object.__setattr__(self, "shape", (int(rows), int(columns)))
        for name, kind in _KINDS.items():
            object.__setattr__(self, name, _fixed(name, getattr(self, name), kind))
        starts = self.starts.astype(np.int64)
        if starts.shape != (columns + 1,) or starts[0] != 0 or starts[-1] != self.entries.size:
            raise CodeError(f"{columns} columns need {columns + 1} starts from 0 to {self.entries.size}")
        if (np.diff(starts) < 0).any():
            raise CodeError("starts of columns must not fall")
        if not 1 <= self.codebook.size <= MAX_CODES + 1 or self.codebook[-1] != 0:
            raise CodeError(f"a codebook needs 0 to {MAX_CODES} values and 0.0 in the last place")
        if self.entries.size:
            if (self.entries >> GAP_BITS).max() >= self.codebook.size:
                raise CodeError(f"an entry has a code beyond the codebook of {self.codebook.size}")
            if (last := int(self.rows_of_entries().max())) >= rows:
                raise CodeError(f"entries lead to row {last}, but there are {rows}")

    @property
    def nbytes(self):
        """Bytes in memory while the layer is used -> int."""
        return self.entries.nbytes + self.starts.nbytes + self.codebook.nbytes

    @property
    def fillers(self):
        """How many entries only bridge a long gap -> int."""
        return int(np.count_nonzero(self.entries >> GAP_BITS == self.codebook.size - 1))

    def rows_of_entries(self):
        """Row of every entry, int64, shape (entries,)."""
        counts = np.diff(self.starts.astype(np.int64))
        steps = np.cumsum((self.entries & 255).astype(np.int64) + 1)
        before = np.concatenate([[0], steps])[self.starts[:-1]]
        return steps - np.repeat(before, counts) - 1

    def dense(self):
        """The matrix, float32, shape (rows, columns)."""
        weights = np.zeros(self.shape, np.float32)
        columns = np.repeat(np.arange(self.shape[1]), np.diff(self.starts.astype(np.int64)))
        real = self.entries >> GAP_BITS != self.codebook.size - 1
        weights[self.rows_of_entries()[real], columns[real]] = self.codebook[self.entries >> GAP_BITS][real]
        return weights

    @cached_property
    def _tensors(self):
        """The same bytes as torch sees them, by device -> {device: (gap and code pairs, starts, codebook)}."""
        return {}

    def tensors(self, device="cpu"):
        """(uint8 (entries, 2), int64 (columns + 1,), float32 (k + 1,)) on a device; copied once per device."""
        device = str(device)
        if device not in self._tensors:
            pairs = torch.from_numpy(self.entries.base.astype("<u2", copy=False).view(np.uint8).reshape(-1, 2))
            starts = torch.from_numpy(self.starts.astype(np.int64))
            self._tensors[device] = tuple(t.to(device) for t in (pairs, starts, torch.from_numpy(self.codebook.base)))
        return self._tensors[device]

    @cached_property
    def ready(self):
        """What ``product`` needs for one input, () without Numba.

        Its shape; outputs made ahead, [(address, tensor)]; compiled code; address of numbers; whether threads may
        share; what lies there. Numbers: rows, columns, entries, places of the codebook, addresses of the arrays,
        whether threads may share, addresses of ``_openmp`` and of the code that adds a part.
        """
        if not has_numba():
            return ()
        arrays = [getattr(self, name) for name in _KINDS]
        sizes = *self.shape, self.entries.size, self.codebook.size
        shared = self.entries.size >= _SHARED and all(_openmp())
        addresses = [array.ctypes.data for array in arrays]
        numbers = np.array([*sizes, *addresses, shared, *_openmp(), _compiled().PARTS], np.int64)
        return self.shape[1:], [], _compiled().vector, numbers.ctypes.data, shared, (numbers, arrays)

    def __deepcopy__(self, memo):
        return self  # it cannot change

    def __reduce__(self):
        """A copy is made anew: the addresses in ``ready`` are those of this one's arrays."""
        return CompressedLayer, (self.entries, self.starts, self.codebook, self.shape)

    def by_rows(self):
        """The transposed matrix (columns, rows), packed: this one's entries row by row -> CompressedLayer."""
        real = self.entries >> GAP_BITS != self.codebook.size - 1
        rows = self.rows_of_entries()[real]
        order = np.argsort(rows, kind="stable")
        columns = np.repeat(np.arange(self.shape[1], dtype=np.int32), np.diff(self.starts.astype(np.int64)))[real]
        codes = (self.entries >> GAP_BITS)[real]
        counts = np.bincount(rows, minlength=self.shape[0])
        return pack(columns[order], counts, codes[order], self.codebook[:-1], self.shape[::-1])

    def row_tensors(self, device):
        """``by_rows`` on a device: int16 entries (bits of uint16), int32 starts (rows + 1,), codebook; copied once."""
        device = f"{device} by rows"
        if device not in self._tensors:
            turned = self.by_rows()
            parts = turned.entries.base.view(np.int16), turned.starts.astype(np.int32), turned.codebook.base
            self._tensors[device] = tuple(torch.from_numpy(part).to(device.split()[0]) for part in parts)
        return self._tensors[device]


def _fixed(name, values, kind):
    """A copy of a vector that cannot be written; its ``base`` can, as torch warns of tensors that cannot."""
    values = np.asarray(values)
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise CodeError(f"{name} must be a vector of numbers, not {values.dtype} of shape {values.shape}")
    with np.errstate(invalid="ignore", over="ignore"):
        kept = values.astype(kind)
    if kind != np.float32 and not np.array_equal(kept, values):
        raise CodeError(f"{name} must be {np.dtype(kind)}, and some of these {values.dtype} have no place there")
    shown = kept.view()
    shown.flags.writeable = False
    return shown


def pack(rows, counts, codes, codebook, shape):
    """Kept weights of a matrix -> CompressedLayer; gaps beyond 256 rows get fillers.

    rows: integers, row of every kept weight, column after column and rising within each, shape (n,)
    counts: how many belong to each column, shape (columns,)
    codes: place of each weight in ``codebook``, shape (n,); codebook: floats, at most 255
    Raises CodebookError for a larger codebook, CodeError for rows that do not rise or lie outside.
    """
    rows, counts, codes = np.asarray(rows, np.int64), np.asarray(counts, np.int64), np.asarray(codes)
    codebook = np.asarray(codebook, np.float32)
    if codebook.size > MAX_CODES:
        raise CodebookError(f"a code has one byte, so {MAX_CODES} shared weights at most, not {codebook.size}")
    if counts.shape != (shape[1],) or counts.sum() != rows.size or codes.shape != rows.shape:
        raise CodeError(f"{rows.size} rows, {codes.size} codes and counts of {counts.size} columns do not match")
    starts = np.concatenate([[0], np.cumsum(counts)])
    jumps = np.diff(rows, prepend=-1) - 1
    first = starts[:-1][counts > 0]
    jumps[first] = rows[first]
    if rows.size and (jumps.min() < 0 or rows.max() >= shape[0] or codes.max() >= codebook.size):
        raise CodeError(f"rows must rise within a column and lie below {shape[0]}, codes below {codebook.size}")
    fillers = jumps >> GAP_BITS
    before = np.concatenate([[0], np.cumsum(fillers)])
    entries = np.full(rows.size + before[-1], codebook.size << GAP_BITS | 255, np.uint16)
    entries[np.arange(rows.size) + before[1:]] = jumps & 255 | codes.astype(np.int64) << GAP_BITS
    return CompressedLayer(entries, starts + before[starts], np.append(codebook, np.float32(0)), shape)


def compress(weight):
    """A matrix whose weights are pruned and shared -> CompressedLayer.

    weight: float array or tensor (rows, columns); zeros are pruned, the distinct others make the codebook.
    Raises WeightError for another shape, CodebookError for more than 255 distinct weights.
    """
    weight = np.asarray(weight.detach().cpu() if isinstance(weight, torch.Tensor) else weight, np.float32)
    if weight.ndim != 2:
        raise WeightError(f"a matrix has two dimensions, not {weight.ndim}: flatten filters first")
    by_column = np.ascontiguousarray(weight.T)
    columns, rows = np.nonzero(by_column)
    codebook, codes = np.unique(by_column[columns, rows], return_inverse=True)
    return pack(rows, np.bincount(columns, minlength=weight.shape[1]), codes, codebook, weight.shape)


@functools.cache
def _installed(library):
    return importlib.util.find_spec(library) is not None  # takes as long as a small layer


def has_numba():
    """Whether the compiled kernels can be used -> bool."""
    return _installed("numba") and sys.byteorder == "little"


def has_triton(device="cuda"):
    """Whether the Triton kernel can be used on a device -> bool; on the CPU by its interpreter, TRITON_INTERPRET=1."""
    return _installed("triton") and (torch.device(device).type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1")


def default_kernel(device="cpu"):
    """The fastest kernel at hand: "triton" on a GPU, "numba" on the CPU if they are installed, else "torch"."""
    if torch.device(device).type == "cpu":
        return "numba" if has_numba() else "torch"
    return "triton" if has_triton(device) else "torch"


def product(layer, x, kernel=None):
    """Outputs of a layer without bias: x @ matrix.T, from the compressed form.

    layer: CompressedLayer of shape (rows, columns)
    x: float32 tensor (columns,) or (n, columns); under autocast shorter floats, too. Zeros in it save time. NaN and
        infinity reach only the outputs that have a weight for them, or in a batch a filler: no zero is multiplied.
    kernel: one of KERNELS; None takes default_kernel. "numba" works on the CPU, "triton" on a GPU.
        Without a choice, one input of a large layer takes two of torch's threads (``torch.set_num_threads``) where
        torch has GNU's OpenMP; the outputs are the same to the last bit.
    -> float32 tensor (rows,) or (n, rows) on the device of x: a constant for all that derives or records, such as
    gradients and ``make_fx``; ``running.CompressedLinear`` refuses those. Raises WeightError for another shape
    or type of x.
    """
    # In a net Python is cold, too: each look-up takes 5 to 20 µs, a small layer 150. So one input goes straight on.
    ready = layer.ready if kernel is None else ()
    if (
        ready
        and x.shape == ready[0]
        and x.dtype == _FLOAT
        and x.is_cpu
        and x.is_contiguous()
        and not x.is_neg()
        and ((place := x.data_ptr()) or not x.numel())
    ):
        _, outputs, vector, numbers, shared, _ = ready
        while True:
            try:
                address, y = outputs.pop()
                break
            except IndexError:  # other threads may take the new ones
                _make_outputs(layer.shape[0], outputs)
        threads = _threads() if shared else 1
        if threads > 1 and _alone[0] > 0:
            threads, _alone[0] = 1, _alone[0] - 1
        waited = vector(numbers, place, address, threads)
        if threads > 1:  # beside other programs one thread waits for the other's turn: then less and less is asked for
            _alone[:] = (_alone[1], 2 * _alone[1]) if waited else (0, _PAUSE)
        return y
    if not isinstance(x, torch.Tensor):
        raise WeightError(f"inputs must be a tensor, not {type(x).__name__}")
    if x.dtype in (torch.float16, torch.bfloat16) and torch.is_autocast_enabled(x.device.type):
        x = x.float()  # as autocast does for what needs float32
    shape = x.shape
    if x.dtype != torch.float32 or len(shape) not in (1, 2) or shape[-1] != layer.shape[1]:
        raise WeightError(
            f"inputs must be float32 of shape ({layer.shape[1]},) or (n, {layer.shape[1]}), "
            f"not {str(x.dtype).removeprefix('torch.')} of {tuple(shape)}"
        )
    kernel = kernel or default_kernel(x.device)
    if kernel not in KERNELS:
        raise WeightError(f"no kernel {kernel!r}; there are {', '.join(KERNELS)}")
    at_hand = {"numba": x.is_cpu and has_numba(), "triton": has_triton(x.device), "torch": True}
    if not at_hand[kernel]:
        needs = "the CPU and Numba" if kernel == "numba" else "Triton and a GPU"
        raise WeightError(f"the kernel {kernel!r} needs {needs}, and the inputs are on {x.device}")
    if x.is_meta or x.layout != torch.strided:
        raise WeightError(f"inputs must be a plain tensor with numbers, not {x.layout} on {x.device}")
    if kernel == "numba":
        return _numba(layer, x)
    if not x.numel():
        return x.new_zeros(*shape[:-1], layer.shape[0])
    if kernel == "torch":
        return _torch(layer, x)
    from dcviz.pipeline import sparse_kernels_triton

    return sparse_kernels_triton.product(layer, x.detach())


@functools.cache
def _compiled():
    from dcviz.pipeline import sparse_kernels_numba

    return sparse_kernels_numba


@functools.cache
def _openmp():
    """Addresses of ``GOMP_parallel`` and ``omp_get_wtime`` in torch's library of threads; zeros where it is another."""
    for found in Path(torch.__file__).parent.glob("lib/libgomp*.so*"):
        library = ctypes.CDLL(str(found))  # torch has it open: the same threads
        return [ctypes.cast(f, ctypes.c_void_p).value for f in (library.GOMP_parallel, library.omp_get_wtime)]
    return [0, 0]


if hasattr(os, "register_at_fork"):  # the library's threads stay with the parent, and it would wait for them
    os.register_at_fork(after_in_child=lambda: _alone.__setitem__(0, math.inf))


def _make_outputs(rows, outputs):
    """Outputs for some calls: made one by one, while torch's code for it is in no cache, each costs 35 µs."""
    with torch.inference_mode(False):  # they may be used outside of it
        make, size = torch.empty(0, dtype=_FLOAT, device="cpu").new_empty, rows + _compiled().PAD
        made = [make(size) for _ in range(_OUTPUTS)]
        outputs.extend((_address(y), y.resize_(rows)) for y in made)


def _address(tensor):
    """Where its numbers lie; WeightError for a tensor that only stands for one: traced, fake, freed."""
    if tensor.numel() and not tensor.data_ptr():
        raise WeightError("a tensor without numbers, as in tracing, cannot go through compiled code")
    return tensor.data_ptr()


def _numba(layer, x):
    """The product by compiled code, which gets addresses: what they lead to is checked here and in ``product``."""
    if x.is_neg() or not x.is_contiguous():  # a view with the sign bit to be turned has other bytes than values
        x = x.resolve_neg().contiguous()
    rows, columns = layer.shape
    n = 1 if x.ndim == 1 else len(x)
    if n <= 1 or np.count_nonzero(x.detach().numpy()) < _PASSES * columns:  # torch takes ten times as long
        y = x.new_empty(n * rows + _compiled().PAD)
        _, _, vector, numbers, _, _ = layer.ready
        inputs, outputs = _address(x), _address(y)
        for i in range(n):
            vector(numbers, inputs + 4 * columns * i, outputs + 4 * rows * i, 1)
        return y.resize_(*x.shape[:-1], rows)
    width = next((width for width in _WIDTHS if n <= width), _WIDTHS[-1])
    blocks = -(-n // width)
    inputs = torch.nn.functional.pad(x.detach(), (0, 0, 0, -n % width)).reshape(blocks, width, columns)
    y = np.empty((blocks, rows, width), np.float32)
    inputs = inputs.transpose(1, 2).contiguous().numpy()
    _compiled().batch(width)(layer.entries, layer.starts, layer.codebook, inputs, y)
    y = torch.from_numpy(y).transpose(1, 2)
    return y[0, :n] if blocks == 1 else y.reshape(blocks * width, rows)[:n]


def _torch(layer, x):
    """The product in a few calls of torch per block of columns, on any device."""
    pairs, starts, codebook = layer.tensors(x.device)
    inputs = x.detach().reshape(-1, x.shape[-1]).T  # (columns, n)
    y = torch.zeros(layer.shape[0], inputs.shape[1], dtype=_FLOAT, device=x.device)
    active = inputs.any(1).nonzero().squeeze(1)
    first, counts = starts[active], starts[active + 1] - starts[active]
    blocks = counts.cumsum(0) // _BLOCK
    _, sizes = blocks.unique_consecutive(return_counts=True)
    for columns, begin, count in zip(*(t.split(sizes.tolist()) for t in (active, first, counts)), strict=True):
        ends = count.cumsum(0)
        places = torch.arange(int(ends[-1]), device=x.device) + (begin - ends + count).repeat_interleave(count)
        gaps, codes = pairs[places].long().unbind(1)
        rows = (gaps + 1).cumsum(0)
        before = torch.cat([rows.new_zeros(1), rows])[ends - count]
        products = codebook[codes][:, None] * inputs[columns].repeat_interleave(count, 0)
        y.index_add_(0, rows - before.repeat_interleave(count) - 1, products)
    return y.T.reshape(*x.shape[:-1], -1)
