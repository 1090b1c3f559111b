"""Tables 8 and 9 on a GPU of today, in one run of eight minutes at most.

    python -m dcviz record gpu_times                   on the first GPU
    python -m dcviz record gpu_times --device cpu      a rehearsal: the same program, tiny layers, no GPU

Six layers, batch 1 and 64, five methods. A time is the median of readings, taken in turn, with its quartiles:

    cold     one call between two CUDA events, after a write of more than the second-level cache holds: what a layer
             costs inside a net. It is queued while that write runs, so its launch is not counted (most of a net's are)
    warm     calls one after the other, as a program makes them; short ones wait for their launches
    graph    the same calls recorded once and played back: without the launches

Every result is compared with the product in float64. Energy is read from the card's own meter over long repeated warm
runs. What does not fit into the time is skipped, and its row says so; the same command goes on later.
"""

import importlib.metadata
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dcviz import pipeline
from dcviz.chapters.ch08_speed_and_energy import energy, running_nets, timing
from dcviz.errors import NetError
from dcviz.evidence import resumed
from dcviz.files import cache_dir, read_json
from dcviz.pipeline import shipped, sparse_kernels

METHODS = ("float32", "bfloat16", "csr", "2:4", "compressed")
"""Dense in two types, compressed sparse rows (cuSPARSE), two of four weights kept (other weights), codes and gaps."""
BATCHES = (1, 64)
CACHES = ("cold", "warm", "graph")
NETS = ("alexnet", "lenet-300-100", "lenet-5")
DRIVER = Path("/proc/driver/nvidia/version")
_OFF = {"float32": 1e-4, "bfloat16": 2e-2, "csr": 1e-4, "2:4": 2e-2, "compressed": 1e-4}  # of the largest output
_FLUSH = 2**28  # bytes written between cold readings: more than any second-level cache holds


class _Gpu:
    """Times calls on a GPU by CUDA events, in seconds."""

    readings, meter_seconds = 25, 1.5

    def __init__(self, device):
        self.device = device
        self._flush = torch.empty(_FLUSH, dtype=torch.int8, device=device)

    def cold(self, call):
        self._flush.zero_()
        return self._between(call, 1)

    def warm(self, call, number):
        return self._between(call, number)

    def graph(self, call, number):
        """A function that plays ``number`` calls back, or None where they cannot be recorded."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                call()
        torch.cuda.current_stream().wait_stream(side)
        recorded = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(recorded):
                for _ in range(number):
                    call()
        except RuntimeError:
            return None
        return recorded.replay

    def _between(self, call, number):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(number):
            call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3 / number


class _Rehearsal:
    """The same on the CPU, so that the program can be tried without a GPU; its times mean nothing."""

    readings, meter_seconds = 2, 0.02

    def __init__(self, device):
        self.device = device

    def cold(self, call):
        return self.warm(call, 1)

    def warm(self, call, number):
        start = time.perf_counter()
        for _ in range(number):
            call()
        return (time.perf_counter() - start) / number

    def graph(self, call, number):
        """None: nothing to record on a CPU."""
        return None


def rows(device="cuda", seconds=480.0, layers=None, nets=NETS):
    """Measure all, within about ``seconds`` -> list of rows, each with ``what``:

    "device", "limits" (bytes and operations a second), "time" and "energy" of a layer, "net", and "skipped" with
    ``why``. layers: {name: FcLayer}, by default the six of Table 8; on "cpu", where nothing but the program is tried,
    a sixteenth of their sides. NetError without such a device.
    """
    if device != "cpu" and not (str(device).startswith("cuda") and torch.cuda.is_available()):
        raise NetError(f"there is no device {device!r} here; a rehearsal without a GPU: --device cpu")
    layers = layers or _layers(device)
    until = time.perf_counter() + 0.95 * seconds
    clock = (_Rehearsal if device == "cpu" else _Gpu)(device)
    about = _device(device)
    jobs = {"limits": lambda: [_limits(device)]}
    for name, layer in layers.items():
        jobs[name] = lambda layer=layer: _layer_rows(layer, clock, until)
    for net in nets:
        jobs[net] = lambda net=net: _net_rows(net, clock, until)
    return [about, *_jobs(jobs, about, until, cache_dir() / "gpu_times" / f"{device}.json".replace(":", "-"))]


def _jobs(jobs, about, until, path):
    """Rows of jobs in turn; what is complete is kept, and taken from there by the next run on the same device."""
    kept = _kept(path, about)
    found, complete = [], True
    for key, job in jobs.items():
        if key not in kept["done"]:
            made = job() if time.perf_counter() < until else [_skipped(key, "no time left")]
            print(f"{key}: {len(made)} rows, {max(0, until - time.perf_counter()):.0f} s left", flush=True)
            if any(row.get("why") == "no time left" for row in made):
                complete = False
                found += made
                continue
            kept["done"][key] = made
            resumed.keep(path, kept)
        found += kept["done"][key]
    if complete:
        path.unlink(missing_ok=True)
    return found


def _kept(path, about):
    """What a run on this device that was cut off has left, else a new beginning."""
    identity = {key: about[key] for key in ("name", "torch", "triton")}
    try:
        kept = read_json(path)
        if kept["of"] == identity and all(isinstance(made, list) for made in kept["done"].values()):
            return kept
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return {"of": identity, "done": {}}


def _layers(device):
    six = {name: timing.paper_layers()[name] for name in timing.six_layers()}
    if device != "cpu":
        return six
    return {name: replace(fc, rows=fc.rows // 16, columns=fc.columns // 16) for name, fc in six.items()}


def _skipped(key, why, **fields):
    return {"what": "skipped", "of": key, "why": why, **fields}


def _device(device):
    """The row about the device, its driver, and what multiplies on it."""
    gpu = str(device).startswith("cuda")
    row = {
        "what": "device",
        "name": torch.cuda.get_device_name(device) if gpu else "the CPU (rehearsal)",
        "driver": _driver() if gpu else None,
        "cuda": torch.version.cuda,
        "torch": torch.__version__,
        "triton": _version("triton"),
        "kernel": sparse_kernels.default_kernel(device),
        "memory_bytes": torch.cuda.get_device_properties(device).total_memory if gpu else None,
        "cache_bytes": getattr(torch.cuda.get_device_properties(device), "L2_cache_size", None) if gpu else None,
        "tf32": torch.backends.cuda.matmul.allow_tf32,
        "meter": energy.meter(device),
    }
    idle = energy.measure(lambda: time.sleep(2.0 if gpu else 0.0), device, seconds=0)
    return row | {"idle_watts": None if idle is None or not gpu else idle.joules / idle.seconds}


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _driver():
    """The version of NVIDIA's driver as its kernel module tells it; None where it does not."""
    try:
        words = DRIVER.read_text("ascii", errors="replace").splitlines()[0].split()
    except (OSError, IndexError):
        return None
    return next((word for word in words if word[0].isdigit() and "." in word), None)


def _limits(device):
    gpu = str(device).startswith("cuda")
    return {
        "what": "limits",
        "read_bytes_per_s": timing.read_bandwidth(device, megabytes=1024 if gpu else 1),
        "operations_per_s": timing.peak_operations(device, size=8192 if gpu else 64),
    }


def contestants(forms, x):
    """({method: function that gives outputs (batch, rows)}, {method: outputs in float64}, {method: why not here}).

    forms: ``timing.Forms``; x: float32 (batch, columns) on the device. "2:4" keeps the two largest of every four
    weights, so it is compared with the product of those.
    """
    dense = forms.dense.to(x.device)
    exact = x.double() @ dense.double().T
    halved, expected = two_of_four(dense), dict.fromkeys(METHODS, exact)
    expected["2:4"] = x.double() @ halved.double().T
    calls, missing = {}, {}
    for method in METHODS:
        try:
            calls[method] = _contestant(method, forms, dense, halved, x)
            calls[method]()
        except Exception as error:  # torch raises all kinds of things for what a device cannot do
            calls.pop(method, None)
            missing[method] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
    return calls, expected, missing


def _contestant(method, forms, dense, halved, x):
    linear = torch.nn.functional.linear
    if method == "float32":
        return (lambda: torch.mv(dense, x[0])[None]) if len(x) == 1 else (lambda: linear(x, dense))
    if method == "bfloat16":
        weights, inputs = dense.bfloat16(), x.bfloat16()
        return lambda: linear(inputs, weights)
    if method == "csr":
        csr, columns = forms.csr.to(x.device), x.T.contiguous()
        return (lambda: torch.mv(csr, x[0])[None]) if len(x) == 1 else (lambda: torch.mm(csr, columns).T)
    if method == "2:4":
        padding = -len(halved) % 64  # the tiles that the sparse tensor cores work on
        padded = torch.nn.functional.pad(halved.bfloat16(), (0, 0, 0, padding))
        weights, inputs = torch.sparse.to_sparse_semi_structured(padded), x.bfloat16()
        return lambda: linear(inputs, weights)[:, : len(halved)]
    return lambda: sparse_kernels.product(forms.compressed, x)


def two_of_four(weight):
    """A matrix in which the two smaller of every four neighbours in a row are zero; columns a multiple of four."""
    groups = weight.reshape(len(weight), -1, 4)
    largest = groups.abs().topk(2, -1).indices
    return torch.zeros_like(groups).scatter(-1, largest, groups.gather(-1, largest)).reshape(weight.shape)


def _layer_rows(layer, clock, until):
    """Rows of one layer."""
    forms, found = timing.random_layer(layer), []
    for batch in BATCHES:
        x = timing.inputs(layer.columns, batch, layer.active or 1.0, device=clock.device)
        calls, expected, missing = contestants(forms, x)
        fields = {"layer": layer.name, "batch": batch}
        found += [_skipped(layer.name, why, method=method, batch=batch) for method, why in missing.items()]
        off = {}
        for method in list(calls):
            scale = float(expected[method].abs().max()) or 1.0
            off[method] = float((calls[method]().double() - expected[method]).abs().max()) / scale
            if not off[method] <= _OFF[method]:
                why = f"differs from the product in float64 by {off[method]:.2g} of the largest output"
                found.append(_skipped(layer.name, why, method=method, batch=batch))
                del calls[method]
        del expected
        found += [
            {"what": "time", **fields, "active": layer.active or 1.0, "off": off[row["method"]], **row}
            for row in _times(calls, clock, layer.name, batch, until)
        ]
        for method, call in calls.items():
            found.append(_joules(call, clock, until, layer.name, method, batch))
    return found


def _times(calls, clock, name, batch, until):
    """Rows method, caches, seconds, low, high, readings of calls that take turns; or those of what is skipped."""
    number = {method: _number(clock, call) for method, call in calls.items()}
    played = {method: _played(clock, method, call, number[method]) for method, call in calls.items()}
    for caches in CACHES:
        seconds = {method: [] for method in calls if caches != "graph" or played[method]}
        for _ in range(clock.readings):
            if time.perf_counter() > until:
                break
            for method, times in seconds.items():
                if caches == "cold":
                    times.append(clock.cold(calls[method]))
                elif caches == "warm":
                    times.append(clock.warm(calls[method], number[method]))
                else:
                    times.append(clock.warm(played[method], 1) / number[method])
        for method, times in seconds.items():
            if len(times) < clock.readings:
                yield _skipped(name, "no time left", method=method, batch=batch, caches=caches)
                continue
            low, median, high = np.percentile(times, [25, 50, 75]).tolist()
            yield {
                "method": method,
                "caches": caches,
                "seconds": median,
                "low": low,
                "high": high,
                "readings": len(times),
            }


def _number(clock, call):
    """Calls of one warm reading: half a millisecond, at most 200."""
    clock.warm(call, 3)
    return int(np.clip(5e-4 / max(clock.warm(call, 3), 1e-7), 1, 200)) if clock.device != "cpu" else 1


def _played(clock, method, call, number):
    """The call in a graph: of dense products and of our kernel, which wait for nothing on the way."""
    safe = method in ("float32", "bfloat16") or (
        method == "compressed" and sparse_kernels.default_kernel(clock.device) == "triton"
    )
    return clock.graph(call, number) if safe else None


def _joules(call, clock, until, name, method, batch):
    """The row of the energy of a call, or of why there is none."""
    fields = {"method": method, "batch": batch}
    if time.perf_counter() > until:
        return _skipped(name, "no time left", **fields, energy=True)
    together = max(1, int(0.02 / max(clock.warm(call, 3), 1e-6))) if clock.device != "cpu" else 1
    measured = energy.measure(call, clock.device, clock.meter_seconds, together=together)
    if measured is None:
        return _skipped(name, "no meter that can be read", **fields, energy=True)
    watts = measured.joules / measured.seconds
    return {
        "what": "energy",
        "layer": name,
        **fields,
        "joules": measured.joules,
        "watts": watts,
        "seconds": measured.seconds,
        "source": measured.source,
    }


def _net_rows(name, clock, until):
    """Rows of a whole net: float32, bfloat16, and compressed."""
    stored = running_nets.paper_alexnet() if name == "alexnet" else shipped.compressed(name)
    size = (3, 224, 224) if name == "alexnet" else (1, 28, 28)
    nets = {
        "float32": pipeline.restore(stored).to(clock.device),
        "bfloat16": pipeline.restore(stored).to(clock.device, torch.bfloat16),
        "compressed": pipeline.restore(stored, compressed=True).to(clock.device),
    }
    found = []
    for batch in BATCHES if clock.device != "cpu" else BATCHES[:1]:
        pictures = torch.rand(batch, *size, generator=torch.Generator().manual_seed(0)).to(clock.device)
        halves = pictures.bfloat16()
        calls = {
            method: lambda net=net, given=halves if method == "bfloat16" else pictures: net(given)
            for method, net in nets.items()
        }
        with torch.no_grad():
            exact = nets["float32"](pictures).double()
            for row in _times({m: call for m, call in calls.items()}, clock, name, batch, until):
                if row.get("what") == "skipped":
                    found.append(row)
                    continue
                off = float((calls[row["method"]]().double() - exact).abs().max()) / float(exact.abs().max())
                held = running_nets.linear_bytes(nets[row["method"]])
                found.append({"what": "net", "net": name, "batch": batch, "off": off, "linear_bytes": held, **row})
    return found


def find(recorded, **fields):
    """The rows of a recording that have these fields."""
    return [row for row in recorded.rows if all(row.get(key) == value for key, value in fields.items())]
