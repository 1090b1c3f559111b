"""The compiled kernels of ``sparse_kernels``. Needs Numba (``pip install dcviz[fast]``).

They do not check their arguments: ``CompressedLayer`` has, when it was made, and ``sparse_kernels.product`` the rest.

Where the time of ``vector`` goes, on a core at 3.7 GHz, AlexNet's fc6, all inputs active: 0.47 ns an entry, of which
loading, adding to and storing a number of y alone takes 0.37, whatever its place. Memory could deliver an entry in
0.12. So it is bound by the number of instructions, 7 an entry, not by bytes: two entries are loaded at once, as the
processor picks bytes out of 32 bits in fewer instructions than out of 64, and eight are added without a branch. Cold,
on a busy machine, a call takes about 40 µs before the first entry: Python's five questions to torch 20, Numba 10. It
took 145 with arrays passed, 90 with addresses, 75 with the output made in the call. ctypes instead of Numba's own entry
takes 10 more. Tried and slower: rows and codes in 3 or 4 bytes without decoding (a load more), all loads before all
stores, a running sum of gaps by one multiplication, gaps summed apart from the row (an addition more); in C two columns
at once, rows by vectors, gather and scatter; large pages; asking further ahead. Tried and not built, as it takes a
second way for other processors: sixteen products at a time by AVX-512, which saved 5%. Asking early for an active
column saves half the time where most are passed over.

Two threads of torch each take half of the active columns: cold and quiet 1.7 times as fast with real activations, 1.8
with all inputs active, as Python's part stays. Halves of the entries are not halves of the work: on pictures the larger
one of AlexNet's fc6 had 2.6% more than the mean, up to 8. A thread of our own, which a caller need not wait for, was
built and left out: torch's threads keep turning for some ms after its last product, so that on two cores ours came too
late (0.9 times as fast). Waiting for a thread that has no turn is what torch does, too: beside four busy programs its
sparse product of 0.6 ms took 20 to 30 on two threads. Ours asks for less and less help then, and stays at 0.3.
"""

import functools
import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from platformdirs import user_cache_path

from dcviz import files

PAD = 8  # a column's last eight entries may be fillers that lead beyond the last row
_NONE, _ONE, _TWO, _FOUR, _SIX, _EIGHT = np.array([0, 1, 2, 4, 6, 8], np.uint64)
_BYTE, _CODE, _GAP, _LAST, _HALF = np.array([255, 8, 16, 24, 32], np.uint64)  # a byte, and where other parts begin
_PAIR = np.uint64(0xFFFF_FFFF)
_AHEAD = 3  # active columns between the one that is asked for and the one that is added
_FILLERS = np.uint64(0x0100_0100_0100_0100)  # times a code: four entries of that code and no zeros before them
_KEEP = np.array([(1 << 16 * min(max(n - 4, 0), 4)) - 1 for n in range(12)], np.uint64)
"""Which bits of a word of four entries belong to the column: of the last n of eight, words [n + 4] and [n]."""


def _kept(compiler, *signature, **options):
    """A decorator: a function compiled by Numba's ``compiler``, or taken from where an earlier process put it.

    The first product of a process then takes 0.5 s of processor time, not 5. No address may be part of such code. Where
    there is no ``_folder``, or what lies there cannot be read, the function is compiled anew. ``batch`` is never kept:
    Numba could not tell its widths from one another.
    """

    def decorate(function):
        before = config.CACHE_DIR
        for _ in range(2):
            if (folder := _folder()) is None:
                break
            try:
                config.CACHE_DIR = str(folder)
                return compiler(*signature, cache=True, **options)(function)
            except Exception:  # damaged, or the disk is full: what is raised may be anything
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                config.CACHE_DIR = before
        return compiler(*signature, **options)(function)

    return decorate


def _folder():
    """A folder for the code of this version of this file, made if there is none; None if there is no place for it.

    What lies there is run, so nobody else may write to it.
    """
    user = getattr(os, "getuid", None)  # not on Windows, where a user's folders are the user's own
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    for place in (files.cache_dir(), user_cache_path("dcviz", appauthor=False)):
        folder = place / f"kernels-{digest}"
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.stat()
            mine = user is None or (found.st_uid == user() and not found.st_mode & 0o022)
            if mine and os.access(folder, os.W_OK):
                return folder
    return None


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


@intrinsic
def _pair(context, array, place):
    """The 32 bits that begin at array[place], wherever that lies; the first entry is the lower (little endian)."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(32).as_pointer())
        return builder.zext(builder.load(address, align=1), ir.IntType(64))

    return types.uint64(array, place), generate


@intrinsic
def _pointer(context, address):
    """An address in memory, a whole number, as a pointer."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(address), generate


@intrinsic
def _next(context, counter):
    """counter[0], one more in it afterwards; no other thread gets the same."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", data, ir.IntType(64)(1), "seq_cst")

    return types.int64(counter), generate


@intrinsic
def _now(context, clock):
    """Nanoseconds since some moment, by ``omp_get_wtime`` at address ``clock``."""

    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(ir.DoubleType(), [])
        seconds = builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), [])
        return builder.fptosi(builder.fmul(seconds, ir.DoubleType()(1e9)), ir.IntType(64))

    return types.int64(clock), generate


@intrinsic
def _in_parallel(context, start, code, job, threads):
    """Run ``code``(address of job) on so many threads, by ``GOMP_parallel`` at address ``start``; back when all are."""

    def generate(context, builder, signature, arguments):
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, pointer, number, number])
        start, code, job, threads = arguments
        job = builder.bitcast(context.make_array(signature.args[2])(context, builder, job).data, pointer)
        arguments = builder.inttoptr(code, pointer), job, builder.trunc(threads, number), number(0)
        builder.call(builder.inttoptr(start, kind.as_pointer()), arguments)
        return context.get_dummy_value()

    return types.void(start, types.int64, job, types.int64), generate


@njit(boundscheck=False, error_model="numpy", nogil=True, forceinline=True)
def _add_two(word, row, nth, products, y):
    """Add the products of two entries, 32 bits, to y -> row + their two gaps.

    row: where the gaps so far lead; nth: how many entries since it was set, as each is one row on, besides its gap.
    """
    row += word & _BYTE
    y[row + nth] += products[word >> _CODE & _BYTE]
    row += word >> _GAP & _BYTE
    y[row + nth + _ONE] += products[word >> _LAST]
    return row


@njit(boundscheck=False, error_model="numpy", nogil=True, forceinline=True)
def _add_last(entries, place, keep, fillers, row, nth, products, y):
    """As ``_add_two`` with four entries, of which those not in ``keep`` are made fillers."""
    word = _pair(entries, place) | _pair(entries, place + _TWO) << _HALF
    word = word & keep | fillers & ~keep
    return _add_two(word >> _HALF, _add_two(word & _PAIR, row, nth, products, y), nth + _TWO, products, y)


@njit(boundscheck=False, error_model="numpy", nogil=True)
def _find_active(x_address, columns, active):
    """Write down the columns whose inputs are not zero, and, for those after the last, some that exist -> how many."""
    x = carray(_pointer(x_address), (columns,), np.float32)
    n = 0
    for j in range(columns):  # without a branch: the processor cannot guess which inputs are zero
        active[n] = j
        n += x[j] != 0
    active[n : n + _AHEAD] = active[max(n - 1, 0)] if n else 0
    return n


@njit(boundscheck=False, error_model="numpy", nogil=True)
def _add_columns(numbers, active, begin, end, x_address, y_address):
    """y = these of the active columns @ their inputs."""
    rows, columns, size, places = numbers[0], numbers[1], numbers[2], numbers[3]
    entries = carray(_pointer(numbers[4]), (size,), np.uint16)
    starts = carray(_pointer(numbers[5]), (columns + 1,), np.uint32)
    codebook = carray(_pointer(numbers[6]), (places,), np.float32)
    x = carray(_pointer(x_address), (columns,), np.float32)
    y = carray(_pointer(y_address), (rows + PAD,), np.float32)
    y[:] = 0
    products = np.zeros(256, np.float32)
    fillers = np.uint64(places - 1) * _FILLERS
    for i in range(begin, end):
        j, following, value = np.uint64(active[i]), active[i + _AHEAD], x[active[i]]
        for k in range(places - 1):  # the last is 0.0
            products[k] = value * codebook[k]
        row, place, last = _NONE, np.uint64(starts[j]), np.uint64(starts[j + _ONE])
        full, ahead = last - (last - place) % _EIGHT, np.uint64(starts[following]) - place
        for e in range(place, full, _EIGHT):
            _prefetch(entries, e + ahead)  # not in a loop of its own, whose end the processor cannot guess
            row = _add_two(_pair(entries, e), row, _NONE, products, y)
            row = _add_two(_pair(entries, e + _TWO), row, _TWO, products, y)
            row = _add_two(_pair(entries, e + _FOUR), row, _FOUR, products, y)
            row = _EIGHT + _add_two(_pair(entries, e + _SIX), row, _SIX, products, y)
        if full + _EIGHT <= np.uint64(size):  # what belongs to the next column is made fillers: no branch
            row = _add_last(entries, full, _KEEP[last - full + _FOUR], fillers, row, _NONE, products, y)
            _add_last(entries, full + _FOUR, _KEEP[last - full], fillers, row, _FOUR, products, y)
        else:
            for e in range(full, last):
                row += np.uint64(entries[e]) & _BYTE
                y[row] += products[np.uint64(entries[e]) >> _CODE]
                row += _ONE


@_kept(cfunc, "void(int64)", boundscheck=False, error_model="numpy")
def _take_parts(address):
    """What a thread does: the parts of a job that no other has taken, each with how long it took."""
    job = carray(_pointer(address), (9,), np.int64)
    numbers = carray(_pointer(job[1]), (11,), np.int64)
    active = carray(_pointer(job[7]), (numbers[1] + _AHEAD,), np.uint32)
    n = job[8]
    for _ in range(2):
        part, start = _next(job), _now(numbers[9])
        if part == 0:
            _add_columns(numbers, active, 0, n // 2, job[2], job[3])
        elif part == 1:
            _add_columns(numbers, active, n // 2, n, job[2], job[4])
        if part < 2:
            job[5 + part] = _now(numbers[9]) - start


PARTS = _take_parts.address
"""Where its code lies in this process."""


@_kept(njit, "int64(int64, int64, int64, int64)", boundscheck=False, error_model="numpy", nogil=True)
def _vector(layer, x, y, threads):
    """``vector``."""
    numbers = carray(_pointer(layer), (11,), np.int64)
    rows, columns, shared = numbers[0], numbers[1], numbers[7]
    active = np.empty(columns + _AHEAD, np.uint32)
    n = _find_active(x, columns, active)
    if not shared:
        _add_columns(numbers, active, 0, n, x, y)
        return 0
    rest, waited = np.empty(rows + PAD, np.float32), 0
    if threads > 1:
        start = _now(numbers[9])
        places = np.int64(rest.ctypes.data), np.int64(active.ctypes.data)
        job = np.array([0, layer, x, y, places[0], 0, 0, places[1], n])
        _in_parallel(numbers[8], numbers[10], job, threads)
        waited = np.int64(_now(numbers[9]) - start > 4 * min(job[5], job[6]))
    else:
        _add_columns(numbers, active, 0, n // 2, x, y)
        _add_columns(numbers, active, n // 2, n, x, np.int64(rest.ctypes.data))
    sums = carray(_pointer(y), (rows,), np.float32)
    for row in range(rows):
        sums[row] += rest[row]
    return waited


vector = _vector.overloads[_vector.signatures[0]].entry_point
"""y = matrix @ x, on so many of torch's threads -> 1 if it had to wait for one of them for long, else 0.

layer: address of ``CompressedLayer.ready``'s numbers; x, y: addresses of float32 (columns,) and (rows + PAD,). By
addresses and not through Numba's choice among types: cold code takes some µs for each step. The sum of a large layer
is made of those of the two halves of its active columns, so that it is the same whoever adds them.
"""


@functools.cache
def batch(width):
    """A compiled function (entries, starts, codebook, x, y) -> y = matrix @ x for blocks of so many inputs.

    x: float32 (blocks, columns, width); fills y: float32 (blocks, rows, width). Both C-ordered, as an entry's ``width``
    products are made at once: a loop over inputs takes up to twice as long.
    """
    words = ir.VectorType(ir.FloatType(), width)

    @intrinsic
    def add_products(context, y, row, weight, x, column):
        """y[row] += weight * x[column], arrays of (n, width)."""

        def generate(context, builder, signature, arguments):
            y, row, weight, x, column = arguments

            def place(array, kind, n):
                data = context.make_array(kind)(context, builder, array).data
                first = builder.gep(data, [builder.mul(n, ir.IntType(64)(width))])
                return builder.bitcast(first, words.as_pointer())

            target, inputs = place(y, signature.args[0], row), place(x, signature.args[3], column)
            weights = builder.insert_element(ir.Constant(words, ir.Undefined), weight, ir.IntType(32)(0))
            weights = builder.shuffle_vector(weights, weights, ir.Constant(ir.VectorType(ir.IntType(32), width), None))
            products = builder.fmul(weights, builder.load(inputs, align=4))
            builder.store(builder.fadd(builder.load(target, align=4), products), target, align=4)
            return context.get_dummy_value()

        return types.void(y, row, weight, x, column), generate

    @njit(boundscheck=False, error_model="numpy", nogil=True)
    def product(entries, starts, codebook, x, y):
        y[:] = 0
        for block in range(x.shape[0]):
            for j in range(x.shape[1]):
                if not x[block, j].any():
                    continue
                row = np.uint64(0)
                for e in range(np.uint64(starts[j]), np.uint64(starts[j + 1])):
                    entry = np.uint64(entries[e])
                    row += entry & _BYTE
                    add_products(y[block], row, codebook[entry >> _CODE], x[block], np.uint64(j))
                    row += np.uint64(1)

    return product
