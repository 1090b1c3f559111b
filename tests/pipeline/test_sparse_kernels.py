"""Products from the compressed form equal dense ones, whatever the matrix; nothing leads out of it."""

import copy
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from dcviz.errors import CodebookError, CodeError, WeightError
from dcviz.ideas import relative_index
from dcviz.pipeline import sparse_kernels

KERNELS = ["torch", *(["numba"] if sparse_kernels.has_numba() else [])]
ROOT = Path(__file__).parents[2]


def matrix(rows, columns, density, values=(-0.5, 0.25, 1.0), seed=0):
    random = np.random.default_rng(seed)
    drawn = random.choice(np.array(values, np.float32), (rows, columns))
    return np.where(random.random((rows, columns)) < density, drawn, 0).astype(np.float32)


def test_entries_hold_the_relative_index_of_each_column():
    weight = matrix(900, 4, 0.01)
    layer = sparse_kernels.compress(weight)
    assert layer.fillers > 0  # gaps beyond 256 rows occur
    for j in range(4):
        index = relative_index.encode(np.flatnonzero(weight[:, j]), 8)
        entries = layer.entries[layer.starts[j] : layer.starts[j + 1]]
        assert np.array_equal(entries & 255, index.gaps)
        assert np.array_equal(entries >> 8 != layer.codebook.size - 1, index.real)
    assert np.array_equal(layer.dense(), weight)
    assert layer.nbytes == 2 * layer.entries.size + 4 * 5 + 4 * 4


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("shape", [(300,), *((n, 300) for n in (1, 3, 5, 9, 20, 70, 0))])
@pytest.mark.parametrize("density", [0.0, 0.004, 0.3, 1.0])
def test_products_equal_dense_ones(kernel, shape, density):
    weight = matrix(700, 300, density)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)).relu()
    y = sparse_kernels.product(sparse_kernels.compress(weight), x, kernel)
    expected = x.double() @ torch.from_numpy(weight).double().T
    assert y.dtype == torch.float32
    assert y.shape == expected.shape
    assert torch.allclose(y.double(), expected, atol=2e-5)


@pytest.mark.parametrize("kernel", KERNELS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_small_matrix(kernel, data):
    rows, columns = data.draw(st.integers(1, 600)), data.draw(st.integers(1, 5))
    density = data.draw(st.sampled_from([0.0, 0.003, 0.1, 1.0]))
    weight = matrix(rows, columns, density, seed=data.draw(st.integers(0, 99)))
    x = np.array(data.draw(st.lists(st.sampled_from([0.0, 1.0, -2.0]), min_size=columns, max_size=columns)))
    y = sparse_kernels.product(sparse_kernels.compress(weight), torch.tensor(x, dtype=torch.float32), kernel)
    assert np.array_equal(y.numpy(), (weight.astype(np.float64) @ x).astype(np.float32))


@pytest.mark.parametrize("kernel", KERNELS)
def test_extremes_of_inputs(kernel):
    layer = sparse_kernels.compress(matrix(50, 8, 0.5))
    assert not sparse_kernels.product(layer, torch.zeros(8), kernel).any()
    for j in (0, 7):  # only the first or the last input is active
        x = torch.zeros(8)
        x[j] = 3
        assert np.array_equal(sparse_kernels.product(layer, x, kernel).numpy(), 3 * layer.dense()[:, j])
    strided = torch.randn(8, 6).T[::2]
    assert not strided.is_contiguous()
    expected = strided @ torch.from_numpy(layer.dense()).T
    assert torch.allclose(sparse_kernels.product(layer, strided, kernel), expected, atol=1e-5)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("strange", [np.nan, np.inf])
def test_nan_and_infinity_reach_only_outputs_with_a_weight_for_them(kernel, strange):
    layer = sparse_kernels.compress(matrix(50, 8, 0.5))
    x = torch.ones(8)
    x[3] = strange
    for some in (x, x.expand(9, 8)):
        y = sparse_kernels.product(layer, some, kernel).numpy()
        assert np.array_equal(~np.isfinite(y), np.broadcast_to(layer.dense()[:, 3] != 0, y.shape))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("last", [0, 3, 8, 20])
def test_columns_of_every_length(kernel, last):
    """Compiled code takes eight entries at a time; what is left over, and the end of the array, are its corners."""
    counts = [*range(18), last]
    rows = np.concatenate([np.arange(20 - n, 20) for n in counts])  # each column down to the last row
    codes = np.arange(rows.size) % 3
    layer = sparse_kernels.pack(rows, counts, codes, [-0.5, 0.25, 1.0], (20, len(counts)))
    for x in (torch.ones(len(counts)), torch.arange(float(len(counts))), torch.eye(len(counts))):
        y = sparse_kernels.product(layer, x, kernel)
        assert np.array_equal(y.numpy(), x.numpy() @ layer.dense().T)


@pytest.mark.parametrize("kernel", KERNELS)
def test_inputs_that_are_not_what_lies_in_memory(kernel):
    layer = sparse_kernels.compress(matrix(50, 8, 0.5))
    turned = torch.complex(torch.zeros(8), torch.arange(1.0, 9.0)).conj().imag.contiguous()
    negative = torch._neg_view(torch.arange(1.0, 9.0))
    assert negative.is_neg()
    for x in (turned, negative):
        expected = layer.dense() @ -np.arange(1.0, 9.0)
        assert np.array_equal(sparse_kernels.product(layer, x, kernel).numpy(), expected)
    assert not sparse_kernels.product(layer, torch.ones(8, requires_grad=True), kernel).requires_grad


def test_a_layer_made_for_one_input_and_its_copies():
    """Compiled code is called by addresses: arrays of another kind become what lies there; a copy has its own."""
    made = sparse_kernels.compress(matrix(300, 40, 0.2))
    strided = np.repeat(made.entries, 2)[::2], made.starts.astype(np.int64), made.codebook.astype(np.float64)
    layer = sparse_kernels.CompressedLayer(*strided, made.shape)
    x = torch.arange(40.0)
    expected = sparse_kernels.product(made, x, "torch")
    assert np.array_equal(sparse_kernels.product(layer, x), expected)
    twin = copy.deepcopy(layer)
    del layer
    assert np.array_equal(sparse_kernels.product(twin, x), expected)
    if sparse_kernels.has_numba():
        _, _, _, address, _, (numbers, arrays) = twin.ready
        assert address == numbers.ctypes.data
        assert numbers[4:7].tolist() == [array.ctypes.data for array in arrays]
    with torch.device("meta"):  # the output goes where the input is
        assert np.array_equal(sparse_kernels.product(made, x), expected)


def test_outputs_are_each_caller_s_own():
    """Some are made ahead, with room behind them: they share no memory, and are no one's afterwards."""
    layer = sparse_kernels.compress(matrix(30, 40, 0.5))
    inputs = torch.randn(40, 40, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        held = [sparse_kernels.product(layer, x) for x in inputs]
    for x, y in zip(inputs, held, strict=True):
        assert np.array_equal(y, sparse_kernels.product(layer, x))
        assert (y.shape, y.stride(), y.is_leaf, y._base) == ((30,), (1,), True, None)
        assert (y * torch.ones(30, requires_grad=True)).requires_grad  # not bound to inference
    with ThreadPoolExecutor(4) as threads:
        again = list(threads.map(lambda x: sparse_kernels.product(layer, x), [*inputs] * 5))
    assert all(np.array_equal(y, held[i % 40]) for i, y in enumerate(again))


def counted(layer, waited=lambda threads: 0):
    """How many threads each call of a layer asks for from now on -> list that grows; waited: what such a call gives."""
    shape, outputs, vector, *rest = layer.ready
    asked = []

    def watched(*arguments):
        vector(*arguments)
        asked.append(arguments[-1])
        return waited(arguments[-1])

    vars(layer)["ready"] = (shape, outputs, watched, *rest)
    return asked


@pytest.fixture
def two_threads(monkeypatch):
    if not (sparse_kernels.has_numba() and all(sparse_kernels._openmp())):
        pytest.skip("one thread: without Numba or GNU's OpenMP")
    monkeypatch.setattr(sparse_kernels, "_SHARED", 0)
    monkeypatch.setattr(sparse_kernels, "_alone", [0, 8])
    monkeypatch.setattr(sparse_kernels, "_threads", lambda: 2)
    return monkeypatch


@pytest.mark.parametrize(("shape", "density"), [((300, 200), 0.02), ((300, 200), 1.0), ((9, 1), 1.0), ((5, 0), 1.0)])
def test_two_threads_give_the_same_bits(two_threads, shape, density):
    layer = sparse_kernels.compress(matrix(*shape, density))
    asked, random = counted(layer), torch.Generator().manual_seed(0)
    for x in (torch.randn(shape[1], generator=random), torch.randn(shape[1], generator=random).relu()):
        with two_threads.context() as one:
            one.setattr(sparse_kernels, "_threads", lambda: 1)
            expected = sparse_kernels.product(layer, x)
        assert torch.allclose(expected, torch.from_numpy(layer.dense()) @ x, atol=1e-4)
        assert all(torch.equal(sparse_kernels.product(layer, x), expected) for _ in range(12))
        with ThreadPoolExecutor(2) as threads:  # as labs run: several threads of Python call at once
            again = list(threads.map(sparse_kernels.product, [layer] * 12, [x] * 12))
        assert all(torch.equal(y, expected) for y in again)
    assert asked == ([1] + [2] * 24) * 2


def test_a_call_that_waited_is_followed_by_calls_on_one_thread(two_threads):
    layer, ends = sparse_kernels.compress(matrix(30, 40, 0.5)), iter([1, 1, 0, 1])
    asked = counted(layer, lambda threads: next(ends) if threads > 1 else 0)
    for _ in range(1 + 8 + 1 + 16 + 1 + 1 + 8):
        sparse_kernels.product(layer, torch.ones(40))
    assert asked == [2] + [1] * 8 + [2] + [1] * 16 + [2, 2] + [1] * 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_does_not_wait_for_its_parent_s_threads(two_threads):
    layer, x = sparse_kernels.compress(matrix(30, 40, 0.5)), torch.ones(40)
    expected = sparse_kernels.product(layer, x).tolist()
    if (child := os.fork()) == 0:
        signal.alarm(20)  # ends it, should it wait
        os._exit(0 if sparse_kernels.product(layer, x).tolist() == expected else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (5, 0), (0, 5)])
@pytest.mark.parametrize("kernel", KERNELS)
def test_odd_shapes(kernel, shape):
    weight = np.ones(shape, np.float32)
    for x in (torch.ones(shape[1]), torch.ones(3, shape[1])):
        y = sparse_kernels.product(sparse_kernels.compress(weight), x, kernel)
        assert np.array_equal(y, x.numpy() @ weight.T)


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_the_torch_kernel_in_blocks(monkeypatch, block):
    monkeypatch.setattr(sparse_kernels, "_BLOCK", block)
    weight = matrix(80, 30, 0.2)
    x = torch.randn(4, 30)
    y = sparse_kernels.product(sparse_kernels.compress(weight), x, "torch")
    assert torch.allclose(y, x @ torch.from_numpy(weight).T, atol=1e-5)


def test_255_shared_weights_and_no_more():
    values = np.arange(1, 256, dtype=np.float32)
    layer = sparse_kernels.compress(values.reshape(51, 5))
    assert np.array_equal(layer.dense(), values.reshape(51, 5))
    with pytest.raises(CodebookError, match="255 shared weights"):
        sparse_kernels.compress(np.arange(1, 257, dtype=np.float32).reshape(64, 4))


def test_tensors_and_without_numba(monkeypatch):
    weight = matrix(20, 10, 0.5)
    parameter = torch.nn.Parameter(torch.from_numpy(weight))
    assert np.array_equal(sparse_kernels.compress(parameter).dense(), weight)
    monkeypatch.setattr(sparse_kernels, "has_numba", lambda: False)
    monkeypatch.setattr(sparse_kernels, "has_triton", lambda device: False)
    assert sparse_kernels.default_kernel("cpu") == "torch"
    assert sparse_kernels.default_kernel("cuda") == "torch"
    monkeypatch.setattr(sparse_kernels, "has_triton", lambda device: True)
    assert sparse_kernels.default_kernel("cpu") == "torch"
    assert sparse_kernels.default_kernel("cuda") == "triton"
    monkeypatch.setattr(sparse_kernels, "has_triton", lambda device: False)
    with pytest.raises(WeightError, match="needs Triton and a GPU"):
        sparse_kernels.product(sparse_kernels.compress(weight), torch.zeros(10), "triton")


@pytest.mark.parametrize("shape", [(700, 5), (3, 900), (40, 40)])
def test_by_rows_is_the_transposed_matrix(shape):
    weight = matrix(*shape, 0.02)
    turned = sparse_kernels.compress(weight).by_rows()
    assert turned.shape == shape[::-1]
    assert np.array_equal(turned.dense(), weight.T)
    entries, starts, codebook = sparse_kernels.compress(weight).row_tensors("cpu")
    assert np.array_equal(entries.numpy().view(np.uint16), turned.entries)
    assert starts.tolist() == turned.starts.tolist()
    assert np.array_equal(codebook, turned.codebook)


def test_wrong_inputs_are_told():
    layer = sparse_kernels.compress(matrix(20, 10, 0.5))
    for x in (torch.zeros(9), torch.zeros(2, 2, 10), torch.zeros(10, dtype=torch.float64)):
        with pytest.raises(WeightError, match=r"float32 of shape \(10,\)"):
            sparse_kernels.product(layer, x)
    with pytest.raises(WeightError, match="'numba' needs the CPU"):
        sparse_kernels.product(layer, torch.zeros(10, device="meta"), "numba")
    with pytest.raises(WeightError, match="no kernel"):
        sparse_kernels.product(layer, torch.zeros(10), "fortran")
    with pytest.raises(WeightError, match="two dimensions, not 4"):
        sparse_kernels.compress(np.zeros((2, 2, 2, 2)))


def test_entries_that_lead_out_are_refused():
    book = np.array([1, 0], np.float32)

    def layer(entries, starts, codebook=book, shape=(10, 1)):
        return sparse_kernels.CompressedLayer(
            np.array(entries, np.uint16), np.array(starts, np.uint32), codebook, shape
        )

    assert layer([9], [0, 1]).dense()[9, 0] == 1
    with pytest.raises(CodeError, match="row 10"):
        layer([10], [0, 1])
    with pytest.raises(CodeError, match="row 10"):
        layer([9, 0], [0, 2])
    with pytest.raises(CodeError, match="beyond the codebook"):
        layer([2 << 8], [0, 1])
    with pytest.raises(CodeError, match="must not fall"):
        layer([0, 0], [0, 3, 2], shape=(10, 2))
    with pytest.raises(CodeError, match="starts from 0 to 1"):
        layer([0], [0, 2])
    with pytest.raises(CodeError, match="last place"):
        layer([0], [0, 1], codebook=np.array([1, 2], np.float32))


ENTRIES, STARTS, BOOK = np.array([3, 5, 3], np.uint16), np.array([0, 2, 3], np.uint32), np.array([1, 0], np.float32)


@pytest.mark.parametrize(
    ("arrays", "shape"),
    [
        ((ENTRIES.astype(np.int16) - 300, STARTS, BOOK), (64, 2)),
        ((np.array([3, 5, 3 - 256 * 2**30]), STARTS, BOOK), (64, 2)),
        ((ENTRIES[:, None], STARTS, BOOK), (64, 2)),
        ((ENTRIES, STARTS + 0.4, BOOK), (64, 2)),
        ((ENTRIES, STARTS, BOOK[:, None]), (64, 2)),
        ((ENTRIES, STARTS, BOOK.astype(complex)), (64, 2)),
        *(((ENTRIES, STARTS, BOOK), (rows, 2)) for rows in (8.5, -3, 2**61)),
    ],
)
def test_arrays_that_compiled_code_would_misread_are_refused(arrays, shape):
    with pytest.raises(CodeError):
        sparse_kernels.CompressedLayer(*arrays, shape)


def test_what_was_checked_cannot_be_written_afterwards():
    entries = ENTRIES.copy()
    layer = sparse_kernels.CompressedLayer(entries, STARTS, BOOK, (64, 2))
    entries[:] = 2**16 - 1
    assert layer.entries.tolist() == ENTRIES.tolist()
    for array in (layer.entries, layer.starts, layer.codebook):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.skipif(not sparse_kernels.has_numba(), reason="without Numba no address is used")
@pytest.mark.parametrize("kernel", [None, "numba"])
def test_inputs_without_numbers_are_refused(kernel):
    """Compiled code gets addresses: that of a tensor which only stands for one would end the process."""
    layer = sparse_kernels.compress(matrix(20, 30, 0.5))
    freed = torch.ones(30)
    freed.untyped_storage().resize_(0)
    for x in (freed, torch._efficientzerotensor(30)):
        with pytest.raises(WeightError, match="without numbers"):
            sparse_kernels.product(layer, x, kernel)


@pytest.mark.parametrize(
    ("rows", "counts", "codes"),
    [
        ([3, 3], [2], [0, 0]),
        ([4, 3], [2], [0, 0]),
        ([10], [1], [0]),
        ([1], [1], [1]),
        ([1], [2], [0]),
        ([-1], [1], [0]),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows, counts, codes):
    with pytest.raises(CodeError):
        sparse_kernels.pack(rows, counts, codes, [0.5], (10, 1))


FRESH = """
import torch
from dcviz.pipeline import sparse_kernels
sparse_kernels._SHARED = 1
torch.set_num_threads(2)
layer = sparse_kernels.compress(torch.arange(-3.0, 17).reshape(4, 5))
for _ in range(30):
    assert sparse_kernels.product(layer, torch.ones(5)).tolist() == [-5, 20, 45, 70]
from dcviz.pipeline import sparse_kernels_numba
print(sum(sparse_kernels_numba._vector.stats.cache_hits.values()), sparse_kernels_numba._take_parts.cache_hits)
"""


def in_a_new_process(tmp_path):
    """(times that ``_vector``, and that ``_take_parts`` was found and not compiled) in a process that multiplies."""
    places = {"DCVIZ_CACHE": str(tmp_path / "ours"), "XDG_CACHE_HOME": str(tmp_path / "user")}
    done = subprocess.run(
        [sys.executable, "-c", FRESH], env=os.environ | places, cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return tuple(map(int, done.stdout.split()))


@pytest.mark.skipif(not sparse_kernels.has_numba(), reason="without Numba nothing is compiled")
@pytest.mark.skipif(sys.platform == "win32", reason="the user's place for caches stands in the registry there")
def test_compiled_code_is_kept_for_the_next_process(tmp_path):
    """The next one has other addresses. Code that is damaged, or that another may have written, is not run."""
    (tmp_path / "ours").write_text("no folder: the user's own is taken")
    assert in_a_new_process(tmp_path) == (0, 0)
    assert in_a_new_process(tmp_path) == (1, 1)
    (folder,) = (tmp_path / "user" / "dcviz").iterdir()
    for file in folder.rglob("*.nb[ic]"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert in_a_new_process(tmp_path) == (0, 0)
    assert in_a_new_process(tmp_path) == (1, 1)
    folder.chmod(0o777)
    assert in_a_new_process(tmp_path) == (0, 0)
