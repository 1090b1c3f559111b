"""Text for a small language model: Jane Austen's six novels, and the pieces of words that such a model reads.

The novels are in the public domain. Five of them are to learn from; Northanger Abbey is held out: its first half serves
to choose by, its second half is asked once, to report.
"""

import bz2
import functools
import json
import lzma
import re
import struct
import unicodedata
import zlib
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from dcviz.errors import DataError, NetError
from dcviz.files import DATA, atomic_write, read, read_json

FOLDER = DATA / "austen"
TRAINING = ("emma", "mansfieldpark", "persuasion", "prideprejudice", "sensesensibility")
HELD_OUT = "northangerabbey"
SIZE = 1024
"""Pieces of words that the shipped model knows."""
MOST = 8 << 20
"""Bytes of a file at most, and of the novels as text."""
_WORDS = re.compile(r"\n| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+| ")


@dataclass(frozen=True)
class Novels:
    """training: five novels; choosing, reporting: the two halves of the sixth. A line is a paragraph, in ASCII."""

    training: str
    choosing: str
    reporting: str


@functools.cache
def novels():
    """The shipped text -> ``Novels``; DataError if the file is missing or damaged."""
    path = FOLDER / "novels.xz"
    try:
        *training, held_out = _text(read(path, MOST)).split("\n\n")
        middle = held_out.index("\n", len(held_out) // 2)
    except (OSError, lzma.LZMAError, ValueError) as error:
        raise DataError(f"the novels cannot be read from {path}: {error}") from error
    return Novels("\n".join(training), held_out[:middle], held_out[middle + 1 :])


def _text(packed):
    """What an .xz file says, in ASCII; ValueError if it is cut off or longer than ``MOST``: no more is unpacked."""
    unpacker = lzma.LZMADecompressor()
    text = unpacker.decompress(packed, MOST)
    if not unpacker.eof:
        raise ValueError(f"cut off, or more than {MOST:,} characters")
    return text.decode("ascii")


class Pieces:
    """Pieces of words, from single characters up: byte-pair encoding, itself a compressor that knows no bits.

    characters: str, the pieces to begin with. merges: [(left, right)], each joins two pieces into a new one, in order.
    ``pieces`` lists all of them; a text is a sequence of places in that list.
    """

    def __init__(self, characters, merges):
        self.merges = [tuple(pair) for pair in merges]
        self.pieces = [*characters, *(left + right for left, right in self.merges)]
        self._rank = {pair: rank for rank, pair in enumerate(self.merges)}
        self._place = {piece: place for place, piece in enumerate(self.pieces)}
        self._encode_word = functools.lru_cache(maxsize=100_000)(self._encode_word_anew)

    def encode(self, text):
        """Text -> int64 array of places in ``pieces``. DataError for a character that is not among them."""
        unknown = sorted(set(text) - self._place.keys())
        if unknown:
            known = "".join(piece for piece in self.pieces if len(piece) == 1)
            raise DataError(f"the model knows no {unknown[0]!r}; it reads only {known!r}")
        return np.array([place for word in _WORDS.findall(text) for place in self._encode_word(word)], np.int64)

    def decode(self, places):
        """Places in ``pieces`` -> text."""
        return "".join(self.pieces[place] for place in places)

    def _encode_word_anew(self, word):
        parts = list(word)
        while len(parts) > 1:
            rank = min(self._rank.get(pair, len(self._rank)) for pair in pairwise(parts))
            if rank == len(self._rank):
                break
            parts = _merged(parts, self.merges[rank])
        return tuple(self._place[part] for part in parts)


def _merged(parts, pair):
    """A list of pieces with every neighbouring ``pair`` joined, from the left."""
    out, i = [], 0
    while i < len(parts):
        step = 2 if tuple(parts[i : i + 2]) == pair else 1
        out.append("".join(parts[i : i + step]))
        i += step
    return out


def learn_pieces(text, size):
    """Byte-pair encoding: join the most frequent pair of neighbours, again and again, until there are ``size`` pieces.

    Pairs are counted inside words only. Of equally frequent pairs the first in the alphabet wins.
    """
    characters = "".join(sorted(set(text)))
    words = [(list(word), count) for word, count in sorted(Counter(_WORDS.findall(text)).items())]
    counts, places = Counter(), {}
    for number, (parts, count) in enumerate(words):
        for pair in pairwise(parts):
            counts[pair] += count
            places.setdefault(pair, set()).add(number)
    merges = []
    while len(characters) + len(merges) < size and counts:
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for number in places.pop(best):
            parts, count = words[number]
            for pair in pairwise(parts):
                counts[pair] -= count
            parts[:] = _merged(parts, best)
            for pair in pairwise(parts):
                counts[pair] += count
                places.setdefault(pair, set()).add(number)
        del counts[best]
    return Pieces(characters, merges)


def choosing_text(characters=12_000):
    """The beginning of the held-out text that choices are made on."""
    return novels().choosing[:characters]


def windows(places, context):
    """A long row of places -> inputs and targets (n, context), one after the other; a rest too short is left out."""
    count = (len(places) - 1) // context
    if count < 1:
        raise NetError(f"a text of {len(places)} pieces is shorter than the {context} that the model reads at once")
    return (places[first : first + count * context].reshape(count, context) for first in (0, 1))


@functools.cache
def pieces():
    """The shipped model's ``Pieces``; DataError if the file is missing or damaged."""
    path = FOLDER / "pieces.json"
    try:
        return Pieces(**read_json(path, MOST))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"the pieces of words cannot be read from {path}: {error}") from error


def make(folder):
    """Write data/austen from an unpacked R package janeaustenr 1.0.0: ``folder`` holds its data/Rdata.rdb and .rdx."""
    stored = _lazy_data(Path(folder) / "data" / "Rdata")
    text = "\n\n".join(clean("\n".join(stored[name])) for name in (*TRAINING, HELD_OUT))
    packed = lzma.compress(text.encode("ascii"), preset=9 | lzma.PRESET_EXTREME)
    atomic_write(FOLDER / "novels.xz", lambda file: file.write(packed))
    novels.cache_clear()
    learnt = learn_pieces(novels().training, SIZE)
    characters = "".join(piece for piece in learnt.pieces if len(piece) == 1)
    merges = json.dumps({"characters": characters, "merges": learnt.merges})
    atomic_write(FOLDER / "pieces.json", lambda file: file.write(merges.encode("ascii")))


def clean(text):
    """One novel as printed -> its paragraphs, one a line, in ASCII, without title, headings and notes."""
    begin = re.search(r"^chapter (1|i)\b.*$", text, re.IGNORECASE | re.MULTILINE).end()
    text = text[begin:].partition("*Vide a letter")[0]
    text = unicodedata.normalize("NFKD", text.replace("£", "l. ")).encode("ascii", "ignore").decode()
    text = re.sub(r"[_*]", "", text)
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    heading = re.compile(r"(((volume|chapter) [ivxlc\d]+\.?\s*)+|finis\.?|the end\.?)?", re.IGNORECASE)
    return "\n".join(part for part in paragraphs if not heading.fullmatch(part))


def _lazy_data(path):
    """R's data base of an installed package -> {name: [lines]}; of its index only what such a package needs is read."""
    packed = read(f"{path}.rdb", MOST)
    index = zlib.decompress(read(f"{path}.rdx", MOST), 31)
    spans = [struct.unpack(">II", span) for span in re.findall(rb"\x00\x00\x00\r\x00\x00\x00\x02(.{8})", index, re.S)]
    names = [name.decode() for name in re.findall(rb"\x00\x04\x00\t\x00\x00\x00.([a-z]+)", index, re.S)]
    names = [name for name in names if name not in ("names", "variables", "references", "compressed")]
    return {name: _lines(_unpacked(packed[at : at + size])) for name, (at, size) in zip(names, spans, strict=True)}


def _unpacked(chunk):
    """One object of R's data base: four bytes of length, then zlib, bzip2 ('2') or raw LZMA ('Z')."""
    if chunk[4:5] == b"Z":
        raw = [{"id": lzma.FILTER_LZMA2, "preset": 6}]
        return lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=raw).decompress(chunk[5:])
    return bz2.decompress(chunk[5:]) if chunk[4:5] == b"2" else zlib.decompress(chunk[4:])


def _lines(serialised):
    """A character vector as R serialises it (format X, version 2 or 3) -> [str]."""
    at = 14
    if struct.unpack_from(">I", serialised, 2)[0] == 3:
        at += 4 + struct.unpack_from(">I", serialised, at)[0]
    count = struct.unpack_from(">I", serialised, at + 4)[0]
    at, lines = at + 8, []
    for _ in range(count):
        size = max(0, struct.unpack_from(">i", serialised, at + 4)[0])
        lines.append(serialised[at + 8 : at + 8 + size].decode())
        at += 8 + size
    return lines
