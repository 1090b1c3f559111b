"""The kernels of ``sparse_kernels`` for a GPU. Needs Triton, which comes with torch for CUDA.

Row by row, not column by column: a program adds up one output in registers, so no two write to the same place. The
price is that inputs which are zero are not passed over. Gaps become columns by a running sum over a block of entries;
the codebook, 64 to 1,024 bytes, is looked up in the first-level cache, which all programs of a processor share.
"""

import torch
import triton
import triton.language as tl

_BLOCK = 1024  # entries at a time for one input: a row of the paper's large layers fits into one such block
_BATCH_BLOCK, _BATCH = 32, 64  # entries and inputs at a time for many inputs


@triton.jit
def _vector(entries, starts, codebook, x, y, BLOCK: tl.constexpr):
    """One output for one input: entries int16, starts int32, the rest float32."""
    row = tl.program_id(0)
    place, end = tl.load(starts + row), tl.load(starts + row + 1)
    total = tl.zeros((BLOCK,), tl.float32)
    column = place * 0 - 1
    for first in range(place, end, BLOCK):
        here = first + tl.arange(0, BLOCK)
        inside = here < end
        entry = tl.load(entries + here, mask=inside, other=0).to(tl.int32) & 0xFFFF
        steps = tl.where(inside, (entry & 255) + 1, 0)
        weight = tl.load(codebook + (entry >> 8), mask=inside, other=0.0)
        total += weight * tl.load(x + column + tl.cumsum(steps, 0), mask=inside, other=0.0)
        column += tl.sum(steps, 0)
    tl.store(y + row, tl.sum(total, 0))


@triton.jit
def _batch(entries, starts, codebook, x, y, n, BLOCK: tl.constexpr, BATCH: tl.constexpr):
    """One output for BATCH of n inputs: x (columns, n), y (rows, n)."""
    row = tl.program_id(0)
    lanes = tl.program_id(1) * BATCH + tl.arange(0, BATCH)
    place, end = tl.load(starts + row), tl.load(starts + row + 1)
    total = tl.zeros((BATCH,), tl.float32)
    column = place * 0 - 1
    for first in range(place, end, BLOCK):
        here = first + tl.arange(0, BLOCK)
        inside = here < end
        entry = tl.load(entries + here, mask=inside, other=0).to(tl.int32) & 0xFFFF
        steps = tl.where(inside, (entry & 255) + 1, 0)
        weight = tl.load(codebook + (entry >> 8), mask=inside, other=0.0)
        columns = column + tl.cumsum(steps, 0)
        both = inside[:, None] & (lanes < n)[None, :]
        inputs = tl.load(x + columns[:, None] * n + lanes[None, :], mask=both, other=0.0)
        total += tl.sum(weight[:, None] * inputs, 0)
        column += tl.sum(steps, 0)
    tl.store(y + row * n + lanes, total, mask=lanes < n)


def product(layer, x):
    """``sparse_kernels.product`` by Triton: x float32 (columns,) or (n, columns) on a GPU -> (rows,) or (n, rows)."""
    with torch.cuda.device_of(x):  # Triton launches on the current device
        return _launched(layer, x)


def _launched(layer, x):
    entries, starts, codebook = layer.row_tensors(x.device)
    rows, n = layer.shape[0], x.numel() // layer.shape[1]
    if n == 1:
        y = torch.empty(rows, dtype=torch.float32, device=x.device)
        _vector[(rows,)](entries, starts, codebook, x.contiguous(), y, BLOCK=_BLOCK)
        return y.reshape(*x.shape[:-1], rows)
    y = torch.empty(rows, n, dtype=torch.float32, device=x.device)
    grid = rows, triton.cdiv(n, _BATCH)
    _batch[grid](entries, starts, codebook, x.T.contiguous(), y, n, BLOCK=_BATCH_BLOCK, BATCH=_BATCH)
    return y.T
