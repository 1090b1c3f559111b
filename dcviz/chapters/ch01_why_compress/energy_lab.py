"""Energy of one inference: weights from DRAM, from SRAM, and the arithmetic. All assumptions are editable."""

import ipywidgets as widgets
import traitlets

from dcviz.chapters.ch01_why_compress.figures import inference_bars, operation_bars
from dcviz.errors import NetError
from dcviz.evidence import budgets, paper
from dcviz.labkit import theme
from dcviz.labkit.base import FigureImage, Lab, html, labelled_entry, labelled_slider, row
from dcviz.labkit.markup import number

ROWS = (
    ("arithmetic, dense", "muted"),
    ("DRAM, dense", "pruned"),
    ("DRAM, compressed", "retrained"),
    ("SRAM, compressed", "kept"),
)
EXAMPLES = {"example": "the paper's example: 1 billion connections"} | {
    net: name for net, (name, _) in paper.NETS.items()
}


class EnergyLab(Lab):
    """Joules per inference and watts at a rate, from picojoules per access: computed, not measured.

        EnergyLab(connections=1e9, rate=20)          # 12.8 W from DRAM: the paper's example

    connections  weights of the net; each is fetched once per inference, as 32 bits when dense
    rate         inferences per second
    ratio        how many times smaller the compressed weights are, index included
    dram_pj, sram_pj   picojoules to read 32 bits

    `joules` {row: joules} gives what the bars show.
    """

    heading = html("Energy <small>what one inference costs before it computes anything</small>")
    state_names = ("connections", "rate", "ratio", "dram_pj", "sram_pj")

    connections = traitlets.Float(1e9, min=1e3, max=1e11)
    rate = traitlets.Float(20.0, min=0, max=200)
    ratio = traitlets.Int(35, min=1, max=100)
    dram_pj = traitlets.Float(640.0, min=0.001, max=1e5)
    sram_pj = traitlets.Float(5.0, min=0.001, max=1e5)

    def build(self):
        self.example_choice = widgets.Dropdown(
            options=[("choose an example …", ""), *((name, key) for key, name in EXAMPLES.items())],
            description="net",
            layout={"width": "470px"},
        )
        self.example_choice.observe(self.guard(self._choose), "value")
        self.controls = {  # sliders whose steps hold the defaults, as a browser snaps to them
            "connections": labelled_entry("connections", self.connections, 1e3, 1e11),
            "rate": labelled_slider("inferences a second", self.rate, 0.0, 200.0, 0.5, width="260px"),
            "ratio": labelled_slider("times smaller", self.ratio, 1, 100, width="260px"),
            "dram_pj": labelled_entry("DRAM", self.dram_pj, 0.001, 1e5, unit="pJ per 32 bits"),
            "sram_pj": labelled_entry("SRAM", self.sram_pj, 0.001, 1e5, unit="pJ per 32 bits"),
        }
        self.bind_all(**self.controls)
        figure, axes = theme.figure(11, 3.4)
        self.bars = inference_bars(axes, ROWS)
        self.figure_view = FigureImage(figure, self.bars, alt="energy of an inference by memory")
        first, *sliders, dram, sram = self.controls.values()
        return [row(self.example_choice, first), row(*sliders), row(dram, sram), self.figure_view]

    def update(self):
        n, small = self.connections, 32 / self.ratio
        joules = (
            budgets.arithmetic_joules(n),
            budgets.fetch_joules(n, 32, self.dram_pj),
            budgets.fetch_joules(n, small, self.dram_pj),
            budgets.fetch_joules(n, small, self.sram_pj),
        )
        self.joules = {name: value for (name, _), value in zip(ROWS, joules, strict=True)}
        for bar, value in zip(self.bars, joules, strict=True):
            bar.set_width(value)
        self.figure_view.refresh()

    def describe(self):
        compute, dense, small, chip = (self.joules[name] for name, _ in ROWS)
        return self.say(
            "{connections:,.0f} connections × {dram_pj} pJ = {joules} per inference; "
            "× {rate} a second = <b>{watts}</b> only to fetch weights from DRAM. "
            "Made {ratio:g} times smaller: <b>{small}</b> from DRAM, "
            "<b>{chip}</b> from on-chip SRAM, where they now may fit: "
            "{dense:,.0f} times less. Arithmetic, dense: {compute}. "
            "<i>Computed from the table, not measured.</i>",
            dram_pj=number(self.dram_pj),
            joules=_joules(dense),
            rate=number(self.rate),
            watts=_watts(dense * self.rate),
            small=_watts(small * self.rate),
            chip=_watts(chip * self.rate),
            dense=dense / chip,
            compute=_watts(compute * self.rate),
        )

    def picture(self):
        figure, (left, right) = theme.figure(13, 4.6, columns=2)
        operation_bars(left, paper.table("energy_table_45nm_pj"))
        for bar, value in zip(inference_bars(right, ROWS), self.joules.values(), strict=True):
            bar.set_width(value)
        return figure

    def _choose(self, change):
        if not change["new"]:
            return
        if change["new"] not in EXAMPLES:
            raise NetError(f"no example {change['new']!r}; there are {', '.join(EXAMPLES)}")
        net = "alexnet" if change["new"] == "example" else change["new"]
        with self.hold_trait_notifications():
            self.connections = 1e9 if change["new"] == "example" else float(budgets.paper_connections(net))
            self.ratio = round(budgets.paper_bytes(net, "dense") / budgets.paper_bytes(net, "coded"))


def _joules(value):
    return _scaled(value, "J")


def _watts(value):
    return _scaled(value, "W")


def _scaled(value, unit):
    for size, letter in ((1, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")):
        if value >= size:
            return f"{number(value / size)} {letter}{unit}"
    return f"{number(value / 1e-12)} p{unit}"
