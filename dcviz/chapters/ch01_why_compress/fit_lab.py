"""Will it fit? A net at a stage of the pipeline against real memories."""

import ipywidgets as widgets
import traitlets

from dcviz.chapters.ch01_why_compress.figures import memory_bars, show_sizes
from dcviz.errors import check_known
from dcviz.evidence import budgets, paper
from dcviz.evidence.memories import memories, size_text
from dcviz.files import MODELS
from dcviz.labkit import theme
from dcviz.labkit.base import FigureImage, Lab, html, joined, labelled_entry, row

NETS = {**{key: name for key, (name, _) in paper.NETS.items()}, "own": "a net of your own"}
STAGES = {
    "dense": "dense",
    "pruned": "pruned",
    "shared": "pruned + shared weights",
    "coded": "pruned + shared + Huffman",
}


class FitLab(Lab):
    """Which memories hold a net, stage by stage: the paper's size beside the length of our own file.

        FitLab(net="vgg-16", stage="coded")
        FitLab(net="own", millions=25.6, stage="dense")

    `sizes` {"paper": bytes, "ours": bytes or None} and `holds(who)`, the memories that are large enough, give
    what the views show. For a net of your own, "paper" is a guess: the ratios of the paper's AlexNet.
    """

    heading = html("Will it fit? <small>a net, a stage, and memories you can buy</small>")
    state_names = ("net", "stage", "millions")

    net = traitlets.Unicode("alexnet")
    stage = traitlets.Unicode("dense")
    millions = traitlets.Float(25.6, min=0.001, max=10000, help="parameters of your own net, millions")

    @traitlets.validate("stage")
    def _older_links(self, proposal):
        return "coded" if proposal["value"] == "huffman" else proposal["value"]

    def build(self):
        self.memories = memories()
        self.net_choice = widgets.Dropdown(
            options=[(name, key) for key, name in NETS.items()], description="net", layout={"width": "270px"}
        )
        stages = [(name, key) for key, name in STAGES.items()]
        self.stage_choice = widgets.Dropdown(options=stages, description="stage", layout={"width": "370px"})
        self._check()
        self.bind_all(net=self.net_choice, stage=self.stage_choice)
        self.own = labelled_entry("your net's parameters", self.millions, 0.001, 10000, unit="millions")
        self.bind(self.own, "millions")
        figure, axes = theme.figure(11, 6.6)
        self.artists = memory_bars(axes, self.memories)
        moving = [self.artists["paper"], self.artists["ours"]]
        moving += [line for key in ("fits", "fails") for line in self.artists[key].values()]
        self.figure_view = FigureImage(figure, moving, alt="memories by size, and which of them hold the net")
        return [row(self.net_choice, self.stage_choice, self.own), self.figure_view]

    def update(self):
        self._check()
        self.own.layout.display = None if self.net == "own" else "none"
        if self.net == "own":
            self.sizes = {"paper": budgets.guessed_bytes(self.millions * 1e6, self.stage), "ours": None}
        else:
            self.sizes = {"paper": budgets.paper_bytes(self.net, self.stage), "ours": _our_bytes(self.net, self.stage)}
        show_sizes(self.artists, self.memories, self.sizes)
        self.figure_view.refresh()

    def holds(self, who="paper"):
        """The memories that are at least as large as the net, smallest first -> list of Memory."""
        size = self.sizes[who]
        return [] if size is None else [memory for memory in self.memories if memory.bytes >= size]

    def first_on_chip(self, net, who="paper"):
        """The first stage at which a net of the paper fits into any SRAM here -> its label, or 'never'."""
        size = {"paper": budgets.paper_bytes, "ours": _our_bytes}[who]
        largest = max(memory.bytes for memory in self.memories if memory.kind == "SRAM")
        return next((label for stage, label in STAGES.items() if size(net, stage) <= largest), "never")

    def describe(self):
        own = self.net == "own"
        quoted = "guessed with the ratios of the paper's AlexNet" if own else "quoted from the paper"
        if self.stage == "pruned":
            quoted += ", which counts no index here"
        lines = [
            html(
                "<b>{net}</b>, {stage}: {line}",
                net=NETS[self.net],
                stage=STAGES[self.stage],
                line=self._line("paper", quoted),
            )
        ]
        if self.sizes["ours"] is not None:
            how = "measured: a file that decodes back, index and all"
            lines.append(html("<br>Ours: {line}", line=self._line("ours", how)))
        elif self.net == "alexnet":
            lines.append(
                html("<br>Ours: an AlexNet ships, too, but one that learned the ten classes of CIFAR-10: chapter 07.")
            )
        elif not own:
            lines.append(html("<br>Ours: no file of this net ships with the workbook."))
        return joined("", lines)

    def picture(self):
        figure, axes = theme.figure(13, 6.6)
        show_sizes(memory_bars(axes, self.memories), self.memories, self.sizes)
        return figure

    def _line(self, who, how):
        size, fits = self.sizes[who], self.holds(who)
        on_chip = [memory for memory in fits if memory.kind == "SRAM"]
        best = on_chip[0] if on_chip else None
        text = html(
            "<b>{size}</b> ({how}). It fits into {fits} of {memories}; ",
            size=size_text(size),
            how=how,
            fits=len(fits),
            memories=len(self.memories),
        )
        if best is not None:
            return text + html("the smallest on-chip SRAM that holds it: <b>{name}</b>.", name=best.name)
        largest = [memory for memory in self.memories if memory.kind == "SRAM"][-1]
        return text + html("<b>no on-chip SRAM</b>: {size:.1f} times the largest here.", size=size / largest.bytes)

    def _check(self):
        check_known("net", self.net, NETS)
        check_known("stage", self.stage, STAGES)


def _our_bytes(net, stage):
    """Bytes of our own file of a net at a stage; None if none ships."""
    if not (MODELS / f"{net}.dcz").is_file():
        return None
    from dcviz.pipeline import shipped  # with it comes torch, which takes seconds: the first lab is there before

    return shipped.bytes_after(net, stage)
