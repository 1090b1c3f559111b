"""The Huffman lab without a browser: set traits, read the view's data, artists and caption."""

import json
import tracemalloc
import zlib

import numpy as np
import pytest

from dcviz import labs
from dcviz.archive import coders
from dcviz.chapters.ch06_huffman import figures
from dcviz.chapters.ch06_huffman.huffman_lab import HuffmanLab
from dcviz.errors import CodeError, NetError
from dcviz.ideas import huffman
from dcviz.ideas.entropy import mean_length
from dcviz.labkit.base import Prediction, plain

RNG = np.random.default_rng(3)
SYMBOLS = {
    "skewed": np.minimum(RNG.geometric(0.35, 3000) - 1, 19),
    "even": RNG.integers(0, 16, 2000),
    "gappy": RNG.choice([1, 5, 9], 300, p=[0.6, 0.3, 0.1]),
}


def make(**state):
    return HuffmanLab("mine", symbols=SYMBOLS, **state)


def test_numbers_views_and_caption_agree():
    lab = make()
    counts = np.bincount(SYMBOLS["skewed"], minlength=32)
    lengths = huffman.code_lengths(counts)
    np.testing.assert_array_equal(lab.lengths, lengths)
    assert lab.mean_length == pytest.approx(mean_length(counts, lengths))
    packed, coded = lab.sizes
    assert lab.saving == pytest.approx(1 - coded.bytes / packed.bytes)
    said = plain(lab.caption.value)
    for text in (f"{lab.mean_length:.3f} bits", f"{coded.bytes:,} bytes", f"saves {100 * lab.saving:.1f}%"):
        assert text in said
    assert [bar.get_height() for bar in lab.bars] == counts.tolist()
    assert [round(bar.get_height(), 9) for bar in lab.bits] == [5, round(lab.mean_length, 9), round(lab.entropy, 9)]
    sent = lab.view.tree
    leaves = [i for i, kind in enumerate(sent["kind"]) if kind == figures.LEAF]
    assert sorted(sent["node"][i] for i in leaves) == np.flatnonzero(counts).tolist()
    assert all(sent["name"][i] and sent["mark"][i] == str(sent["node"][i]) for i in leaves)
    assert lab.error == ""


def test_choosing_a_leaf_in_the_view_is_state():
    lab = make()
    lab.view.selected = 2
    assert lab.symbol == lab.symbol_entry.value == 2
    share = lab.counts[2] / lab.counts.sum()
    assert lab.ring.get_xdata()[0] == pytest.approx(-np.log2(share))
    assert lab.ring.get_ydata()[0] == lab.lengths[2]
    assert lab.mark.get_visible()
    assert lab.mark.get_height() == lab.counts[2]
    assert f"{int(lab.codes[2]):0{lab.lengths[2]}b}" in lab.caption.value
    lab.symbol_entry.value = -1
    assert lab.view.selected == -1
    assert not lab.mark.get_visible()


def test_a_symbol_that_never_occurs_is_told_and_forgotten():
    lab = make(layer="gappy")
    lab.symbol = 3
    assert "does not occur" in lab.error
    assert lab.symbol == -1
    lab.symbol = 5
    assert lab.error == ""
    lab.symbol_entry.value = 4  # typed by hand
    assert "does not occur" in lab.error
    assert lab.symbol == lab.symbol_entry.value == -1
    lab.symbol_entry.value = 5
    assert (lab.symbol, lab.error) == (5, "")


def test_one_bit_is_no_bits():
    lab = HuffmanLab("coin", symbols={"m": np.array([0, 1, 1, 0])}, symbol=1)
    said = plain(lab.caption.value)
    assert "Fixed length 1 bit;" in said
    assert "words of 1 bit." in said
    assert "word in the file 1, 1 bit." in said


def test_merges_step_by_step():
    lab = make(layer="gappy")
    merges = len(lab.tree.merges)
    assert merges == 2
    lab.step_slider.value = 0
    assert lab.step == lab.view.step == 0
    assert "After 0 of 2 merges: 3 nodes left" in plain(lab.caption.value)
    first = lab.tree.merges[0]
    assert f"together {first.count:,}" in plain(lab.caption.value)
    lab.step = 1
    assert lab.step_slider.value == lab.play.value == 1
    assert "node of merge 1" in plain(lab.caption.value)
    lab.play.value = 2
    assert lab.step == lab.view.step == -1
    lab.step = 99
    assert lab.step == -1
    lab.step, lab.canonical = 1, True
    assert lab.view.step == -1  # the canonical tree is not made by these merges
    assert lab.step_slider.slider.disabled
    assert lab.error == ""


def test_canonical_order_shows_the_words_of_the_file():
    lab = make(canonical=True)
    sent = lab.view.tree
    for i, kind in enumerate(sent["kind"]):
        if kind == figures.LEAF:
            bits, at = "", i
            while sent["parent"][at] >= 0:
                bits, at = sent["bit"][at] + bits, sent["parent"][at]
            assert bits == lab.word(sent["node"][i])
    assert lab.view.word == "code word"
    lab.canonical = False
    assert lab.view.word == "path"


def test_a_share_between_two_steps_of_the_slider_has_its_tree_in_the_film():
    """With another order the browser showed the tree of the nearest step, until Python answered."""
    lab = make(rare=2.96)
    lab.tabulate()
    table = json.loads(zlib.decompress(lab.trees.reel))
    shares = dict(table["at"])["rare"]
    lab.canonical = True
    assert table["frames"][len(shares) + shares.index(2.96)] == [lab.view.tree]


def test_rare_branches_close_open_by_hand_and_for_the_chosen_symbol():
    lab = make(rare=3.0)
    closed = lab.view.tree["kind"].count(figures.BRANCH)
    assert closed
    branch = lab.view.tree["node"][lab.view.tree["kind"].index(figures.BRANCH)]
    lab.view.opened = [branch]
    assert lab.opened == [branch]
    assert branch in lab.view.tree["node"]
    assert lab.view.tree["kind"][lab.view.tree["node"].index(branch)] == figures.INNER
    lab.rare = 5.0
    assert lab.opened == []
    rarest = int(np.flatnonzero(lab.counts)[-1])
    assert rarest not in lab.view.tree["node"]
    lab.symbol = rarest
    assert rarest in lab.view.tree["node"]
    assert lab.error == ""
    for lab.rare, lab.canonical in ((2.0, False), (4.0, True)):  # of another tree other branches stand above it
        assert lab.error == ""
        assert rarest in lab.view.tree["node"]


def test_another_layer_starts_afresh():
    lab = make(symbol=2, rare=3.0)
    lab.layer_choice.value = "even"
    assert (lab.layer, lab.symbol, lab.step) == ("even", -1, -1)
    assert len(lab.bars) == 16
    assert "even" in plain(lab.caption.value)
    lab.layer = "gappy"
    assert lab.layer_choice.value == "gappy"
    assert lab.step_slider.slider.max == 2
    assert lab.error == ""


def test_your_lengths_stand_beside_ours():
    lab = make(layer="even", code_lengths=lambda counts: np.full(counts.size, 5))
    assert "Your lengths (stars): 5.000 bits" in plain(lab.caption.value)
    for stub in (lambda counts: None, lambda counts: ..., lambda counts: [1, 2]):
        assert "Your lengths" not in make(layer="even", code_lengths=stub).caption.value


def test_a_lone_symbol():
    lab = HuffmanLab("mine", symbols={"one": np.zeros(9, int)})
    assert lab.mean_length == 1
    assert lab.view.tree["kind"] == [figures.LEAF]
    lab.symbol = 0
    assert "−log₂ p = 0.00;" in plain(lab.caption.value)
    assert "word in the file 0, 1 bit." in plain(lab.caption.value)
    assert lab.png()


def test_deep_link():
    lab = make(layer="even", symbol=4, step=3, rare=1.0)
    again = labs.recreate(repr(lab), symbols=SYMBOLS)
    assert repr(again) == repr(lab)
    assert again.caption.value == lab.caption.value


def test_shipped_net_weight_codes_and_gaps():
    lab = HuffmanLab("lenet-5", layer="fc2")
    codes = coders.streams(next(one for one in _stored("lenet-5").layers if one.name == "fc2"))
    assert lab.stream == coders.WEIGHT_CODES
    assert lab.data.symbols.size == codes[coders.WEIGHT_CODES].symbols.size
    assert "w = " in lab.names[1]
    lab.stream_choice.value = coders.GAPS
    assert lab.view.ink == "index-bits"
    assert lab.names[0].startswith("gap 1")
    lab.layer_choice.value = "conv1"
    assert (lab.layer, lab.stream) == ("conv1", coders.GAPS)  # the kind of symbols stays
    assert lab.error == ""


def _stored(name):
    from dcviz.pipeline import shipped

    return shipped.compressed(name)


def test_a_prediction_is_answered_by_the_lab():
    guess = Prediction("How many bits?", low=1.0, high=6.0, truth=lambda lab: lab.mean_length)
    lab = make(prediction=guess)
    lab.symbol = 1
    assert guess.note.value == ""
    guess.give_up()
    assert f"{lab.mean_length:.4g}" in guess.note.value


def test_what_there_is_not_is_refused():
    with pytest.raises(NetError, match="there are skewed"):
        make(layer="fc1")
    with pytest.raises(NetError, match="it has symbols"):
        make(layer="even", stream="gaps")
    with pytest.raises(CodeError, match="x: symbols must not be negative: found -1"):
        HuffmanLab("mine", symbols={"x": np.array([-1, 2])})
    with pytest.raises(NetError):
        HuffmanLab("no-such-net")


WIDE = {"wide": np.repeat([3, 700, 2**16, 2**40 + 1, 2**52 - 1], [9, 5, 4, 2, 1]), "gap": np.repeat([0, 65535], [3, 2])}


def test_symbols_of_any_size_cost_what_occurs():
    tracemalloc.start()
    lab = HuffmanLab("mine", symbols=WIDE, layer="wide", symbol=2**40 + 1)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()
    assert lab.error == ""
    assert lab.kinds.tolist() == [3, 700, 2**16, 2**40 + 1, 2**52 - 1]
    assert lab.counts.tolist() == [9, 5, 4, 2, 1]
    np.testing.assert_array_equal(lab.lengths, huffman.code_lengths([9, 5, 4, 2, 1]))
    assert len(lab.bars) == 5
    assert lab.tree.parent.size == 9
    sent = lab.view.tree
    leaves = [i for i, kind in enumerate(sent["kind"]) if kind == figures.LEAF]
    assert sorted(sent["node"][i] for i in leaves) == lab.kinds.tolist()
    assert len(set(sent["node"])) == 9
    assert max(sent["node"]) < 2**53, "exact in a browser"
    assert lab.view.selected == lab.symbol_entry.value == 2**40 + 1
    assert f"word in the file {lab.word(2**40 + 1)}, {lab.lengths[3]} bits" in plain(lab.caption.value)
    assert "of up to 52 bits, are numbered first" in plain(lab.caption.value)
    assert lab.sizes[0].bytes == 2 + -(-21 * 3 // 8), "five numbers of three bits each, as a file holds them"
    assert str(2**40 + 1) in lab.names[3]
    assert lab.png()
    again = labs.recreate(repr(lab), symbols=WIDE)
    assert again.caption.value == lab.caption.value


def test_a_wide_alphabet_is_chosen_from_opened_and_left():
    lab = HuffmanLab("mine", symbols={**WIDE, **SYMBOLS}, layer="wide", rare=5.0, canonical=True)
    lab.view.selected = 700
    assert lab.symbol == 700
    assert lab.mark.get_x() == 1 - 0.45
    assert lab.mark.get_height() == 5
    lab.symbol = 701
    assert "symbol 701 does not occur" in lab.error
    lab.rare = 20.0
    branch = lab.view.tree["node"][lab.view.tree["kind"].index(figures.BRANCH)]
    lab.view.opened = [branch]
    assert branch in lab.view.tree["node"]
    assert lab.view.tree["kind"][lab.view.tree["node"].index(branch)] == figures.INNER
    lab.symbol = 2**52 - 1
    assert 2**52 - 1 in lab.view.tree["node"]
    lab.layer_choice.value = "gap"
    assert lab.error == ""
    assert lab.kinds.tolist() == [0, 65535]
    assert "numbered" not in plain(lab.caption.value), "16 bits are what a file's table is made for"
    lab.layer_choice.value = "even"
    assert lab.kinds.tolist() == list(range(16))
    assert lab.error == ""


def test_many_symbols_are_drawn_as_few_things():
    symbols = np.arange(5000) * 2**20
    lab = HuffmanLab("mine", symbols={"many": symbols}, symbol=int(symbols[4321]))
    assert lab.error == ""
    assert len(lab.figure_view.figure.axes[0].patches) == 1
    assert len(lab.view.tree["node"]) < 4 * 512
    assert "Branches below 0.2% are closed." in plain(lab.caption.value), "though the slider stands at 0"
    assert int(symbols[4321]) in lab.view.tree["node"]
    assert lab.mean_length == pytest.approx(np.log2(5000), abs=0.1)


def test_symbols_beyond_a_browsers_numbers_are_refused():
    with pytest.raises(CodeError, match="must be below 2\\^52"):
        HuffmanLab("mine", symbols={"x": np.array([2**52])})


def test_the_caption_tells_the_path_that_is_drawn_from_the_word_in_the_file():
    lab = HuffmanLab("lenet-300-100", layer="fc1", stream="weight codes", symbol=15)
    said = plain(lab.caption.value)
    path, word = lab.tree.path(15), lab.word(15)
    assert path != word
    assert f"path in this tree {path};" in said
    assert f"word in the file {word}," in said
    lab.canonical = True
    assert "path in this tree" not in plain(lab.caption.value)
