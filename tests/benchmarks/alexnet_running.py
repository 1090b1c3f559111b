"""AlexNet run expanded and compressed: the memory and time that `python -m dcviz record alexnet_running` measured.

    python tests/benchmarks/alexnet_running.py

Measures, keeps the record and puts its table into docs.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import pages

from dcviz.evidence import recordings

NAME, PAGE = "alexnet_running", pages.DOCS / "your-own-net.md"
LINES = {
    "fully connected layers in memory": lambda row: f"{row['linear_bytes'] / 1e6:.1f} MB",
    "the process grows by, net and pictures": lambda row: f"{(row['held_bytes'] - row['ready_bytes']) / 1e6:.0f} MB",
    "its peak while the file is opened": lambda row: f"{row['peak_bytes'] / 1e6:.0f} MB",
    "a picture": lambda row: f"{1e3 * row['seconds']:.1f} ms",
    "of these in fully connected layers": lambda row: f"{1e3 * row['linear_seconds']:.1f} ms",
}


def table(recorded):
    """The table as lines of Markdown."""
    rows = {row["form"]: row for row in recorded.rows}
    ready = max(row["ready_bytes"] for row in recorded.rows) / 1e6
    yield (
        "AlexNet for 1,000 classes, random weights at the paper's densities, one picture at a time; processor time of "
        f"one thread. Before the net is opened, Python, torch and the compiled kernel hold {ready:.0f} MB. "
        f"{pages.origin(recorded)}"
    )
    yield ""
    yield "| | expanded | compressed |"
    yield "|---|---|---|"
    for label, number in LINES.items():
        yield f"| {label} | {number(rows['expanded'])} | {number(rows['compressed'])} |"


def main():
    """Measure, and write the table."""
    pages.put(PAGE, NAME, table(recordings.record(NAME)))


if __name__ == "__main__":
    main()
