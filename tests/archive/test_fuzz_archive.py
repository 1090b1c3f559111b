"""A short run of the fuzzer in tests/benchmarks, so that it stays alive; the long run is a command of its own."""

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import fuzz_archive

from dcviz import archive
from dcviz.errors import ArchiveError

NETS = list(fuzz_archive.nets())
FILES = [archive.dumps(net) for net in NETS]


def test_the_undamaged_files_open():
    for net, data in zip(NETS, FILES, strict=True):
        assert fuzz_archive.same(archive.loads(data), net)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_are_refused_or_give_the_net_that_was_saved(seed):
    refused = 0
    for number in range(400):
        rng = random.Random(f"suite/{seed}/{number}")
        data, mended = fuzz_archive.damage(rng.choice(FILES), rng, FILES)
        try:
            net = archive.loads(data)
        except ArchiveError:
            refused += 1
            continue
        assert mended or any(fuzz_archive.same(net, original) for original in NETS)
    assert 200 < refused < 400, "most damage is seen, and some payloads with a right checksum are other sound nets"


@pytest.mark.parametrize("lie", fuzz_archive.LIES)
def test_a_lie_under_right_checksums_is_refused(lie):
    for number in range(40):
        with pytest.raises(ArchiveError):
            archive.loads(fuzz_archive.forge(lie, random.Random(number)))


def test_the_forger_would_be_believed_if_it_told_the_truth():
    net = archive.loads(fuzz_archive.forge("nothing but the truth", random.Random(0)))
    assert fuzz_archive.same(net, NETS[1])
