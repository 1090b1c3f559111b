import pytest

from dcviz.chapters.ch12_today import measure, scores
from dcviz.labkit.base import plain
from dcviz.labkit.prediction import Prediction
from dcviz.labs import BitsLab, TokenLab, WandaLab


def test_the_wanda_lab_shows_the_recorded_row():
    lab = WandaLab(way="Wanda, each output", kept=50)
    assert lab.point["way"] == "Wanda, each output"
    assert f"{lab.point['bits_per_character']:.3f} bits a character" in plain(lab.caption.value)
    assert lab.point["sentence"].split()[-2] in plain(lab.caption.value)
    lab.two_of_four = True
    assert lab.kept_choice.disabled, "half stays, whatever it says"
    assert (lab.point["pattern"], lab.point["density"]) == ("2:4", 0.5)
    lab.way = "Wanda, whole layer"
    assert lab.point is None
    assert "not recorded" in plain(lab.caption.value)
    assert lab.error == ""


def test_its_first_state_does_not_answer_its_question():
    lab = WandaLab()
    labels = [line.get_label() for line in lab.picture().axes[0].lines]
    assert not any(way in label for way in scores.WAYS[1:] for label in labels)
    best = lab.best()
    errors = {way: r["bits_per_character"] for way in scores.WAYS[:-1] for r in lab.rows_of(way) if r["density"] == 0.5}
    assert errors[best] == min(errors.values())


def test_the_bits_lab_shows_the_recorded_row_or_says_that_there_is_none():
    lab = BitsLab(bits=3, method="grid", group="32")
    row = lab.find(bits=3, method="grid", group=32, apart=0.0)
    assert lab.point == row
    assert f"{row['bits_per_character']:.3f} bits a character" in plain(lab.caption.value)
    lab.apart = True
    assert lab.point is None
    assert "not recorded" in plain(lab.caption.value)
    assert lab.error == ""
    lab.apart = False
    plain_size = lab.size(lab.point)
    lab.huffman = True
    assert lab.size(lab.point) == lab.point["coded_bytes"] != plain_size
    assert f"{lab.point['coded_bytes']:,} bytes" in plain(lab.caption.value)


def test_what_is_done_now_is_what_was_recorded(monkeypatch):
    monkeypatch.setattr(measure, "PIECES", 3)
    lab = BitsLab(bits=3, method="grid", group="32", begin="Mr. <b>Darcy").run()
    assert "no '<'" in lab.error  # the model reads no such character, and says so
    lab.begin = "Mr. Darcy"
    lab.run()
    assert lab.error == ""
    size, error, sentence = lab.live
    assert size == lab.point["bytes"]
    assert error == pytest.approx(lab.point["bits_per_character"], abs=2e-3)
    assert sentence.startswith("Mr. Darcy")
    assert f"Now: {size:,} bytes" in plain(lab.caption.value)
    lab.bits = 4
    assert lab.live == (size, error, sentence)
    assert "Your last run (3 bits, grid, a table for each 32 neighbours)" in plain(lab.caption.value)
    assert "Now:" not in plain(lab.caption.value)


def test_the_token_lab_computes_and_answers_only_when_used():
    guess = Prediction("?", low=1.0, high=8.0, truth=lambda lab: round(lab.gain(4.5), 2))
    lab = TokenLab(prediction=guess)
    assert lab.rate == pytest.approx(50e9 / 14e9)
    assert "3.56" not in plain(lab.caption.value)
    assert "3.56" not in guess.note.value
    guess.commit(5.0)
    lab.bits = 4.5
    assert "3.56 times" in plain(lab.caption.value)
    assert "3.56" in guess.note.value
    lab.batch = 256
    assert "1.00 times" in plain(lab.caption.value)
    assert "arithmetic decides." in plain(lab.caption.value)
    lab.bits = 1.0
    assert "weights of 1 bit are" in plain(lab.caption.value)
