"""Decoding a Huffman stream by hand: follow the bits down the tree, write down a symbol at each leaf."""

from pathlib import Path

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.archive import coders
from dcviz.chapters.ch06_huffman import figures
from dcviz.chapters.ch06_huffman.coded_layer_lab import Source, dropdown, ink, names
from dcviz.chapters.ch06_huffman.tree_view import TreeView
from dcviz.ideas import huffman, relative_index
from dcviz.labkit import theme
from dcviz.labkit.base import Caption, Lab, html, joined, labelled_entry, labelled_slider, row, words
from dcviz.labkit.controls import css, script, synced
from dcviz.labkit.markup import counted, visible


class AnswerEntry(anywidget.AnyWidget):
    """Takes one answer after another, by Enter or Check; `typed` holds all of them, so that none gets lost."""

    _esm = script(
        Path(__file__).parent / "answer_entry.js",
        style=css() + ".dcviz-answer, .dcviz-answer label { display: flex; gap: 10px; align-items: center; }",
    )
    label = synced(traitlets.Unicode())
    typed = synced(traitlets.List(traitlets.Unicode()))
    disabled = synced(traitlets.Bool(False))


class DecodeLab(Lab):
    """Read the first bits of a layer's Huffman stream, a bit at a time or a symbol at a time.

        DecodeLab()                                              # gaps of LeNet-5's first layer
        DecodeLab("lenet-300-100", layer="fc3", stream="gaps", start=100)
        DecodeLab("mine", symbols={"message": array_of_integers})

    net, symbols   as for HuffmanLab
    start, count   which symbols of the stream to decode
    read           bits read so far

    `bits` is the text of 0s and 1s, `decoded` the symbols read so far; `answer(symbol)` is what the entry
    does, and returns whether the symbol was right. Raises NetError for an unknown net, layer or stream.
    """

    heading = html("Decode by hand <small>read a bit, go down; at a leaf, start again at the root</small>")
    state_names = ("net", "layer", "stream", "start", "count", "read")

    net = traitlets.Unicode("lenet-5")
    layer = traitlets.Unicode()
    stream = traitlets.Unicode()
    start = traitlets.Int(0, min=0)
    count = traitlets.Int(12, min=1, max=60)
    read = traitlets.Int(0, min=0)

    def __init__(self, net="lenet-5", layer=None, stream=None, *, symbols=None, **more):
        self.source = Source(net, symbols)
        if stream is None and symbols is None:
            stream = coders.GAPS
        layer, stream = self.source.first(layer, stream)
        self._shown, self._setting, self._reply = None, False, ""
        self.net, self.layer, self.stream = self.source.net, layer, stream
        super().__init__(net=self.source.net, layer=layer, stream=stream, **more)

    # numbers -----------------------------------------------------------------------------------

    def _load(self):
        found = self.data = self.source.stream(self.layer, self.stream)
        kinds, counts = found.kinds()
        self.lengths, self.names, self.kinds = huffman.code_lengths(counts), names(found, kinds), kinds.tolist()
        codes = huffman.canonical_codes(self.lengths).tolist()
        self.words = {kind: f"{code:0{n}b}" for kind, code, n in zip(self.kinds, codes, self.lengths, strict=True) if n}
        self.tree = figures.canonical_tree(counts, self.lengths)
        self.ids = [*self.kinds, *range(found.alphabet, found.alphabet + len(self.tree.merges))]
        last = max(found.symbols.size - 1, 0)
        if self.start > last:
            raise ValueError(f"the stream has {found.symbols.size} symbols: start must be below that")
        self.symbols = found.symbols[self.start : self.start + self.count].astype(int).tolist()
        self.bits = "".join(self.words[symbol] for symbol in self.symbols)
        self.ends = np.cumsum([len(self.words[symbol]) for symbol in self.symbols]).tolist()

    @property
    def decoded(self):
        """Symbols whose bits have all been read."""
        return self.symbols[: int(np.searchsorted(self.ends, self.read, "right"))]

    @property
    def pending(self):
        """Bits read since the last leaf."""
        done = len(self.decoded)
        return self.bits[self.ends[done - 1] if done else 0 : self.read]

    def _node(self):
        node = self.tree.root
        for bit in self.pending:
            node = self.tree.children(node)[int(bit)]
        return node

    # views -------------------------------------------------------------------------------------

    def build(self):
        self._load()
        self.view = TreeView(word="bits read", hint="At the root: read the next bit.", height=330)
        self.layer_choice = dropdown("layer", list(self.source.layers), self.layer)
        self.stream_choice = dropdown("symbols", list(self.source.layers[self.layer]), self.stream)
        self.bind_all(layer=self.layer_choice, stream=self.stream_choice)
        self.start_entry = self._entry("from symbol", "start", 0, 1 << 20)
        self.count_entry = self._entry("how many", "count", 1, 60)
        self.read_slider = labelled_slider("bits read", min(self.read, len(self.bits)), 0, len(self.bits))
        self.read_slider.children[0].layout.min_width = "0"
        self.read_slider.observe(self.guard(self._slid), "value")
        self.back = widgets.Button(description="◀ one bit back")
        self.forward = widgets.Button(description="read one bit ▶", button_style="primary")
        self.again = widgets.Button(description="start over")
        for button, bits in ((self.back, -1), (self.forward, 1), (self.again, -len(self.bits) - 10_000)):
            button.on_click(self.guard(lambda _, bits=bits: self._move(bits)))
        self.guess = AnswerEntry(label="next symbol").add_class("dcviz")
        self.guess.observe(self.guard(self._typed), "typed")
        self.reply = Caption(kind="truth")
        self.tape = Caption(role="group", kind="tape")
        return [
            row(self.layer_choice, self.stream_choice, self.start_entry, self.count_entry),
            self.tape,
            row(self.forward, self.back, self.again, self.read_slider),
            row(self.guess, self.reply),
            self.view,
        ]

    def _entry(self, label, name, low, high):
        entry = labelled_entry(label, getattr(self, name), low, high, width="70px", whole=True)
        self.bind(entry, name)
        return entry

    def update(self):
        source = self.layer, self.stream, self.start, self.count
        if source != self._shown:
            if self.stream not in self.source.layers.get(self.layer, ()):
                self.stream = self.source.first(self.layer)[1]
            self._load()
            if self._shown is not None:
                self.read, self._reply = 0, ""
            self._shown = self.layer, self.stream, self.start, self.count
            self.view.ink = ink(self.data).replace(" ", "-")
            self.view.label = f"canonical Huffman tree of the {self.stream} of {visible(self.layer, 40)}"
            shown = figures.layout(self.tree)
            self.view.show(shown, self.names, self.ids)
        self.read = min(self.read, len(self.bits))
        self._setting = True
        try:
            for part in (self.read_slider.slider, self.read_slider.entry):
                part.max = len(self.bits)
            self.read_slider.value = self.read
        finally:
            self._setting = False
        self.view.current = self.ids[self._node()]
        self.forward.disabled = self.guess.disabled = self.read >= len(self.bits)
        self.back.disabled = self.again.disabled = self.read == 0
        self.tape.value = self._tape()
        self.reply.value = self._reply

    def _tape(self):
        done, at, parts = self.decoded, 0, []
        for symbol, end in zip(done, self.ends, strict=False):
            parts.append(
                html("<span class='word'>{bits}<small>{symbol}</small></span>", bits=self.bits[at:end], symbol=symbol)
            )
            at = end
        part = html("<span class='part'>{pending}</span>", pending=self.pending) if self.pending else ""
        rest = html("<span class='rest'>{bits}</span>", bits=self.bits[self.read :])
        return html("<div class='dcviz-tape'>{parts}{part}{rest}</div>", parts=joined("", parts), part=part, rest=rest)

    # callbacks ---------------------------------------------------------------------------------

    def _slid(self, change):
        if not self._setting:
            self._reply, self.read = "", change["new"]

    def _move(self, bits):
        self._reply = ""
        self.read = max(0, min(len(self.bits), self.read + bits))

    def _typed(self, change):
        for text in change["new"][len(change["old"]) :]:
            try:
                symbol = int(text)
            except ValueError:
                self._reply = f"“{text[:30]}” is no whole number." if text else "A whole number is wanted here."
                self.react()
            else:
                self.answer(symbol)

    def answer(self, symbol):
        """Say that ``symbol`` comes next; True, and its bits are read, if that is right."""
        done = len(self.decoded)
        if done == len(self.symbols):
            return False
        right = self.symbols[done]
        begin = self.ends[done - 1] if done else 0
        if symbol == right:
            self._reply = f"✓ {self.words[right]} is {right}."
            self.read = self.ends[done]
        else:
            word = self.words.get(symbol, "")
            ahead = self.bits[begin : begin + max(len(word), 1)]
            self._reply = (
                f"✗ {symbol} would be {word}, but the next bits are {ahead}."
                if word
                else f"✗ {symbol} has no code word: it never occurs in this layer."
            )
        self.react()
        return symbol == right

    # words -------------------------------------------------------------------------------------

    def describe(self):
        done, total = len(self.decoded), len(self.symbols)
        fixed = total * self.data.width
        text = self.say(
            "{layer}, {stream} of {net}, symbols {start} to {last}: "
            "{bits} bits by Huffman, {fixed} at {width} each. "
            "Read <b>{read}</b> of {bits} bits, decoded <b>{done} of {total}</b>: "
            "{decoded}.",
            last=self.start + total - 1,
            total=total,
            bits=len(self.bits),
            fixed=fixed,
            width=counted(self.data.width, "bit"),
            done=done,
            decoded=words(", ".join(map(str, self.decoded)) or "none yet"),
        )
        if done == total and self.stream == coders.GAPS and self.start == 0:
            positions = relative_index.decode(np.array(self.symbols))
            text += f" As gaps they say where the weights stand: positions {', '.join(map(str, positions))}."
        elif self.pending:
            text += f" On the way: {self.pending}."
        return text

    def picture(self):
        figure, (top, axes) = theme.figure(13, 5.6, rows=2, gridspec_kw={"height_ratios": [1, 4.4]})
        top.axis("off")
        words = [self.words[symbol] for symbol in self.decoded]
        text = " ".join(words) + (" " if words else "") + "|" + self.bits[self.read :]
        top.text(0, 0.75, text, family="DejaVu Sans Mono", fontsize=15, wrap=True, va="top")
        last = self.kinds.index(self.decoded[-1]) if self.decoded else -1
        labels = [str(kind) for kind in self.kinds]
        figures.draw_tree(axes, figures.layout(self.tree), last, role=ink(self.data), labels=labels)
        return figure
