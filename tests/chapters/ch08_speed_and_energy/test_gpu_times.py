"""The program that records a GPU: rehearsed on the CPU; on a GPU it is the same program."""

import json

import numpy as np
import pytest
import torch

from dcviz import __main__ as command
from dcviz.chapters.ch08_speed_and_energy import energy, gpu_times, timing
from dcviz.errors import NetError
from dcviz.evidence import recordings
from dcviz.pipeline import sparse_kernels

TINY = {
    "tiny/fc1": timing.FcLayer("tiny/fc1", 60, 128, 0.1, 4, 0.5),
    "tiny/fc2": timing.FcLayer("tiny/fc2", 8, 64, 0.3, 4),
}


@pytest.fixture(autouse=True)
def caches(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_times, "cache_dir", lambda: tmp_path)
    return tmp_path


def rehearse(**options):
    return gpu_times.rows("cpu", **({"layers": TINY, "nets": ("lenet-300-100",)} | options))


def having(rows, **fields):
    return [row for row in rows if all(row.get(key) == value for key, value in fields.items())]


def test_a_rehearsal_measures_all_that_a_cpu_can(caches):
    rows = rehearse()
    assert rows[0]["what"] == "device"
    assert rows[0]["torch"] == torch.__version__
    for name in TINY:
        for batch in gpu_times.BATCHES:
            skipped = {
                row["method"] for row in having(rows, what="skipped", of=name, batch=batch) if "energy" not in row
            }
            for method in set(gpu_times.METHODS) - skipped:
                for caches_ in ("cold", "warm"):
                    (row,) = having(rows, what="time", layer=name, batch=batch, method=method, caches=caches_)
                    assert 0 < row["low"] <= row["seconds"] <= row["high"]
                    assert row["off"] <= (2e-2 if method in ("bfloat16", "2:4") else 1e-4)
            assert {"float32", "csr", "compressed"} & skipped == set()
    assert {row["method"] for row in having(rows, what="net", net="lenet-300-100")} == {
        "float32",
        "bfloat16",
        "compressed",
    }
    assert all(row["why"] for row in having(rows, what="skipped"))
    json.dumps(rows)
    assert not list(caches.rglob("*.json")), "nothing is left to go on with"


def test_the_command_keeps_a_rehearsal_out_of_the_chapter(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(gpu_times, "_layers", lambda device: TINY)
    monkeypatch.setattr(gpu_times.rows, "__defaults__", ("cuda", 480.0, None, ()))
    monkeypatch.setattr(recordings, "cache_dir", lambda: tmp_path)
    assert command.main(["record", "gpu_times", "--device", "cpu", "--seconds", "100"]) == 0
    assert "gpu_times-rehearsal.json" in capsys.readouterr().out
    assert not recordings.path("gpu_times").exists() or recordings.find("gpu_times")
    kept = json.loads(recordings.path("gpu_times", "cpu").read_text("utf-8"))
    assert kept["command"] == "python -m dcviz record gpu_times --device cpu --seconds 100.0"
    assert having(kept["rows"], what="limits")


def test_what_does_not_fit_into_the_time_is_skipped_and_measured_next_time(monkeypatch, caches):
    now = [0.0]
    monkeypatch.setattr(gpu_times.time, "perf_counter", lambda: now[0])
    original = gpu_times._layer_rows

    def slow(layer, clock, until):
        made = original(layer, clock, until)
        now[0] += 60
        return made

    monkeypatch.setattr(gpu_times, "_layer_rows", slow)
    rows = rehearse(seconds=50)
    assert having(rows, what="time", layer="tiny/fc1")
    assert [row["of"] for row in having(rows, what="skipped", why="no time left")] == ["tiny/fc2", "lenet-300-100"]
    again = rehearse(seconds=500)
    assert having(again, layer="tiny/fc1") == having(rows, layer="tiny/fc1"), "what was complete is not measured again"
    assert not having(again, why="no time left")
    assert not list(caches.rglob("*.json"))


def test_time_that_ends_within_a_layer(monkeypatch):
    ticks = iter(range(10**9))
    monkeypatch.setattr(gpu_times.time, "perf_counter", lambda: float(next(ticks)))
    rows = rehearse(seconds=60, nets=())
    late = having(rows, what="skipped", why="no time left")
    assert any("caches" in row for row in late)
    assert any(row.get("energy") for row in late)


def test_a_wrong_product_is_not_recorded(monkeypatch):
    monkeypatch.setattr(sparse_kernels, "product", lambda layer, x: torch.zeros(len(x), layer.shape[0]))
    rows = rehearse(nets=())
    assert not having(rows, what="time", method="compressed")
    assert all("differs from the product" in row["why"] for row in having(rows, what="skipped", method="compressed"))
    assert having(rows, what="skipped", method="compressed")


def test_two_of_four_keeps_the_larger_ones():
    weight = torch.tensor([[1.0, -3, 2, 0, 5, 5, 5, 4]])
    kept = gpu_times.two_of_four(weight)
    assert kept[0, :4].tolist() == [0, -3, 2, 0]
    assert kept[0, 4:].count_nonzero() == 2
    wide = torch.randn(5, 64)
    assert (gpu_times.two_of_four(wide).reshape(5, 16, 4).count_nonzero(-1) == 2).all()


def test_energy_is_read_where_there_is_a_meter(monkeypatch):
    read = energy.Energy(3e-3, "NVML", True, seconds=1e-4)
    monkeypatch.setattr(gpu_times.energy, "measure", lambda *_, **__: read)
    rows = rehearse(nets=())
    (row,) = having(rows, what="energy", layer="tiny/fc1", method="csr", batch=64)
    assert (row["joules"], row["watts"], row["source"]) == (3e-3, pytest.approx(30), "NVML")


def test_energy_counts_all_calls_together(monkeypatch):
    readings, calls = iter([10.0, 16.0]), []
    monkeypatch.setattr(energy, "meter", lambda device, root: "NVML")
    monkeypatch.setattr(energy, "_synchronise", lambda: None)
    monkeypatch.setattr(energy, "_nvml_joules", lambda: next(readings))
    measured = energy.measure(lambda: calls.append(1), "cuda", seconds=0, together=3)
    assert len(calls) == 4, "one to warm up"
    assert measured.joules == pytest.approx(2.0)
    assert measured.seconds > 0


def test_the_drivers_version_is_read(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_times, "DRIVER", tmp_path / "version")
    assert gpu_times._driver() is None
    (tmp_path / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 2024\nGCC\n"
    )
    assert gpu_times._driver() == "550.54.15"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_no_gpu_is_told():
    for device in ("cuda", "mps"):
        with pytest.raises(NetError, match="there is no device"):
            gpu_times.rows(device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu():
    rows = gpu_times.rows("cuda", 60, TINY, ("lenet-5",))
    for method in ("float32", "bfloat16", "csr", "compressed"):
        for caches_ in ("cold", "warm"):
            assert having(rows, what="time", method=method, caches=caches_), method
    assert np.isfinite([row["seconds"] for row in having(rows, what="time")]).all()
