"""The relative index entry by entry: click weights on and off, choose the bits of a gap, step through."""

from pathlib import Path

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.chapters.ch03_sparse_storage.figures import index_strip
from dcviz.errors import CodeError, check_known
from dcviz.ideas import relative_index
from dcviz.ideas.pruning import threshold_from_density
from dcviz.labkit import theme
from dcviz.labkit.base import Caption, Lab, html, joined, labelled_slider, row
from dcviz.labkit.buttons import Play
from dcviz.labkit.controls import SVG, choices, css, script
from dcviz.labkit.markup import counted
from dcviz.labkit.table_film import TableFilm, assembled

MAX_SIZE = 32
FIGURE_2 = (1, 4, 15)
WORDS = {
    "nothing": "Nothing is written yet: the reader stands before the layer, at −1. ",
    "real": "Entry {step}: from {before} a gap of {gap} to the weight at {position}; stored <b>{stored}</b>. ",
    "filler": "Entry {step}: from {before} a gap of {gap} to {position}, a <b>filler</b>: the weight is too far; "
    "stored <b>{stored}</b>. ",
    "all": "{now}With {reach} a gap reaches from 1 to {most} (stored as 0 to {largest}). In all <b>{all}</b>, "
    "{fillers} of them {filler_word}: {entries} × ({bits} + {value_bits}) = <b>{total} bits</b>; "
    "the {size} dense weights take {size} × 32 = {dense}.",
    "weight": "w",
    "zero": "0, filler",
    "cell": "<td style='padding: 2px 14px; text-align: right; white-space: nowrap'>{cell}</td>",
    "row": "<tr><th style='padding: 2px 14px; white-space: nowrap; text-align: left'>{name}</th>{cells}</tr>",
    "table": "<div style='overflow-x: auto'><table style='border-collapse: collapse; "
    "font-size: calc(var(--dcviz-size) + 1px)'>{rows}</table></div>",
}
ROWS = {"position": "position", "gap": "gap", "stored": "stored (gap − 1)", "word": "as bits", "weight": "weight"}
"""What caption and table say; the browser fills in the same words."""


class IndexStrip(anywidget.AnyWidget):
    """A layer as a row of cells; a click or the space bar keeps or prunes a weight. Drawn in the browser.

    positions   kept weights, sorted; the browser changes it
    entries     [[position, stored, real], ...] of all entries, as Python encoded them
    step        how many entries are drawn as written
    """

    _esm = script(SVG, Path(__file__).parent / "relative_index_view.js", style=css())
    size = traitlets.Int(16).tag(sync=True)
    positions = traitlets.List(traitlets.Int()).tag(sync=True)
    entries = traitlets.List().tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)


class IndexFilm(TableFilm):
    """A layer's entries and words from those of every jump, at every width."""

    _esm = assembled(Path(__file__).parent / "relative_index_film.js")


class RelativeIndexLab(Lab):
    """Encode a short layer with gaps of b bits, one entry at a time.

        RelativeIndexLab()                                   # Figure 2 of the paper
        RelativeIndexLab(positions=[0, 3, 30], bits=2, size=32)
        RelativeIndexLab(net="model.safetensors", layer="fc1")   # also a torch module, a state dict, a .dcz file

    positions   kept weights, increasing;  size: weights of the layer, at most 32
    bits        bits per gap;  value_bits: bits per stored weight, for the count in the caption
    step        entries written so far
    net, layer  a net and which of its layers: 32 weights of it in a row, where the first of its largest tenth stands

    `entries` [(position, stored, real)] and `index`, the `RelativeIndex`, give what the views show.
    """

    heading = html("Relative index <small>click a cell to keep or prune its weight; then step</small>")
    state_names = ("positions", "bits", "size", "value_bits", "step")

    positions = traitlets.List(traitlets.Int(), default_value=list(FIGURE_2))
    bits = traitlets.Int(3, min=1, max=8)
    size = traitlets.Int(16, min=4, max=MAX_SIZE)
    value_bits = traitlets.Int(5, min=1, max=32)
    step = traitlets.Int(0, min=0, max=MAX_SIZE)

    def __init__(self, *, net=None, layer=None, **state):
        self._layers = None
        if net is not None:
            from dcviz.pipeline import sources

            self._layers = sources.layers(net)
            layer = layer or next(iter(self._layers))
            state = {"positions": self._stretch(layer), "size": MAX_SIZE, **state}
        self._layer = layer
        super().__init__(**state)

    def _stretch(self, layer):
        """Which of 32 weights in a row stay when a tenth of a layer's does: from the first one that stays on."""
        check_known("layer", layer, self._layers)
        weights = self._layers[layer].reshape(-1)
        mask = np.abs(weights) >= threshold_from_density(weights, 0.1)
        at = max(0, min(int(mask.argmax()) - 1, mask.size - MAX_SIZE))
        return np.flatnonzero(mask[at : at + MAX_SIZE]).tolist()

    def _choose_layer(self, change):
        with self.hold_trait_notifications():
            self.positions, self.size, self.step = self._stretch(change["new"]), MAX_SIZE, 0

    def build(self):
        self.view = IndexStrip()
        self.bind(self.view, "positions", "positions")
        self.text = widgets.Text(
            description="kept at",
            style={"description_width": "initial"},
            continuous_update=False,
            layout={"width": "420px"},
            tooltip="positions of the kept weights, with commas",
        )
        self.text.observe(self.guard(self._typed), "value")
        self.bits_slider = labelled_slider("bits per gap", self.bits, 1, 8, width="200px")
        self.size_slider = labelled_slider("layer size", self.size, 4, MAX_SIZE, width="200px")
        steps = ["Next entry", "All", "From the start"]
        self.play = Play(label="play the entries", interval=900, steps=steps, value=self.step)
        self.bind_all(bits=self.bits_slider, size=self.size_slider, step=self.play)
        self.figure_2 = widgets.Button(description="Figure 2")
        self.figure_2.on_click(self.guard(lambda _: self._show_figure_2()))
        self.table = Caption(kind="table")
        self.film = IndexFilm(
            {
                "positions": (self.view, "positions"),
                "bits": (self.bits_slider, "value"),
                "size": (self.size_slider, "value"),
                "step": (self.play, "value"),
            },
            [
                *((self.caption, "value"), (self.table, "value"), (self.text, "value"), (self.view, "size")),
                *((self.view, "entries"), (self.view, "step"), (self.play, "high")),
            ],
        )
        first = [self.text, self.figure_2]
        if self._layers is not None:
            choice = widgets.Dropdown(options=choices(self._layers), value=self._layer, description="layer")
            choice.observe(self.guard(self._choose_layer), "value")
            first.insert(0, choice)
        return [row(*first), row(self.bits_slider, self.size_slider), self.view, self.play, self.table, self.film]

    def update(self):
        kept = [position for position in self.positions if position < self.size]
        self.index = relative_index.encode(np.array(kept, np.int64), self.bits)
        places = relative_index.decode(self.index.gaps).tolist()
        gaps, real = self.index.gaps.tolist(), self.index.real.tolist()
        self.entries = list(zip(places, gaps, real, strict=True))
        if kept != self.positions or self.step > len(self.entries):
            with self.hold_trait_notifications():
                self.positions, self.step = kept, min(self.step, len(self.entries))
        with self.view.hold_sync():
            self.view.size, self.view.step = self.size, self.step
            self.view.entries = [list(entry) for entry in self.entries]
        self.text.value = ", ".join(map(str, kept))
        self.play.high = len(self.entries)
        self.table.value = self._table()

    def tabulate(self):
        self.film.shoot(self.value_bits, self._table_of_words)

    def _table_of_words(self):
        widths, counts = range(1, 9), range(MAX_SIZE + 1)
        return {
            "jumps": {bits: [self._jump(jump, bits) for jump in counts] for bits in widths},
            "totals": {bits: [self._total(n, bits) for n in counts] for bits in widths},
            "bits": {bits: self._bits_words(bits) for bits in widths},
            "entries": [_entries_words(n) for n in counts],
            "fillers": [_fillers_words(n) for n in counts],
            "sizes": [_size_words(size) for size in counts],
            "words": WORDS,
            "rows": ROWS,
        }

    def _jump(self, jump, bits):
        """Entries that lead from a weight to the one `jump` positions on -> [[positions ahead, stored, real, bits]]."""
        index = relative_index.encode(np.arange(jump - 1, jump) if jump else [], bits)
        ahead = (relative_index.decode(index.gaps) + 1).tolist()
        words = [_word(stored, bits) for stored in index.gaps.tolist()]
        return list(zip(ahead, index.gaps.tolist(), index.real.tolist(), words, strict=True))

    def _total(self, entries, bits):
        return entries * (bits + self.value_bits)

    def _bits_words(self, bits):
        reach = {"reach": counted(bits, "bit"), "most": 2**bits, "largest": 2**bits - 1}
        return {"bits": bits, "value_bits": self.value_bits, **reach}

    def describe(self):
        now = WORDS["nothing"]
        if self.step:
            position, stored, real = self.entries[self.step - 1]
            before = self.entries[self.step - 2][0] if self.step > 1 else "−1"
            words = {"step": self.step, "before": before, "gap": stored + 1, "position": position, "stored": stored}
            now = html(WORDS["real" if real else "filler"], **words)
        return html(
            WORDS["all"],
            now=now,
            **self._bits_words(self.bits),
            **_entries_words(len(self.entries)),
            **_fillers_words(self.index.fillers),
            **_size_words(self.size),
            total=self._total(len(self.entries), self.bits),
        )

    def picture(self):
        figure, axes = theme.figure(14, 4.6)
        index_strip(axes, self.size, self.entries, self.step)
        return figure

    def _table(self):
        """The stored stream as a table, one column per entry written so far."""
        lines, previous = {name: [] for name in ROWS}, -1
        for position, stored, real in self.entries[: self.step]:
            weight = WORDS["weight" if real else "zero"]
            cells = (position, position - previous, stored, _word(stored, self.bits), weight)
            for line, cell in zip(lines.values(), cells, strict=True):
                line.append(html(WORDS["cell"], cell=cell))
            previous = position
        rows = (html(WORDS["row"], name=ROWS[name], cells=joined("", cells)) for name, cells in lines.items())
        return html(WORDS["table"], rows=joined("", rows))

    def _typed(self, change):
        try:
            typed = [int(part) for part in change["new"].replace(",", " ").split()]
        except ValueError:
            raise CodeError(f"{change['new']!r}: whole numbers and commas, please: 1, 4, 15") from None
        if typed and not 0 <= min(typed) <= max(typed) < MAX_SIZE:
            raise CodeError(f"positions go from 0 to {MAX_SIZE - 1} here")
        typed = sorted(set(typed))
        with self.hold_trait_notifications():
            self.size = max([self.size, *(position + 1 for position in typed)])
            self.positions = typed
        self.text.value = ", ".join(map(str, typed))

    def _show_figure_2(self):
        with self.hold_trait_notifications():
            self.positions, self.bits, self.size, self.step = list(FIGURE_2), 3, 16, 0
        self.refresh()  # a wrong text goes with its alert, even where nothing else changes


def _word(stored, bits):
    return f"{stored:0{bits}b}"


def _entries_words(entries):
    return {"entries": entries, "all": counted(entries, "entry")}


def _fillers_words(fillers):
    return {"fillers": fillers, "filler_word": "filler" if fillers == 1 else "fillers"}


def _size_words(size):
    return {"size": size, "dense": 32 * size}
