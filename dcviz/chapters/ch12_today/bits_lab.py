"""Few bits a weight: how they are chosen, who shares a table, how long the file is, and what the model still writes."""

import ipywidgets as widgets
import traitlets

from dcviz import archive
from dcviz.chapters.ch12_today import figures, measure, sharing, together
from dcviz.evidence import recordings
from dcviz.files import MODELS
from dcviz.labkit import theme
from dcviz.labkit.base import LOCK, FigureImage, Lab, RunButton, html, row, words
from dcviz.labkit.markup import coded, signed
from dcviz.nets import novels, transformer

NAMES = {"layer": "layer", "row": "output", "64": "64 neighbours", "32": "32 neighbours"}
"""{group: who shares a table, in words}."""


class BitsLab(Lab):
    """The language model with few bits a weight: method, group, weights apart, file, error, a sentence.

        BitsLab()                                              # 8 bits, one k-means codebook a layer
        BitsLab(bits=4, method="grid", group="32")             # what a local runner's format does
        BitsLab(bits=3, method="k-means, weighted", group="row", apart=True, begin="Mr. Darcy")

    State: ``bits``, ``method``, ``group`` (who shares a table), ``apart`` (0.5% of the weights keep their value),
    ``huffman`` (codes of varying length), ``begin`` (how the sentence begins). ``point`` is the recorded row, None
    where none was recorded; ``run()`` does it now, and ``live`` is the last run's (bytes, bits a character, sentence).
    """

    heading = html("A few bits a weight <small>who shares which values, what it costs, what is left</small>")
    state_names = ("bits", "method", "group", "apart", "huffman", "begin")

    bits = traitlets.Enum(measure.BITS, 8)
    method = traitlets.Enum(sharing.METHODS, "k-means")
    group = traitlets.Enum(tuple(str(group) for group in sharing.GROUPS), "layer")
    apart = traitlets.Bool(False)
    huffman = traitlets.Bool(False)
    begin = traitlets.Unicode(measure.PROMPT)

    def __init__(self, **state):
        self.recorded = recordings.load("today_sharing")
        self.dense = recordings.load("today_pruning").rows[0]
        self.live = self._live_state = None
        super().__init__(**state)

    def build(self):
        choose = {"style": {"description_width": "initial"}, "layout": {"width": "auto"}}
        choices = {
            "bits": widgets.Dropdown(options=measure.BITS, description="bits", value=self.bits, **choose),
            "method": widgets.Dropdown(options=sharing.METHODS, description="method", value=self.method, **choose),
            "group": widgets.Dropdown(
                options=[(words, group) for group, words in NAMES.items()],
                description="a table for each",
                value=self.group,
                **choose,
            ),
            "apart": widgets.Checkbox(self.apart, description="0.5% kept apart", indent=False, **choose),
            "huffman": widgets.Checkbox(self.huffman, description="Huffman codes", indent=False, **choose),
            "begin": widgets.Text(self.begin, description="begin with", continuous_update=False, **choose),
        }
        self.bind_all(**choices)
        self.button = RunButton("Do it now, and write", self._work, self._done, self.fail)
        self.view = FigureImage(self._figure(), alt="bits a character against bytes, recorded points of this method")
        parts = list(choices.values())
        return [row(*parts[:3]), row(*parts[3:]), self.button, self.view]

    @property
    def _is_live(self):
        return self.live is not None and self._live_state == self.state()

    @property
    def point(self):
        """The recorded row of what is chosen, or None."""
        wanted = (self.bits, self.method, self.group, bool(self.apart))
        return next((row for row in self.recorded.rows if self._key(row) == wanted), None)

    def _key(self, row):
        return row["bits"], row["method"], str(row["group"]), bool(row["apart"])

    def size(self, row):
        """Bytes of a recorded row's file, with or without Huffman codes as chosen."""
        return row["coded_bytes" if self.huffman else "bytes"]

    def find(self, **wanted):
        """The first recorded row with these entries; None if there is none."""
        return next((row for row in self.recorded.rows if all(row[key] == wanted[key] for key in wanted)), None)

    def lost(self, **wanted):
        """Bits a character that the first recorded row with these entries is worse than the whole model."""
        return self.find(**wanted)["bits_per_character"] - self.dense["bits_per_character"]

    def run(self):
        """Share the weights now and write a sentence, on this thread; returns the lab, so that a cell can show it."""
        self.button.start(wait=True)
        return self

    def _work(self, progress):
        with LOCK:
            state = self.state()
        bits, method, group, apart, huffman, begin = state.values()
        progress(0.05, "opening the model")
        net = transformer.language_model()
        felt = measure.calibrated()[1] if method == "k-means, weighted" else None
        size = group if group in ("layer", "row") else int(group)

        def report(done, total):
            progress(0.4 + 0.3 * done / total, "sharing the weights")

        shared = sharing.share_net(net, bits, method, size, felt, measure.APART * apart, report)
        data = archive.dumps(sharing.stored("austen", shared, huffman))
        progress(0.7, "reading and writing")
        back = together.opened(archive.loads(data), net)
        error = transformer.bits_per_character(back, novels.choosing_text())
        return state, (len(data), error, transformer.write(back, begin, measure.PIECES))

    def _done(self, outcome):
        self._live_state, self.live = outcome
        self.react()

    def update(self):
        self.view.adopt(self._figure())

    def _figure(self):
        figure, axes = theme.figure(11, 4.8)
        same = [row for row in self.recorded.rows if row["method"] == self.method and row["bits"] == self.bits]
        look = theme.line_style("recorded", linestyle="", markersize=7)
        points = [(self.size(row), row["bits_per_character"]) for row in same]
        axes.plot(*zip(*points, strict=True), label=f"{self.method}, {self.bits} bits, other groups", **look)
        if self.point is not None:
            at = self.size(self.point), self.point["bits_per_character"]
            axes.plot(*at, label="here (recorded)", **theme.line_style("ours", linestyle="", markersize=15))
        if self.live is not None:
            axes.plot(
                *self.live[:2],
                label="here (now)" if self._is_live else "your last run",
                **theme.line_style("guess", linestyle="", markersize=20),
            )
        figures.sharing_axes(axes, self.dense["bits_per_character"], (MODELS / "austen.safetensors").stat().st_size)
        lowest, highest = self.dense["bits_per_character"], max(error for _, error in points)
        axes.set(xlim=(2.2e5, 3.2e7), ylim=(lowest - 0.02, max(highest + 0.05, lowest + 0.1)))
        axes.legend(loc="upper right")
        return figure

    def describe(self):
        text = html("<b>{} bits, {}</b>, a table for each {}: ", self.bits, self.method, NAMES[self.group])
        if self.point is None:
            text += html("not recorded; press <b>Do it now</b>. ")
        else:
            size, error = self.size(self.point), self.point["bits_per_character"]
            text += html(
                "<b>{size:,} bytes</b>, {each:.2f} bits a weight with all tables, <b>{error:.3f} bits a character</b> "
                "({more}); {note}. ",
                size=size,
                each=8 * size / measure.weights(),
                error=error,
                more=signed(error - self.dense["bits_per_character"]),
                note=coded(self.recorded.note),
            )
        if not self._is_live and self.point:
            text += html("It wrote: <i>{}</i> ", words(self.point["sentence"]))
        if self.live is None:
            return text
        (size, error, sentence), made = self.live, self._live_state
        if not self._is_live:
            which = f"{made['bits']} bits, {made['method']}, a table for each {NAMES[made['group']]}"
            return text + html("Your last run ({}): {:,} bytes, {:.3f} bits a character.", which, size, error)
        return text + html("<b>Now: {:,} bytes, {:.3f} bits.</b> It writes: <i>{}</i>", size, error, words(sentence))

    def picture(self):
        return self._figure()
