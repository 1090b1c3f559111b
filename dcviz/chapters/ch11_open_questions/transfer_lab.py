"""How little must be sent? A compressed net learns another task, by the road that you choose."""

import ipywidgets as widgets
import traitlets

from dcviz.chapters.ch11_open_questions import figures, measure, tables, transfer
from dcviz.evidence import recordings
from dcviz.labkit import theme
from dcviz.labkit.base import LOCK, FigureImage, Lab, RunButton, html, row
from dcviz.labkit.inline import LogSlider, inline_slider
from dcviz.labkit.markup import coded
from dcviz.nets import small_digits


class TransferLab(Lab):
    """Teach LeNet-5 the 8 x 8 digits with a few examples, and see the error and the bytes of the update.

        TransferLab()                                     # codebook and biases learn, 100 examples
        TransferLab(road="kept", examples=30, draw=2)     # the weights under the mask, other examples

    road      what may learn: "biases", "codebook" (and biases), "kept" (weights and biases), "everything"; or the
              "dense" net, or a net from "scratch"
    examples  how many, 1 to 1,000;  draw: which ones
    `teach()` or the button adds to `runs` {(road, examples, draw): (error percent, bytes)}; lines are recorded.
    """

    heading = html("The transfer budget <small>what may learn, from how much, and what it costs to send</small>")
    state_names = ("road", "examples", "draw")

    road = traitlets.Enum(tuple(figures.NAMES), default_value="codebook")
    examples = traitlets.Int(100, min=1, max=1000)
    draw = traitlets.Int(0, min=0, max=99)

    def __init__(self, **state):
        self.recorded = recordings.load("transfer_errors")
        self.curves = tables.transfer_curves(self.recorded.rows)
        self.old_errors = tables.old_errors(self.recorded.rows)
        self.sizes = {row["road"]: row["bytes"] for row in self.recorded.rows if row["road"]}
        self.runs, self._old = {}, None
        super().__init__(**state)

    # views -------------------------------------------------------------------------------------

    def build(self):
        options = [(name, road) for road, name in figures.NAMES.items()]
        self.road_choice = widgets.Dropdown(options=options, description="what learns", layout={"width": "340px"})
        self.road_choice.style.description_width = "initial"
        self.examples_slider = LogSlider("examples", self.examples, 1, 1000, width="240px")
        self.draw_slider = inline_slider("draw", self.draw, 0, 99, width="120px", help="which examples")
        self.bind_all(road=self.road_choice, examples=self.examples_slider, draw=self.draw_slider)
        self.run = RunButton("Teach", self._teach, self._done, self.fail)
        figure = self._figure()
        self.figure_view = FigureImage(
            figure, [*self.points.values(), *self.stars], alt="error against examples, and against bytes to send"
        )
        return [row(self.road_choice, self.examples_slider, self.draw_slider), self.run, self.figure_view]

    def _figure(self):
        figure, (left, right) = theme.figure(12, 5.6, columns=2, sharey=True, gridspec_kw={"width_ratios": [1.2, 1]})
        lines = figures.learning_curves(left, self.curves)
        figures.percent_axis(left, 1.5, 95)
        figures.old_level(left, "compressed net, as it is", self.old_errors["everything"])
        figures.budget_axes(right)
        right.grid(axis="y")
        self.points = figures.budget_points(right)
        self.stars = figures.live_stars(left), figures.live_stars(right)
        names = [*(figures.NAMES[road] for road in lines), "measured here"]
        figure.legend([*lines.values(), self.stars[0]], names, loc="outside upper center", ncols=4)
        return figure

    @property
    def nearest(self):
        """The recorded number of examples that is nearest to the chosen one, by ratio."""
        points = self.curves[self.road]
        return min(points, key=lambda n: max(n / self.examples, self.examples / n))

    def update(self):
        self._show(self.points, self.stars)
        self.figure_view.refresh()

    def _show(self, points, stars):
        for road, point in points.items():
            if not self.waits:  # how many bytes each road takes may be the question
                point.set_data([self.sizes[road]], [self.curves[road][self.nearest][0]])
        left, right = stars
        left.set_data([n for _, n, _ in self.runs], [error for error, _ in self.runs.values()])
        here = [found for (_, n, _), found in self.runs.items() if n == self.examples]
        right.set_data([size for _, size in here], [error for error, _ in here])

    def describe(self):
        share = 100 * self.sizes[self.road] / self.sizes["everything"]
        text = self.say(
            "<b>{road}</b>, <b>{examples}</b> examples: the update is "
            "<b>{sizes:,} bytes</b>, {share:.3g}% of sending all weights. ",
            road=figures.NAMES[self.road],
            sizes=self.sizes[self.road],
            share=share,
        )
        found = self.runs.get((self.road, self.examples, self.draw))
        if found is None:
            text += html("Press <b>Teach</b>: 150 steps of training, a second or two. ")
        else:
            text += html("Error on 797 other digits, measured here: <b>{found:.1f}%</b>. ", found=found[0])
        mean, deviation, n = self.curves[self.road][self.nearest]
        return text + coded(
            f"With {self.nearest} examples {mean:.1f} ± {deviation:.1f}% ({n} draws, {self.recorded.note}); before any "
            f"training {self.old_errors['everything']:.1f}%. Right: recorded for {self.nearest} examples."
        )

    def picture(self):
        points, stars = self.points, self.stars
        try:
            figure = self._figure()
            self._show(self.points, self.stars)
        finally:
            self.points, self.stars = points, stars
        return figure

    # training ----------------------------------------------------------------------------------

    def teach(self):
        """Train and send now, on this thread; returns (error in percent, bytes of the update)."""
        self.run.start(wait=True)
        return self.runs[self.road, self.examples, self.draw]

    def _teach(self, progress):
        from dcviz.nets import training

        self._old = self._old or measure.old_net()
        with LOCK:
            road, n, draw = self.road, self.examples, self.draw
        split = measure.examples(n, draw)

        def look(done, steps, loss):
            progress(done / steps, f"step {done} of {steps}, loss {loss:.3f}")

        net, size = transfer.learn(
            self._old, road, lambda net, moves: measure.teach(net, moves, split, road, draw, look), draw
        )
        return (road, n, draw), (training.error_percent(net, small_digits.digits().test), size)

    def _done(self, result):
        key, found = result
        self.runs[key] = found
        self.react()
