"""How long a fully connected layer takes: dense, sparse (CSR) and straight from the compressed form.

    layer = timing.random_layer(timing.paper_layers()["alexnet/fc6"])
    timing.measure(layer, batch=1, active=0.35) -> [Timing(method="dense", ...), Timing(method="csr", ...), ...]

Contestants run in turn, A B C A B C, so that a busy moment of the machine meets all alike; medians count, the
quartiles tell the spread. On a GPU every reading of the clock waits for the device. Layers of a large net are timed
``cold``: between two pictures the rest of the net has gone through the caches, and nothing of the layer is left there.
Layers are made by ``timing_layers``; ``tables`` shows the result.
"""

import time
from dataclasses import asdict, dataclass

import numpy as np

from dcviz.chapters.ch08_speed_and_energy.timing_layers import (
    FcLayer,
    Forms,
    activity,
    inputs,
    own_layer,
    paper_layers,
    random_layer,
    roof,
    six_layers,
)
from dcviz.errors import NetError, WeightError
from dcviz.pipeline import sparse_kernels
from dcviz.without_torch import Later

torch, benchmark = Later("torch"), Later("torch.utils.benchmark")

__all__ = [
    "BATCHES",
    "CLOCKS",
    "METHODS",
    "FcLayer",
    "Forms",
    "Timing",
    "activity",
    "agree",
    "contestants",
    "crossover",
    "crossover_batch",
    "geometric_mean",
    "inputs",
    "measure",
    "own_layer",
    "paper_layers",
    "peak_operations",
    "random_layer",
    "read_bandwidth",
    "roof",
    "six_layers",
    "speedups_by_activity",
]

METHODS = ("dense", "csr", "compressed")
"""GEMV or GEMM of all weights; compressed sparse rows (MKL or cuSPARSE through torch); sparse_kernels.product."""
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
CLOCKS = ("wall", "processor")
"""What a clock counts: time passed (the device synchronised), or time that this one thread was at work on the CPU.

The second is the one to trust on a machine that others use too; it says nothing about other threads or a GPU.
"""
_BLOCK_SECONDS = 0.004  # one reading of the clock spans at least this long, if not cold
_COLD_FLOATS = 32_000_000  # 128 MB, more than the caches of a core or a GPU hold


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: median, quartiles, and all that a reader needs to judge them."""

    layer: str
    method: str
    batch: int
    active: float
    device: str
    threads: int
    clock: str
    seconds: float
    low: float
    high: float
    readings: int
    resident_bytes: int
    moved_bytes: float
    operations: float
    cold: bool = False


def contestants(forms, x, methods=METHODS, kernel=None):
    """{method: function without arguments that gives the outputs} for inputs x (batch, columns).

    Outputs are (batch, rows), for a batch of one (rows,). Weights and inputs are brought to the device and into the
    order that each method likes beforehand.
    Raises NetError for an unknown method.
    """
    if unknown := set(methods) - set(METHODS):
        raise NetError(f"no method {', '.join(sorted(unknown))}; there are {', '.join(METHODS)}")
    import torch  # the contestants find its names at once

    dense = forms.dense.to(x.device) if "dense" in methods else None
    csr = forms.csr.to(x.device) if "csr" in methods else None
    product = sparse_kernels.product
    if len(x) == 1:
        vector = x[0]
        calls = {
            "dense": lambda: torch.mv(dense, vector),
            "csr": lambda: torch.mv(csr, vector),
            "compressed": lambda: product(forms.compressed, vector, kernel),
        }
    else:
        columns = x.T.contiguous()
        calls = {
            "dense": lambda: torch.nn.functional.linear(x, dense),
            "csr": lambda: torch.mm(csr, columns).T,
            "compressed": lambda: product(forms.compressed, columns.T, kernel),
        }
    return {method: calls[method] for method in methods}


def measure(
    forms,
    batch=1,
    active=1.0,
    device="cpu",
    methods=METHODS,
    threads=1,
    readings=9,
    kernel=None,
    seed=0,
    clock="wall",
    cold=False,
    report=lambda done, total: None,
):
    """Time one layer with the given methods -> list of Timing, one per method.

    active: share of inputs that are not zero; device: "cpu" or "cuda"; threads: for torch (our compiled kernel
    takes two at most, for one input); clock: one of CLOCKS, "processor" for one thread of the CPU only; cold: empty the
    caches before each call; report(done, total): called before each round of readings, and may raise. All must agree
    with the first method within float32 rounding, else WeightError.
    """
    if clock not in CLOCKS or (clock == "processor" and (threads > 1 or torch.device(device).type != "cpu")):
        raise NetError(f"clock {clock!r} cannot time {threads} threads on {device}; clocks: {', '.join(CLOCKS)}")
    x = inputs(forms.dense.shape[1], batch, active, seed, device)
    calls = contestants(forms, x, methods, kernel)
    agree(calls)
    large = torch.ones(_COLD_FLOATS if cold else 1, device=device)
    timers = {
        method: benchmark.Timer(
            "call()", "large.sum()", globals={"call": call, "large": large}, num_threads=threads, timer=_timer(clock)
        )
        for method, call in calls.items()
    }
    block = 0 if cold else _BLOCK_SECONDS
    number = {m: max(1, round(block / max(t.timeit(1).median, 1e-7))) for m, t in timers.items()}
    seconds = {method: [] for method in calls}
    for done in range(readings):
        report(done, readings)
        for method, timer in timers.items():
            seconds[method].append(timer.timeit(number[method]).median)
    rows, ours = [], kernel or sparse_kernels.default_kernel(device)
    for method, times in seconds.items():
        low, median, high = np.percentile(times, [25, 50, 75]).tolist()
        rows.append(
            Timing(
                forms.name,
                method,
                batch,
                active,
                str(device),
                min(threads, 2 if batch == 1 else 1) if method == "compressed" and ours == "numba" else threads,
                clock,
                median,
                low,
                high,
                readings,
                forms.resident_bytes(method),
                forms.moved_bytes(method, batch, active),
                forms.operations(method, batch, active),
                cold,
            )
        )
    return rows


def agree(calls):
    """Raise WeightError unless all contestants give the same outputs within float32 rounding."""
    results = {method: call() for method, call in calls.items()}
    first, expected = next(iter(results.items()))
    scale = float(expected.abs().max()) or 1.0
    for method, result in results.items():
        worst = float((result - expected).abs().max()) / scale
        if not worst < 1e-4:
            raise WeightError(f"{method} differs from {first} by {worst:.2g} of the largest output")


def crossover(forms, batches=BATCHES, active=1.0, **options):
    """Time a layer at growing batch sizes -> list of Timing; options as in ``measure``."""
    return [row for batch in batches for row in measure(forms, batch, active, **options)]


def crossover_batch(rows, method):
    """The smallest batch at which dense is at least as fast as ``method`` -> int, or None if there is none.

    rows: list of Timing or dict for one layer, as ``crossover`` gives them.
    """
    rows = [row if isinstance(row, dict) else asdict(row) for row in rows]
    times = {(row["method"], row["batch"]): row["seconds"] for row in rows}
    slower = [b for m, b in times if m == method and times["dense", b] <= times[method, b]]
    return min(slower, default=None)


def speedups_by_activity(rows, method):
    """How many times faster than dense, by layer and share of active inputs -> (shares (s,), speed-ups (layers, s)).

    rows: dicts with layer, method, active and seconds; layers in the order of their names, shares growing.
    """
    seconds = {(row["layer"], row["method"], row["active"]): row["seconds"] for row in rows}
    layers, shares = (sorted({key[part] for key in seconds}) for part in (0, 2))
    gains = [[seconds[n, "dense", s] / seconds[n, method, s] for s in shares] for n in layers]
    return np.array(shares), np.array(gains)


def geometric_mean(values, axis=None):
    """Geometric mean of positive values, along an axis -> array; of all of them -> scalar."""
    return np.exp(np.mean(np.log(values), axis=axis))


def read_bandwidth(device="cpu", threads=1, megabytes=256, readings=7, clock="wall"):
    """Bytes per second at which one thread (or the GPU) reads memory: the sum of a large array, best reading."""
    numbers = torch.ones(megabytes * 250_000, device=device)
    timer = benchmark.Timer("numbers.sum()", globals={"numbers": numbers}, num_threads=threads, timer=_timer(clock))
    return 4 * numbers.numel() / min(timer.timeit(1).median for _ in range(readings))


def peak_operations(device="cpu", threads=1, size=1024, readings=5, clock="wall"):
    """Float32 operations per second of a large matrix product, best reading: the roof of the roofline."""
    a = torch.ones(size, size, device=device)
    timer = benchmark.Timer("a @ a", globals={"a": a}, num_threads=threads, timer=_timer(clock))
    return 2 * size**3 / min(timer.timeit(1).median for _ in range(readings))


def _timer(clock):
    return {"wall": benchmark.timer, "processor": time.thread_time}[clock]
