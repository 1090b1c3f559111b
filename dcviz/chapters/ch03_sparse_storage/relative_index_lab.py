"""The relative index entry by entry: click weights on and off, choose the bits of a gap, step through."""

from pathlib import Path

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets
from markupsafe import Markup

from dcviz.chapters.ch03_sparse_storage.figures import index_strip
from dcviz.errors import CodeError
from dcviz.ideas import relative_index
from dcviz.labkit import theme
from dcviz.labkit.base import Caption, Lab, html, joined, labelled_slider, row
from dcviz.labkit.controls import SVG, css, script
from dcviz.labkit.markup import counted

MAX_SIZE = 32
FIGURE_2 = (1, 4, 15)


class IndexStrip(anywidget.AnyWidget):
    """A layer as a row of cells; a click or the space bar keeps or prunes a weight. Drawn in the browser.

    positions   kept weights, sorted; the browser changes it
    entries     [[position, stored, real], ...] of all entries, as Python encoded them
    step        how many entries are drawn as written
    """

    _esm = script(SVG, Path(__file__).parent / "relative_index_view.js")
    _css = css()
    size = traitlets.Int(16).tag(sync=True)
    positions = traitlets.List(traitlets.Int()).tag(sync=True)
    entries = traitlets.List().tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)


class RelativeIndexLab(Lab):
    """Encode a short layer with gaps of b bits, one entry at a time.

        RelativeIndexLab()                                   # Figure 2 of the paper
        RelativeIndexLab(positions=[0, 3, 30], bits=2, size=32)

    positions   kept weights, increasing;  size: weights of the layer, at most 32
    bits        bits per gap;  value_bits: bits per stored weight, for the count in the caption
    step        entries written so far

    `entries` [(position, stored, real)] and `index`, the `RelativeIndex`, give what the views show.
    """

    heading = html("Relative index <small>click a cell to keep or prune its weight; then step</small>")
    state_names = ("positions", "bits", "size", "value_bits", "step")

    positions = traitlets.List(traitlets.Int(), default_value=list(FIGURE_2))
    bits = traitlets.Int(3, min=1, max=8)
    size = traitlets.Int(16, min=4, max=MAX_SIZE)
    value_bits = traitlets.Int(5, min=1, max=32)
    step = traitlets.Int(0, min=0, max=MAX_SIZE)

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
        self.bind(self.bits_slider, "bits")
        self.bind(self.size_slider, "size")
        self.next = widgets.Button(description="Next entry", button_style="primary")
        self.all = widgets.Button(description="All")
        self.again = widgets.Button(description="From the start")
        self.figure_2 = widgets.Button(description="Figure 2")
        for button, action in (
            (self.next, lambda: setattr(self, "step", min(self.step + 1, len(self.entries)))),
            (self.all, lambda: setattr(self, "step", len(self.entries))),
            (self.again, lambda: setattr(self, "step", 0)),
            (self.figure_2, self._show_figure_2),
        ):
            button.on_click(self.guard(lambda _, action=action: self._pressed(action)))
        self.table = Caption(kind="table")
        return [
            row(self.text, self.figure_2),
            row(self.bits_slider, self.size_slider),
            self.view,
            row(self.next, self.all, self.again),
            self.table,
        ]

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
        self.next.disabled = self.all.disabled = self.step >= len(self.entries)
        self.table.value = self._table()

    def describe(self):
        entries, fillers = len(self.entries), self.index.fillers
        most = 2**self.bits
        now = "Nothing is written yet: the reader stands before the layer, at −1. "
        if self.step:
            position, stored, real = self.entries[self.step - 1]
            before = self.entries[self.step - 2][0] if self.step > 1 else -1
            before = str(before).replace("-", "−")
            what = (
                f"the weight at {position}"
                if real
                else html("{position}, a <b>filler</b>: the weight is too far", position=position)
            )
            now = html(
                "Entry {step}: from {before} a gap of {gap} to {what}; stored <b>{stored}</b>. ",
                step=self.step,
                before=before,
                gap=stored + 1,
                what=what,
                stored=stored,
            )
        total = entries * (self.bits + self.value_bits)
        return html(
            "{now}With {reach} a gap reaches from 1 to {most} (stored as 0 to {largest}). In all "
            "<b>{all}</b>, {fillers} of them {filler_word}: "
            "{entries} × ({bits} + {value_bits}) = <b>{total} bits</b>; "
            "the {size} dense weights take {size} × 32 = {dense}.",
            now=now,
            reach=counted(self.bits, "bit"),
            bits=self.bits,
            most=most,
            largest=most - 1,
            entries=entries,
            all=counted(entries, "entry"),
            fillers=fillers,
            filler_word="filler" if fillers == 1 else "fillers",
            value_bits=self.value_bits,
            total=total,
            size=self.size,
            dense=32 * self.size,
        )

    def picture(self):
        figure, axes = theme.figure(14, 4.6)
        index_strip(axes, self.size, self.entries, self.step)
        return figure

    def _table(self):
        """The stored stream as a table, one column per entry written so far."""
        lines = {"position": [], "gap": [], "stored (gap − 1)": [], "as bits": [], "weight": []}
        previous = -1
        for position, stored, real in self.entries[: self.step]:
            bits, weight = f"{stored:0{self.bits}b}", "w" if real else "0, filler"
            cells = (position, position - previous, stored, bits, weight)
            for line, cell in zip(lines.values(), cells, strict=True):
                line.append(cell)
            previous = position
        style = "padding: 2px 14px; text-align: right; white-space: nowrap"
        rows = Markup("")
        for name, cells in lines.items():
            cells = joined("", (html("<td style='{style}'>{cell}</td>", style=style, cell=cell) for cell in cells))
            rows += html(
                "<tr><th style='{style}; text-align: left'>{name}</th>{cells}</tr>", style=style, name=name, cells=cells
            )
        table = html("<table style='border-collapse: collapse; font-size: 19px'>{rows}</table>", rows=rows)
        return html("<div style='overflow-x: auto'>{table}</div>", table=table)

    def _pressed(self, action):
        action()
        self.refresh()  # a wrong text goes with its alert, even where nothing else changes

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
