"""The decode lab without a browser: bits, words, answers."""

import numpy as np
import pytest

from dcviz import labs
from dcviz.archive import coders
from dcviz.chapters.ch06_huffman.decode_lab import DecodeLab
from dcviz.errors import NetError
from dcviz.ideas import bitstream, huffman, relative_index
from dcviz.labkit.base import plain
from dcviz.pipeline import shipped

SYMBOLS = {"message": np.array([0, 1, 0, 2, 0, 0, 3, 1, 0, 0])}  # lengths 1, 2, 3, 3


def make(**state):
    return DecodeLab("mine", symbols=SYMBOLS, **state)


def test_the_bits_are_those_of_the_stream():
    lab = make()
    lengths = huffman.code_lengths(np.bincount(SYMBOLS["message"]))
    data = bitstream.encode(SYMBOLS["message"], lengths).data
    bits = "".join(f"{byte:08b}" for byte in data)
    assert bits.startswith(lab.bits)
    assert len(lab.bits) == 6 * 1 + 2 * 2 + 2 * 3
    assert set(bits[len(lab.bits) :]) <= {"0"}


def test_reading_bit_by_bit_walks_the_tree():
    lab = make()
    assert lab.view.current == lab.tree.root
    lab._move(1)
    assert lab.decoded == [0]
    assert lab.view.current == lab.tree.root  # a leaf, so back to the root
    lab._move(1)
    assert (lab.pending, lab.decoded) == ("1", [0])
    assert lab.view.current == lab.tree.children(lab.tree.root)[1]
    assert "On the way: 1." in plain(lab.caption.value)
    lab.read_slider.value = len(lab.bits)
    assert lab.decoded == SYMBOLS["message"].tolist()
    assert lab.forward.disabled
    lab._move(-1)
    assert not lab.forward.disabled
    assert lab.read == len(lab.bits) - 1
    lab.read = 10_000
    assert lab.read == len(lab.bits)
    assert lab.error == ""


def test_answers_are_checked_and_explained():
    lab = make()
    assert not lab.answer(1)
    assert lab.read == 0
    assert "1 would be 10, but the next bits are 01" in plain(lab.reply.value)
    assert not lab.answer(77)
    assert "no code word" in plain(lab.reply.value)
    assert lab.answer(0)
    assert lab.read == 1
    assert "✓" in lab.reply.value
    lab._move(1)  # half-way into a word: answering finishes it
    assert lab.answer(1)
    assert lab.decoded == [0, 1]
    lab.guess.typed = ["0"]
    assert lab.decoded == [0, 1, 0]
    lab.guess.typed = ["0", "two"]
    assert "“two” is no whole number" in plain(lab.reply.value)
    lab.guess.typed = ["0", "two", ""]
    assert plain(lab.reply.value) == "A whole number is wanted here."
    assert lab.error == ""
    for symbol in SYMBOLS["message"][3:]:
        assert lab.answer(int(symbol))
    assert not lab.answer(0)  # nothing left


def test_answers_that_come_together_are_all_heard():
    lab = make()
    lab.guess.typed = ["0", "1", "0"]  # typed faster than the kernel answers
    assert lab.decoded == [0, 1, 0]
    assert lab.error == ""


def test_the_tape_shows_words_and_what_is_left():
    lab = make(read=4)
    words = [part.split("<small>") for part in lab.tape.value.split("class='word'>")[1:]]
    assert [(word, text.split("<")[0]) for word, text in words] == [("0", "0"), ("10", "1"), ("0", "0")]
    assert lab.bits[4:] in lab.tape.value


def test_another_part_of_the_stream():
    lab = make(read=5)
    lab.start = 6
    assert lab.read == 0
    assert lab.symbols == SYMBOLS["message"][6:].tolist()
    lab.start_entry.value = 2
    assert lab.start == 2
    lab.count = 3
    assert lab.symbols == [0, 2, 0]
    lab.start = 100
    assert "start must be below" in lab.error


def test_gaps_become_positions():
    lab = DecodeLab("lenet-5", layer="conv1", count=6)
    lab.read = len(lab.bits)
    layer = shipped.compressed("lenet-5").layers[0]
    gaps = coders.streams(layer)[coders.GAPS].symbols[:6]
    assert lab.decoded == gaps.tolist()
    positions = relative_index.decode(gaps)
    assert f"positions {', '.join(map(str, positions))}" in plain(lab.caption.value)
    assert np.flatnonzero(layer.weight.ravel(order=layer.coding.order))[0] == positions[0]
    lab.layer_choice.value = "fc2"
    assert (lab.layer, lab.read) == ("fc2", 0)
    lab.stream_choice.value = coders.WEIGHT_CODES
    assert lab.view.ink == "weight-bits"
    assert lab.error == ""


def test_deep_link_and_picture():
    lab = make(read=4, count=5)
    again = labs.recreate(repr(lab), symbols=SYMBOLS)
    assert repr(again) == repr(lab)
    assert again.caption.value == lab.caption.value
    assert lab.png().startswith(b"\x89PNG")


def test_what_there_is_not_is_refused():
    with pytest.raises(NetError, match="there are message"):
        make(layer="fc9")
    with pytest.raises(ValueError, match="start must be below"):
        make(start=50)


def test_symbols_of_any_size_are_decoded():
    symbols = np.repeat([3, 700, 2**40 + 1], [4, 2, 1])[::-1]
    lab = DecodeLab("mine", symbols={"wide": symbols}, count=7)
    assert lab.symbols == symbols.tolist()
    assert not lab.answer(5)
    assert "5 has no code word" in lab._reply
    for symbol in symbols.tolist():
        assert lab.answer(symbol)
    assert lab.decoded == symbols.tolist()
    assert set(lab.view.tree["node"]) >= {3, 700, 2**40 + 1}
    assert lab.view.current in lab.view.tree["node"]
    assert lab.error == ""
    assert lab.png()
