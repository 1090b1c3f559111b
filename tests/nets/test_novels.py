import lzma
import struct
import tracemalloc
import zlib

import pytest

from dcviz.errors import DataError
from dcviz.nets import novels


@pytest.fixture(scope="module")
def texts():
    return novels.novels()


def test_five_novels_teach_and_the_sixth_is_held_out(texts):
    assert "Elizabeth" in texts.training
    assert "Mr. Knightley" in texts.training
    for held_out in (texts.choosing, texts.reporting):
        assert "Catherine" in held_out
        assert len(held_out) > 200_000
        assert held_out[:2000] not in texts.training
    assert texts.choosing[-500:] not in texts.reporting


def test_the_text_is_clean_paragraphs_in_ascii(texts):
    for text in (texts.training, texts.choosing, texts.reporting):
        assert text.isascii()
        assert "\n\n" not in text
        assert "  " not in text
        assert not any(mark in text for mark in "_*\t\r")
        assert not any(line.upper().startswith(("CHAPTER ", "VOLUME ", "FINIS")) for line in text.split("\n"))


SHIPPED = (novels.FOLDER / "novels.xz").read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        b"no such thing",
        lzma.compress("é".encode()),
        lzma.compress(b"one line"),
        SHIPPED[:-9],
        b"",
        bytes(novels.MOST + 1),
    ],
    ids=["no .xz", "no ASCII", "one line", "cut off", "empty", "too long"],
)
def test_a_missing_or_damaged_file_is_a_typed_error(monkeypatch, tmp_path, damage):
    monkeypatch.setattr(novels, "FOLDER", tmp_path)
    (tmp_path / "novels.xz").write_bytes(damage)
    (tmp_path / "pieces.json").write_text('{"characters": "ab"}')
    with pytest.raises(DataError, match=r"novels\.xz"):
        novels.novels.__wrapped__()
    with pytest.raises(DataError, match=r"pieces\.json"):
        novels.pieces.__wrapped__()


def test_a_small_file_that_unpacks_without_end_is_not_unpacked(monkeypatch, tmp_path):
    monkeypatch.setattr(novels, "FOLDER", tmp_path)
    packed = lzma.compress(bytes(10 * novels.MOST), preset=0)
    assert len(packed) < novels.MOST // 100
    (tmp_path / "novels.xz").write_bytes(packed)
    tracemalloc.start()
    with pytest.raises(DataError, match="more than"):
        novels.novels.__wrapped__()
    assert tracemalloc.get_traced_memory()[1] < 3 * novels.MOST
    tracemalloc.stop()


def test_pieces_bring_every_text_back(texts):
    pieces = novels.pieces()
    assert len(pieces.pieces) == len(set(pieces.pieces)) == 1024
    for text in (texts.reporting[:5000], "", "a", "Mr. Darcy--no! 1813"):
        assert pieces.decode(pieces.encode(text)) == text
    assert len(pieces.encode(texts.choosing)) < len(texts.choosing) / 2.5
    with pytest.raises(DataError, match="knows no '€'"):
        pieces.encode("5 €")


def test_merges_are_learnt_by_frequency_and_used_in_their_order():
    learnt = novels.learn_pieces("the the the then hen", 12)
    assert learnt.merges[0] == ("h", "e")  # 5 times, in every word
    assert ("t", "he") in learnt.merges or (" ", "t") in learnt.merges
    assert learnt.decode(learnt.encode("then the")) == "then the"
    assert len(learnt.encode("the")) < 3
    first = novels.Pieces("abc", [("b", "c"), ("a", "b")])
    assert [first.pieces[place] for place in first.encode("abc")] == ["a", "bc"]


def test_equally_frequent_pairs_are_taken_in_the_order_of_the_alphabet():
    assert novels.learn_pieces("ab cd", 6).merges[0] == (" ", "c")


def test_headings_and_notes_go_and_paragraphs_become_lines():
    printed = 'TITLE\n\nby\n\nCHAPTER I\n\nIt _was_\nso--caf\u00e9.\n\nVOLUME II\nCHAPTER 2.\n\n"Oh!"\n\nFINIS\n'
    assert novels.clean(printed) == 'It was so--cafe.\n"Oh!"'


def serialised(lines):
    """A character vector as R writes it (format X, version 3)."""
    head = b"X\n" + struct.pack(">III", 3, 0x40201, 0x30500) + struct.pack(">I", 5) + b"UTF-8"
    strings = b"".join(struct.pack(">Ii", 0x40009, len(line.encode())) + line.encode() for line in lines)
    return head + struct.pack(">II", 16, len(lines)) + strings


def test_the_shipped_text_can_be_made_again_from_such_a_package(monkeypatch, tmp_path):
    names, chunks = (*novels.TRAINING, novels.HELD_OUT), []
    for name in names:
        data = serialised(["CHAPTER I", "", f"This is {name}.", "", f"There is more of {name}.", "", "No more."])
        chunks.append(struct.pack(">I", len(data)) + zlib.compress(data))
    folder = tmp_path / "janeaustenr"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "Rdata.rdb").write_bytes(b"".join(chunks))
    index, at = b"X\n", 0
    for chunk in chunks:
        index += b"\x00\x00\x00\r\x00\x00\x00\x02" + struct.pack(">II", at, len(chunk))
        at += len(chunk)
    index += b"".join(b"\x00\x04\x00\t\x00\x00\x00" + bytes([len(name)]) + name.encode() for name in names)
    packer = zlib.compressobj(wbits=31)
    (folder / "data" / "Rdata.rdx").write_bytes(packer.compress(index) + packer.flush())
    monkeypatch.setattr(novels, "FOLDER", tmp_path / "austen")
    monkeypatch.setattr(novels, "SIZE", 60)
    try:
        novels.make(folder)
        made = lzma.decompress((tmp_path / "austen" / "novels.xz").read_bytes()).decode()
        assert made.split("\n\n")[0] == "This is emma.\nThere is more of emma.\nNo more."
        assert made.count("\n\n") == 5
        assert len(novels.pieces.__wrapped__().pieces) <= 60
    finally:
        novels.novels.cache_clear()
