"""Measure and record the compressed VGG-16: ``python -m dcviz vgg measure``.

Sizes are lengths of files, errors are those of the nets that the files decode to. The dense net is the one whose batch
normalisation is folded, as in the file.
"""

import json
from pathlib import Path

import torch

from dcviz import archive
from dcviz.evidence import recordings
from dcviz.nets import batchnorm, cifar, models, picture_training
from dcviz.pipeline import restore
from dcviz.pipeline.picture_compression import state
from dcviz.pipeline.vgg import SETTINGS, SUBJECT, arguments

SPLITS = {"held_out": lambda: cifar.tuning_pictures()[1], "test": lambda: cifar.cifar10("test")}


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
    errors = {
        f"{split}_error_percent": picture_training.error_percent(net, pictures(), SUBJECT.pixels, dtype=torch.float32)
        for split, pictures in SPLITS.items()
    }
    kept = {name: 100 * float((layer.weight != 0).float().mean()) for name, layer in models.weight_layers(net).items()}
    row = {"stage": stage, "file_bytes": size, "ratio": dense_bytes / size, **errors, "kept_percent": kept}
    print(json.dumps(row), flush=True)
    return row


def main(options=None):
    """The command line; see the top of this module."""
    options = arguments("measure", __doc__.split("\n\n")[0]).parse_args(options)
    torch.set_num_threads(options.threads)
    recordings.keep("vgg_cifar10", "python -m dcviz vgg measure", report(options))


if __name__ == "__main__":
    main()
