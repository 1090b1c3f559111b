"""A layer of 40 million weights in every lab that opens any net, and a net of hundreds of layers.

    python tests/benchmarks/large_layers.py [--weights 40000000] [--layers 400] [--only LAB]

The layer is one bfloat16 matrix of random weights in a checkpoint, the net a checkpoint of many small ones. Each lab
runs in a process of its own. Measured is processor time: to open the lab, until its film is there (what a drag is then
answered from, in the browser, without Python), and for Python to follow one change. Prints one row a lab; keeps the
rows and puts them into docs, unless --only.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import pages
import torch

from dcviz.evidence import recordings
from dcviz.nets import checkpoints

NAME, PAGE = "large_layers", pages.DOCS / "your-own-net.md"
SIDE = 4096
CHANGES = {
    "PruningLab": ("threshold", 0.021),
    "SharingLab": ("k", 17),
    "HuffmanLab": ("step", 5),
    "CodebookLab": ("bits", 6),
    "RelativeIndexLab": ("bits", 4),
}
"""{lab: (state, value)} of one change."""


def make(path, weights, layers):
    """Write a checkpoint with one large matrix of so many weights, or with many of 64 x 64."""
    shape = (weights // SIDE, SIDE) if layers == 1 else (64, 64)
    draw = torch.Generator().manual_seed(0)
    matrices = ((0.02 * torch.randn(*shape, generator=draw)).bfloat16() for _ in range(layers))
    pieces = (memoryview(m.reshape(-1).view(torch.uint8).numpy()) for m in matrices)
    name = checkpoints.TYPES[torch.bfloat16]
    checkpoints.write(path, [(f"block.{i}.fc.weight", name, shape) for i in range(layers)], pieces)


def measured(name, path):
    """One lab on one checkpoint: seconds of processor time, and the most memory that the process held, in bytes."""
    from dcviz import labs

    kind = getattr(labs, name)
    torch.set_num_threads(1)
    times = [time.process_time()]
    lab = kind(net=str(path))
    times.append(time.process_time())
    lab.tabulate()
    times.append(time.process_time())
    state, value = CHANGES[name]
    setattr(lab, state, value)
    times.append(time.process_time())
    if lab.error or getattr(lab, state) != value:
        raise RuntimeError(f"{name}: {lab.error or 'nothing has changed'}")
    opened, filmed, changed = (round(after - before, 3) for before, after in itertools.pairwise(times))
    return {"open_s": opened, "film_s": filmed, "change_s": changed, "memory_bytes": most_memory()}


def most_memory():
    """The most bytes that this process held at a time, pages of mapped files included."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) << 10


def line(row):
    """A row of the table in docs."""
    times = (row["open_s"], row["film_s"], row["change_s"])
    shown = [
        *(f"{seconds:.2f} s" for seconds in times),
        f"{row['memory_bytes'] / 1e6:.0f} MB",
        f"{row['many_open_s']:.2f} s",
    ]
    return f"| {row['lab']} | {' | '.join(shown)} |"


def table(recorded):
    """The lines of docs/your-own-net.md that a record makes."""
    first = recorded.rows[0]
    return [
        f"Processor time on one layer of {first['weights']:,} bfloat16 weights; last column: to open a checkpoint "
        f"of {first['layers']} layers. {pages.origin(recorded)}",
        "",
        "| lab | opens in | its film takes | Python follows a change in | memory at most | many layers open in |",
        "|---|---|---|---|---|---|",
        *map(line, recorded.rows),
    ]


def main():
    """Print the table; keep it and put it into docs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", type=int, default=40_000_000)
    parser.add_argument("--layers", type=int, default=400)
    parser.add_argument("--only", choices=CHANGES)
    parser.add_argument("--path", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.path:
        print(json.dumps(measured(options.only, options.path)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        large, many = Path(folder, "large.safetensors"), Path(folder, "many.safetensors")
        make(large, options.weights, 1)
        make(many, options.weights, options.layers)
        for name in [options.only] if options.only else CHANGES:
            row = {"lab": name, "weights": options.weights // SIDE * SIDE, "layers": options.layers}
            for path, words in ((large, ""), (many, "many_")):
                command = [sys.executable, __file__, "--only", name, "--path", path]
                out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                row |= {words + key: value for key, value in json.loads(out).items()}
            rows.append(row)
            print(row, flush=True)
    if not options.only:
        pages.put(PAGE, NAME, table(recordings.keep(NAME, recordings.PROGRAMS[NAME], rows)))


if __name__ == "__main__":
    main()
