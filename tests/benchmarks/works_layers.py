"""Works of side_by_side: the paper's six fully connected layers, and writing and reading a file.

Both state the limit that they are up against: how fast one thread reads memory, measured in the same run. Layers
are timed in processor time of the one thread, so that other programs on the machine do not count.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

CLOCK = "processor"
LAYERS = {"dense": "all weights (MKL)", "csr": "sparse rows (MKL)", "compressed": "codes and gaps (ours)"}


def layers(size, repetitions):
    """One input through each layer, every method in turn -> row for side_by_side; ``size`` does not matter here.

    Inputs twice: as many active as counted on our AlexNet, and all of them. Ratios are geometric means over layers.
    """
    import torch

    from dcviz.chapters.ch08_speed_and_energy import timing

    torch.set_num_threads(1)
    sparse_inputs, dense_inputs = [], []
    for name in timing.six_layers():
        layer = timing.paper_layers()[name]
        forms = timing.random_layer(layer)
        options = {"readings": repetitions, "clock": CLOCK, "cold": layer.cold}
        sparse_inputs += timing.measure(forms, active=layer.active or 1.0, **options)
        dense_inputs += timing.measure(forms, active=1.0, **options)
    threads = {n: [_on_threads(n, active, repetitions) for active in (None, 1.0)] for n in sorted({2, _cores()} - {1})}
    total = {m: sum(row.seconds for row in sparse_inputs if row.method == m) for m in timing.METHODS}
    csr, all_active = ({m: _speedup(rows, m) for m in timing.METHODS} for rows in (sparse_inputs, dense_inputs))
    ours = csr["compressed"]
    return {
        "work": "layers",
        "ours_s": total["compressed"],
        "peers": {"dense": total["dense"], "csr": total["csr"]},
        "ratio": {"dense": ours, "csr": ours / csr["csr"]},
        "csr_over_dense": csr["csr"],
        "all_inputs_active": {"dense": all_active["compressed"], "csr": all_active["compressed"] / all_active["csr"]},
        "threads": threads,
        "read_bytes_per_s": timing.read_bandwidth(clock=CLOCK),
        "rows": [vars(row) for row in (*sparse_inputs, *dense_inputs)],
    }


def _cores():
    """Processors that this program may use -> int."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _on_threads(n, active, repetitions):
    """{method: geometric mean over layers of its time on one thread / on n}, wall time; active as counted if None."""
    from dcviz.chapters.ch08_speed_and_energy import timing

    gains = {"dense": [], "compressed": []}
    for name in timing.six_layers():
        layer = timing.paper_layers()[name]
        forms, seconds = timing.random_layer(layer), {(m, t): [] for m in gains for t in (1, n)}
        for _ in range(repetitions):
            for t in (1, n):
                share = layer.active or 1.0 if active is None else active
                for row in timing.measure(forms, 1, share, "cpu", tuple(gains), t, readings=1, cold=layer.cold):
                    seconds[row.method, t].append(row.seconds)
        for m, found in gains.items():
            found.append(statistics.median(seconds[m, 1]) / statistics.median(seconds[m, n]))
    return {m: float(timing.geometric_mean(found)) for m, found in gains.items()}


def _speedup(rows, method):
    """Geometric mean over layers of dense time / time of ``method``."""
    from dcviz.chapters.ch08_speed_and_energy import timing

    times = {(row.layer, row.method): row.seconds for row in rows}
    return float(timing.geometric_mean([times[layer, "dense"] / s for (layer, m), s in times.items() if m == method]))


def layers_table(row):
    """The row of ``layers`` as lines of text; "of limit" is the time that reading the bytes moved takes, in percent."""
    speed = row["read_bytes_per_s"]
    lines = [
        f"layers: batch 1, one thread, {CLOCK} time, caches emptied; one thread reads memory at {speed / 1e9:.1f} GB/s",
        f"  {'layer':13}{'active':>7}  {'method':24}{'median':>10}  {'quartiles':>18}  {'dense/it':>8}"
        f"  {'resident':>12}  {'of limit':>8}",
    ]
    dense = {(r["layer"], r["active"]): r["seconds"] for r in row["rows"] if r["method"] == "dense"}
    for r in row["rows"]:
        quartiles = f"{1e6 * r['low']:.0f} .. {1e6 * r['high']:.0f}"
        lines.append(
            f"  {r['layer']:13}{100 * r['active']:>6.1f}%  {LAYERS[r['method']]:24}{1e6 * r['seconds']:>7.0f} µs"
            f"  {quartiles:>18}  {dense[r['layer'], r['active']] / r['seconds']:>8.2f}"
            f"  {r['resident_bytes']:>12,}  {100 * r['moved_bytes'] / speed / r['seconds']:>6.0f}%"
        )
    ratio, full = row["ratio"], row["all_inputs_active"]
    lines += [
        f"  geometric means: CSR {row['csr_over_dense']:.2f}x dense; ours {ratio['dense']:.2f}x dense and "
        f"{ratio['csr']:.2f}x CSR;",
        f"  with all inputs active ours {full['dense']:.2f}x dense and {full['csr']:.2f}x CSR;",
    ]
    for n, (real, every) in row["threads"].items():
        lines += [
            f"  on {n} threads (wall) ours {real['compressed']:.2f}x as fast as on one, dense {real['dense']:.2f}x;",
            f"  with all inputs active ours {every['compressed']:.2f}x, dense {every['dense']:.2f}x.",
        ]
    return "\n".join(lines)


def _a_net(kept):
    """One layer of 4,096 outputs, 9% kept, 32 shared weights, coded as the paper does -> StoredNet."""
    from dcviz import archive

    random = np.random.default_rng(0)
    columns = max(1, round(kept / 0.09 / 4096))
    codebook = np.sort(random.normal(0, 0.02, 32)).astype(np.float32)
    weight = codebook[np.clip(np.round(random.laplace(15.5, 3, (4096, columns))), 0, 31).astype(np.uint8)]
    weight[random.random(weight.shape) >= 0.09] = 0
    coding = archive.Coding(index_bits=5, codebook=codebook, huffman=True)
    return archive.StoredNet("one-layer", (archive.Layer("fc", weight, None, coding),))


def file(size, repetitions):
    """Write a net and read it back: our .dcz, safetensors, and NumPy's zip -> row for side_by_side.

    A quarter of ``size`` weights are kept, about eleven times as many are there. Every way gives back the same
    float32 array. ``raw`` writes and reads our file's bytes and nothing else: the limit that the disk sets.
    """
    from safetensors.numpy import load_file, save_file

    from dcviz import archive
    from dcviz.chapters.ch08_speed_and_energy import timing

    net = _a_net(size // 4)
    weight = net.layers[0].weight
    data = archive.dumps(net)
    with tempfile.TemporaryDirectory() as folder:
        path = {who: Path(folder) / f"net.{who}" for who in ("dcz", "safetensors", "npz", "raw")}
        write = {
            "dcz": lambda: archive.save(path["dcz"], net),
            "safetensors": lambda: save_file({"fc": weight}, path["safetensors"]),
            "npz": lambda: np.savez_compressed(path["npz"], fc=weight),
            "raw": lambda: path["raw"].write_bytes(data),
        }
        read = {
            "dcz": lambda: archive.load(path["dcz"]).layers[0].weight,
            "safetensors": lambda: load_file(path["safetensors"])["fc"],
            "npz": lambda: np.load(path["npz"])["fc"],
            "raw": lambda: path["raw"].read_bytes(),
        }
        seconds = {("write", who): [] for who in write} | {("read", who): [] for who in read}
        for turn in range(repetitions):
            for who in write:
                if who == "npz" and turn > 2:
                    continue
                for what, call in (("write", write[who]), ("read", read[who])):
                    start = time.perf_counter()
                    result = call()
                    seconds[what, who].append(time.perf_counter() - start)
                if turn == 0 and who != "raw" and not np.array_equal(result, weight):
                    raise RuntimeError(f"file: {who} gives another result")
        sizes = {who: where.stat().st_size for who, where in path.items()}
    median = {key: statistics.median(times) for key, times in seconds.items()}
    both = {who: median["write", who] + median["read", who] for who in write}
    return {
        "work": "file",
        "ours_s": both["dcz"],
        "peers": {who: both[who] for who in ("safetensors", "npz")},
        "ratio": {who: both[who] / both["dcz"] for who in ("safetensors", "npz")},
        "write_s": {who: median["write", who] for who in write},
        "read_s": {who: median["read", who] for who in read},
        "bytes": sizes,
        "weights": weight.size,
        "kept": int(np.count_nonzero(weight)),
        "read_bytes_per_s": timing.read_bandwidth(),
    }


def file_table(row):
    """The row of ``file`` as lines of text."""
    dense, speed = 4 * row["weights"], row["read_bytes_per_s"]
    lines = [
        f"file: {row['weights']:,} weights, {row['kept']:,} kept, {dense:,} bytes as float32",
        f"  {'':14}{'bytes':>13}  {'smaller':>8}  {'write':>10}  {'read':>10}  {'kept/s read':>11}",
    ]
    for who, size in row["bytes"].items():
        write, read = row["write_s"][who], row["read_s"][who]
        rate = "" if who == "raw" else f"{row['kept'] / read / 1e6:.1f} M"
        name = {"dcz": ".dcz (ours)", "raw": "its bytes alone"}.get(who, who)
        lines.append(
            f"  {name:14}{size:>13,}  {dense / size:>7.1f}x  {1e3 * write:>7.1f} ms  {1e3 * read:>7.1f} ms  {rate:>11}"
        )
    lines.append(
        f"  limits: {dense / speed * 1e3:.1f} ms to touch every float32 once at {speed / 1e9:.1f} GB/s; "
        "the bytes alone show what the disk takes"
    )
    return "\n".join(lines)
