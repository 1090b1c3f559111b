"""When does the codebook itself matter? The compression rate of section 3 over n and k."""

import math
from dataclasses import dataclass
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.chapters.ch05_trained_quantization.figures import rate_axes, share_bars
from dcviz.evidence import paper
from dcviz.ideas.kmeans import compression_rate
from dcviz.labkit import theme
from dcviz.labkit.base import Lab, html, row
from dcviz.labkit.histograms import short
from dcviz.labkit.inline import LogSlider, inline_slider
from dcviz.labkit.linked_picture import LinkedPicture
from dcviz.labkit.markup import counted, visible
from dcviz.labkit.table_film import TableFilm, assembled

VALUE_BITS = 32
LOW, HIGH = 8, 100_000_000
BITS = range(1, 13)
SHOWN = (1, 2, 4, 8, 12)  # bits whose curves are always there


def _layers():
    """{layer: (surviving weights, bits of a code)} of the paper's pruned nets, from Fig. 3 and Tables 3 and 4."""
    found = {"a layer of your own": None, "Fig. 3's example": (16, 2)}
    for net, table, names in (
        ("LeNet-5", "table3_lenet5", ("conv1", "ip1")),
        ("AlexNet", "table4_alexnet", ("conv1", "fc6")),
    ):
        for line in paper.table(table).rows:
            if line["layer"] in names:
                label = line["n_weights_label"]
                n = float(label[:-1]) * {"K": 1e3, "M": 1e6}[label[-1]] * line["weights_pct_P"] / 100
                found[f"{net} {line['layer']}, pruned"] = round(n), int(line["weight_bits_PQ"])
    return found


LAYERS = _layers()


def _layers_of(net):
    """{layer: (weights, 5 bits)} of any net, as ``pipeline.sources`` opens it; only shapes are read."""
    from dcviz.pipeline import sources

    shapes = sources.layers(net).shapes
    sizes = {name: min(max(math.prod(shape), LOW), HIGH) for name, shape in shapes.items()}
    return {"a layer of your own": None} | {f"{visible(name, 40)}, {n:,} weights": (n, 5) for name, n in sizes.items()}


@dataclass(frozen=True)
class Cost:
    """What n weights with codes of `bits` bits cost."""

    n: int
    bits: int

    @property
    def rate(self):
        """Section 3's r."""
        return compression_rate(self.n, VALUE_BITS, 2**self.bits)

    @property
    def code_bytes(self):
        """Bytes of n codes."""
        return self.n * self.bits / 8

    @property
    def codebook_bytes(self):
        """Bytes of 2**bits float32 values."""
        return 2**self.bits * VALUE_BITS / 8

    @property
    def overhead(self):
        """The codebook's share of what is stored, 0 to 1."""
        return self.codebook_bytes / (self.codebook_bytes + self.code_bytes)

    @property
    def bars(self):
        """Where the bars of codes and codebook begin and end, in percent of the dense weights' bytes."""
        percent = 100 / (self.n * VALUE_BITS / 8)
        codes = self.code_bytes * percent
        return (0, codes), (codes, codes + self.codebook_bytes * percent)


class CodebookFilm(TableFilm):
    """The caption from words of n, words of the bits, and what depends on both."""

    _esm = assembled(Path(__file__).parent / "codebook_film.js")


def _of_now(name):
    """A property: that number of the `Cost` of the lab's n and bits."""
    return property(lambda lab: getattr(Cost(lab.n, lab.bits), name))


class CodebookLab(Lab):
    """Slide n, the weights that share a codebook, and the bits of a code; see what the codebook costs.

        CodebookLab()                      # Fig. 3's 16 weights and 4 values
        CodebookLab(n=3_400_000, bits=5)   # AlexNet's largest layer, pruned
        CodebookLab(net="model.safetensors")    # its layers; a torch module, a state dict, a .dcz file, too

    `rate`, `overhead` (codebook / all bits), `code_bytes` and `codebook_bytes` give what the views show.
    """

    heading = html("What the codebook costs <small>r = n b / (n log₂ k + k b)</small>")
    state_names = ("n", "bits")

    n = traitlets.Int(16, min=LOW, max=HIGH)
    bits = traitlets.Int(2, min=1, max=12)

    rate, overhead, code_bytes, codebook_bytes = map(_of_now, ("rate", "overhead", "code_bytes", "codebook_bytes"))

    def __init__(self, *, net=None, **state):
        self.layers = LAYERS if net is None else _layers_of(net)
        if net is not None and not state:
            state = dict(zip(("n", "bits"), list(self.layers.values())[1], strict=True))
        super().__init__(**state)

    def build(self):
        self.choice = widgets.Dropdown(options=list(self.layers), description="layer", layout={"width": "340px"})
        self.choice.value = self._named()
        self.choice.observe(self.guard(self._choose), "value")
        self.n_slider = LogSlider("n, weights", self.n, LOW, HIGH)
        self.bits_slider = inline_slider("bits of a code", self.bits, 1, 12, width="240px")
        self.bind_all(n=self.n_slider, bits=self.bits_slider)
        figure, (left, right) = theme.figure(12, 4.6, columns=2, gridspec_kw={"width_ratios": [1.7, 1]})
        self.curves = _curves(left)
        (self.dot,) = left.plot([], [], "kD", markersize=13, markerfacecolor="white", markeredgewidth=3)
        self.bars = share_bars(right)
        self.figure_view = LinkedPicture(
            figure, [self.dot, *self.bars], alt="compression rate by n; bytes before and after sharing"
        )
        slider, entry = self.n_slider.slider, self.n_slider.entry
        self.film = CodebookFilm(
            {"n": (slider, "value"), "bits": (self.bits_slider, "value")},
            [(self.caption, "value"), (self.figure_view, "shapes"), (entry, "value")],
        )
        return [row(self.choice, self.n_slider, self.bits_slider), self.figure_view, self.film]

    def update(self):
        self.choice.value = self._named()
        self._draw(self.dot, *self.bars)
        changed = self._veil(self.curves)
        (self.figure_view.redraw if changed else self.figure_view.refresh)()

    def _veil(self, curves):
        """Leave out the curve that answers a question that waits; returns whether that changed anything."""
        told = self.prediction.at.get("bits") if self.waits else None
        before = [line.get_visible() for line, _ in curves.values()]
        for bits, parts in curves.items():
            for part in parts:
                part.set_visible(bits != told)
        return before != [line.get_visible() for line, _ in curves.values()]

    def tabulate(self):
        self.film.shoot("once", self._table)

    def _table(self):
        places = range(self.n_slider.slider.min, self.n_slider.slider.max + 1)
        values = [self.n_slider.at(place) for place in places]
        return {
            "first": places[0],
            "values": values,
            "bits": {bits: {"words": _bits_words(bits), **self._rows(values, bits)} for bits in BITS},
            "n": [_n_words(n) for n in values],
            "words": WORDS,
        }

    def _rows(self, values, bits):
        """What depends on n and bits: words, and where dot and bars stand, for each n."""
        costs = [Cost(n, bits) for n in values]
        dots = self.figure_view.places(self.dot.axes, [(cost.n, cost.rate) for cost in costs])
        bars = [
            self.figure_view.places(bar.axes, [(x, y) for cost in costs for x in cost.bars[i] for y in edges])
            for i, (bar, edges) in enumerate((bar, (bar.get_y(), bar.get_y() + bar.get_height())) for bar in self.bars)
        ]
        return {"costs": [_cost_words(cost) for cost in costs], "dots": dots, "bars": bars}

    def _draw(self, dot, *bars):
        cost = Cost(self.n, self.bits)
        dot.set_data([cost.n], [cost.rate])
        for bar, (left, right) in zip(bars, cost.bars, strict=True):
            bar.set(x=left, width=right - left)

    def describe(self):
        cost = Cost(self.n, self.bits)
        return html(WORDS, **_n_words(self.n), **_bits_words(self.bits), **_cost_words(cost))

    def picture(self):
        figure, (left, right) = theme.figure(13, 5, columns=2, gridspec_kw={"width_ratios": [1.7, 1]})
        self._veil(_curves(left))
        (dot,) = left.plot([], [], "kD", markersize=13, markerfacecolor="white", markeredgewidth=3)
        self._draw(dot, *share_bars(right))
        return figure

    def _named(self):
        chosen = self.choice.value
        if self.layers.get(chosen) == (self.n, self.bits):  # of two layers of one size the chosen one
            return chosen
        return next((name for name, at in self.layers.items() if at == (self.n, self.bits)), next(iter(self.layers)))

    def _choose(self, change):
        if self.layers[change["new"]] is not None:
            with self.hold_trait_notifications():
                self.n, self.bits = self.layers[change["new"]]


def _curves(axes):
    n = np.geomspace(LOW, HIGH, 120)
    return rate_axes(axes, {b: (n, [compression_rate(x, VALUE_BITS, 2**b) for x in n]) for b in SHOWN})


def _bytes(size):
    return f"{short(math.ceil(size))}B" if size >= 1000 else counted(math.ceil(size), "byte")


WORDS = (
    "n = <b>{n}</b> weights, codes of <b>{code}</b>, k = <b>{k}</b> values: r = {n}·32 / ({n}·{bits} + {k}·32) = "
    "<b>{rate}×</b> {size}. Codes {code_bytes} + codebook {codebook_bytes}: <b>{overhead}%</b> is codebook, so "
    "{verdict}. Without it r would be {without}."
)
"""What the caption says; the browser fills in the same words."""


def _n_words(n):
    return {"n": f"{n:,}"}


def _bits_words(bits):
    k = 2**bits
    size = _bytes(Cost(1, bits).codebook_bytes)
    without = f"{VALUE_BITS / bits:.2f}"
    return {"code": counted(bits, "bit"), "bits": bits, "k": f"{k:,}", "codebook_bytes": size, "without": without}


def _cost_words(cost):
    verdict = (
        "the codebook is most of what is stored"
        if cost.overhead > 0.5
        else "the codebook matters"
        if cost.overhead > 0.02
        else "the codebook is negligible"
    )
    return {
        "rate": f"{cost.rate:.2f}",
        "size": "smaller" if cost.rate >= 1 else html("smaller: that is <i>larger</i>"),
        "code_bytes": _bytes(cost.code_bytes),
        "overhead": f"{100 * cost.overhead:.2g}",
        "verdict": verdict,
    }
