"""Damage everything but .dcz files that dcviz reads, many times, and hold the readers to their promise.

    python tests/benchmarks/fuzz_inputs.py [SUBJECT ...] [--inputs 100000] [--seed 0]

Subjects: the authors' format, IDX, parts and archives of CIFAR-10, the learner's file, recorded results, sketches, deep
links, OUT and --only of the command line. A damaged input must give the reader's own error or a sound value: never
another exception, never more than two seconds of processor time, never more than 64 MB beyond what the first thousand
inputs took. Prints what came out; exit status 1 if a promise was broken, with the number of the input that broke it.
"""

import argparse
import contextlib
import gzip
import hashlib
import io
import json
import math
import os
import random
import re
import resource
import sys
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from dcviz import labs
from dcviz.__main__ import main as command_line
from dcviz.archive import authors
from dcviz.classroom import editions
from dcviz.errors import ArchiveError, DataError, LinkError
from dcviz.evidence import recordings
from dcviz.ideas import relative_index
from dcviz.ideas.sketch import from_bytes, sketch, to_bytes
from dcviz.labkit import learner
from dcviz.labkit.base import parse
from dcviz.nets import cifar, datasets

SECONDS, EXTRA, WARM = 2.0, 64 << 20, 1000
WORDS = [
    "NaN",
    "1e400",
    "-1",
    "0",
    "null",
    "true",
    "[]",
    "{}",
    '""',
    "[",
    "}",
    '"',
    "\\",
    "\0",
    "ü",
    "\ud800",
    "9" * 5000,
]
WORDS += [
    "[" * 2000,
    "-" * 2000,
    '{"a":' * 500,
    "1" + "0" * 400,
    "\\ud800",
    "..",
    "/",
    "--",
    "\x1b[2J",
    "x" * 300,
    "\n",
]


LITERALS = ["0", "-1", "1", "-0.0", "0.5", "1.5", "1e-300", "1e308", "1e400", "1099511627776", "-9" + "0" * 30, "None"]
LITERALS += [
    "True",
    "False",
    "''",
    "'fc2'",
    "'lenet-5'",
    "'<b>'",
    "[]",
    "[0]",
    "[1, 2, 3]",
    "[-1]",
    "[1e400]",
    "()",
    "{}",
]


def damaged(data, rng, others):
    """A damaged copy of some bytes."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
        how = rng.choice(("bit", "byte", "number", "cut", "drop", "repeat", "splice", "insert"))
        if how == "bit" and data:
            data[min(at, len(data) - 1)] ^= 1 << rng.randrange(8)
        elif how == "byte" and data:
            data[min(at, len(data) - 1)] = rng.randrange(256)
        elif how == "number":
            data[at : at + 4] = rng.choice((0, 1, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1)).to_bytes(4, "little")
        elif how == "cut":
            del data[end:]
        elif how == "drop":
            del data[at : at + rng.randint(1, 8)]
        elif how == "repeat":
            data[at:at] = data[at : min(end, at + 200)] * rng.randint(1, 3)
        elif how == "splice":
            other = rng.choice(others)
            data = data[:at] + other[rng.randrange(len(other) + 1) :]
        else:
            data[at:at] = rng.randbytes(rng.randint(1, 8))
    return bytes(data)


def reworded(text, rng, others):
    """A text with a number, a string or a stretch of it replaced, dropped or repeated."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = [match.span() for match in re.finditer(r"-?\d[\d.]*|\"[^\"]*\"|'[^']*'|[\[\]{}(),:=]|\w+", text)]
        at, end = (
            rng.choice(places) if places and rng.random() < 0.8 else sorted(rng.choices(range(len(text) + 1), k=2))
        )
        how = rng.choice(("word", "word", "word", "other", "drop", "repeat", "cut"))
        if how == "word":
            text = text[:at] + rng.choice(WORDS) + text[end:]
        elif how == "other":
            other = rng.choice(others)
            text = text[:at] + other[rng.randrange(len(other)) :]
        elif how == "drop":
            text = text[:at] + text[end:]
        elif how == "repeat":
            text = text[:end] + text[at:]
        else:
            text = text[:at]
    return text


def restated(text, rng, others):
    """A deep link with one or two of its values replaced by other literals."""
    for _ in range(rng.choice((1, 1, 2))):
        at, end = rng.choice([match.span(1) for match in re.finditer(r"=(\[[^\]]*\]|[^,)]*)", text)])
        text = text[:at] + rng.choice(LITERALS) + text[end:]
    return text


@contextlib.contextmanager
def authors_format(folder):
    """A net of two layers as the authors' files are laid out."""
    plan = (authors._Plan("conv", "features.0", (3, 2, 3, 3)), authors._Plan("fc", "classifier.1", (5, 40)))
    rng, bodies, counts = np.random.default_rng(0), b"", []
    for layer in plan:
        codebook = rng.standard_normal(2**layer.bits).astype("<f4")
        codebook[0] = 0
        index = relative_index.encode(np.flatnonzero(rng.random(math.prod(layer.shape)) < 0.1), 4)
        codes = np.where(index.real, rng.integers(1, 2**layer.bits, index.gaps.size), 0).astype(np.uint8)
        counts.append(codes.size)
        bodies += codebook.tobytes() + rng.standard_normal(layer.shape[0]).astype("<f4").tobytes()
        bodies += (codes.tobytes() if layer.bits == 8 else _halves(codes)) + _halves(index.gaps.astype(np.uint8))
    original = np.array(counts, "<u4").tobytes() + bodies

    def read(data, rng):
        (folder / "net").write_bytes(data)
        net = authors.read(folder / "net", "toy", plan)
        assert all(np.isfinite(value).all() for value in net.state_dict().values())

    yield [original], damaged, read, ArchiveError


def _halves(values):
    values = np.append(values, np.zeros(values.size % 2, np.uint8))
    return (values[::2] | values[1::2] << 4).tobytes()


@contextlib.contextmanager
def idx(folder):
    """A packed and an unpacked file of labels: what is read is the promised file, or nothing."""
    content = (
        (2049).to_bytes(4, "big")
        + (500).to_bytes(4, "big")
        + np.random.default_rng(0).integers(10, size=500, dtype=np.uint8).tobytes()
    )
    promised = hashlib.sha256(content).hexdigest(), len(content)

    def read(data, rng):
        path = folder / ("labels.gz" if data[:1] == b"\x1f" else "labels")
        path.write_bytes(data)
        assert datasets._read_checked(path, *promised) == content

    yield [content, gzip.compress(content)], damaged, read, DataError


def _records():
    data = np.random.default_rng(1).integers(0, 256, (3, cifar.RECORD), dtype=np.uint8)
    data[:, 0] %= 10
    return data.tobytes()


@contextlib.contextmanager
def cifar_parts(folder):
    """Three pictures, with the checksum of the part or without it."""
    content = _records()
    sha256 = hashlib.sha256(content).hexdigest()

    def read(data, rng):
        known = rng.random() < 0.5
        (folder / "part.bin").write_bytes(data)
        images, labels = cifar.read_records(folder / "part.bin", 3, sha256=sha256 if known else None)
        assert images.shape == (3, 3, 32, 32)
        assert labels.max() < 10
        assert not known or data == content

    yield [content], damaged, read, DataError


@contextlib.contextmanager
def cifar_archive(folder):
    """The six parts as a tar archive, damaged before it is packed or after."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in (*cifar.FILES["train"], *cifar.FILES["test"]):
            info = tarfile.TarInfo(f"{cifar.FOLDER}/{name}")
            info.size = 3 * cifar.RECORD
            tar.addfile(info, io.BytesIO(_records()))
    plain = out.getvalue()

    def damage(data, rng, others):
        if rng.random() < 0.5:
            return damaged(gzip.compress(data, 1), rng, others)
        at = 512 * rng.randrange(len(data) // 512)  # headers lie on such boundaries
        headers = [n for n in range(0, len(data), 512) if data[n + 257 : n + 262] == b"ustar"]
        at = rng.choice(headers) if rng.random() < 0.7 else at
        return gzip.compress(
            data[:at] + damaged(data[at : at + 512], rng, others)[:512].ljust(512, b"\0") + data[at + 512 :], 1
        )

    def read(data, rng):
        (folder / "a.tar.gz").write_bytes(data)
        before = set(folder.parent.iterdir())
        cifar.extract(folder / "a.tar.gz", folder / "out", 3)
        names = {*cifar.FILES["train"], *cifar.FILES["test"], cifar.SUMS}
        assert set(os.listdir(folder / "out")) <= names
        assert set(folder.parent.iterdir()) == before

    with mock.patch("os.fsync", quiet):  # six files an input
        yield [plain], damage, read, DataError


def _json(values):
    return [json.dumps(value, indent=indent) for value in values for indent in (None, 1)]


@contextlib.contextmanager
def progress(folder):
    """The learner's file: nothing that lies there stops a lab, and what is recorded is there afterwards."""
    files = _json(
        [
            {
                "version": 1,
                "predictions": {"ch02-one-sigma": 68.3, "ch01-x": "fc1"},
                "exercises": {"pruning.mask": True},
            },
            {"version": 1, "predictions": {}, "exercises": {}, "notes": ["mine", None]},
        ]
    )

    def read(text, rng):
        place = folder / "progress.json"
        place.write_bytes(text.encode("utf-8", "surrogatepass"))
        for kind in learner.KINDS:
            assert all(isinstance(value, str | int | float) for value in learner.recorded(kind).values())
        why, said = learner.trouble(), learner.record("predictions", "new", 1)
        assert said == "" or said == why
        assert said or learner.recorded("predictions")["new"] == 1
        if why:
            raise DataError(why)

    with mock.patch.dict(os.environ, DCVIZ_PROGRESS=str(folder / "progress.json")), mock.patch("os.fsync", quiet):
        yield files, reworded, read, DataError


@contextlib.contextmanager
def recorded(folder):
    """Recorded results."""
    rows = [{"net": "lenet-5", "error": 0.8, "parts": ["a", "b"], "files": {"": [1, 2]}}, {"net": "x", "error": None}]
    fields = {"name": "beads", "command": "c", "date": "2026-01-01", "machine": "an abacus", "rows": rows}

    def read(text, rng):
        (folder / "beads.json").write_bytes(text.encode("utf-8", "surrogatepass"))
        found = recordings.load("beads")
        assert isinstance(found.note, str)
        assert all(isinstance(row, dict) for row in found.rows)

    with mock.patch.object(recordings, "FOLDER", folder):
        yield _json([fields]), reworded, read, DataError


@contextlib.contextmanager
def sketches(folder):
    """Sketches: bytes damaged anywhere, or words of the header under a right length."""
    rng = np.random.default_rng(0)
    originals = [to_bytes([sketch(rng.laplace(size=n) * (rng.random(n) < 0.7), 16, 32, "fc1")]) for n in (5, 90, 900)]

    def damage(data, rng, others):
        if rng.random() < 0.5:
            return damaged(data, rng, others)
        size = int.from_bytes(data[6:10], "little")
        head = reworded(data[10 : 10 + size].decode(), rng, ['{"bins": 3}']).encode("utf-8", "surrogatepass")
        return data[:6] + len(head).to_bytes(4, "little") + head + data[10 + size :]

    def read(data, rng):
        for made in from_bytes(data):
            assert len(made.edges) == len(made.counts) + 1
            assert 0 <= made.fraction_below(rng.random()) <= 1
            assert math.isfinite(made.threshold_for_density(rng.random()))
            json.dumps(made.header())

    yield originals, damage, read, DataError


LINKS = [
    "RelativeIndexLab(positions=[1, 4, 15], bits=3, size=16, value_bits=5, step=0)",
    "EnergyLab(connections=1000000000.0, rate=20.0, ratio=35, dram_pj=640.0, sram_pj=5.0)",
    "CodebookLab(n=16, bits=2)",
    "PruningLab(net='lenet-300-100', layer='fc1', threshold=0.0750087, log_y=False, show_cdf=False)",
    "HuffmanLab(net='lenet-300-100', layer='fc1', stream='weight codes', symbol=-1, step=-1, rare=0.0, opened=[])",
    "GradientLab(weights=[2.09, -0.98, 1.48], gradients=[-0.03, -0.01, 0.03])",
]


@contextlib.contextmanager
def links(folder):
    """Deep links, taken apart; a lab is made of none of them (see ``lab_states``)."""

    def read(text, rng):
        name, state = parse(text)
        assert isinstance(name, str)
        assert all(isinstance(key, str) for key in state)

    yield LINKS, reworded, read, LinkError


@contextlib.contextmanager
def lab_states(folder):
    """Deep links that are recreated: labs in states from a stranger."""

    def read(text, rng):
        labs.recreate(text).close()

    yield LINKS, restated, read, LinkError


@contextlib.contextmanager
def arguments(folder):
    """OUT and --only: a status and a line, or notebooks in OUT and nowhere else."""
    import nbformat

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1", id="a")])
    only = ["00", "02_pruning", "0", "99", "02 06", "-h", "--", "*", "0?"]

    def read(text, rng):
        out, _, chapters = text.partition("\t")
        out = os.path.join(folder, out.replace("..", "").lstrip("/")[:3000])
        given = ["edition", "student", out, "--no-run", *(["--only", *chapters.split()] if chapters else [])]
        before = set(folder.parent.iterdir())
        printed, said = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
                status = command_line(given)
        except SystemExit as stop:  # argparse: wrong arguments, or help
            status = stop.code
        assert status in (0, 1, 2)
        assert set(folder.parent.iterdir()) == before
        if status:
            assert said.getvalue().strip()
            raise DataError(said.getvalue())

    def make(*_, **__):
        return book

    with mock.patch.object(editions, "notebook", make), mock.patch("os.fsync", quiet):
        yield [f"out/{n}\t{chapters}" for n, chapters in enumerate(only)], reworded, read, DataError


SUBJECTS = {
    "authors": authors_format,
    "idx": idx,
    "cifar": cifar_parts,
    "cifar-archive": cifar_archive,
    "progress": progress,
    "recorded": recorded,
    "sketches": sketches,
    "links": links,
    "labs": lab_states,
    "arguments": arguments,
}
SHARE = {"labs": 100}
"""Subjects of which only one input in so many is tried: making a lab takes a tenth of a second."""


def quiet(file):
    """In place of ``os.fsync``: a Mock would keep a list of all calls, and the fuzzer would grow."""


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(name, inputs, seed=0):
    """Try a subject -> (what came out, slowest seconds, bytes that memory grew). AssertionError names the input."""
    seen, slowest, before = Counter(), 0.0, None
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as base:
        folder = Path(base) / "folder"
        folder.mkdir()
        with SUBJECTS[name](folder) as (originals, damage, read, allowed):
            for number in range(inputs):
                rng = random.Random(f"{seed}/{name}/{number}")
                data = damage(rng.choice(originals), rng, originals)
                start = time.process_time()
                try:
                    read(data, rng)
                    seen["taken"] += 1
                except allowed:
                    seen["refused"] += 1
                except BaseException as error:
                    raise AssertionError(f"{name} {number}: {type(error).__name__}: {str(error)[:500]}") from error
                took = time.process_time() - start
                slowest = max(slowest, took)
                assert took < SECONDS, f"{name} {number}: took {took:.1f} s"
                before = peak() if number == min(WARM, inputs) - 1 else before
                if number % 10_000 == 9_999:
                    print(f"  {name}: {number + 1:,} so far, slowest {slowest * 1000:.0f} ms", flush=True)
    return seen, slowest, peak() - (before or peak())


def undamaged(name):
    """Read what a subject damages, undamaged; raises what its reader raises."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "folder"
        folder.mkdir()
        with SUBJECTS[name](folder) as (originals, _, read, _):
            for original in originals if name != "arguments" else originals[:1]:
                read(gzip.compress(original) if name == "cifar-archive" else original, random.Random(0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("subjects", nargs="*", choices=[[], *SUBJECTS], default=list(SUBJECTS), metavar="SUBJECT")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in options.subjects:
        inputs = options.inputs // SHARE.get(name, 1)
        try:
            seen, slowest, grown = run(name, inputs, options.seed)
            assert grown <= EXTRA, f"{name}: memory grew by {grown >> 20} MB"
        except AssertionError as error:
            print(error)
            return 1
        print(
            f"{name}: {inputs:,} inputs: {dict(seen)}, slowest {slowest * 1000:.0f} ms, {grown >> 20} MB more",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
