"""When does the codebook itself matter? The compression rate of section 3 over n and k."""

import math

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.chapters.ch05_trained_quantization.figures import rate_axes, share_bars
from dcviz.evidence import paper
from dcviz.ideas.kmeans import compression_rate
from dcviz.labkit import theme
from dcviz.labkit.base import FigureImage, Lab, html, row
from dcviz.labkit.histograms import short
from dcviz.labkit.inline import LogSlider, inline_slider
from dcviz.labkit.markup import counted

VALUE_BITS = 32
LOW, HIGH = 8, 100_000_000
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


class CodebookLab(Lab):
    """Slide n, the weights that share a codebook, and the bits of a code; see what the codebook costs.

        CodebookLab()                      # Fig. 3's 16 weights and 4 values
        CodebookLab(n=3_400_000, bits=5)   # AlexNet's largest layer, pruned

    `rate`, `overhead` (codebook / all bits), `code_bytes` and `codebook_bytes` give what the views show.
    """

    heading = html("What the codebook costs <small>r = n b / (n log₂ k + k b)</small>")
    state_names = ("n", "bits")

    n = traitlets.Int(16, min=LOW, max=HIGH)
    bits = traitlets.Int(2, min=1, max=12)

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

    def build(self):
        self.choice = widgets.Dropdown(options=list(LAYERS), description="layer", layout={"width": "340px"})
        self.choice.value = self._named()
        self.choice.observe(self.guard(self._choose), "value")
        self.n_slider = LogSlider("n, weights", self.n, LOW, HIGH)
        self.bits_slider = inline_slider("bits of a code", self.bits, 1, 12, width="240px")
        self.bind(self.n_slider, "n")
        self.bind(self.bits_slider, "bits")
        figure, (left, right) = theme.figure(12, 4.6, columns=2, gridspec_kw={"width_ratios": [1.7, 1]})
        self.curves = _curves(left)
        (self.dot,) = left.plot([], [], "kD", markersize=13, markerfacecolor="white", markeredgewidth=3)
        self.code_bar, self.book_bar = share_bars(right)
        moving = [self.dot, self.code_bar, self.book_bar]
        self.figure_view = FigureImage(figure, moving, alt="compression rate by n; bytes before and after sharing")
        return [row(self.choice, self.n_slider, self.bits_slider), self.figure_view]

    def update(self):
        self.choice.value = self._named()
        self._draw(self.dot, self.code_bar, self.book_bar)
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

    def _draw(self, dot, codes, book):
        dot.set_data([self.n], [self.rate])
        percent = 100 / (self.n * VALUE_BITS / 8)
        codes.set_width(self.code_bytes * percent)
        book.set(x=self.code_bytes * percent, width=self.codebook_bytes * percent)

    def describe(self):
        k = 2**self.bits
        verdict = (
            "the codebook is most of what is stored"
            if self.overhead > 0.5
            else "the codebook matters"
            if self.overhead > 0.02
            else "the codebook is negligible"
        )
        size = "smaller" if self.rate >= 1 else html("smaller: that is <i>larger</i>")
        return html(
            "n = <b>{n:,}</b> weights, codes of <b>{code}</b>, k = <b>{k:,}</b> values: "
            "r = {n:,}·32 / ({n:,}·{bits} + {k:,}·32) = <b>{rate:.2f}×</b> {size}. "
            "Codes {code_bytes} + codebook {codebook_bytes}: "
            "<b>{overhead:.2g}%</b> is codebook, so {verdict}. Without it r would be "
            "{without:.2f}.",
            n=self.n,
            code=counted(self.bits, "bit"),
            bits=self.bits,
            k=k,
            rate=self.rate,
            size=size,
            code_bytes=_bytes(self.code_bytes),
            codebook_bytes=_bytes(self.codebook_bytes),
            overhead=100 * self.overhead,
            verdict=verdict,
            without=VALUE_BITS / self.bits,
        )

    def picture(self):
        figure, (left, right) = theme.figure(13, 5, columns=2, gridspec_kw={"width_ratios": [1.7, 1]})
        self._veil(_curves(left))
        (dot,) = left.plot([], [], "kD", markersize=13, markerfacecolor="white", markeredgewidth=3)
        self._draw(dot, *share_bars(right))
        return figure

    def _named(self):
        return next((name for name, at in LAYERS.items() if at == (self.n, self.bits)), next(iter(LAYERS)))

    def _choose(self, change):
        if LAYERS[change["new"]] is not None:
            with self.hold_trait_notifications():
                self.n, self.bits = LAYERS[change["new"]]


def _curves(axes):
    n = np.geomspace(LOW, HIGH, 120)
    return rate_axes(axes, {b: (n, [compression_rate(x, VALUE_BITS, 2**b) for x in n]) for b in SHOWN})


def _bytes(size):
    return f"{short(math.ceil(size))}B" if size >= 1000 else f"{math.ceil(size)} bytes"
