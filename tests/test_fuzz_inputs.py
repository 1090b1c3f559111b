"""A short run of the other fuzzer in tests/benchmarks, so that it stays alive; the long run is a command of its own."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

import fuzz_inputs

INPUTS = {"labs": 10, "arguments": 100}


@pytest.mark.parametrize("subject", fuzz_inputs.SUBJECTS)
def test_damaged_inputs_are_refused_by_name_or_sound(subject):
    inputs = INPUTS.get(subject, 300)
    seen, _, grown = fuzz_inputs.run(subject, inputs, seed="suite")
    fuzz_inputs.undamaged(subject)
    assert sum(seen.values()) == inputs
    assert seen["refused"], "most damage is seen"
    assert grown <= fuzz_inputs.EXTRA


def test_a_reader_that_breaks_its_promise_would_be_found(monkeypatch):
    monkeypatch.setattr(fuzz_inputs, "parse", lambda text: (text, {7: 7}))
    with pytest.raises(AssertionError, match=r"links \d+: AssertionError"):
        fuzz_inputs.run("links", 10)
    monkeypatch.setattr(fuzz_inputs, "parse", lambda text: [][0] if "9" * 100 in text else (text, {}))
    with pytest.raises(AssertionError, match=r"links \d+: IndexError"):
        fuzz_inputs.run("links", 200)
