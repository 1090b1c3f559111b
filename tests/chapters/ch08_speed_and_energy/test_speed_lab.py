"""SpeedLab: limits from bytes, recorded times for recorded settings, live ones after the button."""

import pytest
import torch

from dcviz import labs
from dcviz.chapters.ch08_speed_and_energy import timing
from dcviz.chapters.ch08_speed_and_energy.speed_lab import SpeedLab
from dcviz.errors import NetError
from dcviz.evidence import recordings
from dcviz.labkit.base import plain


@pytest.fixture
def lab():
    return SpeedLab(layer="vgg-16/fc7")


def recorded(method, batch, layer="vgg-16/fc7"):
    rows = recordings.load("layer_times").rows
    return next(1e6 * r["seconds"] for r in rows if (r["layer"], r["method"], r["batch"]) == (layer, method, batch))


def test_a_layer_brings_its_density_and_inputs(lab):
    assert (lab.density, lab.active) == (4.0, 45.9)
    lab.layer = "alexnet/fc8"
    assert (lab.density, lab.active) == (25.0, 45.0)
    assert "alexnet/fc8" in lab.caption.value
    assert lab.is_published


def test_recorded_times_are_shown_for_recorded_settings(lab):
    for batch in (1, 64):
        lab.batch = batch
        for method in timing.METHODS:
            assert lab.times[method, "recorded"] == pytest.approx(recorded(method, batch))
            assert lab.bars[method, "recorded"][0].get_width() == pytest.approx(recorded(method, batch))
        assert lab.speedup["csr"] == pytest.approx(recorded("dense", batch) / recorded("csr", batch))
    assert f"{lab.speedup['csr']:.2f}×" in plain(lab.caption.value)
    assert lab.at.get_xdata()[0] == 64


def test_other_settings_have_a_limit_only(lab):
    lab.density = 50.0
    assert lab.rows == []
    assert lab.speedup == lab.crossover == {}
    assert {source for _, source in lab.times} == {"limit"}
    assert "not recorded" in lab.caption.value
    assert lab.bars["csr", "recorded"][0].get_width() == 0
    assert not len(lab.lines["csr"].get_xdata())


def test_the_limit_is_the_roofline(lab):
    bandwidth, peak = lab.roof
    dense = 4 * 4096 * 4096
    assert lab.times["dense", "limit"] == pytest.approx(1e6 * (dense + 4 * 8192) / bandwidth)
    lab.batch = 128
    assert lab.times["dense", "limit"] == pytest.approx(1e6 * 2 * 128 * 4096**2 / peak)
    x, y = (values[0] for values in lab.points["dense"].get_data())
    assert x == pytest.approx(2 * 128 * 4096**2 / (dense + 4 * 128 * 8192))
    assert y == pytest.approx(2 * 128 * 4096**2 / recorded("dense", 128) / 1e3)


def test_speed_up_by_batch_and_the_crossover(lab):
    batches, faster = lab.lines["compressed"].get_data()
    assert list(batches) == list(timing.BATCHES)
    for batch, times in zip(batches, faster, strict=True):
        assert times == pytest.approx(recorded("dense", batch) / recorded("compressed", batch))
    for method, batch in lab.crossover.items():
        slower = [b for b in timing.BATCHES if recorded("dense", b) <= recorded(method, b)]
        assert batch == min(slower, default=None)


def test_timing_here_and_now():
    lab = SpeedLab(layer="lenet-300-100/fc3", density=30.0)
    assert not lab.used
    times = lab.measure()
    assert lab.error == ""
    assert all(times[method, "now"] > 0 for method in timing.METHODS)
    assert lab.used
    assert "measured now" in lab.caption.value
    assert lab.bars["dense", "now"][0].get_width() == pytest.approx(times["dense", "now"])
    lab.density = 40.0  # other settings: not measured
    assert ("dense", "now") not in lab.times


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_no_gpu_is_told():
    lab = SpeedLab(layer="lenet-300-100/fc3", device="cuda")
    lab.measure()
    assert "no CUDA device" in lab.error


def test_repr_and_unknown_layer(lab):
    lab.density = 12.5
    assert repr(lab) == "SpeedLab(layer='vgg-16/fc7', batch=1, density=12.5, active=45.9, device='cpu')"
    assert repr(labs.recreate(repr(lab))) == repr(lab)
    with pytest.raises(NetError, match="no layer 'fc6'"):
        SpeedLab(layer="fc6")
