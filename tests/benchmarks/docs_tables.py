"""Make the tables of docs anew out of their records, without measuring anything.

python tests/benchmarks/docs_tables.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import alexnet_running
import large_layers
import own_net
import pages
import pitch
import shrink_checkpoint

from dcviz.evidence import recordings
from dcviz.files import atomic_write

TABLES = (own_net, shrink_checkpoint, large_layers, alexnet_running)
"""Benchmarks with a ``NAME``, a ``PAGE`` and a ``table(recorded)`` on it."""


def main():
    """Write all of them."""
    for module in TABLES:
        pages.put(module.PAGE, module.NAME, module.table(recordings.load(module.NAME)))
    text = pitch.page(recordings.load(pitch.NAME)).encode()
    atomic_write(pitch.PAGE, lambda file: file.write(text))


if __name__ == "__main__":
    main()
