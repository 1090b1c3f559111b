"""kill -9 at 200 random moments of every kind of write: nothing is lost, and training goes on from where it was."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parent))

import kill_writers
from test_alexnet_training import lines, main  # noqa: F401  (a fixture: the program on a tiny net)

from dcviz.nets.alexnet_training import CHECKPOINT

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9")
KILLS = 200


@pytest.mark.parametrize("scene", kill_writers.SCENES)
def test_the_old_file_or_the_new_one_is_there_and_whole(scene, tmp_path):
    command = [sys.executable, kill_writers.__file__, scene, str(tmp_path / "files"), "--kills", str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_training_goes_on_from_every_kill_as_if_nothing_had_been(main, capfd):  # noqa: F811
    options = ("--phases", "64:75,72:25")
    start = time.perf_counter()
    whole = main("whole", *options)  # one checkpoint, at the end
    step = (time.perf_counter() - start) / 400
    start = time.perf_counter()
    main("whole", *options)  # finished: what only beginning takes
    begin = time.perf_counter() - start
    folder = whole.parent / "parts"
    path, steps, rng = folder / CHECKPOINT, [], random.Random(0)

    def work(number):
        main("parts", *options, "--every", "0")
        time.sleep(10)

    patience, stuck = begin + 4 * step, 0
    for _ in range(KILLS):
        before = steps[-1:]
        with kill_writers.child(work):
            time.sleep(rng.uniform(0, patience))
        if path.exists():
            with safe_open(path, framework="pt") as file:
                steps.append(int(file.metadata()["step"]))
                assert torch.isfinite(file.get_tensor("net/0.bias")).all()
            assert len(kill_writers.scratch(folder)) <= 1
        stuck = stuck + 1 if steps[-1:] == before and before != [400] else 0
        if stuck > 5:  # a machine that has become slower since: longer lives
            patience, stuck = 1.3 * patience, 0
    assert steps == sorted(steps), "what was reached stays reached"
    assert len(set(steps)) > 10
    main("parts", *options)
    parts, expected = load_file(path), load_file(whole / CHECKPOINT)
    assert parts.keys() == expected.keys()
    for key in expected:
        assert torch.equal(parts[key], expected[key]), key
    assert lines(folder)[-1]["step"] == 400
    assert not kill_writers.scratch(folder)
