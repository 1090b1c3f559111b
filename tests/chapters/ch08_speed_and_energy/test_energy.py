"""Energy: counted by hand, read from made-up meters; the paper's tables give the bars of its Figure 10."""

import sys
import types

import pytest

from dcviz.chapters.ch08_speed_and_energy import energy, phones, tables, timing
from dcviz.errors import DataError, NetError
from dcviz.evidence import paper
from dcviz.labkit.markup import number


@pytest.fixture(scope="module")
def forms():
    return timing.random_layer(timing.FcLayer("small", 100, 50, 0.2, 4))


@pytest.fixture
def powercap(tmp_path):
    """Two packages' worth of counters as Linux shows them, the core inside a package left out of the sum."""
    for folder, name, value in (
        ("intel-rapl:0", "package-0", 1_000_000),
        ("intel-rapl:0:0", "core", 5),
        ("intel-rapl:0:2", "dram", 900),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "name").write_text(name + "\n")
        (tmp_path / folder / "energy_uj").write_text(f"{value}\n")
        (tmp_path / folder / "max_energy_range_uj").write_text("1000\n")
    return tmp_path


def test_the_model_counts_by_hand(forms):
    kept = forms.csr.values().numel()
    dense = energy.model(forms, "dense", memory="DRAM")
    assert dense.parts["weights from DRAM"] == pytest.approx(5000 * 640e-12)
    assert dense.parts["activations"] == pytest.approx(150 * 5e-12)
    assert dense.parts["arithmetic"] == pytest.approx(5000 * 4.6e-12)
    assert dense.joules == pytest.approx(sum(dense.parts.values()))
    assert not dense.measured
    assert "45 nm" in dense.source
    csr = energy.model(forms, "csr", memory="SRAM")
    assert csr.parts["weights from SRAM"] == pytest.approx((2 * kept + 101) * 5e-12)
    half = energy.model(forms, "compressed", active=0.5, memory="SRAM")
    assert half.parts["arithmetic"] == pytest.approx(kept / 2 * 4.6e-12)
    with pytest.raises(NetError, match="SRAM or DRAM"):
        energy.model(forms, "csr", memory="disk")


def test_the_cache_decides_where_weights_live(tmp_path, forms, monkeypatch):
    for index, (kind, level, size) in enumerate((("Data", 1, "48K"), ("Instruction", 1, "32K"), ("Unified", 3, "2M"))):
        folder = tmp_path / "cpu0" / "cache" / f"index{index}"
        folder.mkdir(parents=True)
        for name, value in (("type", kind), ("level", level), ("size", size)):
            (folder / name).write_text(f"{value}\n")
    assert energy.caches(tmp_path) == {"L1": 48 * 1024, "L3": 2 * 1024**2}
    assert energy.memory_for(2 * 1024**2, tmp_path) == "SRAM"
    assert energy.memory_for(2 * 1024**2 + 1, tmp_path) == "DRAM"
    assert energy.caches(tmp_path / "none") == {}
    assert energy.memory_for(energy.ASSUMED_CACHE + 1, tmp_path / "none") == "DRAM"
    monkeypatch.setattr(energy, "memory_for", lambda size: "SRAM" if size < 10_000 else "DRAM")
    assert "DRAM" in energy.model(forms, "dense").source  # 20,000 bytes
    assert "SRAM" in energy.model(forms, "compressed").source


def test_powercap_is_read(powercap):
    package = powercap / "intel-rapl:0" / "energy_uj"
    assert energy.meter(root=powercap) == "RAPL: package-0 (intel-rapl:0), dram (intel-rapl:0:2)"

    def call():
        package.write_text(str(int(package.read_text()) + 2_000_000))

    measured = energy.measure(call, seconds=0, root=powercap)
    assert measured.joules == pytest.approx(2.0)
    assert measured.measured
    assert measured.source.startswith("RAPL")


def test_a_counter_that_starts_again(powercap):
    dram = powercap / "intel-rapl:0:2" / "energy_uj"
    values = iter([950, 40])
    measured = energy.measure(lambda: dram.write_text(str(next(values))), seconds=0, root=powercap)
    assert measured.joules == pytest.approx((1000 - 950 + 40) / 1e6)  # the first call is a warm-up


def test_without_a_meter(tmp_path, monkeypatch):
    assert energy.meter(root=tmp_path) is None
    assert energy.measure(lambda: None, root=tmp_path) is None
    monkeypatch.setattr(energy, "gpu", lambda: None)
    assert energy.meter("cuda") is None
    (tmp_path / "intel-rapl:0").mkdir()  # a counter that may not be read
    (tmp_path / "intel-rapl:0" / "name").write_text("package-0")
    assert energy.rapl(tmp_path) == {}


def test_nvml_is_read(monkeypatch):
    readings = iter([0, 5000, 8500])  # millijoules: whether there is a counter, before, after
    nvml = types.SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda i: "gpu",
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: next(readings),
        NVMLError=RuntimeError,
        __spec__=types.SimpleNamespace(),
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(energy, "_synchronise", lambda: None)
    assert energy.gpu() == "gpu"
    monkeypatch.setattr(energy, "gpu", lambda: "gpu")
    measured = energy.measure(lambda: None, device="cuda", seconds=0)
    assert (measured.joules, measured.source) == (3.5, "NVML")


def test_tables_8_and_9_give_figure_10():
    bars, figure = energy.paper_efficiency(), paper.table("figure10_energy_labels")
    cases = {"CPU": "Core i7-5930k", "GPU": "Titan X", "TK1": "Tegra K1"}
    names = {
        f"{net}_FC{i}": f"{drawn}_Fc{i}"
        for net, drawn in (("AlexNet", "AlexNet"), ("VGG16", "VGGNet"))
        for i in (6, 7, 8)
    }
    compared = 0
    for layer, drawn in names.items():
        for bar, printed in zip(figure["bars"], figure["data"][drawn], strict=True):
            machine, form = bar.split()
            ours = bars[layer, cases[machine], "dense_b1" if form == "dense" else "sparse_b1"]
            assert ours == pytest.approx(printed, rel=0.05, abs=0.51)
            compared += 1
    assert compared == 36


def test_works_are_the_nets_layers():
    works = phones.works("alexnet")
    assert sum(work.weights for work in works) == 61_090_496  # without 10,344 biases
    assert works[0].multiplications == 3 * 64 * 121 * 55 * 55
    assert [work.connected for work in works] == [False] * 5 + [True] * 3
    assert works[5].multiplications == works[5].weights
    assert sum(work.multiplications for work in phones.works("vgg-16")) == pytest.approx(15.47e9, rel=1e-3)


def test_an_estimate_by_hand():
    slow_memory = phones.Phone("slow", 1e6, 1e18, 10**6, "made up", False)
    take = phones.Assumptions(bandwidth_share=0.5, dram_pj=320)
    dense = phones.estimate("alexnet", "dense", slow_memory, take)
    assert dense.milliseconds == pytest.approx(1e3 * 4 * 61_090_496 / 0.5e6)
    assert dense.fetch_millijoules == pytest.approx(1e3 * 61_090_496 * 320e-12)
    assert (dense.file_bytes, dense.resident_bytes, dense.memory) == (240e6, 4 * 61_090_496, "DRAM")
    compressed = phones.estimate("alexnet", "compressed", slow_memory, take)
    assert compressed.file_bytes == 6.9e6
    assert 6e6 < compressed.resident_bytes / 2 < 7e6  # two bytes for each of the 11% that stay
    assert compressed.milliseconds < dense.milliseconds / 18
    assert compressed.millijoules < dense.millijoules


def test_a_cache_that_holds_all_frees_from_bandwidth():
    large = phones.Phone("large", 1.0, 1e9, 10**9, "made up", False)
    found = phones.estimate(
        "vgg-16", "compressed", large, phones.Assumptions(compute_share=1.0, entries_per_second=1e9)
    )
    assert found.memory == "SRAM"
    convolutions = sum(w.multiplications for w in phones.works("vgg-16") if not w.connected)
    assert found.conv_milliseconds == pytest.approx(1e3 * 2 * convolutions / 1e9)
    used = sum(w.weights * w.density * w.active for w in phones.works("vgg-16") if w.connected)
    assert found.fc_milliseconds == pytest.approx(1e3 * used / 1e9)


def test_phones_are_sourced_and_errors_told():
    for phone in phones.phones():
        assert len(phone.source) > 20
        least = 1e8 if phone.kind == "microcontroller" else 1e9
        assert least < phone.bytes_per_second < phone.flops < 1e13
        assert phone.npu_ops is None or phone.npu_ops > 10 * phone.flops
        assert phones.phone(phone.name) == phone
    with pytest.raises(NetError, match="no phone 'brick'"):
        phones.phone("brick")
    for wrong in (("lenet-5", "dense"), ("alexnet", "csr")):
        with pytest.raises(NetError):
            phones.estimate(*wrong, phones.phones()[0])


def test_the_list_goes_on_to_today_and_has_a_microcontroller():
    found = phones.phones()
    assert sum(phone.kind == "phone" and phone.name[-5:-1] >= "2023" for phone in found) >= 4
    (small,) = [phone for phone in found if phone.kind == "microcontroller"]
    assert small.npu_ops
    for phone in found:
        assert not (phone.checked and "unconfirmed" in phone.source)


def test_an_npu_by_hand():
    chip = phones.Phone("made up", 1e6, 1e9, 10**6, "made up", False, npu_ops=2e18)
    found = phones.estimate("alexnet", phones.NPU, chip, phones.Assumptions(bandwidth_share=0.5, dram_pj=320))
    assert found.milliseconds == pytest.approx(1e3 * 61_090_496 / 0.5e6), "a byte a weight, and computing costs nothing"
    assert found.per_second == pytest.approx(0.5e6 / 61_090_496)
    assert found.fetch_millijoules == pytest.approx(1e3 * 61_090_496 / 4 * 320e-12)
    multiplications = sum(work.multiplications for work in phones.works("alexnet"))
    assert found.arithmetic_millijoules == pytest.approx(1e3 * multiplications * (3.1 / 16 + 0.1 / 4) * 1e-12)
    assert found.resident_bytes == found.file_bytes == 61_090_496
    with pytest.raises(NetError, match="no form 'int8' on slow"):
        phones.estimate("alexnet", phones.NPU, phones.Phone("slow", 1e6, 1e9, 10**6, "made up", False))


def test_a_token_of_the_language_model():
    works = phones.works(phones.TOKENS)
    assert sum(work.weights for work in works) == 1_310_720
    assert all(work.connected and work.multiplications == work.weights for work in works)
    chip = phones.Phone("made up", 1e6, 1e18, 10**6, "made up", False)
    dense = phones.estimate(phones.TOKENS, "dense", chip, phones.Assumptions(bandwidth_share=1.0))
    assert dense.milliseconds == pytest.approx(1e3 * 4 * 1_310_720 / 1e6)
    assert dense.conv_milliseconds == 0
    small = phones.estimate(phones.TOKENS, "compressed", chip)
    assert small.file_bytes == 611_977
    assert small.resident_bytes == sum(2 * work.weights * work.density for work in works)


def test_every_phone_is_in_the_table():
    table = tables.viable()
    assert {name for name, _ in table.index} == {phone.name for phone in phones.phones()}
    chip = phones.phone("Tegra K1 (2014)")
    found = phones.estimate("alexnet", "compressed", chip)
    assert table.loc[(chip.name, "compressed"), ("AlexNet", "pictures/s")] == number(found.per_second)
    assert table.loc[(chip.name, "compressed"), ("AlexNet", "mJ each")] == number(found.millijoules)
    assert table.loc[(chip.name, "dense"), ("", "chip's numbers")] == "unconfirmed"
    assert {form for name, form in table.index if name.startswith("STM32")} == {"dense", "compressed", "int8"}


def test_missing_phones_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(phones, "DATA", tmp_path)
    with pytest.raises(DataError, match=r"phones\.json is missing"):
        phones.phones()
