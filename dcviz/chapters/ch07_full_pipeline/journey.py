"""One weight from the dense net to its bits in a .dcz file, found with the archive's own bricks (docs/format.md)."""

import functools
import math
from dataclasses import dataclass

import numpy as np

from dcviz.archive.streams import Reader, read_symbols
from dcviz.archive.types import CODED, COLUMNS, FLOATS, HALF, MAGIC, SPARSE
from dcviz.errors import ArchiveError, DataError
from dcviz.evidence import recordings
from dcviz.ideas import relative_index
from dcviz.labkit.markup import html
from dcviz.pipeline import shipped

NET, LAYER = "lenet-300-100", "fc1"
PIXELS = 28


@dataclass(frozen=True, eq=False)
class Word:
    """Some bits of a file: ``symbol`` is written from bit ``start`` on (bit 0 is the first byte's highest)."""

    symbol: int
    start: int
    length: int

    def text(self, data):
        """The bits as they stand in the file's bytes, "0110"."""
        return "".join(str(data[bit // 8] >> (7 - bit % 8) & 1) for bit in range(self.start, self.start + self.length))


@dataclass(frozen=True, eq=False)
class Stream:
    """The symbols of a stream (n,), and the bit at which each begins (n + 1,)."""

    symbols: np.ndarray
    starts: np.ndarray

    def word(self, entry):
        """The ``Word`` of an entry."""
        return Word(int(self.symbols[entry]), int(self.starts[entry]), int(self.starts[entry + 1] - self.starts[entry]))


@dataclass(frozen=True, eq=False)
class Located:
    """A sparse layer with shared weights, entry by entry: where its gaps, codes and centroids stand in the file.

    order: "C" walks row by row, "F" column by column; walked: (entries,) places in that walk, increasing
    codebook: (k,) float32, its first byte and bytes a value
    """

    shape: tuple
    order: str
    gaps: Stream
    codes: Stream
    walked: np.ndarray
    codebook: np.ndarray
    codebook_at: int
    value_bytes: int

    def place_in_walk(self, position):
        """Where the walk comes to a position that is counted row by row."""
        return int(np.ravel_multi_index(np.unravel_index(position, self.shape), self.shape, order=self.order))


def locate(data, name):
    """``Located`` of layer ``name`` in a file's bytes; ArchiveError if it has none that is sparse and shared."""
    file = Reader(data)
    file.raw(len(MAGIC) + 1, "header")
    header = file.section("the header")
    header.text("header")
    records = []
    for _ in range(header.varint("header")):
        called, flags = header.text("header"), header.byte("header")
        records.append((called, flags, tuple(header.varint("header") for _ in range(header.byte("header")))))
    for called, flags, shape in records:
        payload = file.section(called)
        end = len(data) - file.left - 4  # the section's checksum comes last
        if called == name and flags & SPARSE and flags & CODED:
            return _located(payload, end, flags, shape)
    raise ArchiveError(f"the file has no layer {name!r} that is pruned and shared")


def _located(payload, end, flags, shape):
    index_bits, entries = payload.byte("index_bits"), payload.varint("index_bits")
    gaps = _stream(payload, end, entries, 1 << index_bits, "index_bits")
    dtype = FLOATS["float16" if flags & HALF else "float32"]
    size = payload.varint("codebooks")
    at, codebook = end - payload.left, payload.floats(size, dtype, "codebooks").astype(np.float32)
    codes = _stream(payload, end, entries, size, "weight_bits")
    walked = relative_index.decode(gaps.symbols)
    order = "F" if flags & COLUMNS else "C"
    return Located(shape, order, gaps, codes, walked, codebook, at, np.dtype(dtype).itemsize)


def _stream(payload, end, entries, alphabet, part):
    """The next stream of a payload; its words are the last thing read, filled up to a whole byte."""
    found = read_symbols(payload, entries, alphabet, part)
    costs = found.costs[found.symbols] if found.coded else np.full(entries, found.costs)
    first = 8 * (end - payload.left - math.ceil(found.total_bits / 8))
    return Stream(found.symbols, first + np.concatenate([[0], np.cumsum(costs, dtype=np.int64)]))


@dataclass(frozen=True, eq=False)
class Journey:
    """One weight of fc1 from the dense net to its bits and back.

    retraining, fine_tuning: its values at the recorded steps; ``cut``: right after the last cut
    entry: its entry in the file; of a pruned weight, the entry that steps over it or, as ``filler``, onto it
    walk, before: its place in the walk through the layer, and where the entry before stands
    """

    position: int
    neuron: int
    pixel: tuple
    dense: float
    rank: float
    retraining: tuple
    cut: float
    fine_tuning: tuple
    kept: bool
    filler: bool
    entry: int
    gap: Word
    code: Word
    walk: int
    before: int
    centroid: float
    centroid_byte: int

    @property
    def retrained(self):
        """The value after retraining, not shared yet; 0 for a pruned weight."""
        return self.retraining[-1]

    @property
    def shared(self):
        """The centroid that it took, before fine-tuning."""
        return self.fine_tuning[0]


@functools.cache
def file_of():
    """Bytes of the shipped file."""
    return shipped.compressed_path(NET).read_bytes()


@functools.cache
def journeys():
    """[``Journey``] of the recorded weights, in the order of the layer; DataError for a record that does not fit."""
    first, *rows = recordings.load("weight_journey").rows
    dense = shipped.dense_weights(NET)[LAYER].ravel()
    located, magnitudes = locate(file_of(), LAYER), np.sort(np.abs(dense))
    cut_at = first["retraining_steps"].index(first["last_cut"])
    found = []
    for row in rows:
        place, retraining = row["position"], row["retraining"]
        if not np.isclose(retraining[0], dense[place], rtol=1e-4):
            raise DataError("the recorded weights are of another net; record weight_journey again")
        walk = located.place_in_walk(place)
        entry = int(np.searchsorted(located.walked, walk))
        code = located.codes.word(entry)
        value = float(located.codebook[code.symbol])
        here = int(located.walked[entry]) == walk
        found.append(
            Journey(
                position=place,
                neuron=place // located.shape[1],
                pixel=divmod(place % located.shape[1], PIXELS),
                dense=float(dense[place]),
                rank=float(np.searchsorted(magnitudes, abs(dense[place])) / dense.size),
                retraining=tuple(retraining),
                cut=retraining[cut_at],
                fine_tuning=tuple(row["fine_tuning"]),
                kept=here and value != 0,
                filler=here and value == 0,
                entry=entry,
                gap=located.gaps.word(entry),
                code=code,
                walk=walk,
                before=int(located.walked[entry - 1]) if entry else -1,
                centroid=value,
                centroid_byte=located.codebook_at + located.value_bytes * code.symbol,
            )
        )
    return found


_RETRAINED, _TUNED_FROM, _TUNED = 0.68, 0.74, 0.94
"""Where in the picture's width retraining ends, and fine-tuning begins and ends."""


@functools.cache
def table():
    """[dict] of everything that the picture of each ``Journey`` shows: texts, lines in units of the frame, and bits."""
    first, data = recordings.load("weight_journey").rows[0], file_of()
    return [_shown(one, first, data) for one in journeys()]


def _shown(one, first, data):
    band = first["threshold"]
    values = [*one.retraining, *one.fine_tuning, one.centroid if one.kept else 0.0]
    limit = 1.12 * max(band, *map(abs, values))
    retrain, last_cut, tune = first["retraining_steps"], first["last_cut"], first["fine_tuning_steps"]
    path = [(_RETRAINED * s / retrain[-1], v) for s, v in zip(retrain, one.retraining, strict=True)]
    path += [
        (_TUNED_FROM + (_TUNED - _TUNED_FROM) * s / tune[-1], v) for s, v in zip(tune, one.fine_tuning, strict=True)
    ]
    path.append((1.0, values[-1]))
    gap = _word("its gap" if one.kept else "the gap", one.gap, data, f"{one.gap.symbol} = gap − 1")
    code = _word("its code" if one.kept else "the code", one.code, data, f"number {one.code.symbol}")
    return {
        "stages": _stages(one),
        "path": [[round(x, 4), round(y / limit, 4)] for x, y in path],
        "band": band / limit,
        "ticks": [[y / limit, _signed(y)] for y in (-band, 0.0, band)],
        "events": [[_RETRAINED * last_cut / retrain[-1], "last cut"], [_RETRAINED, "shared"], [_TUNED, "coded"]],
        "under": [[_RETRAINED / 2, f"{retrain[-1]:,} steps of retraining"], [0.84, f"{tune[-1]:,} of fine-tuning"]],
        "file": f"lenet-300-100.dcz, {len(data):,} bytes; the marks show where the words stand:",
        "words": [gap, code],
        "back": _back(one),
        "words_only": _words_only(one),
    }


def _stages(one):
    kept = one.kept
    gone = "0" if not kept else _signed(one.retrained)
    return [
        ["dense", _signed(one.dense), f"larger than {100 * one.rank:.1f}%\nof the layer"],
        ["last cut", _signed(one.cut), "stays" if one.cut else "pruned"],
        ["retrained", gone, f"{_signed(one.retrained - one.dense)}\nsince dense" if kept else "held at zero"],
        [
            "shared",
            _signed(one.shared) if kept else "0",
            f"centroid {one.code.symbol}\nis the nearest" if kept else "no code",
        ],
        [
            "fine-tuned",
            _signed(one.centroid) if kept else "0",
            "with all weights\nof its cluster" if kept else "no code",
        ],
        [
            "coded",
            f"{one.gap.length + one.code.length} bits" if kept or one.filler else "0 bits",
            "a gap and a code" if kept else "as a filler" if one.filler else "stepped over",
        ],
    ]


def _word(name, word, data, says):
    first = max(0, word.start // 8 - 1)
    shown = data[first : first + 5]
    return {
        "name": name,
        "says": says,
        "first": first,
        "bytes": list(shown),
        "from": word.start - 8 * first,
        "length": word.length,
        "where": word.start / 8 / len(data),
    }


def _signed(value):
    return f"{value:+.4f}".replace("-", "−") if value else "0"


def _place(one):
    return f"weight {one.position:,} of fc1, from pixel ({one.pixel[0]}, {one.pixel[1]}) to neuron {one.neuron}"


def _words_only(one):
    stages = "; ".join(f"{title} {value}, {note}".replace("\n", " ") for title, value, note in _stages(one))
    return f"{_place(one)}: {stages}. Gap at bit {one.gap.start:,} of the file, code at bit {one.code.start:,}."


def _back(one):
    start, gap = f"{one.before:,}".replace("-", "−"), one.gap.symbol + 1
    if not one.kept:
        zero = "a filler there is zero" if one.filler else f"all weights between are zero, also {one.walk:,}"
        return f"And back: from {start} a step of {gap} to {one.before + gap:,}; {zero}."
    place = f"And back: {start} + {gap} = {one.walk:,}, its place; "
    return (
        f"{place}number {one.code.symbol} of the codebook, at byte {one.centroid_byte:,}, is {_signed(one.centroid)}."
    )


def _places(one):
    return f"{one.gap.symbol + 1} place{'s' if one.gap.symbol else ''}"


def story(one):
    """The journey there and back in words and numbers, Markup."""
    data = file_of()
    gap = html(
        "entry {:,} holds the gap <b>{}</b> ({} bits from byte {:,} on: {})",
        one.entry + 1,
        one.gap.symbol + 1,
        one.gap.length,
        one.gap.start // 8,
        one.gap.text(data),
    )
    start = "the start" if one.before < 0 else f"{one.before:,}"
    if one.kept:
        return html(
            "<b>{}</b>. Dense {}, retrained {}, shared {}, fine-tuned <b>{}</b>. In the file {} and the code <b>{}</b> "
            "({} bits from byte {:,} on: {}). <b>And back:</b> from {} on, {}, is {:,}, and number {} of the "
            "codebook (byte {:,}) is {}.",
            _place(one).capitalize(),
            _signed(one.dense),
            _signed(one.retrained),
            _signed(one.shared),
            _signed(one.centroid),
            gap,
            one.code.symbol,
            one.code.length,
            one.code.start // 8,
            one.code.text(data),
            start,
            _places(one),
            one.walk,
            one.code.symbol,
            one.centroid_byte,
            _signed(one.centroid),
        )
    if one.filler:
        return html(
            "<b>{}</b>. Dense {}, pruned. It stands in the file all the same, as a <b>filler</b>: {} and the code of "
            "zero. <b>And back:</b> from {} on, {}, is {:,}: a zero.",
            _place(one).capitalize(),
            _signed(one.dense),
            gap,
            start,
            _places(one),
            one.walk,
        )
    return html(
        "<b>{}</b>. Dense {}, pruned. It has <b>no bits of its own</b>: {} and steps over it. <b>And back:</b> between "
        "{} and the next entry, {} on, every weight is zero; this one is at {:,}.",
        _place(one).capitalize(),
        _signed(one.dense),
        gap,
        start,
        _places(one),
        one.walk,
    )
