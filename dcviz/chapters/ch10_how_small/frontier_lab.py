"""Pick the parts of a recipe and see its point on the frontier: ratio against error, from recorded runs, and live."""

import ipywidgets as widgets
import traitlets

from dcviz import pipeline
from dcviz.chapters.ch10_how_small import figures, frontier, tables as frontier_tables
from dcviz.evidence import recordings
from dcviz.labkit import theme
from dcviz.labkit.base import LOCK, FigureImage, Lab, RunButton, html, row
from dcviz.labkit.markup import signed
from dcviz.nets import datasets
from dcviz.pipeline import shipped

TRAININGS = {" + ".join(parts) or "one cut": parts for parts in frontier.LADDER}
CODINGS = {part.replace(" ", "_"): part for part in frontier.CODING}
LABELS = {
    "few_codes": "4-bit codes (else 6)",
    "rate": "codes pay for their length",
    "gaps": "gaps that fit (else 5 bits)",
    "tables": "float16, shared biases",
    "neurons": "drop dead neurons, reorder",
}
EPOCHS = 16
LEAST, MOST = 1.15, 6.0
"""Errors at the ends of the axis, percent; beyond the larger a point stands at the edge, the caption says where."""


class FrontierLab(Lab):
    """LeNet-300-100 by a recipe of your own: its file and its error, beside what others published.

        FrontierLab()                                                  # the plain recipe at 3% of fc1
        FrontierLab(density=3.0, training="gradual + teacher", rate=True)

    State: ``density``, percent of fc1's weights kept; ``training``, how it is pruned and retrained; ``few_codes``,
    ``rate``, ``gaps``, ``tables``, ``neurons``: the coding parts, on or off. ``point`` is the recorded (bytes, error on
    5,000 held-out digits), None where no run was recorded. ``run()`` does a quick version now, on the bundled digits;
    ``live`` is the (bytes, error on 1,000 held-out digits) of the last quick run, None before one.
    """

    heading = html("The frontier <small>pick the parts of a recipe, see its point move</small>")
    state_names = ("density", "training", *CODINGS)

    density = traitlets.Enum(tuple(frontier.DENSITIES), 3.0)
    training = traitlets.Enum(tuple(TRAININGS), "one cut")
    few_codes = traitlets.Bool(False)
    rate = traitlets.Bool(False)
    gaps = traitlets.Bool(False)
    tables = traitlets.Bool(False)
    neurons = traitlets.Bool(False)

    def __init__(self, **state):
        self.rows = recordings.load("frontier_grid").rows
        self.live = self._live_parts = None
        made = recordings.load("shipped_nets").rows
        self.dense_error = next(row["dense_error_percent"] for row in made if row["net"] == frontier.NET)
        super().__init__(**state)

    def build(self):
        choose = {"style": {"description_width": "initial"}, "layout": {"width": "auto"}}
        densities = [(f"{d:g}% of fc1{' (the paper)' if d == 8 else ''}", d) for d in frontier.DENSITIES]
        density = widgets.Dropdown(options=densities, description="weights kept", value=self.density, **choose)
        training = widgets.Dropdown(options=list(TRAININGS), description="training", value=self.training, **choose)
        self.bind_all(density=density, training=training)
        boxes = []
        for name, label in LABELS.items():
            box = widgets.Checkbox(getattr(self, name), description=label, indent=False, layout={"width": "auto"})
            self.bind(box, name)
            boxes.append(box)
        self.button = RunButton("Run it now, quickly", self._work, self._done, self.fail)
        figure, self.axes = theme.figure(12, 5.4)
        self.marks = self._draw(self.axes)
        self.picture_view = FigureImage(
            figure, [*self.marks, *self.axes.texts], alt="ratio against error: recipes, published results"
        )
        return [row(density, training), row(*boxes), self.button, self.picture_view]

    @property
    def parts(self):
        """The parts that are switched on, in the order of ``frontier.PARTS``."""
        return *TRAININGS[self.training], *(part for name, part in CODINGS.items() if getattr(self, name))

    @property
    def recipe(self):
        """The ``Recipe`` that the controls describe, with as many epochs as the quick version takes."""
        return frontier.recipe(self.density, self.parts, epochs=EPOCHS, finetune=2)

    @property
    def point(self):
        """Recorded (file bytes, error on the held-out digits) of this recipe, or None."""
        return frontier_tables.point(self.rows, self.density, self.parts)

    def best_coding(self, density=3.0, training="one cut"):
        """The coding part that alone saves most bytes at a density and training, or None if nothing is recorded."""
        alone = frontier_tables.worth(self.rows, density, TRAININGS[training])
        return LABELS[min(alone, key=lambda part: alone[part][0]).replace(" ", "_")] if alone else None

    def run(self):
        """Run the quick version and wait for it; returns the lab, so that a cell can show it."""
        self.button.start(wait=True)
        return self

    def _work(self, progress):
        digits = datasets.digits()
        with LOCK:
            recipe, chosen = self.recipe, (self.density, self.parts)
        retrain, finetune = (s.steps(len(digits.train)) for s in (recipe.retrain, recipe.finetune))
        before, doing = {"pruned": 0, "shared": retrain}, {"pruned": "pruning and retraining", "shared": "fine-tuning"}

        def report(stage, done, _):
            if stage in before:
                progress(min(1, (before[stage] + done) / (retrain + finetune)), doing[stage])

        result = pipeline.compress(shipped.dense(frontier.NET), recipe, digits.train, test=digits.test, progress=report)
        return chosen, (result.stages[-1].file_bytes, result.stages[-1].error_percent)

    def _done(self, outcome):
        self._live_parts, self.live = outcome
        self.react()

    def update(self):
        cloud, path, here, star, start = self.marks
        found = frontier_tables.files(self.rows, self.density, TRAININGS[self.training])
        self._put(cloud, found.values())
        steps = [frontier_tables.point(self.rows, self.density, self.parts[:n]) for n in range(len(self.parts) + 1)]
        self._put(path, [step for step in steps if step is not None])
        self._put(here, [self.point] if self.point else [])
        self._put(star, [self.live] if self.live else [])
        from_dense = [(self.point[0], self.dense_error), self.point] if self.point else []  # as the rivals' lines go
        self._put(start, from_dense)
        self.picture_view.refresh()

    def _put(self, line, points):
        errors = [min(error, 0.98 * MOST) for _, error in points]
        line.set_data(errors, [frontier_tables.DENSE_BYTES / size for size, _ in points])

    def describe(self):
        on = ", ".join(LABELS[name] for name in CODINGS if getattr(self, name)) or "nothing else"
        text = html(
            "<b>{density:g}% of fc1, {training}</b>, with {on}: ", density=self.density, training=self.training, on=on
        )
        if self.point is None:
            text += html("this training was not recorded; press <b>Run it now, quickly</b>. ")
        else:
            size, error = self.point
            ratio = frontier_tables.DENSE_BYTES / size
            text += html(
                "<b>{size:,} bytes, {ratio:.1f}x smaller</b>, error {error:.2f}% on 5,000 held-out digits, "
                "{before:.2f}% dense ",
                size=size,
                ratio=ratio,
                error=error,
                before=self.dense_error,
            )
            text += "(recorded). " + ("" if self.waits else self._switches())
        if self.live is not None:
            size, error = self.live
            ratio = frontier_tables.DENSE_BYTES / size
            text += html(
                "<b>Live{which}: {size:,} bytes, {ratio:.1f}x, error {error:.2f}%</b> on 1,000 held-out digits, "
                "retrained on 4,000 only.",
                which="" if self._live_parts == (self.density, self.parts) else f" ({self._live_words()})",
                size=size,
                ratio=ratio,
                error=error,
            )
        return text

    def _live_words(self):
        density, parts = self._live_parts
        return f"your last run, {density:g}% of fc1 with {', '.join(parts) or 'nothing else'}"

    def _switches(self):
        """What switching one coding part would do, in bytes."""
        found = frontier_tables.worth(self.rows, self.density, self.parts)
        words = [
            f"{LABELS[name]} {'off' if getattr(self, name) else 'on'}: {signed(found[part][0], 0)}"
            for name, part in CODINGS.items()
        ]
        return f"One switch from here, in bytes: {'; '.join(words)}. "

    def _draw(self, axes):
        figures.ground(axes, 8, 240, (LEAST, MOST), log=True)
        axes.set_xlabel("error % (log scale)")
        rows = figures.published(axes, "LeNet-300-100")
        names = "\n".join(f"{number} {row['method']}" for number, row in rows.items())
        axes.text(1.02, 1, names, transform=axes.transAxes, va="top", fontsize=12, linespacing=1.5)
        ring = {"linestyle": "", "markerfacecolor": "none", "markeredgewidth": 3}  # what lies under it is seen
        looks = (
            ("recorded, same training", theme.line_style("recorded", linestyle="", markersize=6)),
            ("part by part", theme.line_style("ours", linestyle="-", marker=".", linewidth=1.8)),
            ("your recipe (recorded)", theme.line_style("ours", markersize=17, **ring)),
            ("your recipe (live)", theme.line_style("guess", markersize=22, **ring)),
        )
        lines = [axes.plot([], [], label=label, zorder=5, **style)[0] for label, style in looks]
        figures.legend(axes, loc="lower right")
        return [*lines, *figures.start(axes, [], [])]

    def picture(self):
        figure, axes = theme.figure(12, 5.4)
        for line, source in zip(self._draw(axes), self.marks, strict=True):
            line.set_data(source.get_data())
        return figure
