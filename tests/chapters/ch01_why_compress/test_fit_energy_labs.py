import numpy as np
import pytest

from dcviz.chapters.ch01_why_compress.figures import VERDICTS
from dcviz.errors import NetError
from dcviz.evidence import budgets
from dcviz.labs import EnergyLab, FitLab


@pytest.fixture
def fit():
    return FitLab()


def test_the_lines_stand_at_the_sizes_and_every_memory_has_a_verdict(fit):
    fit.net, fit.stage = "lenet-5", "shared"
    for who, x in VERDICTS.items():
        assert fit.artists[who].get_xdata()[0] == fit.sizes[who]
        yes, no = (set(fit.artists[key][who].get_ydata()) for key in ("fits", "fails"))
        assert yes | no == set(range(len(fit.memories)))
        assert yes == {i for i, m in enumerate(fit.memories) if m.bytes >= fit.sizes[who]}
        assert not yes & no
        assert set(fit.artists["fits"][who].get_xdata()) == {x}


def test_a_net_without_a_file_has_no_line_of_ours(fit):
    fit.net = "vgg-16"
    assert fit.sizes["ours"] is None
    assert fit.holds("ours") == []
    assert np.isnan(fit.artists["ours"].get_xdata()).all()
    assert len(fit.artists["fails"]["ours"].get_ydata()) == 0
    assert "no file of this net" in fit.caption.value


def test_where_alexnet_first_fits(fit):
    assert fit.first_on_chip("alexnet") == "pruned + shared weights"
    assert fit.first_on_chip("lenet-5", "ours") == "dense"
    before = fit.used
    fit.stage = "shared"
    assert "EIE" in fit.caption.value
    assert fit.used
    assert not before


def test_a_net_of_ones_own_is_called_a_guess(fit):
    fit.net, fit.millions = "own", 10.0
    assert fit.sizes == {"paper": 40e6, "ours": None}
    assert "guessed" in fit.caption.value
    assert fit.own.layout.display is None
    fit.net = "alexnet"
    assert fit.own.layout.display == "none"


def test_unknown_nets_and_stages_are_refused(fit):
    with pytest.raises(NetError, match="no net"):
        FitLab(net="resnet")
    with pytest.raises(NetError, match="no stage"):
        FitLab(stage="zipped")


def test_energy_bars_follow_the_state():
    lab = EnergyLab()
    assert "12.8 W" in lab.caption.value
    lab.ratio = 64
    dense, small, chip = (bar.get_width() for bar in lab.bars[1:])
    assert dense / small == pytest.approx(64)
    assert small / chip == pytest.approx(640 / 5)
    lab.controls["dram_pj"].value = 64.0
    assert lab.bars[1].get_width() == pytest.approx(dense / 10)
    lab.rate = 0.0
    assert lab.error == ""


def test_an_example_sets_connections_and_ratio():
    lab = EnergyLab()
    lab.example_choice.value = "vgg-16"
    assert lab.connections == budgets.paper_connections("vgg-16")
    assert lab.ratio == 49
    lab.example_choice.value = "example"
    assert (lab.connections, lab.ratio) == (1e9, 35)


def test_alexnet_ships_and_the_caption_says_why_it_is_not_in_the_picture():
    assert "an AlexNet ships, too" in FitLab(net="alexnet", stage="dense").caption.value
    assert "no file of this net ships" in FitLab(net="vgg-16", stage="dense").caption.value
