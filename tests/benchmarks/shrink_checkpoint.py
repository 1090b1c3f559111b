"""Shrink and expand a large checkpoint: speed, memory, and what zstd and xz make of the same bytes.

    python tests/benchmarks/shrink_checkpoint.py [--gigabytes 1] [--dtype bfloat16] [--xz-megabytes 32] [--keep]

The weights are random, normal, of standard deviation 0.02, in matrices of 4,096 x 4,096: a stand-in for a trained net,
whose exponents are about as uneven. Each step runs in a process of its own. Speed is megabytes of the checkpoint per
second of processor time; memory is the process's own (RssAnon), without the pages of mapped files. xz is slow, so it
gets the first megabytes only. Prints one row a step; with --keep records them and puts them into docs.
"""

import argparse
import filecmp
import json
import lzma
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import torch
import zstandard

sys.path.insert(0, str(Path(__file__).parents[2]))

import pages

from dcviz.evidence import recordings
from dcviz.nets import checkpoints
from dcviz.pipeline import shrinking

SIDE = 4096
NAME, PAGE = "checkpoint_shrunk", pages.DOCS / "your-own-net.md"


def make(path, gigabytes, dtype):
    """Write the checkpoint, one matrix at a time."""
    n = max(1, round(gigabytes * 1e9 / (SIDE * SIDE * dtype.itemsize)))
    name = checkpoints.TYPES[dtype]
    draw = torch.Generator().manual_seed(0)
    matrices = ((0.02 * torch.randn(SIDE, SIDE, generator=draw)).to(dtype) for _ in range(n))
    pieces = (memoryview(m.reshape(-1).view(torch.uint8).numpy()) for m in matrices)
    return checkpoints.write(path, [(f"layer{i}.weight", name, (SIDE, SIDE)) for i in range(n)], pieces)


def own_memory():
    """Bytes of anonymous memory of this process now."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) << 10


def measured(work):
    """(result, seconds of processor time, most anonymous memory beyond that at the start) of a call."""
    start, most, done = own_memory(), 0, threading.Event()

    def watch():
        nonlocal most
        while not done.wait(0.01):
            most = max(most, own_memory() - start)

    watcher = threading.Thread(target=watch)
    watcher.start()
    before = time.process_time()
    result = work()
    spent = time.process_time() - before
    done.set()
    watcher.join()
    return result, spent, most


def streamed(source, coder, most=None):
    """Length of what a streaming compressor makes of a file, of its first ``most`` bytes."""
    size = left = 0
    left = most or source.stat().st_size
    with source.open("rb") as file:
        while left > 0 and (piece := file.read(min(1 << 24, left))):
            size, left = size + len(coder.compress(piece)), left - len(piece)
    return size + len(coder.flush())


def step(what, source, small, back, xz_bytes):
    """One step of the table as a dict."""
    full = source.stat().st_size
    work = {
        "shrink --lossless": lambda: shrinking.shrink(source, small, lossless=True).file_bytes,
        "expand, lossless": lambda: shrinking.expand(small, back),
        "shrink --bits 6": lambda: shrinking.shrink(source, small, bits=6).file_bytes,
        "expand, 6 bits": lambda: shrinking.expand(small, back),
        "shrink --density 0.2 --bits 4": lambda: shrinking.shrink(source, small, density=0.2, bits=4).file_bytes,
        "zstd -3": lambda: streamed(source, zstandard.ZstdCompressor(3).compressobj()),
        "xz": lambda: streamed(source, lzma.LZMACompressor(), xz_bytes),
    }
    size, seconds, memory = measured(work[what])
    asked = min(xz_bytes, full) if what == "xz" else full
    return {"bytes_in": asked, "bytes_out": size, "seconds": round(seconds, 1), "memory_bytes": memory}


STEPS = (
    "shrink --lossless",
    "expand, lossless",
    "shrink --bits 6",
    "expand, 6 bits",
    "shrink --density 0.2 --bits 4",
    "zstd -3",
    "xz",
)


def line(row):
    """A row of the table in docs."""
    size = "" if row["step"].startswith("expand") else f"{100 * row['bytes_out'] / row['bytes_in']:.1f}%"
    speed, memory = row["bytes_in"] / 1e6 / row["seconds"], row["memory_bytes"] / 1e6
    return f"| {row['step']} | {size} | {speed:.0f} MB/s | {memory:.0f} MB |"


def table(recorded):
    """The lines of docs/your-own-net.md that a record makes."""
    first, xz = recorded.rows[0], next(row for row in recorded.rows if row["step"] == "xz")
    return [
        f"A checkpoint of {first['checkpoint_bytes']:,} bytes of {first['dtype']} (random weights, normal; "
        f"xz, which is slow, got the first {xz['bytes_in'] / 2**20:.0f} MiB). {pages.origin(recorded)}",
        "",
        "| step | size | speed | memory |",
        "|---|---|---|---|",
        *map(line, recorded.rows),
    ]


def main():
    """Print the table, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--dtype", choices=("bfloat16", "float16", "float32"), default="bfloat16")
    parser.add_argument("--xz-megabytes", type=int, default=32)
    parser.add_argument("--keep", action="store_true", help=f"record the rows and put them into {PAGE.name}")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        torch.set_num_threads(1)
        names = (arguments.folder / name for name in ("net.safetensors", "net.dcz", "back.safetensors"))
        print(json.dumps(step(arguments.step, *names, arguments.xz_megabytes << 20)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "net.safetensors")
        size = make(source, arguments.gigabytes, getattr(torch, arguments.dtype))
        print(f"{size:,} bytes of {arguments.dtype}")
        for what in STEPS:
            command = [sys.executable, __file__, "--step", what, "--folder", folder]
            command += ["--xz-megabytes", str(arguments.xz_megabytes)]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rows.append({"step": what, "dtype": arguments.dtype, "checkpoint_bytes": size} | json.loads(out))
            print(line(rows[-1]), flush=True)
            if what == "expand, lossless" and not filecmp.cmp(Path(folder, "back.safetensors"), source, shallow=False):
                sys.exit("the tensors that came back are not those that went in")
    if arguments.keep:
        kept = recordings.keep(NAME, recordings.PROGRAMS[NAME], rows)
        pages.put(PAGE, NAME, table(kept))


if __name__ == "__main__":
    main()
