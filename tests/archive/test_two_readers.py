"""docs/format.md says all that a reader needs: one written from it alone judges as dcviz does.

The long run is ``python tests/benchmarks/two_readers.py``.
"""

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import random_files
import second_reader
import second_streams
import two_readers
from test_archive import GOLDEN, example_file

from dcviz import archive
from dcviz.errors import ArchiveError
from dcviz.files import MODELS


@pytest.mark.parametrize("part", range(10))
def test_both_readers_judge_random_files_alike(part):
    for number in range(50):
        wrong, _ = two_readers.judge(random.Random(f"suite/{part}/{number}"))
        assert not wrong, f"file {number}"


@pytest.mark.parametrize("lie", random_files.LIES)
def test_each_lie_is_refused_by_both(lie):
    for number in range(4):
        data, _ = random_files.make(random.Random(f"{lie}/{number}"), lie)
        with pytest.raises(second_reader.Refused):
            second_reader.read(data)
        with pytest.raises(ArchiveError):
            archive.loads(data)
        with pytest.raises(ArchiveError):
            archive.describe_bytes(data)


def test_the_second_reader_reads_what_dcviz_writes():
    files = [
        GOLDEN / "version-1.dcz",
        GOLDEN / "version-2.dcz",
        MODELS / "lenet-300-100-tiny.dcz",
        MODELS / "lenet-5-tiny.dcz",
    ]
    for data in [*(file.read_bytes() for file in files), example_file()[1]]:
        assert two_readers.same(second_reader.read(data), archive.loads(data).state_dict())


def test_the_second_reader_stands_on_its_own():
    for module in (second_reader, second_streams, random_files):
        text = Path(module.__file__).read_text()
        assert "import dcviz" not in text
        assert "from dcviz" not in text
    assert len(Path(second_reader.__file__).read_text().splitlines()) < 200
