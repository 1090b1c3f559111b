"""CIFAR-10 from the "binary version" of its authors' page: 60,000 colour pictures of 32 x 32 pixels.

A file is a row of records of 3,073 bytes: one label (0 to 9), then 1,024 red, 1,024 green and 1,024
blue values, each plane row by row. No pickle is read. Five files hold 50,000 training pictures, one
file holds 10,000 test pictures.
"""

import hashlib
import os
import re
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcviz.errors import DataError
from dcviz.files import atomic_write, cache_dir, read
from dcviz.nets.downloads import resume, sha256_begins

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FILES = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
FOLDER = "cifar-10-batches-bin"
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
MOST = 180_000_000
"""Bytes of the archive at most."""
SUMS = "SHA256SUMS"
"""Beside the parts: their checksums, as the program sha256sum writes them."""

RECORD = 1 + 3 * 32 * 32
RECORDS_PER_FILE = 10_000
HELD_OUT = 5_000

# The mean and deviation that ImageNet nets expect, so that one preparation serves both data sets.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class CifarSplit:
    """images: uint8 (n, 3, 32, 32), red green blue; labels: uint8 (n,), an index into ``CLASSES``."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self):
        return len(self.labels)

    def take(self, rows):
        """The same split with only the given rows (slice, index array or boolean mask)."""
        return CifarSplit(self.images[rows], self.labels[rows])


def cifar10(split="train", download=True):
    """The 50,000 training or 10,000 test pictures as a ``CifarSplit``.

    Looks in ``$DCVIZ_DATA/cifar-10-batches-bin``, then in ``data/cache/cifar-10-batches-bin``, then
    downloads 170 MB from the authors' page (unless ``download`` is false). ``DataError`` if a file is
    missing, cut short or damaged.

    Unpacking leaves the checksums of the parts beside them, and every reading compares: a single changed pixel is
    found. In a folder of your own, ``sha256sum *.bin > SHA256SUMS`` does the same; without that file only lengths and
    labels can be checked there.
    """
    if split not in FILES:
        raise DataError(f"CIFAR-10 has the splits 'train' and 'test', not {split!r}")
    parts = [read_records(path, sha256=_sum_beside(path)) for path in _find(split, download)]
    return CifarSplit(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def tuning_split(seed=0):
    """(training indices (45,000,), held-out indices (5,000,)) into the training pictures.

    Fixed by ``seed``: all choices are made on the held-out 5,000, so the test pictures stay unseen.
    """
    order = np.random.default_rng(seed).permutation(len(FILES["train"]) * RECORDS_PER_FILE)
    return np.sort(order[:-HELD_OUT]), np.sort(order[-HELD_OUT:])


def tuning_pictures():
    """(45,000 to train on, 5,000 held out) of the training pictures, as ``CifarSplit``s."""
    whole = cifar10("train")
    return [whole.take(rows) for rows in tuning_split()]


def read_records(path, records=RECORDS_PER_FILE, *, sha256=None):
    """(images uint8 (n, 3, 32, 32), labels uint8 (n,)) of one file in the binary layout; sha256: what it must have."""
    path, length = Path(path), records * RECORD
    try:
        content = read(path, length)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) != length:
        raise DataError(
            f"{path}: {len(content):,} bytes, but {records:,} records of {RECORD:,} bytes make "
            f"{length:,}; delete it and fetch it again"
        )
    if sha256 and hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"{path}: other contents than {SUMS} beside it says; delete it and fetch it again")
    data = np.frombuffer(content, np.uint8).reshape(records, RECORD)
    labels = data[:, 0].copy()
    if labels.max(initial=0) >= len(CLASSES):
        first = int(np.argmax(labels >= len(CLASSES)))
        raise DataError(f"{path}: record {first} has label {labels[first]}, CIFAR-10 has labels 0 to 9")
    return data[:, 1:].reshape(records, 3, 32, 32).copy(), labels


def _sum_beside(path):
    """The SHA-256 of a part that stands in SUMS beside it; None where there is no such file."""
    place = path.with_name(SUMS)
    try:
        lines = read(place, 100_000).decode().splitlines()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{place} cannot be read ({error})") from error
    found = [
        match[1] for line in lines if (match := re.fullmatch(rf"([0-9a-f]{{64}}) [ *]{re.escape(path.name)}", line))
    ]
    if len(found) != 1:
        raise DataError(f"{place} has {len(found)} checksums of {path.name}, not one")
    return found[0]


def upscale(images, pixels):
    """uint8 (n, 3, 32, 32) pictures -> float32 tensor (n, 3, pixels, pixels), bilinear and normalised."""
    import torch

    x = torch.as_tensor(images).float().div_(255)
    x = (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    if pixels != x.shape[-1]:
        x = torch.nn.functional.interpolate(x, size=(pixels, pixels), mode="bilinear", align_corners=False)
    return x


def distort(images, generator, pad=4, hole=8):
    """uint8 (n, 3, 32, 32): shift by up to ``pad`` pixels, mirror half, grey out a square in half."""
    import torch

    n = len(images)
    draw = lambda high: torch.randint(high, (n, 1), generator=generator)  # noqa: E731
    ahead = torch.arange(32)
    columns = torch.where(draw(2) == 1, 31 - ahead, ahead) + draw(2 * pad + 1)
    rows = ahead + draw(2 * pad + 1)
    padded = torch.nn.functional.pad(images.float(), (pad,) * 4, mode="reflect").to(torch.uint8)
    out = padded[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    y, x, some = draw(32 - hole + 1), draw(32 - hole + 1), draw(2) == 1
    in_rows, in_columns = ((ahead >= at) & (ahead < at + hole) for at in (y, x))
    out[in_rows[:, :, None] & in_columns[:, None, :] & some[:, :, None]] = 118
    return out.permute(0, 3, 1, 2)


def _find(split, download):
    """The paths of a split's files; fetches them into the cache when allowed and needed."""
    own = os.environ.get("DCVIZ_DATA")
    folders = ([Path(own) / FOLDER] if own else []) + [cache_dir() / FOLDER]
    for folder in folders:
        paths = [folder / name for name in FILES[split]]
        found = [path.is_file() for path in paths]
        if all(found) and (folder is not folders[-1] or (folder / SUMS).is_file()):
            return paths
        if any(found) and folder is not folders[-1]:  # half of the cache is an unpacking cut short: done again
            raise DataError(f"{paths[found.index(False)]} is missing beside the other CIFAR-10 files")
    looked = " and ".join(str(folder / FILES[split][0]) for folder in folders)
    ways_out = (
        f"set DCVIZ_DATA to a folder that holds {FOLDER}/, or allow the download of {URL} "
        "(cifar10(..., download=True) with a network)"
    )
    if not download:
        raise DataError(f"CIFAR-10 not found (looked for {looked}): {ways_out}")
    try:
        archive = _download(cache_dir())
    except (OSError, DataError) as error:
        raise DataError(f"CIFAR-10 not found (looked for {looked}) and not downloaded ({error}): {ways_out}") from error
    extract(archive, folders[-1])
    return [folders[-1] / name for name in FILES[split]]


def _download(folder):
    """The path of the archive in ``folder``, fetched unless it lies there already."""
    path, check = folder / URL.rsplit("/", 1)[1], sha256_begins(SHA256)
    try:
        with open(path, "rb") as file:
            check(file)
    except (OSError, DataError):
        path.unlink(missing_ok=True)
    return resume(URL, path, check, MOST)


def extract(archive, folder, records=RECORDS_PER_FILE):
    """Take the six data files, and nothing else, out of the tar archive into ``folder``.

    Only regular members of the expected names and sizes are read, and each is written under a name
    of ours: a hostile archive cannot choose where bytes land or how many. Last come the checksums of all six.
    """
    folder, sums = Path(folder), []
    wanted = {f"{FOLDER}/{name}": name for names in FILES.values() for name in names}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = wanted.pop(member.name.removeprefix("./"), None)
                if name is None:
                    continue
                if not member.isreg() or member.size != records * RECORD:
                    raise DataError(f"{archive}: {member.name} is not a file of {records * RECORD:,} bytes")
                content = tar.extractfile(member).read()
                sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
                atomic_write(folder / name, lambda file, content=content: file.write(content))
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"{archive}: cannot be unpacked ({error}); delete it and fetch it again") from error
    if wanted:
        raise DataError(f"{archive}: {', '.join(sorted(wanted))} missing")
    atomic_write(folder / SUMS, lambda file: file.write("".join(sums).encode()))
