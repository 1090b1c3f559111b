"""Timings: right layers, right bytes, honest records. How long anything takes is not asserted."""

import numpy as np
import pytest
import torch

from dcviz.chapters.ch08_speed_and_energy import tables, timing, timing_layers
from dcviz.errors import DataError, NetError, WeightError
from dcviz.evidence import paper, recordings
from dcviz.nets import models

SMALL = timing.FcLayer("small", 120, 200, 0.1, 4, 0.3)


@pytest.fixture(scope="module")
def forms():
    return timing.random_layer(SMALL, seed=3)


def a_timing(**changes):
    row = dict(layer="a", method="dense", batch=1, active=1.0, device="cpu", threads=1, clock="wall", seconds=4e-3)
    row |= dict(low=3e-3, high=5e-3, readings=3, resident_bytes=100, moved_bytes=120.0, operations=50.0)
    return timing.Timing(**(row | changes))


def test_the_layers_are_the_papers():
    layers = timing.paper_layers()
    fc6 = layers["alexnet/fc6"]
    assert (fc6.rows, fc6.columns, fc6.density, fc6.bits) == (4096, 9216, 0.09, 5)
    assert (layers["vgg-16/fc6"].columns, layers["vgg-16/fc6"].density) == (25088, 0.04)
    assert (layers["lenet-5/fc1"].rows, layers["lenet-5/fc1"].active) == (500, None)
    for net in ("alexnet", "vgg-16", "lenet-300-100", "lenet-5"):
        with torch.device("meta"):
            linear = [m for m in models.build(net).modules() if isinstance(m, torch.nn.Linear)]
        ours = [(layer.rows, layer.columns) for name, layer in layers.items() if name.startswith(f"{net}/")]
        assert ours == [tuple(module.weight.shape) for module in linear]
    named = [name.replace("/", "_").replace("-", "").lower() for name in timing.six_layers()]
    assert named == [name.lower() for name in paper.table("table8_time_us")["layers"]]


def test_active_inputs_are_those_counted_on_our_alexnet():
    layers, counted = timing.paper_layers(), recordings.load("alexnet_activity").rows
    for row in counted:
        if row["net"] == "alexnet-cifar10-paper":
            for net in ("alexnet", "vgg-16"):
                assert layers[f"{net}/{row['layer']}"].active == round(row["active"], 3)


def test_without_the_count_it_is_said_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    with pytest.raises(DataError, match=r"'alexnet_activity' cannot be read from .*alexnet_activity\.json"):
        timing_layers.paper_layers.__wrapped__()


def test_a_random_layer_has_the_density_and_one_set_of_weights(forms):
    assert forms.density == pytest.approx(0.1, rel=0.05)
    assert torch.equal(forms.csr.to_dense(), forms.dense)
    assert np.array_equal(forms.compressed.dense(), forms.dense.numpy())
    assert len(forms.dense.unique()) == 2**SMALL.bits + 1
    by_column = forms.dense.count_nonzero(0).double()
    assert 5 < by_column.var() < 25  # binomial: 120 * 0.1 * 0.9 = 10.8
    assert torch.equal(timing.random_layer(SMALL, seed=3).dense, forms.dense)


def test_an_own_layer():
    weight = np.array([[0, 0.5, 0], [0.25, 0, 0]], np.float32)
    forms = timing.own_layer("mine", weight)
    assert torch.equal(forms.csr.to_dense(), torch.from_numpy(weight))
    assert np.array_equal(forms.compressed.dense(), weight)


def test_bytes_and_operations(forms):
    kept = forms.csr.values().numel()
    assert forms.resident_bytes("dense") == 4 * 120 * 200
    assert forms.resident_bytes("csr") == 8 * kept + 4 * 121
    assert forms.resident_bytes("compressed") == 2 * kept + 4 * 201 + 4 * 17
    assert forms.moved_bytes("dense", batch=3) == 4 * 120 * 200 + 4 * 3 * 320
    saved = forms.moved_bytes("compressed") - forms.moved_bytes("compressed", active=0.25)
    assert saved == pytest.approx(0.75 * 2 * kept)
    assert forms.moved_bytes("csr", active=0.25) == forms.moved_bytes("csr")
    assert forms.moved_bytes("compressed", 64, 0.25) == pytest.approx(forms.moved_bytes("compressed", 64), rel=1e-6)
    assert forms.operations("dense", 2) == 4 * 120 * 200
    assert forms.operations("compressed", 1, 0.5) == kept


def test_the_least_time_is_under_the_roof(forms):
    bandwidth, peak = 2e9, 8e9
    for method in timing.METHODS:
        for batch in (1, 64):
            seconds = forms.least_seconds(method, bandwidth, peak, batch, 0.5)
            attained = forms.operations(method, batch, 0.5) / seconds
            assert attained == pytest.approx(timing.roof(forms.intensity(method, batch, 0.5), bandwidth, peak))
    assert timing.roof([1, 4, 100], bandwidth, peak).tolist() == [2e9, 8e9, 8e9]
    assert forms.least_seconds("dense", 1e9, 1e18) == pytest.approx(forms.moved_bytes("dense") / 1e9)
    assert forms.least_seconds("dense", 1e18, 1e9) == pytest.approx(forms.operations("dense") / 1e9)


def test_expected_costs_are_near_real_ones(forms):
    for method in timing.METHODS:
        for cost in ("resident_bytes", "moved_bytes", "operations"):
            arguments = (method,) if cost == "resident_bytes" else (method, 1, 0.5)
            assert getattr(SMALL, cost)(*arguments) == pytest.approx(getattr(forms, cost)(*arguments), rel=0.05)
    thin = timing.FcLayer("thin", 4096, 300, 0.004, 4)
    assert thin.entries == pytest.approx(timing.random_layer(thin).entries, rel=0.05)
    assert thin.entries > 1.3 * thin.kept  # a third more are fillers


def test_inputs_are_as_active_as_asked():
    x = timing.inputs(5000, 4, active=0.3)
    assert x.shape == (4, 5000)
    assert float((x != 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    assert (x >= 0).all()
    assert timing.inputs(100, active=1.0).all()
    for wrong in ({"active": 1.5}, {"batch": 0}):
        with pytest.raises(WeightError):
            timing.inputs(10, **wrong)


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("kernel", [None, "torch"])
def test_all_methods_do_the_same_work(forms, batch, kernel):
    calls = timing.contestants(forms, timing.inputs(200, batch, 0.5), kernel=kernel)
    assert list(calls) == list(timing.METHODS)
    timing.agree(calls)
    assert calls["dense"]().shape == ((120,) if batch == 1 else (batch, 120))


def test_a_wrong_result_is_not_timed():
    with pytest.raises(WeightError, match="csr differs from dense"):
        timing.agree({"dense": lambda: torch.ones(3), "csr": lambda: torch.tensor([1, 1, 1.001])})
    with pytest.raises(WeightError, match="csr differs"):
        timing.agree({"dense": lambda: torch.ones(3), "csr": lambda: torch.full((3,), torch.nan)})


def test_measure_states_what_was_measured(forms):
    rows = timing.measure(forms, batch=2, active=0.5, readings=3, clock="processor")
    assert [row.method for row in rows] == list(timing.METHODS)
    for row in rows:
        assert row.low <= row.seconds <= row.high
        assert row.seconds > 0
        assert (row.layer, row.batch, row.active, row.device, row.threads) == ("small", 2, 0.5, "cpu", 1)
        assert (row.clock, row.readings) == ("processor", 3)
        assert row.resident_bytes == forms.resident_bytes(row.method)
        assert row.operations == forms.operations(row.method, 2, 0.5)


def test_readings_go_round_in_turn(forms, monkeypatch):
    seen = []

    class Clocked:
        def __init__(self, statement, setup, globals, num_threads, timer):
            self.call = globals["call"]

        def timeit(self, number):
            seen.append(self.call)
            return type("Measurement", (), {"median": 1.0})

    monkeypatch.setattr(timing.benchmark, "Timer", Clocked)
    told = []
    rows = timing.measure(forms, readings=2, report=lambda *far: told.append((*far, len(seen))))
    assert told == [(0, 2, 3), (1, 2, 6)]
    assert len(seen) == 9
    assert seen[:3] == seen[3:6] == seen[6:]
    assert all(row.seconds == 1.0 for row in rows)


def test_cold_readings_are_one_call_each_after_much_else(forms, monkeypatch):
    seen = []

    class Clocked:
        def __init__(self, statement, setup, globals, num_threads, timer):
            assert setup == "large.sum()"
            self.size = globals["large"].numel()

        def timeit(self, number):
            seen.append((self.size, number))
            return type("Measurement", (), {"median": 1e-4})

    monkeypatch.setattr(timing.benchmark, "Timer", Clocked)
    for cold, expected in ((True, (32_000_000, 1)), (False, (1, 40))):
        rows = timing.measure(forms, readings=2, cold=cold)
        assert {row.cold for row in rows} == {cold}
        assert seen.pop() == expected


def test_layers_of_large_nets_are_cold():
    layers = timing.paper_layers()
    assert {name for name, layer in layers.items() if layer.cold} == set(timing.six_layers())


def test_wrong_requests_are_told(forms):
    with pytest.raises(NetError, match="no method coo"):
        timing.measure(forms, methods=("dense", "coo"))
    for wrong in ({"clock": "sun"}, {"clock": "processor", "threads": 2}, {"clock": "processor", "device": "cuda"}):
        with pytest.raises(NetError, match="clock"):
            timing.measure(forms, **wrong)


def test_crossover_batch():
    def rows(dense, sparse):
        pairs = zip(timing.BATCHES, dense, sparse, strict=False)
        return [a_timing(method=m, batch=b, seconds=s) for b, d, c in pairs for m, s in (("dense", d), ("csr", c))]

    assert timing.crossover_batch(rows([3, 4, 5], [1, 4, 9]), "csr") == 2
    assert timing.crossover_batch(rows([3, 4], [1, 2]), "csr") is None


def test_crossover_goes_through_the_batches(forms):
    rows = timing.crossover(forms, batches=(1, 3), active=0.5, readings=1, methods=("dense", "csr"))
    assert [(row.method, row.batch) for row in rows] == [("dense", 1), ("csr", 1), ("dense", 3), ("csr", 3)]


def test_activity_is_counted():
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 0, 0, 0], [-1, 0, 0, 0], [-1, 0, 0, 0]]))
        net[0].bias.zero_()
    shares = timing.activity(net, torch.tensor([[1.0, 0, 0, 0], [2, 0, 0, 0]]))
    assert shares == {"0": 0.25, "2": pytest.approx(1 / 3)}
    assert not net[0]._forward_pre_hooks


def test_speedups_by_activity_and_their_mean():
    rows = [
        {"layer": layer, "method": method, "active": share, "seconds": seconds}
        for share in (1.0, 0.5)
        for layer, times in (("b", (18.0, share)), ("a", (8.0, 4 * share)))
        for method, seconds in zip(("dense", "compressed"), times, strict=True)
    ]
    shares, gains = timing.speedups_by_activity(rows, "compressed")
    assert shares.tolist() == [0.5, 1]
    assert gains.tolist() == [[4, 2], [36, 18]]
    assert timing.geometric_mean(gains, axis=0) == pytest.approx([12, 6])
    assert timing.geometric_mean([2.0, 8.0]) == pytest.approx(4)


def test_limits_of_the_machine_are_positive():
    assert timing.read_bandwidth(megabytes=1, readings=1) > 0
    assert timing.peak_operations(size=16, readings=1) > 0


def test_a_table_puts_each_timing_beside_dense():
    rows = [a_timing(), a_timing(method="csr", seconds=1e-3), a_timing(layer="b"), a_timing(layer="b", method="csr")]
    table = tables.table(rows)
    assert table["speed-up"].tolist() == [1, 4, 1, 1]
    assert table["µs"].tolist() == [4000, 1000, 4000, 4000]
    assert table["on"][0] == "cpu, 1 thread, wall time"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu(forms):
    for batch in (1, 64):
        rows = timing.measure(forms, batch=batch, active=0.5, device="cuda", readings=2)
        assert {row.device for row in rows} == {"cuda"}
