"""SpeedLab: limits from bytes, recorded times for recorded settings, live ones after the button."""

import pytest
import torch

from dcviz import labs
from dcviz.chapters.ch08_speed_and_energy import figures, tables, timing
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


def gpu_rows(name="vgg-16/fc7"):
    """A recording of a made-up card: one layer, batches 1 and 64, compressed missing at 64."""
    seconds = {
        ("float32", 1): 40e-6,
        ("csr", 1): 20e-6,
        ("compressed", 1): 10e-6,
        ("float32", 64): 80e-6,
        ("csr", 64): 1e-4,
    }
    rows = [
        {"what": "time", "layer": name, "method": m, "batch": b, "caches": c, "seconds": s * (2 if c == "warm" else 1)}
        for (m, b), s in seconds.items()
        for c in ("cold", "warm")
    ]
    return [
        {"what": "device", "name": "Abacus 9000"},
        {"what": "limits", "read_bytes_per_s": 1e12, "operations_per_s": 1e13},
        {"what": "skipped", "of": name, "method": "compressed", "batch": 64, "why": "made up"},
        {"what": "energy", "layer": name, "method": "csr", "batch": 1, "joules": 5e-3},
        *rows,
    ]


@pytest.fixture
def card(monkeypatch):
    made = recordings.Recorded("gpu_times", "python -m dcviz record gpu_times", "2026-01-02", "a machine", gpu_rows())
    monkeypatch.setattr(recordings, "find", lambda name: made)
    return made


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_the_recorded_card_is_offered_where_there_is_none(card):
    lab = SpeedLab(layer="vgg-16/fc7")
    assert list(lab.device_choice.options) == [("cpu", "cpu"), ("Abacus 9000 (recorded)", "cuda")]
    assert lab.times["dense", "recorded"] == pytest.approx(recorded("dense", 1))
    lab.device = "cuda"
    assert lab.times["dense", "recorded"] == pytest.approx(40)
    assert lab.times["dense", "limit"] == pytest.approx(1e6 * (4 * 4096 * 4096 + 4 * 8192) / 1e12)
    assert lab.speedup["compressed"] == pytest.approx(4)
    text = plain(lab.caption.value)
    assert "Abacus 9000, recorded 2026-01-02" in text
    assert "processor time" not in text
    assert not len(lab.points["dense"].get_xdata()), "the roof that is drawn is the processor's"
    assert lab.crossover == {"csr": 64, "compressed": None}
    lab.batch = 64
    assert ("compressed", "recorded") not in lab.times
    assert lab.speedup == {"dense": 1, "csr": pytest.approx(0.8)}
    lab.density = 50.0
    assert lab.rows == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_without_card_or_recording_only_the_processor_is_offered(monkeypatch):
    monkeypatch.setattr(recordings, "find", lambda name: None)
    assert list(SpeedLab(layer="vgg-16/fc7").device_choice.options) == [("cpu", "cpu")]
    lab = SpeedLab(layer="vgg-16/fc7", device="cuda")  # a link from elsewhere
    assert lab.times == lab.crossover == {}
    assert "No GPU was recorded" in lab.caption.value
    assert labs.recreate(repr(lab)).device == "cuda"


def test_tables_of_a_recorded_card(card):
    frame = tables.gpu(card)
    row = frame.loc["vgg-16/fc7"]
    assert row["Titan X, paper (quoted)", "dense µs"] == "243"
    assert row["Titan X, from Tables 8, 9", "CSR mJ"] == f"{39.8 * 166 / 1e3:.2f}"
    assert row["Abacus 9000 (recorded)", "compressed µs"] == "10"
    assert row["Abacus 9000 (recorded)", "csr mJ"] == "5"
    assert row["Abacus 9000 (recorded)", "2:4 µs"] == ""
    assert frame.loc["alexnet/fc6"]["Abacus 9000 (recorded)", "csr µs"] == ""
    assert tables.gpu(card, 64).loc["vgg-16/fc7"]["Abacus 9000 (recorded)", "float32 µs"] == "1.25"
    shown = tables.launches(card, "vgg-16/fc7")
    assert shown.loc["csr"].tolist() == ["20", "40", ""]


def test_without_a_recording_the_paper_stands_alone():
    frame = tables.gpu(None)
    assert {source for source, _ in frame.columns} == {"Titan X, paper (quoted)", "Titan X, from Tables 8, 9"}
    assert "none of its times are guessed" in tables.NO_GPU


def test_no_size_or_time_is_written_with_a_power_of_ten(lab):
    lab.layer, lab.density = "alexnet/fc8", 12.0  # 999.6 KB compressed
    assert "1e+03" not in lab.caption.value
    assert [figures.time_text(micro) for micro in (999.4, 999.6, 999_600)] == ["999 µs", "1 ms", "1 s"]


def test_repr_and_unknown_layer(lab):
    lab.density = 12.5
    assert repr(lab) == "SpeedLab(layer='vgg-16/fc7', batch=1, density=12.5, active=45.9, device='cpu')"
    assert repr(labs.recreate(repr(lab))) == repr(lab)
    with pytest.raises(NetError, match="no layer 'fc6'"):
        SpeedLab(layer="fc6")
