"""A short run of the fuzzer of nets and recipes in tests/benchmarks; the long run is a command of its own."""

import random
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import fuzz_nets


@pytest.mark.parametrize("part", range(3))
def test_random_recipes_for_random_nets_end_in_a_file_or_a_typed_error(part):
    seen = Counter(fuzz_nets.run(random.Random(f"suite/{part}/{number}")) for number in range(100))
    assert 20 < seen["compressed"] < 95, seen
    assert seen["trained"] > 5, seen
