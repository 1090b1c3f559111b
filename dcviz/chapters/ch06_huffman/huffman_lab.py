"""Huffman codes with the mouse: the tree of a layer's symbols, its words, and what they save."""

from pathlib import Path

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.archive import coders
from dcviz.chapters.ch06_huffman import figures
from dcviz.chapters.ch06_huffman.coded_layer_lab import Source, dropdown, ink, names
from dcviz.chapters.ch06_huffman.tree_view import TreeView, tree_of
from dcviz.ideas import huffman
from dcviz.ideas.entropy import entropy, mean_length
from dcviz.labkit import theme
from dcviz.labkit.base import Lab, html, labelled_entry, labelled_slider, row
from dcviz.labkit.buttons import Play
from dcviz.labkit.controls import choices
from dcviz.labkit.film import Film
from dcviz.labkit.linked_picture import LinkedPicture
from dcviz.labkit.markup import counted, visible
from dcviz.labkit.table_film import TableFilm, assembled

WIDEST = 16
"""Bits of the widest symbols that a .dcz file's code tables are made for."""
MOST_LEAVES = 512
"""Of a larger alphabet the branches that hold less than one in so many symbols are closed at first."""


PATHS = ["path", "code word"]
"""What the bits along a path are called: in the tree of the merges, in canonical order."""
RARE = [i / 10 for i in range(51)]
"""Percent below which branches can be closed: the slider's steps."""


class WordsFilm(TableFilm):
    """The caption from what is said of the layer, of the step and of the chosen symbol."""

    _esm = assembled(Path(__file__).parent / "huffman_film.js")


class HuffmanLab(Lab):
    """See the Huffman tree of a layer's weight codes or gaps: merges, paths, code words, lengths, bytes.

        HuffmanLab()                                              # LeNet-300-100 as shipped
        HuffmanLab("lenet-5", layer="conv1", stream="gaps", symbol=0)
        HuffmanLab("mine", symbols={"message": array_of_integers})
        HuffmanLab(code_lengths=my_code_lengths)                  # your lengths beside the best ones

    net            a shipped net's name, a .dcz file; or any torch module, state dict or checkpoint, which is pruned and
                   shared in one shot (`coded_layer_lab.OneShot`)
    symbols        {name: vector of integers} to look at instead of a net
    code_lengths   function(counts) -> lengths, drawn beside ours once it returns something

    `counts`, `lengths`, `entropy`, `mean_length`, `sizes` (Size of fixed-length and Huffman) and `saving`
    (share of the bytes, code table counted) give what the views show. NetError for an unknown net or layer.

    `kinds` are the symbols that counts and lengths are of: all of an alphabet of up to 256, else those that occur.
    Symbols of more than 16 bits, below 2^52, get numbers first: `sizes` are those of the numbers.
    """

    heading = html("Huffman code <small>choose a leaf; step through the merges</small>")
    state_names = ("net", "layer", "stream", "symbol", "step", "canonical", "rare", "opened")

    net = traitlets.Unicode("lenet-300-100")
    layer = traitlets.Unicode()
    stream = traitlets.Unicode()
    symbol = traitlets.Int(-1, help="the chosen symbol, -1 for none")
    step = traitlets.Int(-1, help="merges done, -1 for all")
    canonical = traitlets.Bool(False, help="the tree whose paths are the words in the file")
    rare = traitlets.Float(0.0, help="branches below this share (%) are closed")
    opened = traitlets.List(traitlets.Int(), help="closed branches that were opened by hand")

    def __init__(self, net="lenet-300-100", layer=None, stream=None, *, symbols=None, code_lengths=None, **more):
        self.source = Source(net, symbols)
        layer, stream = self.source.first(layer, stream)
        self._own, self._shown, self._drawn, self._setting = code_lengths, None, None, False
        self._load(layer, stream)
        super().__init__(net=self.source.net, layer=layer, stream=stream, **more)

    # numbers -----------------------------------------------------------------------------------

    def _load(self, layer, stream):
        """Everything that depends on the symbols alone."""
        found = self.data = self.source.stream(layer, stream)
        self.kinds, self.counts = found.kinds()
        self.lengths = huffman.code_lengths(self.counts)
        self.codes = huffman.canonical_codes(self.lengths)
        self.tree = huffman.tree(self.counts)
        self.sorted_tree = figures.canonical_tree(self.counts, self.lengths)
        self.entropy, self.mean_length = entropy(self.counts), mean_length(self.counts, self.lengths)
        self.written = found.numbered() if found.width > WIDEST and found.values is None else found
        packed = coders.fixed_size(self.written.symbols, self.written.width)
        self.sizes = packed, coders.huffman_size(self.written.symbols, self.written.width)
        self.saving = 1 - self.sizes[1].bytes / packed.bytes
        self.names = names(found, self.kinds)
        self.ids = [*self.kinds.tolist(), *range(found.alphabet, found.alphabet + len(self.tree.merges))]
        self.yours = self._your_lengths()

    def _your_lengths(self):
        given = None if self._own is None else self._own(self.counts.copy())
        if given is None or given is Ellipsis or given is NotImplemented:
            return None
        given = np.asarray(given)
        return given if given.shape == self.counts.shape and given.dtype.kind in "iuf" else None

    def word(self, symbol):
        """The canonical code word of a symbol as text, '' if it does not occur."""
        place = self.place(symbol)
        length = int(self.lengths[place]) if place >= 0 else 0
        return f"{int(self.codes[place]):0{length}b}" if length else ""

    def place(self, symbol):
        """Where a symbol stands in `kinds`, `counts` and `lengths`; -1 if it is not among them."""
        at = int(np.searchsorted(self.kinds, symbol)) if symbol >= 0 else -1
        return at if 0 <= at < len(self.kinds) and self.kinds[at] == symbol else -1

    # views -------------------------------------------------------------------------------------

    def build(self):
        self.view = TreeView()
        for name, trait in (("symbol", "selected"), ("opened", "opened")):
            self.bind(self.view, name, trait)
        self.layer_choice = dropdown("layer", list(self.source.layers), self.layer)
        self.layer_choice.observe(self.guard(lambda change: self._choose(change["new"], None)), "value")
        self.stream_choice = dropdown("symbols", list(self.source.layers[self.layer]), self.stream)
        self.stream_choice.observe(self.guard(lambda change: self._choose(None, change["new"])), "value")
        self.order_box = widgets.Checkbox(description="canonical order (as in the file)", indent=False)
        self.bind(self.order_box, "canonical")
        most = max(1 << 20, int(self.kinds.max(initial=0)))
        self.symbol_entry = labelled_entry("symbol", self.symbol, -1, most, width="90px", whole=True)
        self.symbol_entry.tooltip = "the chosen symbol, -1 for none"
        self._bound["symbol"].append((self.symbol_entry, "value"))  # no link: it breaks where `update` says no
        self.symbol_entry.observe(lambda change: setattr(self, "symbol", change["new"]), "value")
        merges = len(self.tree.merges)
        self.step_slider = labelled_slider("merges done", merges, 0, merges, width="230px")
        self.play = Play(label="play the merges", value=merges, high=merges)
        for control in (self.step_slider, self.play):
            control.observe(self.guard(self._stepped), "value")
        self._bound["step"] = [(self.step_slider, "value"), (self.play, "value")]  # no link: the state's last is -1
        self.rare_slider = labelled_slider(
            "close branches below", float(self.rare), 0.0, 5.0, 0.1, unit="%", width="170px"
        )
        self.rare_slider.entry.step = 0.1  # of other shares the browser has no tree
        self.bind(self.rare_slider, "rare")
        for slider in (self.step_slider, self.rare_slider):
            slider.children[0].layout.min_width = "0"  # two sliders in a row
        self.figure_view = LinkedPicture(*self._make_figure(), alt="symbols, code lengths, bits per symbol")
        self.words = WordsFilm(
            {
                "symbol": (self.view, "selected"),
                "step": (self.step_slider, "value"),
                "canonical": (self.order_box, "value"),
            },
            [
                *((self.caption, "value"), (self.figure_view, "shapes")),
                *((self.view, "step"), (self.view, "word"), (self.play, "disabled")),
            ],
        )
        self.trees = Film(
            {"canonical": (self.order_box, "value"), "rare": (self.rare_slider, "value")}, [(self.view, "tree")]
        )
        return [
            row(self.layer_choice, self.stream_choice, self.symbol_entry, self.order_box),
            row(self.step_slider, self.play, self.rare_slider),
            self.view,
            self.figure_view,
            self.words,
            self.trees,
        ]

    def _make_figure(self):
        figure, axes = theme.figure(11, 3.7, columns=3, gridspec_kw={"width_ratios": [1.25, 1.1, 0.8]})
        self.bars, self.mark = figures.symbol_bars(axes[0], self.counts, role=ink(self.data), what=self._what())
        self.points, self.ring, _ = figures.length_against_information(axes[1], self.counts, self.lengths, self.yours)
        self.bits = figures.bits_bars(axes[2], self.written.width, self.mean_length, self.entropy)
        return figure, [self.mark, self.ring]

    def _what(self):
        return {coders.GAPS: "stored gap", coders.WEIGHT_CODES: "weight code"}.get(self.stream, "symbol")

    def update(self):
        if self._shown != (self.layer, self.stream):
            if self._shown is not None:
                self._load(self.layer, self.stream)
                self.figure_view.adopt(*self._make_figure())
            self._shown, self._drawn = (self.layer, self.stream), None
        place = self.place(self.symbol)
        if self.symbol < -1 or (self.symbol >= 0 and (place < 0 or not self.counts[place])):
            wrong, self.symbol = self.symbol, -1
            raise ValueError(f"symbol {wrong} does not occur in the {self.stream} of {self.layer}")
        self._open_branches()
        self._show_tree()
        self._show_controls()
        self._point(place)
        self.figure_view.refresh()

    def _point(self, place):
        """Mark a symbol in the figure: its place in `kinds`, or -1 for none."""
        chosen = place >= 0
        height = self.counts[place] if chosen else 0
        self.mark.set(x=max(place, 0) - 0.45, height=height, visible=chosen)
        share = self.counts[place] / self.counts.sum() if chosen else 1
        self.ring.set_data([-np.log2(share)] if chosen else [], [self.lengths[place]] if chosen else [])

    def _open_branches(self):
        """Open the closed branches above the chosen symbol; those opened in a tree of another setting close."""
        tree = self.sorted_tree if self.canonical else self.tree
        same = self._drawn is None or self._drawn[:3] == (self._shown, self.canonical, self.rare)
        opened = list(self.opened) if same else []
        node = int(tree.parent[self.place(self.symbol)]) if self.symbol >= 0 else -1
        while node >= 0:
            if tree.counts[node] / tree.counts[tree.root] < self._rare and self.ids[node] not in opened:
                opened.append(self.ids[node])
            node = int(tree.parent[node])
        if opened != self.opened:
            self.opened = opened

    def _show_tree(self):
        drawn = (self._shown, self.canonical, self.rare, tuple(self.opened))
        if drawn != self._drawn:
            self._drawn = drawn
            self.layout_shown = self._layout(self.canonical, self._rare, self.opened)
            self.view.ink = ink(self.data).replace(" ", "-")
            self.view.word = PATHS[self.canonical]
            self.view.label = f"Huffman tree of the {self.stream} of {visible(self.layer, 40)}, {self._kinds} leaves"
            self.view.show(self.layout_shown, self.names, self.ids)
        self.view.step = -1 if self.canonical else self.step

    def _layout(self, canonical, rare, opened=()):
        tree = self.sorted_tree if canonical else self.tree
        return figures.layout(tree, rare, [node - self.data.alphabet + tree.alphabet for node in opened])

    def tabulate(self):
        key = self.layer, self.stream
        if self._kinds > MOST_LEAVES:  # too much to send: Python answers
            self.words.reel = self.trees.reel = b""
            return
        self.words.shoot(key, self._table)
        shares = sorted({*RARE, self.rare})  # one of code's may lie between two steps: it has its tree, too
        at = {"canonical": [False, True], "rare": shares}
        self.trees.shoot((*key, *shares), at, lambda: self._trees(shares))

    def _table(self):
        symbols = {}
        for place in np.flatnonzero(self.counts):
            self._point(place)
            words = [self._symbol_words(place, canonical) for canonical in (False, True)]
            symbols[int(self.kinds[place])] = {"words": words, "shapes": self.figure_view.where()}
        self._point(-1)
        none = self.figure_view.where()
        self._point(self.place(self.symbol))
        steps = [self._step_words(step) for step in range(len(self.tree.merges))]
        absent = html("<p>Symbol {} does not occur here.</p>", "{symbol}")
        words = {"layer": self._layer_words(), "steps": steps, "absent": absent, "paths": PATHS}
        return words | {"symbols": symbols, "none": none}

    def _trees(self, shares):
        for canonical in (False, True):
            for rare in shares:
                yield [tree_of(self._layout(canonical, rare / 100), self.names, self.ids)]

    @property
    def _rare(self):
        """Share of the symbols below which a branch is closed."""
        return max(self.rare / 100, 1 / MOST_LEAVES if self._kinds > MOST_LEAVES else 0)

    @property
    def _kinds(self):
        return int(np.count_nonzero(self.counts))

    # callbacks ---------------------------------------------------------------------------------

    def _choose(self, layer, stream):
        if self._setting:
            return
        layer = layer or self.layer
        stream = stream or (self.stream if self.stream in self.source.layers[layer] else None)
        layer, stream = self.source.first(layer, stream)
        if (layer, stream) != (self.layer, self.stream):
            with self.hold_trait_notifications():
                self.layer, self.stream, self.symbol, self.step, self.opened = layer, stream, -1, -1, []

    def _stepped(self, change):
        if not self._setting:
            self.step = -1 if change["new"] >= len(self.tree.merges) else change["new"]

    def _show_controls(self):
        self._setting = True
        try:
            merges = len(self.tree.merges)
            if self.step >= merges:
                self.step = -1
            done = merges if self.step < 0 else self.step
            for part in (self.step_slider.slider, self.step_slider.entry):
                part.max = merges
                part.disabled = self.canonical
            self.play.high, self.play.disabled = merges, self.canonical
            self.step_slider.value = self.play.value = done
            self.symbol_entry.value = self.symbol
            self.layer_choice.value = self.layer
            options = choices(self.source.layers[self.layer])
            if self.stream_choice.options != options:
                self.stream_choice.options = options
            self.stream_choice.value = self.stream
        finally:
            self._setting = False

    # words -------------------------------------------------------------------------------------

    def describe(self):
        step = len(self.tree.merges) if self.step < 0 or self.canonical else self.step
        words = self._layer_words()
        if self._kinds > MOST_LEAVES:
            words += html(" Branches below {:.2g}% are closed.", 100 * self._rare)
        return words + self._step_words(step) + self._symbol_words(self.place(self.symbol), self.canonical)

    def _layer_words(self):
        packed, coded = self.sizes
        table = (
            html("{bytes:,} bytes</b>, {table} of them code table", bytes=coded.bytes, table=coded.table)
            if coded.table
            else html(
                "{bytes:,} bytes</b> (fixed length: a code table would cost more than it saves)", bytes=coded.bytes
            )
        )
        change = html("saves <b>{saving:.1f}%</b>", saving=100 * self.saving) if coded.table else "saves nothing"
        filler = f", {self.data.fillers:,} of them fillers" if self.data.fillers else ""
        text = self.say(
            "<b>{layer}, {stream}</b> of {net}: {size:,} symbols{filler}, "
            "{kinds} different. Fixed length {width}; entropy {entropy:.3f}; "
            "Huffman <b>{mean_length:.3f} bits</b> on average, words of {words}. Stream: {bytes:,} → "
            "<b>{table}: {change}.",
            size=self.data.symbols.size,
            filler=filler,
            kinds=self._kinds,
            width=counted(self.written.width, "bit"),
            entropy=self.entropy,
            mean_length=self.mean_length,
            words=self._word_lengths(),
            bytes=packed.bytes,
            table=table,
            change=change,
        )
        if self.yours is not None:
            yours = float((self.counts * self.yours).sum() / self.counts.sum())
            text += html(" <b>Your lengths</b> (stars): {yours:.3f} bits on average.", yours=yours)
        if self.written is not self.data:
            text += html(
                " The symbols, of up to {width} bits, are numbered first; which is which is not counted.",
                width=self.data.width,
            )
        return text

    def _word_lengths(self):
        longest = int(self.lengths.max())
        shortest = int(self.lengths[self.lengths > 0].min(initial=longest))
        return counted(longest, "bit", longest if shortest == longest else f"{shortest} to {longest}")

    def _step_words(self, step):
        if step >= len(self.tree.merges):
            return html("")
        total, counts = self.tree.counts[self.tree.root], self.tree.counts
        merge = self.tree.merges[step]
        left = len(self.tree.merges) + 1 - step
        return html(
            "<p>After {step} of {merges} merges: {left} nodes left to join. "
            "The two lightest are {first} ({first_count:,}) and "
            "{second} ({second_count:,}); together {count:,} = "
            "{share:.2f}%.</p>",
            step=step,
            merges=len(self.tree.merges),
            left=left,
            first=self._node_name(merge.left),
            first_count=counts[merge.left],
            second=self._node_name(merge.right),
            second_count=counts[merge.right],
            count=merge.count,
            share=100 * merge.count / total,
        )

    def _node_name(self, node):
        return self.names[node] if node < self.tree.alphabet else f"the node of merge {node - self.tree.alphabet + 1}"

    def _symbol_words(self, place, canonical):
        if place < 0:
            return html("")
        count = int(self.counts[place])
        share = count / self.counts.sum()
        return html(
            "<p><b>{name}</b>: {count:,} times, p = {share:.4f}, "
            "−log₂ p = {log2:.2f}; {path}word in the file <b>{word}</b>, "
            "{length}.</p>",
            name=self.names[place],
            count=count,
            share=share,
            log2=abs(np.log2(share)),
            path=self._path_words(place, canonical),
            word=self.word(self.kinds[place]),
            length=counted(self.lengths[place], "bit"),
        )

    def _path_words(self, place, canonical):
        """The path as the tree is drawn, where that is not yet the word: the file's tree is in canonical order."""
        if canonical:
            return ""
        path = self.tree.path(place)
        return html("path in this tree <b>{path}</b>; after sorting the leaves (canonical order), ", path=path)

    def picture(self):
        figure, _ = theme.figure(13, 7.4)
        figure.clear()
        grid = figure.add_gridspec(2, 3, height_ratios=[1.35, 1], width_ratios=[1.25, 1.1, 0.8])
        step = None if self.step < 0 or self.canonical else self.step
        figures.draw_tree(
            figure.add_subplot(grid[0, :]),
            self.layout_shown,
            self.place(self.symbol),
            step=step,
            role=ink(self.data),
            labels=[str(kind) for kind in self.kinds],
        )
        axes = [figure.add_subplot(grid[1, i]) for i in range(3)]
        _, mark = figures.symbol_bars(axes[0], self.counts, role=ink(self.data), what=self._what())
        _, ring, _ = figures.length_against_information(axes[1], self.counts, self.lengths, self.yours)
        figures.bits_bars(axes[2], self.written.width, self.mean_length, self.entropy)
        if self.symbol >= 0:
            place = self.place(self.symbol)
            mark.set(x=place - 0.45, height=self.counts[place], visible=True)
            ring.set_data(self.ring.get_data())
        return figure
