"""How many tokens a second can a language model write on a machine? Bytes decide, until the batch is large."""

import traitlets

from dcviz.chapters.ch12_today import figures, roofline
from dcviz.labkit import theme
from dcviz.labkit.base import FigureImage, Lab, html, labelled_slider, row
from dcviz.labkit.markup import counted, number


class TokenLab(Lab):
    """A language model on a machine of your choice: tokens a second by bits a weight and texts at once.

        TokenLab()                                                 # 7 billion weights of 16 bits at 50 GB/s
        TokenLab(billions=70.0, bits=4.5, bandwidth=3350.0, teraflops=400.0, batch=32)

    State: ``billions`` of weights, ``bits`` a weight (scales included), ``bandwidth`` in GB/s, ``teraflops``,
    ``batch``. ``rate`` is computed, not measured: no machine with this memory and arithmetic can be faster.
    """

    heading = html("The batch of one <small>tokens a second, computed from bytes and operations</small>")
    state_names = ("billions", "bits", "bandwidth", "teraflops", "batch")

    billions = traitlets.Float(7.0, min=0.1, max=500.0)
    bits = traitlets.Float(16.0, min=1.0, max=32.0)
    bandwidth = traitlets.Float(50.0, min=1.0, max=10_000.0)
    teraflops = traitlets.Float(1.0, min=0.01, max=5_000.0)
    batch = traitlets.Int(1, min=1, max=256)

    def build(self):
        sliders = {
            "billions": labelled_slider("weights", self.billions, 0.1, 500.0, log=True, unit="billions"),
            "bits": labelled_slider("bits a weight", self.bits, 1.0, 32.0, 0.5),
            "bandwidth": labelled_slider("memory", self.bandwidth, 1.0, 10_000.0, log=True, unit="GB/s"),
            "teraflops": labelled_slider("arithmetic", self.teraflops, 0.01, 5_000.0, log=True, unit="TFLOP/s"),
            "batch": labelled_slider("texts at once", self.batch, 1, 256),
        }
        self.bind_all(**sliders)
        figure, self.axes = theme.figure(11, 5)
        self.lines = self._draw(self.axes)
        self.view = FigureImage(figure, alt="tokens a second against texts at once, 16 bits and the chosen bits")
        return [row(*list(sliders.values())[:2]), row(*list(sliders.values())[2:]), self.view]

    def rates(self, bits, batches=roofline.BATCHES):
        """Tokens a second of this model and machine at other ``bits``, for every batch -> list of float."""
        machine = self.bandwidth * 1e9, self.teraflops * 1e12
        return [roofline.tokens_per_second(self.billions * 1e9, bits, *machine, n) for n in batches]

    def gain(self, bits=4.5):
        """How many times faster than with 16 bits the model writes at this batch -> float."""
        return self.rates(bits, [self.batch])[0] / self.rates(16.0, [self.batch])[0]

    def update(self):
        self._show(self.axes, self.lines)
        self.view.redraw()

    def _draw(self, axes):
        figures.tokens_axes(axes)
        looks = {"16 bits a weight": "dense", "the bits you chose": "ours"}
        lines = [axes.plot([1], [1], label=label, **theme.line_style(role))[0] for label, role in looks.items()]
        lines += axes.plot([1], [1], label="here", **theme.line_style("guess", linestyle="", markersize=18))
        axes.legend(loc="upper left")
        return lines

    def _show(self, axes, lines):
        self.rate = self.rates(self.bits, [self.batch])[0]
        both = self.rates(16.0), self.rates(self.bits)
        for line, rates in zip(lines, both, strict=False):
            line.set_data(roofline.BATCHES, rates)
        lines[2].set_data([self.batch], [self.rate])
        axes.set_ylim(min(map(min, both)) / 2, max(map(max, both)) * 3)

    def describe(self):
        size = self.billions * self.bits / 8
        turn = roofline.knee(self.bits, self.bandwidth * 1e9, self.teraflops * 1e12)
        waits = "memory decides" if self.batch < turn else "arithmetic decides"
        return html(
            "{billions} billion weights of {bits} are {size} GB. Reading them takes {time} ms, so "
            "with {texts} at once: at most <b>{rate} tokens a second</b>, <b>{gain:.2f} times</b> as many as with "
            "16 bits. From {turn} texts on arithmetic decides; here {waits}. Computed.",
            billions=number(self.billions),
            bits=counted(self.bits, "bit", number(self.bits)),
            size=number(size),
            time=number(1e3 * size / self.bandwidth),
            texts=counted(self.batch, "text"),
            rate=number(self.rate),
            gain=self.gain(self.bits),
            turn=number(turn),
            waits=waits,
        )

    def picture(self):
        figure, axes = theme.figure(11, 5)
        self._show(axes, self._draw(axes))
        return figure
