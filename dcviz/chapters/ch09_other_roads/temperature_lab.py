"""A teacher's temperature: what soft targets say beyond the label, and what a student makes of it."""

import functools

import ipywidgets as widgets
import numpy as np
import traitlets

from dcviz.chapters.ch09_other_roads import distillation, figures
from dcviz.labkit import theme
from dcviz.labkit.base import LOCK, FigureImage, Lab, RunButton, html, labelled_slider, row
from dcviz.nets import datasets, models, training
from dcviz.nets.schedules import Schedule
from dcviz.pipeline import shipped

NOBODY = "none"
WIDTHS = (100, 50)
LESSON = {"epochs": 6, "lr": 3e-3, "batch_size": 32}


class TemperatureLab(Lab):
    """LeNet-300-100 teaches a net of 100 and 50 neurons, which may never see one of the digits.

        TemperatureLab()
        TemperatureLab(digit=7, temperature=8.0, missing="3")

    State: ``digit``, whose hardest picture the teacher is asked about; ``temperature``; ``missing``, a digit left out
    of the student's lessons, or "none". ``teach()`` or the button trains two students on the bundled digits, one from
    labels, one from the teacher; ``result`` is then {"labels" or "teacher": ten percentages named right} (None before).
    """

    heading = html("Temperature <small>warm the teacher up, then let it teach</small>")
    state_names = ("digit", "temperature", "missing")

    digit = traitlets.Int(3, min=0, max=9)
    temperature = traitlets.Float(4.0, min=0.25, max=40.0)
    missing = traitlets.Enum((NOBODY, *map(str, range(10))), "3")

    def __init__(self, digit=3, **state):
        self.teacher = shipped.dense("lenet-300-100")
        self.data = datasets.digits()
        self._logits = distillation.answers(self.teacher, self.data.test.images)
        self.taught, self._drawn, self._last = {}, None, None
        super().__init__(digit=digit, **state)

    # numbers -----------------------------------------------------------------------------------

    @property
    def place(self):
        """The held-out picture of the digit that the teacher names right with the least certainty."""
        labels = self.data.test.labels
        right = np.flatnonzero((labels == self.digit) & (self._logits.argmax(1) == self.digit))
        doubt = distillation.entropy(distillation.soften(self._logits[right], 4.0))
        return int(right[np.argmax(doubt)])

    @property
    def targets(self):
        """The teacher's ten probabilities for the picture, at the temperature."""
        return distillation.soften(self._logits[self.place], self.temperature)

    @property
    def result(self):
        """What students of this temperature and missing digit name right, or None before they were taught."""
        return self.taught.get((round(self.temperature, 3), self.missing))

    def found(self, temperature, missing):
        """Percent of a missing digit's pictures that the student taught at a temperature names right, or None yet."""
        result = self.taught.get((temperature, missing))
        return None if result is None else result["teacher"][int(missing)]

    # views -------------------------------------------------------------------------------------

    def build(self):
        choose = {"style": {"description_width": "initial"}, "layout": {"width": "auto"}}
        digit = widgets.Dropdown(options=list(range(10)), description="ask about a", **choose)
        missing = widgets.Dropdown(options=self.traits()["missing"].values, description="student never sees", **choose)
        warm = labelled_slider("temperature T", self.temperature, 0.25, 40.0, log=True, width="380px")
        self.bind_all(digit=digit, missing=missing, temperature=warm)
        self.run = RunButton("Teach two students", self._teach, self._done, self.fail)
        self.targets_view = FigureImage(*self._make_targets(), alt="a digit and the teacher's probabilities for it")
        self.students_view = FigureImage(self._make_students(), alt="how many of each digit the students name right")
        return [row(digit, warm), self.targets_view, row(missing, self.run), self.students_view]

    def _make_targets(self):
        figure, axes = theme.figure(11, 4.0, columns=2, width_ratios=(0.55, 1))
        bars = self._draw_targets(*axes)
        self._drawn = self.digit
        return figure, list(bars)

    def _draw_targets(self, left, right):
        left.imshow(255 - self.data.test.images[self.place], cmap="gray", vmin=0, vmax=255)
        left.set_axis_off()
        self.bars = figures.soft_targets(right, self.targets, self.digit)
        return self.bars

    def _make_students(self):
        figure, axes = theme.figure(11, 3.6)
        self._draw_students(axes)
        return figure

    def _draw_students(self, axes):
        key = self._shown_lesson()
        if key is None:
            axes.text(0.5, 0.5, "press “Teach two students”", ha="center", va="center", fontsize=24, color=theme.GREY)
            axes.set_axis_off()
            return
        (temperature, missing), result = key, self.taught[key]
        shares = {
            "student of labels": result["labels"],
            f"student of the teacher, T = {temperature:.3g}": result["teacher"],
        }
        figures.right_by_digit(axes, shares, None if missing == NOBODY else int(missing))

    def _shown_lesson(self):
        """(temperature, missing) of the students in the picture: those on show, else the last that were taught."""
        key = round(self.temperature, 3), self.missing
        return key if key in self.taught else self._last

    def update(self):
        if self._drawn != self.digit:
            self.targets_view.adopt(*self._make_targets())
        for bar, share in zip(self.bars, self.targets, strict=True):
            bar.set_width(max(share, 1e-6))
        self.targets_view.refresh()
        key = self._shown_lesson()
        shown = key, id(self.taught.get(key))
        if getattr(self, "_students_shown", (None, id(None))) != shown:
            self.students_view.adopt(self._make_students())
            self._students_shown = shown

    def describe(self):
        p = self.targets
        others = np.argsort(-p)
        others = others[others != self.digit][:2]
        second = ", ".join(f"{100 * p[i]:.2g}% a {i}" for i in others)
        text = self.say(
            "At temperature <b>{temperature:.3g}</b> the teacher calls this {digit} with "
            "<b>{p:.1f}%</b>; {second}. Its answer carries "
            "<b>{entropy:.2f} bits</b> beyond the name (a label: 0; even odds: 3.32). ",
            p=100 * p[self.digit],
            second=second,
            entropy=distillation.entropy(p),
        )
        if self.result is None:
            text += html("No student has been taught like this yet: press <b>Teach two students</b>. ")
            if self._last is not None:
                text += html("The bars show your last two students: T = {:.3g}, never saw: {}.", *self._last)
            return text
        labels, teacher = (float(np.mean(self.result[who])) for who in ("labels", "teacher"))
        text += html(
            "Digits named right: {labels:.1f}% by the student of labels, <b>{teacher:.1f}%</b> by the teacher's.",
            labels=labels,
            teacher=teacher,
        )
        if self.missing == NOBODY:
            return text
        lost, won = (self.result[who][int(self.missing)] for who in ("labels", "teacher"))
        return self.say(
            "{text} Of the {missing}s, which neither ever saw: {lost:.0f}% and <b>{won:.0f}%</b>. "
            "(Both had the {missing}'s bias raised until a tenth of their answers were {missing}s.)",
            text=text,
            lost=lost,
            won=won,
        )

    def picture(self):
        from matplotlib.gridspec import GridSpec

        figure, axes = theme.figure(12, 7.2)
        axes.remove()
        grid = GridSpec(2, 2, figure, width_ratios=(0.55, 1), height_ratios=(1.1, 1))
        live = self.bars
        self._draw_targets(figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1]))
        self.bars = live
        self._draw_students(figure.add_subplot(grid[1, :]))
        return figure

    # work --------------------------------------------------------------------------------------

    def teach(self):
        """Teach two students now and wait; returns the lab, so that a cell can show it."""
        self.run.start(wait=True)
        return self

    def _teach(self, progress):
        with LOCK:
            key = temperature, missing = round(self.temperature, 3), self.missing
        result = {"labels": _taught(None, missing, functools.partial(self._report, progress, 0.0))}
        result["teacher"] = _taught(temperature, missing, functools.partial(self._report, progress, 0.5))
        return key, result

    @staticmethod
    def _report(progress, before, done, steps, loss):
        progress(before + 0.5 * done / steps, "from labels" if before == 0 else "from the teacher")

    def _done(self, outcome):
        key, result = outcome
        self.taught[key], self._last = result, key
        self.react()


def _taught(temperature, missing, report):
    data, teacher = datasets.digits(), shipped.dense("lenet-300-100")
    seen = data.train if missing == NOBODY else data.train.take(data.train.labels != int(missing))
    weight = 0.0 if temperature is None else 1.0
    schedule = Schedule(**LESSON, teacher_weight=weight, temperature=temperature or 1.0)
    net = distillation.student(WIDTHS, models.LeNet300100.name)
    training.fit(net, seen, schedule, teacher=teacher, report=report)
    return distillation.right_by_class(net, data.test, None if missing == NOBODY else int(missing))
