"""PhoneLab: what it draws is the estimate of the state; phones bring their data sheets; all can be edited."""

import pytest

from dcviz import labs
from dcviz.chapters.ch08_speed_and_energy import phones
from dcviz.chapters.ch08_speed_and_energy.phone_lab import NAMES, PhoneLab
from dcviz.labkit.base import plain


@pytest.fixture
def lab():
    return PhoneLab()


def test_it_shows_the_estimate(lab):
    for form in phones.FORMS:
        assert lab.estimates[form] == phones.estimate("alexnet", form, phones.phones()[0])
    dense, small = lab.estimates["dense"], lab.estimates["compressed"]
    text = plain(lab.caption.value)
    assert f"{dense.milliseconds:.3g} → {small.milliseconds:.3g} ms" in text
    assert "240 MB → 6.9 MB" in text
    assert "Estimated from stated assumptions, not measured" in text
    bars, texts = lab.bars[0]
    width = {key: bar.get_width() for key, bar in bars.items()}
    assert width["dense", "fully connected"] / width["dense", "convolutions"] == pytest.approx(
        dense.fc_milliseconds / dense.conv_milliseconds
    )
    assert bars["dense", "convolutions"].get_x() == pytest.approx(width["dense", "fully connected"])
    assert texts["compressed"].get_text() == f" {small.milliseconds:.3g} ms"


def test_a_phone_brings_its_data_sheet(lab):
    lab.phone = NAMES[-1]
    chip = phones.phones()[-1]
    assert lab.gigabytes == pytest.approx(chip.bytes_per_second / 1e9)
    assert lab.cache == pytest.approx(chip.cache_bytes / 2**20)
    assert lab.estimates["dense"] == phones.estimate("alexnet", "dense", chip)
    assert "edited" not in lab.caption.value
    lab.gigabytes = 1.0
    assert f"an edited {chip.name}" in lab.caption.value
    assert PhoneLab(phone=NAMES[-1]).gigaflops == pytest.approx(chip.flops / 1e9)


def test_a_larger_cache_moves_the_net_onto_the_chip(lab):
    before = lab.estimates["compressed"]
    assert before.memory == "DRAM"
    lab.cache = 16.0
    after = lab.estimates["compressed"]
    assert after.memory == "SRAM"
    assert after.fetch_millijoules == pytest.approx(before.fetch_millijoules / 128)
    assert lab.estimates["dense"].memory == "DRAM"


def test_every_assumption_counts(lab):
    before = lab.estimates["compressed"]
    for name in ("gigabytes", "gigaflops", "entries", "bandwidth_share", "compute_share", "dram_pj", "arithmetic_pj"):
        value = getattr(lab, name)
        setattr(lab, name, value / 10)
        assert lab.estimates["compressed"] != before or lab.estimates["dense"] != before, name
        setattr(lab, name, value)
    assert lab.estimates["compressed"] == before


def test_the_language_model_gives_tokens():
    lab = PhoneLab(net=phones.TOKENS, phone="Snapdragon 8 Elite (2024)", rate=20.0)
    chip = phones.phone(lab.phone)
    for form in phones.FORMS:
        assert lab.estimates[form] == phones.estimate(phones.TOKENS, form, chip)
    dense, small = lab.estimates["dense"], lab.estimates["compressed"]
    weights = sum(work.weights for work in phones.works(phones.TOKENS))
    assert dense.resident_bytes == 4 * weights
    assert small.conv_milliseconds == 0
    text = plain(lab.caption.value)
    assert f"One token: {dense.milliseconds:.3g} → {small.milliseconds:.3g} ms" in text
    assert f"{small.milliseconds:.3g} ms ({small.per_second:.3g} a second)" in text
    assert "as the paper prints it" not in text
    assert "One picture: " in plain(PhoneLab().caption.value)
    assert repr(labs.recreate(repr(lab))) == repr(lab)


def test_too_slow_for_the_rate_is_said(lab):
    lab.rate = 5.0
    assert "cannot keep up" not in lab.caption.value
    lab.rate = 500.0
    assert "cannot keep up" in lab.caption.value


def test_repr(lab):
    lab.phone = NAMES[2]
    lab.dram_pj = 100.0
    assert repr(labs.recreate(repr(lab))) == repr(lab)
    assert labs.recreate(repr(lab)).estimates == lab.estimates


def test_reset_restores_all_ten_fields_and_the_phone():
    lab = PhoneLab(net="vgg-16", rate=20.0)
    start = repr(lab)
    for name, entry in lab.entries_shown.items():
        entry.value = max(entry.min, 0.5 * getattr(lab, name))
    lab.phone, lab.rate, lab.net = lab.phone_choice.options[-1], 3.0, "alexnet"
    assert repr(lab) != start
    lab.reset()
    assert repr(lab) == start


def test_what_costs_nothing_has_no_bars():
    lab = PhoneLab(dram_pj=0.0, sram_pj=0.0, arithmetic_pj=0.0)
    assert "0 → 0 mJ" in plain(lab.caption.value)
    assert {bar.get_width() for bar in lab.bars[1][0].values()} == {0}


def test_a_large_number_has_no_power_of_ten():
    lab = PhoneLab(net="vgg-16", rate=1000.0)
    assert "e+0" not in lab.caption.value
    assert any("," in word for word in lab.caption.value.split())
