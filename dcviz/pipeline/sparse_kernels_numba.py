"""The compiled kernels of ``sparse_kernels``, one thread each. Needs Numba (``pip install dcviz[fast]``).

They do not check their arguments: ``CompressedLayer`` has, when it was made.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_GAP, _CODE = np.uint64(255), np.uint64(8)
_LINE = np.uint64(32)  # entries in a cache line of 64 bytes


@intrinsic
def _prefetch(context, array, place):
    """Ask the processor to bring array[place] into its cache; costs an instruction, waits for nothing."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        signature = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, signature, "llvm.prefetch.p0i8")
        builder.call(function, [address, number(0), number(3), number(1)])  # for reading, keep it, it is data
        return context.get_dummy_value()

    return types.void(array, place), generate


@njit(boundscheck=False, error_model="numpy", nogil=True)
def vector(entries, starts, codebook, x, y):
    """y = matrix @ x. entries uint16, starts uint32, codebook and x float32 (columns,); fills y float32 (rows,)."""
    y[:] = 0
    products = np.zeros(256, np.float32)
    active = np.empty(x.size + 1, np.int32)
    n = 0
    for j in range(x.size):  # without a branch: the processor cannot guess which inputs are zero
        active[n] = j
        n += x[j] != 0
    if n == 0:
        return
    active[n] = active[n - 1]
    for i in range(n):
        j, following = active[i], active[i + 1]
        for place in range(np.uint64(starts[following]), np.uint64(starts[following + 1]), _LINE):
            _prefetch(entries, place)
        for k in range(codebook.size):
            products[k] = x[j] * codebook[k]
        skipped = np.uint64(0) - np.uint64(starts[j])  # row = rows skipped so far + entries so far
        for e in range(np.uint64(starts[j]), np.uint64(starts[j + 1])):
            entry = np.uint64(entries[e])
            skipped += entry & _GAP
            y[skipped + e] += products[entry >> _CODE]


@njit(boundscheck=False, error_model="numpy", nogil=True)
def batch(entries, starts, codebook, x, y):
    """y = matrix @ x for many inputs: x float32 (columns, n), fills y float32 (rows, n), both C-ordered."""
    y[:] = 0
    n = np.uint64(x.shape[1])
    for j in range(x.shape[0]):
        if not x[j].any():
            continue
        skipped = np.uint64(0) - np.uint64(starts[j])
        for e in range(np.uint64(starts[j]), np.uint64(starts[j + 1])):
            entry = np.uint64(entries[e])
            skipped += entry & _GAP
            weight = codebook[entry >> _CODE]
            row = skipped + e
            for b in range(n):
                y[row, b] += weight * x[j, b]
