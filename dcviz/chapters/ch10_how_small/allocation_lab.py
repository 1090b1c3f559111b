"""A file of at most so many bytes: spend them on neurons, on single weights or on bits of a weight."""

import itertools

import traitlets

from dcviz.chapters.ch10_how_small import allocation, figures
from dcviz.labkit import theme
from dcviz.labkit.base import Lab, html, row
from dcviz.labkit.film import Film
from dcviz.labkit.inline import choice_buttons
from dcviz.labkit.linked_picture import LinkedPicture


class AllocationLab(Lab):
    """Blocks of LeNet-5, shortly trained and recorded: which fit into a budget of bytes, and what errors they make.

        AllocationLab()
        AllocationLab(budget=700, width="4-6-16", weights=2000, bits=2)

    budget   bytes that the file may take
    width    live neurons: filters of conv1, filters of conv2, units of fc1
    weights  single weights that are kept in that block
    bits     of a code, before it is coded: 2**bits shared values a layer

    `row` is the recorded block of the state; `fits` says whether its file keeps to the budget.
    """

    heading = html("Bit allocation <small>neurons, single weights, bits of a weight: what are the bytes for?</small>")
    state_names = ("budget", "width", "weights", "bits")

    budget = traitlets.Enum(allocation.BUDGETS, allocation.BUDGETS[1])
    width = traitlets.Enum(tuple(allocation.WIDTHS), "4-6-16")
    weights = traitlets.Enum(allocation.WEIGHTS, allocation.WEIGHTS[0])
    bits = traitlets.Enum(allocation.BITS, allocation.BITS[0])

    def __init__(self, **state):
        self.blocks = allocation.blocks()
        super().__init__(**state)

    @property
    def row(self):
        """The recorded block of the state: a dict."""
        return self._block(self._now())

    @property
    def fits(self):
        """Whether the block's file keeps to the budget."""
        return self.row["file_bytes"] <= self.budget

    def _now(self):
        return tuple(getattr(self, name) for name in self.state_names)

    def _block(self, state):
        return self.blocks[state[1:]]

    def build(self):
        names = {"budget": "bytes at most", "width": "neurons", "weights": "weights", "bits": "bits of a code"}
        self.buttons = {}
        for name, words in names.items():
            options = [(f"{one:,}" if isinstance(one, int) else one, one) for one in self.traits()[name].values]
            self.buttons[name] = choice_buttons(options, words)
        self.bind_all(**self.buttons)
        figure, self.artists = self._figure()
        self.figure_view = LinkedPicture(figure, self._moving(self.artists), alt="bytes and errors of recorded blocks")
        self.film = Film(
            {name: (buttons, "index") for name, buttons in self.buttons.items()},
            [(self.caption, "value"), (self.figure_view, "shapes")],
        )
        return [row(*self.buttons.values()), self.figure_view, self.film]

    def _figure(self):
        figure, (left, right) = theme.figure(12.5, 4.6, columns=2, width_ratios=(1.4, 1))
        rows = self.blocks.values()
        most, errors = max(row["file_bytes"] for row in rows), [row["error_percent"] for row in rows]
        return figure, (
            *figures.allocation_axes(left, allocation.WIDTHS, most, (min(errors), max(errors))),
            *figures.allocation_bar(right, most),
        )

    def _moving(self, artists):
        points, budget, ring, bars, limit = artists
        return [*points.values(), budget, ring, *bars, limit]

    def _place(self, artists, state, alone):
        """Put everything where a state is; ``alone``: no other block is shown, as they would answer a question."""
        points, budget, ring, bars, limit = artists
        for (width, fits), line in points.items():
            found = [
                (row["file_bytes"], row["error_percent"])
                for key, row in self.blocks.items()
                if key[0] == width and (row["file_bytes"] <= state[0]) == fits and (not alone or key == state[1:])
            ]
            line.set_data([size for size, _ in found], [error for _, error in found])
        ring.set_data([self._block(state)["file_bytes"]], [self._block(state)["error_percent"]])
        for line in (budget, limit):
            line.set_xdata([state[0]] * 2)
        figures.show_allocation(bars, allocation.split(self._block(state)))

    def update(self):
        self._place(self.artists, self._now(), self.waits)
        self.figure_view.refresh()

    def tabulate(self):
        values = {name: self.traits()[name].values for name in self.state_names}
        self.film.shoot("once", {name: range(len(one)) for name, one in values.items()}, lambda: self._frames(values))

    def _frames(self, values):
        try:
            for state in itertools.product(*values.values()):
                self._place(self.artists, state, alone=False)
                yield [self._words(state) + self._rest(state), self.figure_view.where()]
        finally:
            self._place(self.artists, self._now(), self.waits)

    def describe(self):
        return self._words(self._now()) + ("" if self.waits else self._rest(self._now()))

    def _words(self, state):
        budget, width, weights, bits = state
        block, parts = self._block(state), allocation.split(self._block(state))
        which, what = parts["which weights"], parts["what they are"]
        return html(
            "<b>{width}</b> live neurons, <b>{weights:,}</b> of their {all:,} weights kept, codes of "
            "<b>{bits} bits</b>: <b>{size:,} bytes</b>, {than} {budget:,}. "
            "Error <b>{error:.2f}%</b> on 5,000 held-out digits (recorded). "
            "{which} bytes say which weights are kept, {what} what they are: {each:.1f} bits a weight together.",
            width=width,
            weights=weights,
            all=allocation.weights_of(width),
            bits=bits,
            size=block["file_bytes"],
            than="within" if block["file_bytes"] <= budget else "more than",
            budget=budget,
            error=block["error_percent"],
            which=which,
            what=what,
            each=8 * (which + what) / weights,
        )

    def _rest(self, state):
        """What fits into the budget, and how good the best of it is; which it is, the learner finds."""
        count = sum(row["file_bytes"] <= state[0] for row in self.blocks.values())
        key = allocation.best(state[0])
        if key is None:
            return html(" No block fits.")
        return html(
            " <b>{count} of {all}</b> blocks fit; the fewest errors of those: <b>{error:.2f}%</b>{here}.",
            count=count,
            all=len(self.blocks),
            error=self.blocks[key]["error_percent"],
            here=", this one" if key == state[1:] else "",
        )

    def picture(self):
        figure, artists = self._figure()
        self._place(artists, self._now(), self.waits)
        return figure
