"""1,797 digits of 8 x 8 pixels from other pens and another scanner: the second task of chapter 11.

The test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak, 1998; UCI Machine Learning
Repository), ink per pixel 0 to 16. They ship as data/digits-8x8.npz.
"""

import hashlib
import zipfile
import zlib

import numpy as np

from dcviz.errors import DataError
from dcviz.files import DATA, atomic_write, made_by
from dcviz.nets.datasets import Digits, Split

PATH = DATA / "digits-8x8.npz"
SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
"""Of all images and then all labels, a byte each."""
REMADE = "dcviz.nets.small_digits.make()"
TRAIN = 1000
"""The first so many are to learn from, the rest, 797, to test."""


def raw():
    """(images uint8 (1797, 8, 8), 0..16; labels uint8 (1797,)); DataError if the file is missing or damaged."""
    try:
        with np.load(PATH, allow_pickle=False) as stored:
            images, labels = stored["images"], stored["labels"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{PATH} cannot be read ({error}); {made_by(REMADE)}") from error
    shapes = images.shape == (1797, 8, 8) and labels.shape == (1797,)
    if not shapes or hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() != SHA256:
        raise DataError(f"{PATH} does not hold the 1,797 digits; {made_by(REMADE)}")
    return images, labels


def upscaled(images, size=28, pixels=28):
    """uint8 (n, 8, 8), 0..16 -> uint8 (n, pixels, pixels), 0..255: bilinear to ``size``, centred on empty paper.

    Rounded, step by step, as ``torch.nn.functional.interpolate`` does it, but without waiting for torch's import.
    """
    inked = images.astype(np.float32) * np.float32(255 / 16)
    at = np.maximum(np.float32(8 / size) * (np.arange(size) + 0.5) - 0.5, 0).astype(np.float32)
    before = at.astype(int), np.float32(1) - at % 1
    after = np.minimum(before[0] + 1, 7), at % 1
    x = np.float32(0)
    for (rows, high), (columns, wide) in ((before, after), (before, before), (after, before), (after, after)):
        part = inked[:, rows][:, :, columns].astype(np.float64) * (high[:, None] * wide)
        x = (x + part).astype(np.float32)
    first = (pixels - size) // 2
    return np.pad(x.round().astype(np.uint8), ((0, 0), *[(first, pixels - size - first)] * 2))


def digits(size=28):
    """``Digits``: 1,000 to learn from and 797 to test, in the file's own order, at MNIST's 28 x 28 pixels.

    ``size`` 28 fills the picture, as one would do without thinking; MNIST's digits fill 20 pixels of it.
    """
    images, labels = raw()
    images, labels = upscaled(images, size), labels.astype(np.int64)
    return Digits(
        Split("1,000 digits of 8 x 8", images[:TRAIN], labels[:TRAIN]),
        Split("797 other digits of 8 x 8", images[TRAIN:], labels[TRAIN:]),
    )


def make():
    """Write data/digits-8x8.npz again from the copy that ships with scikit-learn."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images, labels = found.images.astype(np.uint8), found.target.astype(np.uint8)
    atomic_write(PATH, lambda file: np.savez_compressed(file, images=images, labels=labels))
