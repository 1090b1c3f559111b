"""Measure and record the compressed VGG-16: ``python -m dcviz vgg measure``.

Sizes are lengths of files, errors are those of the nets that the files decode to. The dense net is the one whose batch
normalisation is folded, as in the file.
"""

from functools import partial
from pathlib import Path

import torch

from dcviz import archive
from dcviz.chapters.ch07_full_pipeline.alexnet_measure import SPLITS, row
from dcviz.evidence import recordings
from dcviz.nets import batchnorm, models, picture_training
from dcviz.pipeline import restore
from dcviz.pipeline.picture_compression import arguments, state
from dcviz.pipeline.vgg import SETTINGS, SUBJECT


def report(options):
    """Errors and sizes of the dense net and of each setting's file: rows."""
    dense = batchnorm.fold(SUBJECT.of(state(Path(options.dense), SUBJECT)))
    dense_bytes = models.dense_bytes(dense)
    rows = [_row("dense", dense, dense_bytes, dense_bytes)]
    for name in SETTINGS:
        file = Path(options.out) / name / f"{SUBJECT.net}.dcz"
        rows.append(_row(f"{name}, coded", restore(archive.load(file)), file.stat().st_size, dense_bytes))
    return rows


def _row(stage, net, size, dense_bytes):
    error = partial(picture_training.error_percent, net, pixels=SUBJECT.pixels, dtype=torch.float32)
    errors = {f"{split}_error_percent": error(pictures()) for split, pictures in SPLITS.items()}
    return row(stage, net, size, dense_bytes, **errors)


def main(options=None):
    """The command line; see the top of this module."""
    options = arguments(SUBJECT, "measure", __doc__).parse_args(options)
    torch.set_num_threads(options.threads)
    recordings.keep("vgg_cifar10", "python -m dcviz vgg measure", report(options))


if __name__ == "__main__":
    main()
