import numpy as np
import pytest

from dcviz.errors import NetError
from dcviz.evidence import paper
from dcviz.ideas import relative_index, sparse_formats
from dcviz.labkit.base import plain
from dcviz.labs import IndexBitsLab, RelativeIndexLab


@pytest.fixture
def strip():
    return RelativeIndexLab()


@pytest.fixture
def bits():
    rng = np.random.default_rng(3)
    return IndexBitsLab("toy", percent=10, weights={"a": rng.normal(size=(30, 50)), "b": rng.normal(size=(4, 2, 3, 3))})


def test_it_starts_with_figure_2(strip):
    figure = paper.table("figure2_relative_index_example")
    assert [entry[0] for entry in strip.entries] == figure["idx"]
    assert strip.index.fillers == 1
    assert strip.view.entries == [[1, 1, True], [4, 2, True], [12, 7, False], [15, 2, True]]


def test_stepping_writes_one_entry_after_the_other(strip):
    for step in range(1, 5):
        strip.play.value = step  # what its buttons do in the browser
        assert strip.step == strip.view.step == step
        assert f"Entry {step}:" in strip.caption.value
        assert strip.table.value.count("<td") == 5 * step
    assert strip.play.high == 4
    assert "from −1" not in strip.caption.value
    assert strip.play.steps == ["Next entry", "All", "From the start"]


def test_a_click_in_the_browser_reencodes(strip):
    strip.view.positions = [1, 4, 8, 15]
    assert strip.index.fillers == 0
    assert strip.text.value == "1, 4, 8, 15"
    strip.bits = 1
    assert strip.index.fillers == relative_index.encode([1, 4, 8, 15], 1).fillers > 0


def test_typed_positions_are_sorted_and_make_room(strip):
    strip.text.value = "20 3, 3"
    assert strip.positions == [3, 20]
    assert strip.size == 21
    strip.size = 8
    assert strip.positions == [3]
    assert strip.error == ""
    strip.text.value = ""
    assert strip.entries == []
    assert strip.positions == []


@pytest.mark.parametrize("typed", ["1, x", "99", "-2, 3", "1.5"])
def test_nonsense_is_refused_in_the_lab_and_nothing_changes(strip, typed):
    strip.text.value = typed
    assert "CodeError" in strip.error
    assert strip.positions == [1, 4, 15]
    strip.text.value = "2"
    assert strip.error == ""


def test_an_alert_goes_with_the_wrong_text_never_before(strip):
    strip.text.value = "abc"
    strip.figure_2.click()  # which changes nothing: the text is put right
    assert (strip.error, strip.text.value) == ("", "1, 4, 15")
    strip.text.value = "15 1 4"
    assert strip.text.value == "1, 4, 15"


def test_one_bit_is_no_bits(strip):
    strip.bits = 1
    assert "With 1 bit a gap" in plain(strip.caption.value)


def test_a_shorter_stream_takes_the_step_back(strip):
    strip.step = 4
    strip.positions = [2]
    assert strip.step == 1


def test_bars_stack_up_to_the_total(bits):
    for i, b in enumerate(bits.totals):
        tops = [bars[i].get_y() + bars[i].get_height() for bars in bits.curve["parts"].values()]
        assert tops[-1] * bits.positions.size == pytest.approx(bits.totals[b])
    assert bits.positions.size == round(0.1 * 1500)
    assert bits.best == relative_index.best_bits(bits.positions, bits.value_bits, range(1, 13))


def test_formats_are_shares_of_dense(bits):
    bits.bits = 4
    sizes = sparse_formats.sizes(bits.mask, bits.value_bits, 4)
    for name, bar in bits.bars.items():
        if name in sizes:
            assert bar.get_width() == pytest.approx(100 * sizes[name] / (32 * 1500))
    assert bits.curve["chosen"].get_x() == pytest.approx(4 - 0.47)


def test_columns_are_another_walk_over_the_same_weights(bits):
    rows = bits.totals
    bits.order = "columns"
    assert bits.mask.sum() == bits.positions.size
    assert bits.totals != rows
    assert bits.totals[3] == sparse_formats.relative_bits(bits.mask, bits.value_bits, 3, order="F")
    assert bits.sizes["relative"] == bits.totals[bits.bits]


def test_layers_empty_and_full(bits):
    bits.layer_choice.value = "b"
    assert bits.mask.shape == (4, 2, 3, 3)
    for percent in (0.0, 100.0):
        bits.percent = percent
        assert bits.positions.size == 72 * percent / 100
        assert bits.error == ""
    bits.value_bits = 0
    assert bits.error == ""
    with pytest.raises(NetError, match="no layer"):
        IndexBitsLab(layer="fc9", weights={"a": np.ones((2, 2))})


def test_the_shipped_net_starts_at_the_papers_density():
    lab = IndexBitsLab("lenet-300-100", layer="fc3")
    assert lab.percent == 26
    assert lab.fillers == lab.fillers_of("mask")
    assert "Shuffled" in plain(lab.caption.value)
    lab.compare_box.value = False  # chapter 03 asks about it later
    assert "Shuffled" not in plain(lab.caption.value)
    assert np.isnan(lab.curve["shuffled"].get_ydata()).all()


def test_clusters_need_more_fillers_and_combs_fewer():
    weights = np.full((20, 100), 0.1)
    weights[:, :10] = 1.0
    weights[:, 50] = 2.0
    lab = IndexBitsLab("toy", percent=10, weights={"w": weights})
    assert lab.against_shuffled(4) == "more"
    comb = np.where(np.arange(2000).reshape(20, 100) % 10 == 0, 1.0, 0.1)
    lab = IndexBitsLab("toy", percent=10, weights={"w": comb})
    assert lab.against_shuffled(4) == "fewer"
    assert lab.against_shuffled(12) == "as many"
