"""Same seed, same machine: the same bytes in the .dcz, whatever Python's hash seed; docs/machines.md says how far."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import dcviz
from dcviz.nets import datasets, models, training
from dcviz.nets.schedules import Schedule

ROOT = Path(dcviz.__file__).parents[1]
PIPELINE = """
import hashlib
from dcviz import archive, pipeline
from dcviz.nets import datasets, models, training
from dcviz.pipeline import LayerRecipe, Recipe, Schedule

net = models.build("lenet-300-100", seed=3)
data = datasets.digits().train
training.fit(net, data, Schedule(epochs=0.3, lr=1e-3, shift=1), seed=3)
layers = {"fc1": LayerRecipe(0.08, bits=5), "fc2": LayerRecipe(0.1, bits=4), "fc3": LayerRecipe(0.3, bits=4)}
recipe = Recipe(
    layers, retrain=Schedule(epochs=0.2, shift=1, teacher_weight=0.5), finetune=Schedule(epochs=0.1), seed=3,
    init="forgy", cuts=3, regrow=True, rate=0.02, drop_dead=True, dtype="float16", bias_dtype="float16", bias_bits=3,
)
result = pipeline.compress(net, recipe, data, progress=lambda *_: None)
print(*(hashlib.sha256(archive.dumps(stage.stored)).hexdigest() for stage in result.stages))
"""


def made(**environment):
    """SHA-256 of the four stages' files, made in a Python of its own."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run([sys.executable, "-c", PIPELINE], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_two_processes_make_the_same_bytes_whatever_the_hash_seed_and_the_threads_at_hand():
    first = made(PYTHONHASHSEED="0")
    assert len(set(first)) == 4
    assert made(PYTHONHASHSEED="1") == first
    assert made(PYTHONHASHSEED="random", OMP_NUM_THREADS="2") == first, "the LeNets train on one thread by choice"


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core")
def test_two_threads_come_within_the_tolerance_of_one():
    """docs/machines.md: sums are added up in another order, so weights differ in their last digits."""
    data = datasets.digits()
    nets = []
    for n_threads in (1, 2):
        net = models.build("lenet-300-100", seed=0)
        training.fit(net, data.train, Schedule(epochs=0.2), seed=0, n_threads=n_threads)
        nets.append(net)
    for key, one in nets[0].state_dict().items():
        two = nets[1].state_dict()[key]
        assert float((one - two).abs().max()) <= 1e-4 * float(one.abs().max())
    assert abs(training.error_percent(nets[0], data.test) - training.error_percent(nets[1], data.test)) <= 0.5


def test_another_seed_makes_other_bytes():
    nets = [models.build("lenet-300-100", seed=seed).state_dict() for seed in (0, 0, 1)]
    hashes = [hashlib.sha256(np.concatenate([v.numpy().ravel() for v in s.values()])).hexdigest() for s in nets]
    assert hashes[0] == hashes[1] != hashes[2]
    assert torch.get_num_threads() == 1
